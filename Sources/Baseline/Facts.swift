import CLinux

/// What is known of one file: what the baseline keeps of it, and what a check finds.
package struct Facts: Sendable {
  /// What the configuration asks of the file.
  package var attributes: Attributes
  /// For a directory: whether the scan goes into it.
  package var descends: Bool
  package var status: linux_status
  /// Where a symbolic link points.
  package var link: [UInt8]?
  /// As getfacl(1) writes it, one entry a line; nil where there are no entries beyond the mode.
  package var acl: String?
  /// `name="value"` a line, sorted, without those that have a property of their own here.
  package var xattrs: String?
  package var selinux: String?
  /// security.capability as it is.
  package var capabilities: [UInt8]?
  /// The inode's flags (FS_IOC_GETFLAGS).
  package var inodeFlags: UInt32?
  /// In the order of ``Digest/all``; nil where it is not wanted or the file could not be read.
  package var digests = Facts.noDigests

  /// One array for all: a copy costs no memory until it is changed.
  static let noDigests = [[UInt8]?](repeating: nil, count: Digest.all.count)

  package init(attributes: Attributes, descends: Bool, status: linux_status) {
    (self.attributes, self.descends, self.status) = (attributes, descends, status)
  }

  /// To be filled from a row.
  static var empty: Facts { Facts(attributes: [], descends: false, status: linux_status()) }

  package var kind: FileKind { FileKind(mode: status.mode) ?? .port }

  /// The digests that are there.
  var known: Attributes {
    var result: Attributes = []
    for (digest, value) in zip(Digest.all, digests) where value != nil { result.insert(digest.attribute) }
    return result
  }
}

extension linux_status {
  /// Whether nothing has happened to the file since, as far as the kernel tells: ctime cannot be set, so who changes anything leaves a new
  /// one, unless the clock is set back or the disk is written behind the file system.
  @inline(__always)
  func isSameState(as other: linux_status) -> Bool {
    inode == other.inode && ctime == other.ctime && mtime == other.mtime && size == other.size && device == other.device
  }
}

extension FileKind {
  /// Of getdents64's d_type; nil where the file system does not say.
  init?(entryType: UInt8) {
    self.init(mode: UInt32(entryType) << 12)
  }
}
