import Glibc

/// When what has been written is forced to the disk. It bounds what a power loss takes; a crash of the daemon takes
/// nothing that was written.
package enum SyncPolicy: Equatable, Sendable {
  /// The kernel decides (some 30 s).
  case none
  case interval(milliseconds: Int64)
  case everyBatch
}

/// Where the log is and how its segments are cut.
package struct LogPolicy: Sendable {
  package var directory = "/var/log/fsaudit"
  /// The group that may read the log; nil leaves the group alone.
  package var group: gid_t?
  /// A segment is closed before it would grow beyond this.
  package var rotateBytes: Int64 = 64 << 20
  /// A segment is closed when the wall clock passes a multiple of this (counted in UTC); nil: never.
  package var rotateEverySeconds: Int64? = 86400
  package var sync = SyncPolicy.interval(milliseconds: 1000)
  /// How often the writer looks whether the file it writes is still the one of that name.
  package var checkEveryMs: Int64 = 1000

  package init(directory: String = "/var/log/fsaudit") { self.directory = directory }

  var livePath: String { directory + "/" + SegmentName.live }
}

/// How rotated segments are kept.
package struct RetentionPolicy: Sendable {
  /// zstd's level for rotated segments, all but the newest; nil leaves them plain.
  package var compressionLevel: Int32? = 3
  /// How many rotated segments at most, how old (since they were last written), and how many bytes with the live one;
  /// nil: no limit. The oldest go first, the live one never.
  package var maximumSegments: Int?
  package var maximumAgeSeconds: Int64?
  package var maximumBytes: Int64? = 1 << 30

  package init() {}
}
