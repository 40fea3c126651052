import AuditWire

/// A file system object as the kernel names it: the super block's device and the inode number.
///
/// The device is the kernel's `s_dev`, which on btrfs differs from what stat(2) says; a mount's own number is in
/// /proc/self/mountinfo.
@usableFromInline package struct FileIdentity: Hashable, Sendable, BitwiseCopyable {
  /// `major << 20 | minor`, the kernel's own layout (include/linux/kdev_t.h).
  @usableFromInline package var device: UInt32
  @usableFromInline package var inode: UInt64

  @inlinable package init(device: UInt32, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  @inlinable @inline(__always)
  package init(major: UInt32, minor: UInt32, inode: UInt64) {
    self.init(device: major &<< 20 | minor & 0xfffff, inode: inode)
  }

  @inlinable package var major: UInt32 { device >> 20 }
  @inlinable package var minor: UInt32 { device & 0xfffff }
  /// No inode was logged (a failed look-up, a symbolic link's text).
  @inlinable package var isUnknown: Bool { inode == 0 && device == 0 }
  @inlinable package static var unknown: FileIdentity { FileIdentity(device: 0, inode: 0) }

  @inlinable @inline(__always)
  package static func == (left: FileIdentity, right: FileIdentity) -> Bool { left.inode == right.inode && left.device == right.device }
  @inlinable @inline(__always)
  package static func != (left: FileIdentity, right: FileIdentity) -> Bool { left.inode != right.inode || left.device != right.device }
}

/// One PATH record: an object that the call looked up.
package struct PathRecord: Sendable, BitwiseCopyable {
  /// What the object was to the call (kernel/auditsc.c audit_log_name).
  @usableFromInline package enum NameType: UInt8, Sendable, BitwiseCopyable {
    case unknown, normal, parent, delete, create

    /// By number: the generic comparison of raw-valued types is a call through a witness table, on the event path.
    @inlinable @inline(__always)
    package static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
    @inlinable @inline(__always)
    package static func != (left: Self, right: Self) -> Bool { left.rawValue != right.rawValue }
  }

  /// The text that the process gave, or for a parent what the kernel made of it (wrong under dirfd: AUDIT-FACTS 4).
  package var name: Value = .absent
  package var nameType: NameType = .unknown
  package var identity: FileIdentity = .unknown
  /// st_mode before the call (an object that the call creates: after it); 0 where none was logged.
  package var mode: UInt32 = 0
  package var owner: UInt32 = 0
  package var group: UInt32 = 0
  /// `item=`: the kernel counts the records that it sends, so a hole is a record that was lost.
  package var item: Int32 = 0

  package init() {}

  /// A CREATE record without name and inode: io_uring's calls leave one for the entry that was looked up in vain, beside
  /// the one for the object that was then made.
  var isPlaceholder: Bool { nameType == .create && identity.isUnknown && !name.isPresent }

  mutating func read(_ bytes: RawSpan, _ body: Slice, _ tails: inout PathTails) -> Bool {
    let text = bytes.extracting(0..<body.end)
    var cursor = Cursor(at: Int(body.start))
    // `item=0 n`, the digit left out
    let label = text.word(cursor.at)
    let digit = UInt8(truncatingIfNeeded: label >> 40) &- 0x30
    guard label & 0xffff_00ff_ffff_ffff == Swar.literal("item=0 n") & 0xffff_00ff_ffff_ffff, digit <= 9 else {
      return readFields(text, body)
    }
    cursor.at &+= 7
    // events that follow each other in one directory share their first record, the parent's
    if digit == 0, tails.isFirst(text.extracting(Int(body.start)..<body.end)) {
      self = tails.firstRecord
      name.slice.start &+= body.start
      return true
    }
    guard cursor.skip("name=", text) else { return readFields(text, body) }
    name = cursor.value(text)
    guard cursor.skip(" inode=", text), let inode = cursor.decimal(text) else { return readFields(text, body) }
    let name = name
    let tail = text.extracting(cursor.at..<text.byteCount)
    let place = PathTails.place(of: tail)
    if tails.holds(tail, place) {
      self = tails.entries[place].record
    } else {
      guard readTail(tail) else { return readFields(text, body) }
      tails.remember(tail, place, self)
    }
    self.name = name
    item = Int32(digit)
    identity.inode = inode
    if digit == 0 { tails.rememberFirst(text.extracting(Int(body.start)..<body.end), self, at: body.start) }
    return true
  }

  /// From ` dev=` on, in the kernel's order.
  private mutating func readTail(_ text: RawSpan) -> Bool {
    var cursor = Cursor()
    guard cursor.skip(" dev=", text),
      let major = cursor.hexadecimal(text), cursor.skip(":", text), let minor = cursor.hexadecimal(text),
      cursor.skip(" mode=", text), let mode = cursor.octal(text), cursor.skip(" ouid=", text), let owner = cursor.decimal(text),
      cursor.skip(" ogid=", text), let group = cursor.decimal(text), cursor.skip(" rdev=", text),
      cursor.hexadecimal(text) != nil, cursor.skip(":", text), cursor.hexadecimal(text) != nil
    else { return false }
    if cursor.skip(" obj=", text) { _ = cursor.value(text) }
    guard cursor.skip(" namety", text), cursor.skip("pe=", text) else { return false }
    identity = FileIdentity(major: UInt32(truncatingIfNeeded: major), minor: UInt32(truncatingIfNeeded: minor), inode: 0)
    self.mode = UInt32(truncatingIfNeeded: mode)
    self.owner = UInt32(truncatingIfNeeded: owner)
    self.group = UInt32(truncatingIfNeeded: group)
    nameType = NameType(initial: text.peek(cursor.at))
    return true
  }

  private mutating func readFields(_ text: RawSpan, _ body: Slice) -> Bool {
    self = PathRecord()
    var fields = FieldCursor(text, start: Int(body.start))
    var found = false
    while let field = fields.next(text) {
      let label = text.extracting(field.name.range)
      var cursor = Cursor(at: Int(field.value.slice.start))
      found = true
      if label.equals("name") {
        name = field.value
      } else if label.equals("item") {
        item = Int32(truncatingIfNeeded: cursor.decimal(text) ?? 0)
      } else if label.equals("inode") {
        identity.inode = cursor.decimal(text) ?? 0
      } else if label.equals("dev") {
        let major = cursor.hexadecimal(text) ?? 0
        let minor = cursor.skip(":", text) ? cursor.hexadecimal(text) ?? 0 : 0
        identity = FileIdentity(
          major: UInt32(truncatingIfNeeded: major), minor: UInt32(truncatingIfNeeded: minor), inode: identity.inode)
      } else if label.equals("mode") {
        mode = UInt32(truncatingIfNeeded: cursor.octal(text) ?? 0)
      } else if label.equals("ouid") {
        owner = UInt32(truncatingIfNeeded: cursor.decimal(text) ?? 0)
      } else if label.equals("ogid") {
        group = UInt32(truncatingIfNeeded: cursor.decimal(text) ?? 0)
      } else if label.equals("nametype") || label.equals("objtype") {  // objtype: kernels 3.9 to 3.11
        nameType = NameType(initial: text.peek(cursor.at))
      }
    }
    return found
  }
}

/// What PATH records end with, from ` dev=` on, read once: device, mode, owner and type repeat from event to event.
struct PathTails: Sendable {
  private(set) var entries = [(text: [UInt8], record: PathRecord)](repeating: ([], PathRecord()), count: 128)

  /// The memory is there from the start: a steady stream of events allocates nothing.
  init() {
    for index in entries.indices { entries[index].text.reserveCapacity(PathTails.longestTail) }
  }

  private static let longestTail = 256
  private static let longestFirst = 1024

  /// Where a tail's entry is: its device is at byte 5, its mode, owner and group between 16 and 40, its type at about 60.
  static func place(of tail: RawSpan) -> Int {
    guard tail.byteCount >= 68 else { return 0 }
    let parts =
      tail.word(unchecked: 5) ^ tail.word(unchecked: 16) &* 3 ^ tail.word(unchecked: 24) &* 5 ^ tail.word(unchecked: 32) &* 7
      ^ tail.word(unchecked: 60) &* 11
    return Int(truncatingIfNeeded: Swar.fold(parts &+ UInt64(truncatingIfNeeded: tail.byteCount)) & 127)
  }

  /// Whether the entry there holds what these bytes spell; name, item and inode are not among it.
  func holds(_ tail: RawSpan, _ place: Int) -> Bool { PathTails.same(tail, entries[place].text) }

  mutating func remember(_ tail: RawSpan, _ place: Int, _ record: PathRecord) {
    // a tail that SELinux or a file's capabilities make long is cheap enough to read again
    guard tail.byteCount <= PathTails.longestTail else { return }
    entries[place].text.removeAll(keepingCapacity: true)
    entries[place].text.append(tail)
    entries[place].record = record
  }

  private var firstText = ByteScratch(capacity: PathTails.longestFirst)
  /// The last first record of an event; its name counts from the body's start.
  private(set) var firstRecord = PathRecord()

  /// Whether ``firstRecord`` consists of these bytes.
  func isFirst(_ body: RawSpan) -> Bool { !firstText.isEmpty && body.equals(firstText.storage.span.bytes.extracting(0..<firstText.count)) }

  mutating func rememberFirst(_ body: RawSpan, _ record: PathRecord, at start: Int32) {
    guard body.byteCount <= PathTails.longestFirst else { return }
    firstText.truncate(to: 0)
    firstText.append(body)
    firstRecord = record
    firstRecord.name.slice.start &-= start
  }

  private static func same(_ bytes: RawSpan, _ array: [UInt8]) -> Bool { !array.isEmpty && bytes.equals(array.span.bytes) }
}

extension PathRecord.NameType {
  /// From the first letter: NORMAL PARENT DELETE CREATE UNKNOWN.
  @inline(__always)
  init(initial: UInt8) {
    switch initial {
    case UInt8(ascii: "N"): self = .normal
    case UInt8(ascii: "P"): self = .parent
    case UInt8(ascii: "D"): self = .delete
    case UInt8(ascii: "C"): self = .create
    default: self = .unknown
    }
  }
}
