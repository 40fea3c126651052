import System

/// What the daemon and `fsaudit check` are told by `fsaudit.toml`, validated. Every default stands here and, commented, in `etc/fsaudit.toml`
/// (a test holds the two together); which file key sets which property, and within which bounds, stands in `Setting.all`.
///
/// A property that bounds something says its unit in its name or is a `Duration`; nil means "no limit".
package struct Settings: Sendable, Equatable {
  package var source = Source()
  package var rules = Rules()
  package var log = Log()
  package var seal = Seal()
  package var directoryMap = DirectoryMap()
  package var check = Check()
  package var daemon = Daemon()

  /// The defaults.
  package init() {}

  /// `[source]`: how records come from the kernel.
  package struct Source: Sendable, Equatable {
    /// Which of the kernel's two streams is read.
    package enum Kind: String, Sendable, CaseIterable {
      /// Unicast where no other daemon is registered, else multicast.
      case auto
      /// The registered daemon's own stream; refused while somebody else has it.
      case unicast
      /// The read-only copy, beside another daemon; without one the kernel also prints every record to its log.
      case multicast
      /// auditd's plugin protocol on stdin: auditd starts the daemon and hands it every record.
      case plugin
    }

    package var kind = Kind.auto
    /// The kernel's audit queue, in records (auditctl -b).
    package var backlogLimitRecords: UInt32 = 16384
    /// How long the kernel makes an audited process wait while that queue is full, before it drops the record.
    package var backlogWaitTime = Duration.milliseconds(250)
    /// SO_RCVBUFFORCE of the receiving socket, in bytes; the kernel doubles it (socket(7)).
    package var receiveBufferBytes = 16 << 20

    /// ``backlogWaitTime`` as the kernel takes it (AUDIT_STATUS_BACKLOG_WAIT_TIME): jiffies, rounded up.
    package func backlogWaitJiffies() throws(SystemError) -> UInt32 {
      let tick = Duration.nanoseconds(try kernelTickNanoseconds())
      return UInt32((backlogWaitTime / tick).rounded(.up))
    }
  }

  /// `[rules]`: which rules the daemon loads.
  package struct Rules: Sendable, Equatable {
    /// Its `*.rules` files are loaded in name order.
    package var directory = "/etc/fsaudit/rules.d"
    /// Whether the rules that the daemon loaded leave the kernel when it stops.
    package var unloadOnStop = true
  }

  /// `[log]`: the event log's segments.
  package struct Log: Sendable, Equatable {
    package enum Compression: String, Sendable, CaseIterable { case none, zstd }

    /// When written lines are made durable with fdatasync(2).
    package enum Sync: String, Sendable, CaseIterable {
      /// The kernel writes them back in its own time.
      case none
      /// Every ``Log/syncInterval``.
      case interval
      /// After every write.
      case batch
    }

    package var directory = "/var/log/fsaudit"
    /// The group that may read the log (directory 0750, segments 0640).
    package var groupID: UInt32 = 0
    package var rotateSizeBytes = 100 << 20
    package var rotateEvery: Duration? = .seconds(86400)
    /// Rotated segments that stay; the oldest go first. The same for the two below: the strictest of the three counts.
    package var keepCount: Int?
    package var keepAge: Duration? = .seconds(90 * 86400)
    package var keepSizeBytes: Int? = 10 << 30
    package var compress = Compression.zstd
    /// zstd's level.
    package var compressLevel = 3
    package var sync = Sync.interval
    package var syncInterval = Duration.seconds(1)
    /// Encoded lines that may wait for the disk; what does not fit is counted and reported as a gap.
    package var queueSizeBytes = 16 << 20
  }

  /// `[seal]`: what proves later that nobody has changed the log.
  package struct Seal: Sendable, Equatable {
    package var enabled = true
    /// How long a line may wait for its seal.
    package var every = Duration.seconds(10)
    /// How many lines a seal covers, about.
    package var lines = 1000
  }

  /// `[directory_map]`: the (device, inode) → path map that makes paths right.
  package struct DirectoryMap: Sendable, Equatable {
    /// Directories remembered.
    package var maxEntries = 500_000
  }

  /// `[check]`: `fsaudit check`.
  package struct Check: Sendable, Equatable {
    /// Whether files are read, too, that the event log tells of, however untouched they look.
    package var trail = true
    /// How long ago the last check may be that read every file, before one does again.
    package var fullEvery: Duration? = .seconds(7 * 86400)
  }

  /// `[daemon]`: the process itself.
  package struct Daemon: Sendable, Equatable {
    /// swift-log's levels, by their own names.
    package enum LogLevel: String, Sendable, CaseIterable { case trace, debug, info, notice, warning, error, critical }

    package var stateDirectory = "/var/lib/fsaudit"
    package var runtimeDirectory = "/run/fsaudit"
    /// How often the kernel's counters are read (which finds lost records) and the status is renewed.
    package var statusInterval = Duration.seconds(5)
    package var logLevel = LogLevel.info
  }
}
