import AuditWire
import EventLog

/// Whether kernel audit is switched on, and the gap that it leaves when somebody switches it off (`auditctl -e 0`).
///
/// The kernel records that it is switched off, not that it is switched on again (kernel/audit.c audit_do_config_change): the
/// end of the gap is when it is first seen to be on.
struct AuditSwitch {
  private var offSinceMs: Int64?
  private var wasOn: Bool
  private var seenMs: Int64

  /// - Parameter nowMs: milliseconds since 1970.
  init(isOn: Bool = true, nowMs: Int64) {
    wasOn = isOn
    seenMs = nowMs
  }

  /// Whether a CONFIG_CHANGE record says that audit has been switched off.
  static func isSwitchedOff(by text: RawSpan) -> Bool {
    var fields = FieldCursor(text)
    var isOff = false
    while let field = fields.next(text) {
      let value = text.extracting(field.value.slice.range)
      if text.extracting(field.name.range).equals("audit_enabled") { isOff = value.equals("0") }
      if text.extracting(field.name.range).equals("res"), !value.equals("1") { return false }
    }
    return isOff
  }

  /// Takes what the kernel says now, and when a record has said that it was switched off since the last call.
  /// - Returns: the gap to report: when it is first seen to be off, and when it is on again.
  mutating func look(isOn: Bool, switchedOffMs: Int64?, nowMs: Int64) -> Gap? {
    defer { (wasOn, seenMs) = (isOn, nowMs) }
    if let switchedOffMs, offSinceMs == nil { offSinceMs = switchedOffMs }
    if isOn {
      guard let since = offSinceMs else { return nil }
      offSinceMs = nil
      return Gap(.coverage, sinceMs: since, untilMs: nowMs, detail: "kernel audit was switched off")
    }
    let since = offSinceMs ?? seenMs
    offSinceMs = since
    return wasOn ? Gap(.coverage, sinceMs: since, untilMs: nowMs, detail: "kernel audit is switched off") : nil
  }
}
