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
struct ConfigChange {
  /// Whether audit has been switched off.
  private(set) var switchesOff = false
  /// The keys of a rule that has left the kernel.
  private(set) var removedKeys: [[UInt8]] = []

  init(_ text: RawSpan) {
    var (isDone, isOff, isRemoval) = (true, false, false)
    var keys = Value.absent
    var fields = FieldCursor(text)
    while let field = fields.next(text) {
      let name = text.extracting(field.name.range)
      let value = text.extracting(field.value.slice.range)
      if name.equals("res") { isDone = value.equals("1") }
      if name.equals("audit_enabled") { isOff = value.equals("0") }
      if name.equals("op") { isRemoval = value.equals("remove_rule") }
      if name.equals("key") { keys = field.value }
    }
    switchesOff = isDone && isOff
    guard isDone, isRemoval else { return }
    var decoded = ByteScratch()
    keys.decode(from: text, into: &decoded)
    // several keys of a rule are told apart by AUDIT_KEY_SEPARATOR (audit.h)
    removedKeys = decoded.array.split(separator: 1).map(Array.init)
  }

  /// Whether a record is of this host: auditd's plugins get those of other hosts as well, which audisp-remote has sent. auditd writes its own
  /// name or none (`name_format` in auditd.conf: `hostname` or `fqd`; an address, or a name of the administrator's, is not known for ours).
  static func isOwn(node: RawSpan, host: [UInt8]) -> Bool {
    if node.byteCount == 0 { return true }
    let short = min(node.byteCount, host.count)
    guard node.extracting(0..<short).equals(host.span.bytes.extracting(0..<short)) else { return false }
    // one of them may have its domain behind it
    let dot = UInt8(ascii: ".")
    return node.byteCount == host.count || (node.byteCount > short ? node.byte(short) == dot : host[short] == dot)
  }
}
