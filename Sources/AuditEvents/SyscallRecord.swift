import AuditWire

/// The SYSCALL record: what was called, with what, by whom.
package struct SyscallRecord: Sendable {
  /// `success=`: absent where the call never returned (kernel/auditsc.c audit_log_exit, return_valid).
  @usableFromInline package enum Success: UInt8, Sendable {
    case unknown, yes, no

    /// By number, see ``RecordType``.
    @inlinable @inline(__always)
    package static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
  }

  /// AUDIT_ARCH_*: machine and word size (include/uapi/linux/audit.h).
  package var architecture: UInt32 = 0
  package var number: Int32 = -1
  package var success: Success = .unknown
  /// The return value; a negative errno where the call failed.
  package var exit: Int64 = 0
  /// From a0's value to a3's, in hexadecimal and in order; the kernel logs no more. Empty where they are in ``listed``.
  private var arguments: Slice = .none
  /// a0…a3 of a record whose fields came in another order.
  private var listed: InlineArray<4, UInt64> = .init(repeating: 0)
  /// From ` ppid=` to the record's end: the same bytes for every call of one process, hence a good cache key.
  package var actor: Slice = .none

  package init() {}

  /// Argument `index` (0…3) of the call; `bytes` are those that the record was read from. Most calls are understood without
  /// most of their arguments, so they are only read when somebody asks.
  package func argument(_ index: Int, _ bytes: RawSpan) -> UInt64 {
    if arguments.isEmpty { return listed[index] }
    var cursor = Cursor(at: Int(arguments.start))
    for _ in 0..<index {
      // over ` a1=`
      guard let blank = bytes.firstIndex(of: UInt8(ascii: " "), from: cursor.at, before: arguments.end) else { return 0 }
      cursor.at = blank &+ 4
    }
    return cursor.hexadecimal(bytes) ?? 0
  }

  /// Reads the fields in the kernel's order; with any other order, one by one. False where it is not such a record.
  mutating func read(_ bytes: RawSpan, _ body: Slice, _ heads: inout SyscallHeads) -> Bool {
    let text = bytes.extracting(0..<body.end)
    let start = Int(body.start)
    let place = SyscallHeads.place(of: text, at: start)
    if heads.holds(text, at: start, place) {
      self = heads.entries[place].record
      if readArguments(text, from: start &+ heads.entries[place].count) { return true }
    } else if let end = readHead(text, from: start) {
      heads.remember(text.extracting(start..<end), self, place)
      if readArguments(text, from: end) { return true }
    }
    return readFields(text, body)
  }

  /// `arch=c000003e syscall=257 success=yes exit=3 a0=`. Returns where it ends, nil with any other order.
  private mutating func readHead(_ text: RawSpan, from start: Int) -> Int? {
    self = SyscallRecord()
    var cursor = Cursor(at: start)
    guard cursor.skip("arch=", text), let machine = cursor.hexadecimal(text), cursor.skip(" syscall", text), cursor.skip("=", text),
      let call = cursor.decimal(text)
    else { return nil }
    if cursor.skip(" success", text) {
      if cursor.skip("=yes exi", text) { success = .yes } else if cursor.skip("=no exi", text) { success = .no } else { return nil }
      guard cursor.skip("t=", text), let value = cursor.signed(text) else { return nil }
      exit = value
    }
    guard cursor.skip(" a0=", text) else { return nil }
    architecture = UInt32(truncatingIfNeeded: machine)
    number = Int32(truncatingIfNeeded: call)
    return cursor.at
  }

  /// `3 a1=7ffe a2=241 a3=1b6 items=2 ppid=…`: where the arguments and the actor are. No hexadecimal digit is an i.
  private mutating func readArguments(_ text: RawSpan, from start: Int) -> Bool {
    // four digits and what names three of them are 16 bytes
    guard let i = text.firstIndex(of: UInt8(ascii: "i"), from: min(start &+ 16, text.byteCount), before: text.byteCount) else {
      return false
    }
    var cursor = Cursor(at: i &- 1)
    guard cursor.skip(" items=", text), cursor.decimal(text) != nil, cursor.skip(" ppid=", text) else { return false }
    let ppid = cursor.at &- 5
    arguments = Slice(start: start, count: i &- 1 &- start)
    actor = Slice(start: ppid, count: text.byteCount &- ppid)
    return true
  }

  private mutating func readFields(_ text: RawSpan, _ body: Slice) -> Bool {
    self = SyscallRecord()
    var fields = FieldCursor(text, start: Int(body.start))
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      var cursor = Cursor(at: Int(field.value.slice.start))
      if name.equals("arch") {
        architecture = UInt32(truncatingIfNeeded: cursor.hexadecimal(text) ?? 0)
      } else if name.equals("syscall") {
        number = Int32(truncatingIfNeeded: cursor.decimal(text) ?? UInt64(UInt32.max))
      } else if name.equals("success") {
        success = cursor.skip("yes", text) ? .yes : cursor.skip("no", text) ? .no : .unknown
      } else if name.equals("exit") {
        exit = cursor.signed(text) ?? 0
      } else if name.byteCount == 2, name.byte(0) == UInt8(ascii: "a"), case let index = name.byte(1) &- 0x30, index < 4 {
        listed[Int(index)] = cursor.hexadecimal(text) ?? 0
      }
    }
    actor = body
    return number >= 0
  }
}

/// What SYSCALL records begin with, up to `a0=`, read once: the same few calls with the same results come again and again.
struct SyscallHeads: Sendable {
  private(set) var entries = [(count: Int, record: SyscallRecord)](repeating: (0, SyscallRecord()), count: SyscallHeads.places)
  /// Each entry's text, ``longest`` bytes apart.
  private var texts = [UInt8](repeating: 0, count: SyscallHeads.places * SyscallHeads.longest)

  private static let places = 64
  private static let longest = 64

  /// By the call's number and the beginning of its result: `arch=c000003e syscall=` is 22 bytes long.
  static func place(of text: RawSpan, at start: Int) -> Int {
    Int(truncatingIfNeeded: Swar.fold(text.word(start &+ 22) ^ text.word(start &+ 38) &* 3) & 63)
  }

  /// Whether the entry's text stands at `start`.
  func holds(_ text: RawSpan, at start: Int, _ place: Int) -> Bool {
    let count = entries[place].count
    guard count > 0, start &+ count <= text.byteCount else { return false }
    let first = place &* SyscallHeads.longest
    return text.extracting(start..<start &+ count).equals(texts.span.bytes.extracting(first..<first &+ count))
  }

  /// Keeps what `head` says.
  mutating func remember(_ head: RawSpan, _ record: SyscallRecord, _ place: Int) {
    guard head.byteCount <= SyscallHeads.longest else { return }
    for offset in 0..<head.byteCount { texts[place &* SyscallHeads.longest &+ offset] = head.byte(offset) }
    entries[place] = (head.byteCount, record)
  }
}

/// The URINGOP record: a file operation that a process left to io_uring. The kernel logs neither auid nor names in it.
package struct UringRecord: Sendable {
  /// `uring_op=`: IORING_OP_* (include/uapi/linux/io_uring.h).
  package var operation: Int32 = -1
  package var success: SyscallRecord.Success = .unknown
  package var exit: Int64 = 0
  /// The whole body: it names the same fields as a SYSCALL's tail does, as far as it has them.
  package var actor: Slice = .none

  mutating func read(_ bytes: RawSpan, _ body: Slice) -> Bool {
    self = UringRecord()
    let text = bytes.extracting(0..<body.end)
    var fields = FieldCursor(text, start: Int(body.start))
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      var cursor = Cursor(at: Int(field.value.slice.start))
      if name.equals("uring_op") {
        operation = Int32(truncatingIfNeeded: cursor.decimal(text) ?? UInt64(UInt32.max))
      } else if name.equals("success") {
        success = cursor.skip("yes", text) ? .yes : cursor.skip("no", text) ? .no : .unknown
      } else if name.equals("exit") {
        exit = cursor.signed(text) ?? 0
      }
    }
    actor = body
    return operation >= 0
  }
}
