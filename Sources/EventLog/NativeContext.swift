import AuditEvents
import AuditWire
import FileChanges

/// The middle of the last line, from the process to the host, and what follows the action: the same for most events of one process.
struct LineContext: ~Copyable, Sendable {
  var isValid = false
  private(set) var json = ByteBuffer(capacity: 4096)
  private(set) var tails = ByteBuffer(capacity: 4096)
  private var known = [Tail](repeating: Tail(), count: 16)
  private var actor = 0
  private var commandLine = 0
  private var keys: Coverage.KeySet = 0
  private var cwdVersion = 0
  private var hasDirectory = false

  /// Where in ``tails`` stands what follows an action by a system call: `,"key":…,"syscall":…` and the session.
  private struct Tail {
    /// The system call's name; names are constants, so their addresses tell them apart.
    var name: UInt = 0
    var action: UInt8 = 0
    var slice = Slice.none
  }

  init() {}

  /// The whole of ``json``.
  var all: Slice { Slice(start: 0, count: json.count) }

  func matches(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ actor: Int, _ commandLine: Int, _ keys: Coverage.KeySet
  ) -> Bool {
    isValid && actor == self.actor && commandLine == self.commandLine && keys == self.keys && event.node.isEmpty
      && hasDirectory == typed.cwd.isPresent && (!hasDirectory || cwdVersion == typed.cwdVersion)
  }

  mutating func remember(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ actor: Int, _ commandLine: Int, _ keys: Coverage.KeySet,
    _ lines: borrowing JSONWriter, from start: Int
  ) {
    isValid = event.node.isEmpty && typed.hasSyscall
    guard isValid else { return }
    (self.actor, self.commandLine, self.keys) = (actor, commandLine, keys)
    cwdVersion = typed.cwdVersion
    hasDirectory = typed.cwd.isPresent
    json.truncate(to: 0)
    _ = lines.copy(from: start, to: &json)
    tails.truncate(to: 0)
    for index in known.indices { known[index].name = 0 }
  }

  /// Where the rest is in ``tails``; nil where it is new. Only of use while ``matches(_:_:_:_:_:)`` says so.
  func tail(_ action: Action, _ call: StaticString) -> Slice? {
    let tail = known[LineContext.place(action, call)]
    return tail.name == UInt(bitPattern: call.utf8Start) && tail.action == action.rawValue ? tail.slice : nil
  }

  mutating func rememberTail(_ action: Action, _ call: StaticString, _ lines: borrowing JSONWriter, from start: Int) {
    // 16 at a time stand there; what collisions have left over is thrown away with them
    if tails.count > 1 << 16 { return }
    known[LineContext.place(action, call)] = Tail(
      name: UInt(bitPattern: call.utf8Start), action: action.rawValue, slice: lines.copy(from: start, to: &tails))
  }

  private static func place(_ action: Action, _ call: StaticString) -> Int {
    Int(truncatingIfNeeded: Swar.fold(UInt64(UInt(bitPattern: call.utf8Start)) ^ UInt64(action.rawValue)) & 15)
  }
}

/// The JSON of what most objects share, from the device to the group, kept by what it says: a place a file was changed in has few
/// owners and modes.
struct FileFactsCache: ~Copyable, Sendable {
  private struct Key: Equatable {
    /// One more than the device's number, 0 where it is not known.
    var device: UInt64 = 0
    /// 0, which no object has, in an empty entry.
    var mode: UInt32 = 0
    var owner: UInt32 = 0
    var group: UInt32 = 0

    init() {}

    init(_ change: FileChange) {
      device = change.identity.isUnknown ? 0 : UInt64(change.identity.device) &+ 1
      (mode, owner, group) = (change.mode, change.owner, change.group)
    }

    static func == (left: Key, right: Key) -> Bool {
      left.device == right.device && (left.mode ^ right.mode) | (left.owner ^ right.owner) | (left.group ^ right.group) == 0
    }
  }

  private var entries = [(key: Key, slice: Slice)](repeating: (Key(), .none), count: 64)
  /// What the entries' slices are of, and what replaced entries have left over.
  private(set) var json = ByteBuffer(capacity: 1 << 14)
  private var writer = JSONWriter()

  init() {}

  /// Where `,"device":…,"type":…,"mode":…,"uid":…,"gid":…` of a change whose mode is known stands; without the device where that is not known.
  mutating func find(_ change: FileChange) -> Slice {
    let key = Key(change)
    let parts = UInt64(key.mode) ^ UInt64(key.owner) &<< 20 ^ UInt64(key.group) &<< 40 ^ key.device &<< 32
    let place = Int(truncatingIfNeeded: Swar.fold(parts) & 63)
    if entries[place].key == key { return entries[place].slice }
    if json.count > 1 << 14 {
      json.truncate(to: 0)
      for index in entries.indices { entries[index].key = Key() }
    }
    writer.removeAll()
    if !change.identity.isUnknown { writer.device(change.identity) }
    writer.mode(of: change)
    entries[place] = (key, writer.copy(from: 0, to: &json))
    return entries[place].slice
  }
}

extension JSONWriter {
  /// `,"device":…`, in the kernel's own notation: two hexadecimal numbers of at least two digits.
  mutating func device(_ identity: FileIdentity) {
    raw(",\"device\":\"")
    hexadecimal(identity.major)
    raw(":")
    hexadecimal(identity.minor)
    raw("\"")
  }

  private mutating func hexadecimal(_ number: UInt32) {
    if number > 0xffff { hexByte(UInt8(truncatingIfNeeded: number >> 16)) }
    if number > 0xff { hexByte(UInt8(truncatingIfNeeded: number >> 8)) }
    hexByte(UInt8(truncatingIfNeeded: number))
  }

  /// `,"type":…,"mode":…,"uid":…,"gid":…`.
  mutating func mode(of change: FileChange) {
    if let type = FileType.name(change.mode) {
      raw(",\"type\":\"")
      raw(type)
      raw("\"")
    }
    raw(",\"mode\":\"")
    mode(change.mode)
    raw("\",\"uid\":\"")
    integer(UInt64(change.owner))
    raw("\",\"gid\":\"")
    integer(UInt64(change.group))
    raw("\"")
  }

  /// Permission bits, four octal digits.
  mutating func mode(_ mode: UInt32) {
    var shift: UInt32 = 12
    while shift > 0 {
      shift &-= 3
      raw(byte: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: mode >> shift & 7))
    }
  }
}

/// `,"event":{…,"outcome":"` of each action.
struct EventHeads: ~Copyable, Sendable {
  private(set) var json = ByteBuffer(capacity: 4096)
  private var slices: [Slice] = []

  init() {
    for action in Action.allCases { add(action, type: action.type) }
    // an open for writing is a change, where a mere open is an access
    add(.open, type: "change")
  }

  private mutating func add(_ action: Action, type: StaticString) {
    var writer = JSONWriter()
    writer.raw(",\"event\":{\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"")
    writer.raw(type)
    writer.raw("\"],\"action\":\"")
    writer.raw(action.past)
    writer.raw("\",\"outcome\":\"")
    slices.append(writer.copy(from: 0, to: &json))
  }

  /// Where in ``json`` that of a change stands.
  func find(_ change: FileChange) -> Slice {
    slices[change.action == .open && change.opensForWriting ? slices.count &- 1 : Int(change.action.rawValue)]
  }
}
