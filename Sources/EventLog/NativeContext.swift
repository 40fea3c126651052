import AuditEvents
import AuditWire
import FileChanges

/// The middle of the last line, from the process to the host: the same for most events of one process.
struct LineContext: Sendable {
  var isValid = false
  var json: [UInt8] = []
  private var actor = 0
  private var commandLine = 0
  private var keys: Coverage.KeySet = 0
  private var directory: [UInt8] = []
  private var encoding = Value.Encoding.absent

  init() {
    json.reserveCapacity(4096)
    directory.reserveCapacity(4096)
  }

  func matches(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ actor: Int, _ commandLine: Int, _ keys: Coverage.KeySet
  ) -> Bool {
    guard isValid, actor == self.actor, commandLine == self.commandLine, keys == self.keys, event.node.isEmpty,
      encoding.rawValue == typed.cwd.encoding.rawValue
    else { return false }
    let bytes = event.text.storage.span.bytes
    return bytes.extracting(typed.cwd.slice.range).equals(directory.span.bytes)
  }

  mutating func remember(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ actor: Int, _ commandLine: Int, _ keys: Coverage.KeySet,
    _ lines: borrowing JSONWriter, from start: Int
  ) {
    isValid = event.node.isEmpty && typed.hasSyscall
    guard isValid else { return }
    (self.actor, self.commandLine, self.keys) = (actor, commandLine, keys)
    directory.removeAll(keepingCapacity: true)
    directory.append(event.text.storage.span.bytes.extracting(typed.cwd.slice.range))
    encoding = typed.cwd.encoding
    json.removeAll(keepingCapacity: true)
    lines.withBytes(from: start) { json.append($0) }
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

  private var keys = [Key](repeating: Key(), count: 64)
  private(set) var entries = [[UInt8]](repeating: [], count: 64)
  private var writer = JSONWriter()

  init() { for index in entries.indices { entries[index].reserveCapacity(160) } }

  /// The entry for a change whose mode is known: `,"device":…,"type":…,"mode":…,"uid":…,"gid":…`, the device left out where it is not known.
  mutating func find(_ change: FileChange) -> Int {
    let key = Key(change)
    let parts = UInt64(key.mode) ^ UInt64(key.owner) &<< 20 ^ UInt64(key.group) &<< 40 ^ key.device &<< 32
    let place = Int(truncatingIfNeeded: Swar.fold(parts) & 63)
    if keys[place] != key {
      writer.removeAll()
      if !change.identity.isUnknown { writer.device(change.identity) }
      writer.mode(of: change)
      writer.copy(to: &entries[place])
      keys[place] = key
    }
    return place
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

/// `,"event":{…,"outcome":"` of each action, by its raw value.
enum EventHeads {
  /// The place of an open for writing, which is a change where a mere open is an access.
  static let openForWriting = Action.allCases.count

  static func make() -> [[UInt8]] {
    Action.allCases.map { head(of: $0, type: $0.type) } + [head(of: .open, type: "change")]
  }

  private static func head(of action: Action, type: StaticString) -> [UInt8] {
    var writer = JSONWriter()
    writer.raw(",\"event\":{\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"")
    writer.raw(type)
    writer.raw("\"],\"action\":\"")
    writer.raw(action.past)
    writer.raw("\",\"outcome\":\"")
    return writer.bytes
  }
}
