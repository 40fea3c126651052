import SystemPackage

/// When it is told that the log cannot be written: at once, but not more than once a minute where it comes and goes.
struct LogTrouble {
  enum Message: Equatable {
    case cannotWrite
    /// After how long, in seconds.
    case writesAgain(Int64)
  }

  private var sinceMs: Int64?
  private var toldMs: Int64?
  private var isTold = false

  /// Takes how it is now, on a clock that never goes back.
  mutating func note(isStalled: Bool, nowMs: Int64) -> Message? {
    guard isStalled else {
      defer { (sinceMs, isTold) = (nil, false) }
      return isTold ? .writesAgain((nowMs - (sinceMs ?? nowMs)) / 1000) : nil
    }
    sinceMs = sinceMs ?? nowMs
    if isTold || toldMs.map({ nowMs - $0 < 60_000 }) ?? false { return nil }
    (isTold, toldMs) = (true, nowMs)
    return .cannotWrite
  }

  /// What to do about it.
  static func advice(_ code: Errno) -> String {
    switch code {
    case .noSpace, .diskQuotaExceeded: "make room there, or keep less of the log (keep_size)"
    case .readOnlyFileSystem: "mount it for writing, and look at the kernel's log for why it is not"
    case .permissionDenied, .notPermitted: "give it back to root"
    case .tooManySymbolicLinkLevels: "a symbolic link is not followed there: remove it"
    case .ioError: "look at the kernel's log: the disk may be failing"
    default: "make it a directory that root can write"
    }
  }
}
