import CAudit

/// What AUDIT_GET says of the kernel's audit system (struct audit_status of linux/audit.h).
package struct KernelStatus: Sendable, Equatable {
  /// 0 off, 1 on, 2 on and locked until the next boot.
  package var enabled: UInt32 = 0
  /// What happens when a record is lost: 0 nothing, 1 a kernel message, 2 a panic.
  package var failure: UInt32 = 0
  /// The registered audit daemon's process, 0 for none.
  package var pid: UInt32 = 0
  /// Records per second, 0 for no limit.
  package var rateLimit: UInt32 = 0
  /// Records that may wait for the daemon.
  package var backlogLimit: UInt32 = 0
  /// Records lost since boot or the last reset.
  package var lost: UInt32 = 0
  /// Records that wait now.
  package var backlog: UInt32 = 0
  /// AUDIT_FEATURE_BITMAP_*.
  package var featureBitmap: UInt32 = 0
  /// How long an audited process sleeps when the backlog is full, in jiffies (kernel/audit.c: 60*HZ by default).
  package var backlogWaitTime: UInt32 = 0
  /// Jiffies that processes have slept for that reason; nil where the kernel does not count it (before 5.9).
  package var backlogWaitTimeActual: UInt32?

  /// Everything 0: before the kernel has been asked.
  package init() {}

  /// Reads the kernel's answer; a shorter one (an older kernel) leaves the rest 0.
  init(_ bytes: [UInt8]) {
    func word(_ index: Int) -> UInt32? {
      bytes.count >= index * 4 + 4 ? bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self) } : nil
    }
    enabled = word(1) ?? 0
    failure = word(2) ?? 0
    pid = word(3) ?? 0
    rateLimit = word(4) ?? 0
    backlogLimit = word(5) ?? 0
    lost = word(6) ?? 0
    backlog = word(7) ?? 0
    featureBitmap = word(8) ?? 0
    backlogWaitTime = word(9) ?? 0
    backlogWaitTimeActual = word(10)
  }
}

/// One setting of the kernel's audit system that AUDIT_SET changes; the value's meaning is ``KernelStatus``'s.
package enum KernelSetting: Sendable, Hashable {
  case enabled(UInt32)
  case failure(UInt32)
  case rateLimit(UInt32)
  case backlogLimit(UInt32)
  case backlogWaitTime(UInt32)

  /// The bit of `mask`, the index of the word in struct audit_status, the value, and auditctl's spelling.
  var parts: (mask: Int32, word: Int, value: UInt32, option: String) {
    switch self {
    case .enabled(let value): (AUDIT_STATUS_ENABLED, 1, value, "-e")
    case .failure(let value): (AUDIT_STATUS_FAILURE, 2, value, "-f")
    case .rateLimit(let value): (AUDIT_STATUS_RATE_LIMIT, 4, value, "-r")
    case .backlogLimit(let value): (AUDIT_STATUS_BACKLOG_LIMIT, 5, value, "-b")
    case .backlogWaitTime(let value): (AUDIT_STATUS_BACKLOG_WAIT_TIME, 9, value, "--backlog_wait_time")
    }
  }

  /// From auditctl's spelling; nil for a setting that it does not name.
  init?(option: String, value: UInt32) {
    let all: [KernelSetting] = [
      .enabled(value), .failure(value), .rateLimit(value), .backlogLimit(value), .backlogWaitTime(value),
    ]
    guard let setting = all.first(where: { $0.parts.option == option }) else { return nil }
    self = setting
  }

  /// The same setting as `status` has it: what undoes this one.
  package func current(in status: KernelStatus) -> KernelSetting {
    switch self {
    case .enabled: .enabled(status.enabled)
    case .failure: .failure(status.failure)
    case .rateLimit: .rateLimit(status.rateLimit)
    case .backlogLimit: .backlogLimit(status.backlogLimit)
    case .backlogWaitTime: .backlogWaitTime(status.backlogWaitTime)
    }
  }
}

/// What must be allowed expressly, because only a reboot undoes it.
package struct Permissions: OptionSet, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }
  /// `-e 2`: rules and settings cannot be changed until the next boot.
  package static let lock = Permissions(rawValue: 1)
  /// `-f 2`: the kernel panics when it loses a record.
  package static let panic = Permissions(rawValue: 2)
}
