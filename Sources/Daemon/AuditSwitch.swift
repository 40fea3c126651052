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

/// What a CONFIG_CHANGE record says (kernel/audit.c audit_log_config_change, kernel/auditfilter.c audit_log_rule_change).
enum ConfigChange {
  /// Whether audit has been switched off.
  static func switchesOff(_ text: RawSpan) -> Bool {
    var isOff = false
    return each(text) { name, value in
      if name.equals("audit_enabled") { isOff = text.extracting(value.slice.range).equals("0") }
    } && isOff
  }

  /// The keys of a rule that has left the kernel.
  static func removedKeys(_ text: RawSpan) -> [[UInt8]] {
    var isRemoval = false
    var keys: [[UInt8]] = []
    let isDone = each(text) { name, value in
      if name.equals("op") { isRemoval = text.extracting(value.slice.range).equals("remove_rule") }
      if name.equals("key") {
        var decoded = ByteScratch()
        value.decode(from: text, into: &decoded)
        // several keys of a rule are told apart by AUDIT_KEY_SEPARATOR (audit.h)
        keys = decoded.array.split(separator: 1).map(Array.init)
      }
    }
    return isDone && isRemoval ? keys : []
  }

  /// Goes through the fields. Returns whether the change was made.
  private static func each(_ text: RawSpan, _ body: (_ name: RawSpan, _ value: Value) -> Void) -> Bool {
    var fields = FieldCursor(text)
    var isDone = true
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      if name.equals("res") { isDone = text.extracting(field.value.slice.range).equals("1") }
      body(name, field.value)
    }
    return isDone
  }
}
