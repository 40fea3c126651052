import AuditEvents
import AuditWire

/// One change of one file: what an event means. Paths are slices of ``PathResolver/paths``.
package struct FileChange: Sendable, BitwiseCopyable {
  /// How sure the path is. Everything but `.exact` is written to the log as `fsaudit.path_confidence`.
  @usableFromInline package enum Confidence: UInt8, Sendable, BitwiseCopyable {
    /// From the directory map, or as the process named it, relative to a working directory that the kernel logged.
    case exact
    /// From the process' descriptor table, and the object found there has the right inode.
    case descriptor
    /// The object's inode is known under this name; it may have others.
    case inode
    /// An earlier event told where the directory is. Nobody watches that place, so it may have moved since.
    case learnt
    /// The name is right, its directory is the process' working directory for want of anything better.
    case guess
    /// The name as the process gave it; what it stands for only the process knew: relative to a descriptor, or
    /// /proc/self/fd/3.
    case asNamed
    /// Only the directory is known: the kernel recorded no name.
    case parentOnly
    /// Nothing is known but device and inode.
    case unknown

    /// By number, see ``RecordType``.
    @inlinable @inline(__always)
    package static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }

    /// Whether the path is right beyond doubt, at the time of the event.
    var isCertain: Bool { rawValue <= Confidence.descriptor.rawValue }

    package var name: StaticString {
      switch self {
      case .exact: "exact"
      case .descriptor: "descriptor"
      case .inode: "inode"
      case .learnt: "learnt"
      case .guess: "cwd-guess"
      case .asNamed: "as-named"
      case .parentOnly: "parent-only"
      case .unknown: "unknown"
      }
    }
  }

  package var action: Action
  package var confidence = Confidence.exact
  package var succeeded = true
  /// Where the object is now (or was, when it was deleted). Empty where nothing is known.
  package var path = Slice.none
  /// rename and exchange: the other name.
  package var previousPath = Slice.none
  /// link: the name that existed. symlink: the text that it holds. mount: what was mounted.
  package var target = Slice.none
  package var identity = FileIdentity.unknown
  /// st_mode after the change, as far as the records tell; 0 where unknown.
  package var mode: UInt32 = 0
  package var owner: UInt32 = 0
  package var group: UInt32 = 0
  /// chmod and chown: what it was before.
  package var previousMode: UInt32?
  package var previousOwner: UInt32?
  package var previousGroup: UInt32?
  /// rename: the object that the new name belonged to, and that is gone now.
  package var replaced = FileIdentity.unknown
  /// open, truncate, create: open(2)'s flags.
  package var openFlags: UInt64?
  package var keys: Coverage.KeySet = 0

  package init(_ action: Action) { self.action = action }

  /// Of several names, the least certain one decides ``confidence``.
  mutating func include(_ other: Confidence) {
    if other.rawValue > confidence.rawValue { confidence = other }
  }

  /// Whether an open asks for writing; a mere read is an access, not a change.
  package var opensForWriting: Bool { (openFlags ?? OpenFlags.writeOnly) & OpenFlags.accessMode != 0 }
}

/// open(2)'s flags, as far as they decide anything here. The values are the same on x86-64, i386 and aarch64.
package enum OpenFlags {
  package static let writeOnly: UInt64 = 0o1
  package static let accessMode: UInt64 = 0o3
  package static let create: UInt64 = 0o100
  package static let exclusive: UInt64 = 0o200
  package static let truncate: UInt64 = 0o1000
  /// __O_TMPFILE: a file without a name; a later linkat gives it one.
  package static let temporary: UInt64 = 0o20000000
}

/// File type bits of st_mode.
package enum FileType {
  package static let mask: UInt32 = 0o170000
  package static func isDirectory(_ mode: UInt32) -> Bool { mode & mask == 0o040000 }
  package static func isSymbolicLink(_ mode: UInt32) -> Bool { mode & mask == 0o120000 }

  /// Elastic Common Schema's `file.type`, nil for a mode that tells nothing.
  package static func name(_ mode: UInt32) -> StaticString? {
    switch mode & mask {
    case 0o100000: "file"
    case 0o040000: "dir"
    case 0o120000: "symlink"
    case 0o140000: "socket"
    case 0o010000: "fifo"
    case 0o020000: "char-device"
    case 0o060000: "block-device"
    default: nil
    }
  }
}

/// What only a running system can answer. All of it is racy, so each answer is verified by inode, and asked for only
/// where the records leave the path open. The pure core takes it as a parameter; reading a log has none.
package struct Lookup: Sendable {
  /// Appends the path that `descriptor` of process `pid` refers to. A known `identity` must match; true when it was found.
  package var descriptor: @Sendable (_ pid: Int32, _ descriptor: Int32, _ identity: FileIdentity, _ path: inout [UInt8]) -> Bool
  /// Appends the name of the entry with `identity` in the directory at `path`; true when there is one.
  package var entry: @Sendable (_ directory: [UInt8], _ identity: FileIdentity, _ name: inout [UInt8]) -> Bool

  /// The inode of what is at `path` (a symbolic link itself), if no symbolic link leads there and without waiting for
  /// anything; nil where that cannot be told. The path ends with a zero byte.
  package var inode: @Sendable (_ path: RawSpan) -> UInt64?

  package init(
    descriptor: @escaping @Sendable (Int32, Int32, FileIdentity, inout [UInt8]) -> Bool,
    entry: @escaping @Sendable ([UInt8], FileIdentity, inout [UInt8]) -> Bool,
    inode: @escaping @Sendable (RawSpan) -> UInt64?
  ) {
    self.descriptor = descriptor
    self.entry = entry
    self.inode = inode
  }

  /// Knows nothing: for events that are not happening now.
  package static let none = Lookup(descriptor: { _, _, _, _ in false }, entry: { _, _, _ in false }, inode: { _ in nil })
}
