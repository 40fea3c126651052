import Glibc
import System
import SystemPackage

/// The kernel's refusals in words.
extension KernelAudit {
  /// What a person is told when the kernel refuses. Asks the kernel's status once more, to tell "locked" from "not permitted".
  package mutating func failure(_ error: SystemError) -> Failure {
    let enabled = error.code == .notPermitted ? (try? status())?.enabled : nil
    return Self.failure(error, enabled: enabled)
  }

  /// The same, with what is known of ``KernelStatus/enabled``.
  package static func failure(_ error: SystemError, enabled: UInt32?) -> Failure {
    let subject = printable(error.subject)
    return switch error.code {
    case .notPermitted where enabled == 2:
      Failure("\(subject): the rules are locked (enabled is 2)", advice: "reboot to change them", exit: .kernelRefused)
    case .notPermitted, .permissionDenied:
      Failure(
        "\(subject): not permitted", advice: "run it as root with CAP_AUDIT_CONTROL, outside of a container", exit: .notPermitted)
    case .connectionRefused:
      Failure(
        "\(subject): the kernel does not answer",
        advice: "run it on the host, a container has no audit of its own; or boot without audit=0",
        exit: .notPermitted)
    case .protocolNotSupported, .addressFamilyNotSupported:
      Failure("\(subject): this kernel has no audit system", advice: "use a kernel with CONFIG_AUDITSYSCALL", exit: .kernelRefused)
    case .fileExists:
      Failure("\(subject): the kernel has this rule already", advice: "see `fsaudit rule list`", exit: .kernelRefused)
    case .noSuchFileOrDirectory:
      Failure(
        "\(subject): the path or its directory does not exist, or there is no such rule",
        advice: "create it first, or add --when-created to wait for it", exit: .kernelRefused)
    case .invalidArgument:
      Failure(
        "\(subject): the kernel takes no such rule", advice: "check that its fields fit the list and the operators fit the fields",
        exit: .kernelRefused)
    case .timedOut:
      Failure("\(subject): no answer from the kernel within 20 s", advice: "look at the kernel's log", exit: .kernelRefused)
    default:
      Failure("\(subject): \(error.code)", exit: .kernelRefused)
    }
  }
}

/// Who holds the kernel's unicast stream of records.
package struct RegisteredDaemon: Sendable, Equatable {
  package let pid: UInt32
  /// Its name in /proc; nil when no such process exists: the registration is stale, and the next daemon replaces it.
  package let name: String?

  package var isAlive: Bool { name != nil }

  /// Nil where nobody is registered.
  package init?(_ status: KernelStatus) {
    guard status.pid != 0 else { return nil }
    pid = status.pid
    name = (try? contents(of: "/proc/\(status.pid)/comm")).map { printable(String(decoding: $0.dropLast(), as: UTF8.self)) }
  }
}
