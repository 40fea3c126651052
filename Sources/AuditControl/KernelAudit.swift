import CAudit
import System
import SystemPackage

/// The control connection to the kernel's audit system: its status, its settings, its rules. It never registers for the stream of records.
///
/// Calls throw `SystemError` with the kernel's errno, which callers compare (EEXIST, ENOENT); ``failure(_:)`` turns it into words.
package struct KernelAudit: ~Copyable {
  private var socket: NetlinkSocket

  /// Opens the connection. Needs no privilege yet: the first request says EPERM without CAP_AUDIT_CONTROL.
  package init() throws(SystemError) {
    socket = try NetlinkSocket(protocol: NETLINK_AUDIT)
  }

  /// The kernel's status (AUDIT_GET).
  package mutating func status() throws(SystemError) -> KernelStatus {
    let answers = try socket.request(UInt16(AUDIT_GET), subject: "audit status", completion: .message).answers
    return KernelStatus(answers.first { $0.type == UInt16(AUDIT_GET) }?.payload ?? [])
  }

  /// Changes one setting (AUDIT_SET).
  /// - Parameter permissions: must hold `.lock` for `enabled` 2 and `.panic` for `failure` 2; EPERM otherwise, and the kernel is not asked.
  package mutating func set(_ setting: KernelSetting, permissions: Permissions = []) throws(SystemError) {
    let parts = setting.parts
    switch setting {
    case .enabled(2...) where !permissions.contains(.lock), .failure(2...) where !permissions.contains(.panic):
      throw SystemError("AUDIT_SET", "\(parts.option) \(parts.value)", .notPermitted)
    default: break
    }
    _ = try set(mask: parts.mask, word: parts.word, value: parts.value, subject: "\(parts.option) \(parts.value)")
  }

  /// Sets the count of lost records back to 0 and returns what it was (at most Int32.max: it comes back as the acknowledgement).
  package mutating func resetLost() throws(SystemError) -> UInt32 {
    UInt32(try set(mask: AUDIT_STATUS_LOST, word: 6, value: 0, subject: "--reset-lost"))
  }

  /// Sets the time that processes have waited back to 0 and returns what it was, in jiffies.
  package mutating func resetBacklogWaitTimeActual() throws(SystemError) -> UInt32 {
    UInt32(try set(mask: AUDIT_STATUS_BACKLOG_WAIT_TIME_ACTUAL, word: 10, value: 0, subject: "--reset_backlog_wait_time_actual"))
  }

  private mutating func set(mask: Int32, word: Int, value: UInt32, subject: String) throws(SystemError) -> Int32 {
    var status = [UInt32](repeating: 0, count: 11)
    status[0] = UInt32(bitPattern: mask)
    status[word] = value
    return try socket.request(
      UInt16(AUDIT_SET), status.withUnsafeBytes { Array($0) }, subject: subject, completion: .acknowledgement
    ).acknowledgement
  }

  /// Makes login uids unchangeable once set, and locks that (AUDIT_SET_FEATURE): only a reboot undoes it.
  package mutating func makeLoginuidImmutable() throws(SystemError) {
    // struct audit_features: version, mask, features, lock.
    let bit = UInt32(1) << UInt32(AUDIT_FEATURE_LOGINUID_IMMUTABLE)
    let features: [UInt32] = [UInt32(AUDIT_FEATURE_VERSION), bit, bit, bit]
    _ = try socket.request(
      UInt16(AUDIT_SET_FEATURE), features.withUnsafeBytes { Array($0) }, subject: "--loginuid-immutable", completion: .acknowledgement)
  }

  /// Whether login uids are unchangeable once set (AUDIT_GET_FEATURE).
  package mutating func loginuidIsImmutable() throws(SystemError) -> Bool {
    let answers = try socket.request(UInt16(AUDIT_GET_FEATURE), subject: "audit features", completion: .message).answers
    guard let bytes = answers.first(where: { $0.type == UInt16(AUDIT_GET_FEATURE) })?.payload, bytes.count >= 16 else { return false }
    let features = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }
    return features & (1 << UInt32(AUDIT_FEATURE_LOGINUID_IMMUTABLE)) != 0
  }

  /// The kernel's rules as raw `struct audit_rule_data`, in the order in which the kernel tries them, list by list.
  package mutating func ruleData() throws(SystemError) -> [[UInt8]] {
    try socket.request(UInt16(AUDIT_LIST_RULES), subject: "audit rules", completion: .list).answers
      .filter { $0.type == UInt16(AUDIT_LIST_RULES) }.map(\.payload)
  }

  /// The kernel's rules in that order, without those of a kind that this program does not know.
  package mutating func rules() throws(SystemError) -> [Rule] { try ruleData().compactMap(Rule.init(data:)) }

  /// Sends AUDIT_ADD_RULE or AUDIT_DEL_RULE with a raw `struct audit_rule_data`.
  package mutating func change(_ data: [UInt8], add: Bool, subject: String) throws(SystemError) {
    _ = try socket.request(
      UInt16(add ? AUDIT_ADD_RULE : AUDIT_DEL_RULE), data, subject: subject, completion: .acknowledgement)
  }

  /// `-q mount,subtree`: what is watched below `mountPoint` is to be watched below `subtree` as well (AUDIT_MAKE_EQUIV).
  package mutating func makeEquivalent(mountPoint: [UInt8], subtree: [UInt8]) throws(SystemError) {
    let sizes = [UInt32(mountPoint.count), UInt32(subtree.count)].withUnsafeBytes { Array($0) }
    _ = try socket.request(
      UInt16(AUDIT_MAKE_EQUIV), sizes + mountPoint + subtree, subject: "-q \(String(decoding: mountPoint, as: UTF8.self))",
      completion: .acknowledgement)
  }

  /// `-t`: forgets the parts of watched trees that were unmounted (AUDIT_TRIM).
  package mutating func trim() throws(SystemError) {
    _ = try socket.request(UInt16(AUDIT_TRIM), subject: "-t", completion: .acknowledgement)
  }
}
