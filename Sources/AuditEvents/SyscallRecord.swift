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
  /// a0…a3; the kernel logs no more.
  package var arguments: InlineArray<4, UInt64> = .init(repeating: 0)
  /// From ` ppid=` to the record's end: the same bytes for every call of one process, hence a good cache key.
  package var actor: Slice = .none

  package init() {}

  /// Reads the fields in the kernel's order; with any other order, one by one. False where it is not such a record.
  mutating func read(_ bytes: RawSpan, _ body: Slice) -> Bool {
    let text = bytes.extracting(0..<body.end)
    if readInOrder(text, body) { return true }
    return readFields(text, body)
  }

  private mutating func readInOrder(_ text: RawSpan, _ body: Slice) -> Bool {
    var cursor = Cursor(at: Int(body.start))
    guard cursor.skip("arch=", text), let machine = cursor.hexadecimal(text), cursor.skip(" syscall", text), cursor.skip("=", text),
      let call = cursor.decimal(text)
    else { return false }
    if cursor.skip(" success", text) {
      if cursor.skip("=yes exi", text) { success = .yes } else if cursor.skip("=no exi", text) { success = .no } else { return false }
      guard cursor.skip("t=", text), let value = cursor.signed(text) else { return false }
      exit = value
    } else {
      success = .unknown
      exit = 0
    }
    guard cursor.skip(" a0=", text), let a0 = cursor.hexadecimal(text), cursor.skip(" a1=", text),
      let a1 = cursor.hexadecimal(text), cursor.skip(" a2=", text), let a2 = cursor.hexadecimal(text),
      cursor.skip(" a3=", text), let a3 = cursor.hexadecimal(text), cursor.skip(" items=", text), cursor.decimal(text) != nil,
      text.hasPrefix(" ppid=", at: cursor.at)
    else { return false }
    architecture = UInt32(truncatingIfNeeded: machine)
    number = Int32(truncatingIfNeeded: call)
    arguments[0] = a0
    arguments[1] = a1
    arguments[2] = a2
    arguments[3] = a3
    actor = Slice(start: cursor.at &+ 1, count: body.end &- cursor.at &- 1)
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
        arguments[Int(index)] = cursor.hexadecimal(text) ?? 0
      }
    }
    actor = body
    return number >= 0
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
