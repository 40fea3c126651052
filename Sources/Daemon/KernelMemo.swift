import AuditControl
import Glibc
import System

/// The kernel's settings as they were before the first run since the boot, kept where a killed daemon's successor finds them:
/// it would take the settings of its predecessor for the administrator's.
struct KernelMemo {
  private let path: String

  init(directory: String) { path = "\(directory)/kernel" }

  /// `now`, with what an earlier run that did not end in order had found.
  func originals(now: KernelStatus) -> KernelStatus {
    guard let bytes = try? contents(of: path, limitBytes: 256) else { return now }
    let numbers = bytes.split(separator: UInt8(ascii: " ")).compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count == 3 else { return now }
    var status = now
    (status.enabled, status.backlogLimit, status.backlogWaitTime) = (numbers[0], numbers[1], numbers[2])
    return status
  }

  /// Writes them down. Best effort: without it a kill costs the old settings, nothing else.
  func remember(_ status: KernelStatus) {
    guard let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600) else { return }
    let text = Array("\(status.enabled) \(status.backlogLimit) \(status.backlogWaitTime)".utf8)
    _ = text.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) }
  }

  /// The run ended in order, and everything is as it was.
  func forget() { unlink(path) }
}
