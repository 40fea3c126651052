import AuditEvents
import AuditWire

/// Who did what has no SYSCALL to tell: the kernel writes it into the record itself (CONFIG_CHANGE of a process that is not audited), and in front
/// of what user space says, where the same names may come again with anything: the first of each counts.
struct RecordedLogin {
  private(set) var uid: UInt32?
  private(set) var auid: UInt32?
  private(set) var session: UInt32?
  private(set) var pid: UInt32?
  /// What the program calls itself; only who may write audit records is believed (CAP_AUDIT_WRITE).
  private(set) var executable: Value?
  /// Of the last `res=`, which libaudit writes behind all that users have a say in (audit_logging.c).
  private(set) var success = SyscallRecord.Success.unknown

  /// Behind the record.
  private(set) var uidName = Value.absent
  private(set) var auidName = Value.absent

  /// - Parameter record: the event's first, in `bytes`.
  init(_ bytes: RawSpan, _ record: RecordSlice?) {
    guard let record else { return }
    let text = bytes.extracting(0..<record.body.end)
    let names = RecordedNames(text)
    (uidName, auidName) = (names.uid, names.auid)
    var fields = FieldCursor(text, start: Int(record.body.start))
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      var cursor = Cursor(at: Int(field.value.slice.start))
      if name.equals("uid") {
        uid = uid ?? cursor.id(text)
      } else if name.equals("auid") {
        auid = auid ?? cursor.id(text)
      } else if name.equals("ses") {
        session = session ?? cursor.id(text)
      } else if name.equals("pid") {
        pid = pid ?? cursor.id(text)
      } else if name.equals("exe") {
        if field.value.encoding == .quoted || field.value.encoding == .hex { executable = executable ?? field.value }
      } else if name.equals("res") {
        let value = text.extracting(field.value.slice.range)
        success = value.equals("success") || value.equals("1") ? .yes : value.equals("failed") || value.equals("0") ? .no : .unknown
      }
    }
  }
}

extension NativeEncoder {
  /// `,"user":{…}`, as far as the record says who it was.
  mutating func recordedUser(_ login: RecordedLogin, _ text: ByteScratch) {
    guard login.uid != nil || login.auid != nil && login.auid != .max else { return }
    lines.raw(",\"user\":{")
    if let uid = login.uid { account(uid, login.uidName, text) }
    if let auid = login.auid, auid != .max {
      lines.raw(login.uid == nil ? "\"audit\":{" : ",\"audit\":{")
      account(auid, login.auidName, text)
      lines.raw("}")
    }
    lines.raw("}")
  }

  /// `,"process":{…}`, as far as the record says which it was.
  mutating func recordedProcess(_ login: RecordedLogin, _ text: ByteScratch) {
    guard let pid = login.pid else { return }
    lines.raw(",\"process\":{\"pid\":")
    lines.integer(UInt64(pid))
    if let executable = login.executable {
      lines.raw(",\"executable\":")
      value(executable, text, limit: 1000)
    }
    lines.raw("}")
  }

  private mutating func account(_ id: UInt32, _ recorded: Value, _ text: ByteScratch) {
    lines.raw("\"id\":\"")
    lines.integer(UInt64(id))
    lines.raw("\"")
    if recorded.isPresent {
      lines.raw(",\"name\":")
      value(recorded, text, limit: 600)
    } else if let name = names.user(id) {
      lines.raw(",\"name\":")
      lines.string(name, 0..<name.count)
    }
  }
}
