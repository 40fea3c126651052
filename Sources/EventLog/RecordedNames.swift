import AuditWire

/// The names that auditd wrote behind a record's ids (`log_format = ENRICHED`, auditd.conf(5)): those of its host, at that time.
struct RecordedNames {
  private(set) var uid = Value.absent
  private(set) var euid = Value.absent
  private(set) var gid = Value.absent
  private(set) var auid = Value.absent

  /// - Parameter text: a record's, to its end.
  init(_ text: RawSpan) {
    guard let separator = text.firstIndex(of: enrichmentSeparator, from: 0, before: text.byteCount) else { return }
    var fields = FieldCursor(text, after: separator)
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      // no name, says auditd: `unset`, `unknown(1000)`
      guard field.value.encoding == .quoted, !text.extracting(field.value.slice.range).hasPrefix("unknown(", at: 0) else { continue }
      if name.equals("UID") {
        uid = field.value
      } else if name.equals("EUID") {
        euid = field.value
      } else if name.equals("GID") {
        gid = field.value
      } else if name.equals("AUID") {
        auid = field.value
      }
    }
  }
}
