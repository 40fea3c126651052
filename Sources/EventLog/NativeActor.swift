import AuditWire

/// Where names come from that the records do not hold: the account databases, the system call tables, /proc.
/// Passed in, so that encoding a stored log asks the host it runs on nothing that it does not want to know.
package struct NameSources: Sendable {
  /// A user's name, nil where the id has none.
  package var user: @Sendable (_ id: UInt32) -> [UInt8]?
  package var group: @Sendable (_ id: UInt32) -> [UInt8]?
  /// A system call's name, for AUDIT_ARCH_* and a number.
  package var syscall: @Sendable (_ architecture: UInt32, _ number: Int32) -> [UInt8]?
  /// What /proc knows of a process, as ` auid=… ses=… comm=… exe=…` in the kernel's notation; empty where it is gone.
  /// Asked for io_uring's records only, which lack them (AUDIT-FACTS 8).
  package var process: @Sendable (_ pid: Int32) -> [UInt8]

  package init(
    user: @escaping @Sendable (UInt32) -> [UInt8]? = { _ in nil },
    group: @escaping @Sendable (UInt32) -> [UInt8]? = { _ in nil },
    syscall: @escaping @Sendable (UInt32, Int32) -> [UInt8]? = { _, _ in nil },
    process: @escaping @Sendable (Int32) -> [UInt8] = { _ in [] }
  ) {
    self.user = user
    self.group = group
    self.syscall = syscall
    self.process = process
  }
}

/// The JSON of who made a call, kept by the bytes that the kernel described them with: those are the same for every call
/// of a process, and an entry whose bytes match is right by construction.
struct ActorCache: ~Copyable, Sendable {
  struct Entry: Sendable {
    /// The kernel's bytes, the key.
    var text: [UInt8] = []
    /// `"pid":…` to the executable, inside `"process":{`.
    var process: [UInt8] = []
    /// `"user":{…}`.
    var user: [UInt8] = []
    /// `,"session":…,"tty":…`, inside `"fsaudit":{`.
    var session: [UInt8] = []
    /// The kernel's keys, decoded, back to back, and where each ends.
    var keys: [UInt8] = []
    var keyEnds: [Int32] = []
    /// `,"key":…`, inside `"fsaudit":{`: the first of them; empty where there is none.
    var key: [UInt8] = []
    var isUsed = false
  }

  private(set) var entries = [Entry](repeating: Entry(), count: 128)
  private var last = 0
  private var lastKind = false
  /// Changes whenever an entry does.
  private(set) var generation = 0
  /// The most bytes of a program's name or terminal that are written.
  private static let textLimit = 600
  private var writer = JSONWriter()
  private var decoded = ByteScratch()

  /// Forgets everything: an account was renamed.
  mutating func removeAll() {
    for index in entries.indices { entries[index].isUsed = false }
  }

  /// The entry for the actor that `slice` of `bytes` describes.
  mutating func find(_ bytes: RawSpan, _ slice: Slice, hasSyscall: Bool, names: NameSources) -> Int {
    let text = bytes.extracting(slice.range)
    // the same process as before, mostly
    if lastKind == hasSyscall, entries[last].isUsed, same(text, entries[last].text) { return last }
    let place = Int(truncatingIfNeeded: text.hash(seed: hasSyscall ? 1 : 2) & 127)
    last = place
    lastKind = hasSyscall
    if entries[place].isUsed, same(text, entries[place].text) { return place }
    generation &+= 1
    fill(place, text, hasSyscall: hasSyscall, names: names)
    return place
  }

  private func same(_ text: RawSpan, _ array: [UInt8]) -> Bool { text.equals(array.span.bytes) }

  private mutating func fill(_ place: Int, _ text: RawSpan, hasSyscall: Bool, names: NameSources) {
    var facts = ActorFacts()
    facts.read(text)
    var extended: [UInt8] = []
    if !hasSyscall, !facts.hasLogin, facts.pid > 0 {
      // io_uring: its records name neither auid nor program
      extended.append(text)
      extended += names.process(Int32(truncatingIfNeeded: facts.pid))
      facts.read(extended.span.bytes)
      write(place, extended.span.bytes, facts, names)
    } else {
      write(place, text, facts, names)
    }
    entries[place].text.removeAll(keepingCapacity: true)
    entries[place].text.append(text)
    entries[place].isUsed = hasSyscall  // what /proc said is true once only
  }

  private mutating func write(_ place: Int, _ text: RawSpan, _ facts: ActorFacts, _ names: NameSources) {
    writer.removeAll()
    writer.raw("\"pid\":")
    writer.integer(facts.pid)
    writer.raw(",\"parent\":{\"pid\":")
    writer.integer(facts.ppid)
    writer.raw("}")
    member(",\"name\":", facts.comm, text)
    member(",\"executable\":", facts.exe, text)
    writer.copy(to: &entries[place].process)
    writer.removeAll()

    let recorded = RecordedNames(text)
    writer.raw("\"user\":{")
    account(facts.uid, recorded.uid, text, names.user)
    if facts.euid != facts.uid {
      writer.raw(",\"effective\":{")
      account(facts.euid, recorded.euid, text, names.user)
      writer.raw("}")
    } else {
      writer.raw(",\"effective\":{\"id\":\"")
      writer.integer(facts.euid)
      writer.raw("\"}")
    }
    writer.raw(",\"group\":{")
    account(facts.gid, recorded.gid, text, names.group)
    writer.raw("}")
    if let auid = facts.auid, auid != .max {
      writer.raw(",\"audit\":{")
      account(auid, recorded.auid, text, names.user)
      writer.raw("}")
    }
    writer.raw("}")
    writer.copy(to: &entries[place].user)
    writer.removeAll()

    if facts.session != .max {
      writer.raw(",\"session\":")
      writer.integer(facts.session)
    }
    if facts.tty.isPresent, !text.extracting(facts.tty.slice.range).equals("(none)") { member(",\"tty\":", facts.tty, text, isText: false) }
    if facts.subject.isPresent { member(",\"subject\":", facts.subject, text, isText: false) }
    writer.copy(to: &entries[place].session)

    entries[place].keys.removeAll(keepingCapacity: true)
    entries[place].keyEnds.removeAll(keepingCapacity: true)
    decoded.truncate(to: 0)
    facts.key.decode(from: text, into: &decoded)
    // AUDIT_MAX_KEY_LEN: a log from anybody's hand may hold more
    decoded.truncate(to: 256)
    // several keys of one rule are joined with 0x01 (libaudit.h AUDIT_KEY_SEPARATOR)
    for index in 0..<decoded.count {
      if decoded[index] == 1 {
        entries[place].keyEnds.append(Int32(entries[place].keys.count))
      } else {
        entries[place].keys.append(decoded[index])
      }
    }
    if !decoded.isEmpty { entries[place].keyEnds.append(Int32(entries[place].keys.count)) }
    writer.removeAll()
    if let end = entries[place].keyEnds.first {
      writer.raw(",\"key\":")
      writer.string(entries[place].keys, 0..<Int(end))
    }
    writer.copy(to: &entries[place].key)
  }

  private mutating func member(_ name: StaticString, _ value: Value, _ text: RawSpan, isText: Bool = true) {
    guard value.isPresent else { return }
    writer.raw(name)
    decoded.truncate(to: 0)
    if value.encoding == .hex, !isText {
      decoded.append(text.extracting(value.slice.range))
    } else {
      value.decode(from: text, into: &decoded)
    }
    // an executable's path has up to 4,096 bytes, each six in JSON, and a line's bytes are limited
    if decoded.count > ActorCache.textLimit {
      decoded.truncate(to: ActorCache.textLimit)
      decoded.append(Array("…".utf8).span.bytes)
    }
    writer.string(decoded, 0..<decoded.count)
  }

  private mutating func account(_ id: UInt32, _ recorded: Value, _ text: RawSpan, _ name: (UInt32) -> [UInt8]?) {
    writer.raw("\"id\":\"")
    writer.integer(id)
    writer.raw("\"")
    if recorded.isPresent {
      member(",\"name\":", recorded, text)
    } else if let name = name(id) {
      writer.raw(",\"name\":")
      writer.string(name, 0..<name.count)
    }
  }
}

/// The fields that describe the actor, of SYSCALL and of URINGOP.
struct ActorFacts {
  var pid: UInt64 = 0
  var ppid: UInt64 = 0
  var uid: UInt32 = .max
  var euid: UInt32 = .max
  var gid: UInt32 = .max
  /// Nil where the record has none; 4294967295 where nobody logged in.
  var auid: UInt32?
  var session: UInt32 = .max
  var tty = Value.absent
  var comm = Value.absent
  var exe = Value.absent
  var subject = Value.absent
  var key = Value.absent
  var hasLogin: Bool { auid != nil }

  mutating func read(_ text: RawSpan) {
    self = ActorFacts()
    var fields = FieldCursor(text)
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      var cursor = Cursor(at: Int(field.value.slice.start))
      if name.equals("pid") {
        pid = cursor.decimal(text) ?? 0
      } else if name.equals("ppid") {
        ppid = cursor.decimal(text) ?? 0
      } else if name.equals("uid") {
        uid = cursor.id(text)
      } else if name.equals("euid") {
        euid = cursor.id(text)
      } else if name.equals("gid") {
        gid = cursor.id(text)
      } else if name.equals("auid") {
        auid = cursor.id(text)
      } else if name.equals("ses") {
        session = cursor.id(text)
      } else if name.equals("tty") {
        tty = field.value
      } else if name.equals("comm") {
        comm = field.value
      } else if name.equals("exe") {
        exe = field.value
      } else if name.equals("subj") {
        subject = field.value
      } else if name.equals("key") {
        key = field.value
      }
    }
  }
}

extension Cursor {
  /// A user, group or session id; 4294967295, the kernel's "none", where no number stands.
  mutating func id(_ text: RawSpan) -> UInt32 { UInt32(truncatingIfNeeded: decimal(text) ?? UInt64(UInt32.max)) }
}

extension JSONWriter {
  /// Replaces `target` by what has been written.
  func copy(to target: inout [UInt8]) {
    target.removeAll(keepingCapacity: true)
    withBytes { target.append($0) }
  }

  /// A JSON string of a part of an array: the writer's own buffers cannot be lent as spans while it changes.
  @discardableResult
  mutating func string(_ text: [UInt8], _ range: Range<Int>) -> Bool { string(text.span.bytes.extracting(range)) }

  /// Bytes of an array that are JSON already.
  @inline(__always)
  mutating func raw(_ text: [UInt8]) { raw(bytes: text.span.bytes) }
}
