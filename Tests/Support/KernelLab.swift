import AuditControl
import Glibc
import System
import SystemPackage

/// Tests that touch kernel audit share one kernel. Each runs inside ``run(_:)``:
///
///     @Test(.enabled(if: KernelLab.isOpen, KernelLab.reason)) func rulesArrive() throws {
///       try KernelLab.run { ... }
///     }
///
/// One at a time on the whole machine, whatever process they are in; on every way out the settings are as before and the rule list is, too.
package enum KernelLab {
  /// What a test inside the lab did wrong, or what keeps it closed.
  package struct Complaint: Error, CustomStringConvertible {
    package let description: String
  }

  /// False where tests are to be skipped: audit is not permitted here and `FSAUDIT_REQUIRE_KERNEL` is not 1.
  package static let isOpen: Bool = obstacle == nil || isRequired

  /// Why they are skipped, for the trait's comment, which the test run prints.
  package static let reason: String = obstacle.map { "kernel audit cannot be used: \($0)" } ?? "kernel audit can be used"

  /// Whether nothing that a test needs may be missing here: it then fails instead of being skipped.
  package static let isRequired = getenv("FSAUDIT_REQUIRE_KERNEL").map { String(cString: $0) } == "1"

  private static let obstacle: String? = {
    do {
      var audit = try KernelAudit()
      let status = try audit.status()
      if status.enabled == 2 { return "rules are locked until reboot" }
      _ = try audit.ruleData()
      return nil
    } catch {
      return "\(error)"
    }
  }()

  /// Runs `body` with the kernel's audit system for itself.
  /// - Throws: what `body` throws; a ``Complaint`` if it leaves rules behind or removes others' (they are put right first), and when the
  ///   kernel cannot be used although `FSAUDIT_REQUIRE_KERNEL` is 1.
  @discardableResult
  package static func run<Result>(_ body: () throws -> Result) throws -> Result {
    if let obstacle { throw Complaint(description: obstacle) }
    // Closing the file gives the lock up, also when the process dies.
    let lock = try Descriptor.open("/run/lock/fsaudit-tests.lock", O_RDWR | O_CREAT, mode: 0o644)
    try call("flock", "/run/lock/fsaudit-tests.lock") { flock(lock.raw, LOCK_EX) }
    var audit = try KernelAudit()
    let status = try audit.status()
    let rules = try audit.ruleData()
    let outcome = Swift.Result<Result, any Error> { try body() }
    let complaint = try restore(&audit, status, rules)
    let result = try outcome.get()
    if let complaint { throw complaint }
    return result
  }

  private static func restore(_ audit: inout KernelAudit, _ status: KernelStatus, _ rules: [[UInt8]]) throws -> Complaint? {
    let after = try audit.ruleData()
    var complaint: Complaint?
    if after != rules {
      let left = after.filter { !rules.contains($0) }
      let missing = rules.filter { !after.contains($0) }
      complaint = Complaint(description: "the test left \(left.count) rules behind, and \(missing.count) that were there are gone")
      for rule in left { try? audit.change(rule, add: false, subject: "left-over rule") }
      for rule in missing { try? audit.change(rule, add: true, subject: "missing rule") }
    }
    let now = try audit.status()
    let settings: [KernelSetting] = [
      .backlogLimit(status.backlogLimit), .backlogWaitTime(status.backlogWaitTime), .failure(status.failure),
      .rateLimit(status.rateLimit), .enabled(status.enabled),
    ]
    for setting in settings where setting.current(in: now) != setting { try audit.set(setting) }
    return complaint
  }
}
