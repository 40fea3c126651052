import Glibc
import System
import SystemPackage

/// What ``RuleBook``'s operations share.
extension RuleBook {
  /// Asks the kernel something, and turns its refusal into words.
  mutating func asking<Answer>(_ body: (inout KernelAudit) throws(SystemError) -> Answer) throws(Failure) -> Answer {
    do { return try body(&audit) } catch { throw audit.failure(error) }
  }

  /// The kernel's rules that this program can read. The others cannot be ours.
  mutating func rules() throws(Failure) -> [Rule] {
    try asking { audit throws(SystemError) in try audit.rules() }
  }

  /// Applies changes in order. When one fails, those before it are undone, as far as the kernel lets us: a rule that comes back stands at its
  /// list's end, so whoever needs the old order restores it with a plan.
  /// - Throws: the errno of the first failure.
  mutating func change(_ steps: [RulePlan.Step]) throws(SystemError) {
    for (index, step) in steps.enumerated() {
      do { try send(step) } catch {
        for undone in steps[..<index].reversed() {
          switch undone {
          case .delete(let rule): try? send(.append(rule))
          case .append(let rule), .prepend(let rule): try? send(.delete(rule))
          }
        }
        throw error
      }
      pause(after: index)
    }
  }

  /// Kernel 6.1.147 of Amazon Linux locked up under a fast stream of rule changes (amazonlinux/amazon-linux-2023#988). Each change waits for its
  /// acknowledgement anyway; a pause now and then lets kauditd deliver the CONFIG_CHANGE records of the last ones.
  func pause(after index: Int) { if index % 32 == 31 { usleep(2000) } }

  mutating func send(_ step: RulePlan.Step) throws(SystemError) {
    let rule = step.rule
    switch step {
    case .delete: try audit.change(rule.data, add: false, subject: rule.description)
    case .append: try audit.change(rule.data, add: true, subject: rule.description)
    case .prepend: try audit.change(rule.data(prepend: true), add: true, subject: rule.description)
    }
  }

  /// The kernel's refusal, with the place or line that it is about in front.
  mutating func named(_ error: SystemError, _ subject: String) -> Failure { audit.failure(SystemError(error.call, subject, error.code)) }

  /// Applies a setting or action. `-D`, `-i` and `-c` belong to the caller.
  mutating func apply(_ control: RuleControl, _ permissions: Permissions) throws(Failure) {
    try Self.check(control, permissions)
    try asking { audit throws(SystemError) in
      switch control {
      case .set(let setting): try audit.set(setting, permissions: permissions)
      case .makeEquivalent(let mountPoint, let subtree): try audit.makeEquivalent(mountPoint: mountPoint, subtree: subtree)
      case .trim: try audit.trim()
      case .loginuidImmutable: try audit.makeLoginuidImmutable()
      case .resetLost: _ = try audit.resetLost()
      case .resetBacklogWaitTimeActual: _ = try audit.resetBacklogWaitTimeActual()
      case .deleteAll, .ignoreErrors, .continueAfterErrors: break
      }
    }
  }

  /// Refuses what only a reboot undoes, unless it is allowed expressly.
  package static func check(_ control: RuleControl, _ permissions: Permissions) throws(Failure) {
    switch control {
    case .set(.enabled(2...)) where !permissions.contains(.lock):
      throw Failure(
        "-e 2 locks all rules and settings until the next reboot, for auditctl and fsaudit alike", advice: "allow it with --allow-lock",
        exit: .usage)
    case .set(.failure(2...)) where !permissions.contains(.panic):
      throw Failure(
        "-f 2 makes the kernel panic as soon as it loses a record, so that a burst of events stops the machine",
        advice: "allow it with --allow-panic", exit: .usage)
    default: break
    }
  }

  /// Holds the ledger for this process, until the descriptor goes away.
  func locked() throws(Failure) -> Descriptor {
    do {
      if mkdir(directory, 0o755) != 0, errno != EEXIST { throw SystemError("mkdir", directory, Errno(rawValue: errno)) }
      let file = try Descriptor.open(directory + "/rules.lock", O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
      try call("flock", directory) { flock(file.raw, LOCK_EX) }
      return file
    } catch let error as SystemError {
      throw error.failure()
    } catch {
      throw Failure("\(directory): \(error)", exit: .inputOutput)
    }
  }

  /// The ledgers of `watch` processes.
  func watchLedgers() -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var paths: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasPrefix("watch-"), !name.hasSuffix(".new") { paths.append(directory + "/" + name) }
    }
    return paths
  }
}
