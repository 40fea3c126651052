import CLinux

/// What tells a file or directory from another one at the same path: an inode number alone is used again as soon as it is free.
package struct PathIdentity: Hashable, Sendable, CustomStringConvertible {
  package let device: UInt64
  package let inode: UInt64
  /// Nanoseconds since 1970; 0 where the file system does not keep it.
  package let birth: Int64

  /// statx(2), following symbolic links; nil where the path leads to nothing.
  /// - Parameter path: bytes without a final zero.
  package init?(path: [UInt8]) {
    var device: UInt64 = 0
    var inode: UInt64 = 0
    var birth: Int64 = 0
    let found = (path + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { linux_identity($0.baseAddress, &device, &inode, &birth) }
    }
    if found != 0 { return nil }
    self.device = device
    self.inode = inode
    self.birth = birth
  }

  package var description: String { "\(device):\(inode):\(birth)" }
}
