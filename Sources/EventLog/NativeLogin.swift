import AuditEvents
import AuditWire

/// Who did what has no SYSCALL to tell: the kernel writes it into the record itself (CONFIG_CHANGE of a process that is not audited), and in front
/// of what user space says, where the same names may come again with anything: the first of each counts.
struct RecordedLogin {
  private(set) var uid: UInt32?
  private(set) var auid: UInt32?
  private(set) var session: UInt32?

  /// - Parameter record: the event's first, in `bytes`.
  init(_ bytes: RawSpan, _ record: RecordSlice?) {
    guard let record else { return }
    let text = bytes.extracting(0..<record.body.end)
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
      }
    }
  }
}

extension NativeEncoder {
  /// `,"user":{…}`, as far as the record says who it was.
  mutating func recordedUser(_ login: RecordedLogin) {
    guard login.uid != nil || login.auid != nil && login.auid != .max else { return }
    lines.raw(",\"user\":{")
    if let uid = login.uid { account(uid) }
    if let auid = login.auid, auid != .max {
      lines.raw(login.uid == nil ? "\"audit\":{" : ",\"audit\":{")
      account(auid)
      lines.raw("}")
    }
    lines.raw("}")
  }

  private mutating func account(_ id: UInt32) {
    lines.raw("\"id\":\"")
    lines.integer(UInt64(id))
    lines.raw("\"")
    guard let name = names.user(id) else { return }
    lines.raw(",\"name\":")
    lines.string(name, 0..<name.count)
  }
}
