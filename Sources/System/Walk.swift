import CLinux
import Glibc
import SystemPackage

/// What a walk needs to know of an object.
package struct WalkedObject: Sendable {
  package var inode: UInt64
  /// st_dev, which on btrfs is not the device that kernel audit logs.
  package var major: UInt32
  package var minor: UInt32
  /// The mount that the object is in (statx stx_mnt_id); 0 where the kernel does not tell.
  package var mount: UInt64
  package var mode: UInt32
  package var links: UInt32
}

/// An open directory whose entries are read and examined relative to its descriptor, so that a rename above it cannot
/// lead the walk elsewhere.
package struct WalkedDirectory: ~Copyable {
  private let stream: OpaquePointer
  private let descriptor: Int32

  /// Opens a directory by path, which need not be UTF-8; a symbolic link is not followed.
  package init(_ path: [UInt8]) throws(SystemError) {
    let name = String(decoding: path, as: UTF8.self)
    try self.init(call("open", name) { linux_open(cString(path), WalkedDirectory.flags, 0) }, name)
  }

  /// Opens an entry of `parent`, by its name as bytes with a 0 behind.
  package init(in parent: borrowing WalkedDirectory, _ name: [CChar]) throws(SystemError) {
    let number = parent.descriptor
    try self.init(call("openat", "directory entry") { linux_openat(number, name, WalkedDirectory.flags, 0) }, "directory entry")
  }

  private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK

  private init(_ number: Int32, _ subject: String) throws(SystemError) {
    guard let opened = fdopendir(number) else {
      let code = errno
      close(number)
      throw SystemError("fdopendir", subject, Errno(rawValue: code))
    }
    stream = opened
    descriptor = number
  }

  deinit { closedir(stream) }

  /// The next entry's name with a 0 behind, without `.` and `..`; nil at the end (or where reading fails).
  package borrowing func next() -> [CChar]? {
    while let entry = readdir(stream) {
      guard let pointer = linux_entry_name(entry) else { return nil }
      let count = strlen(pointer)
      let name = Array(UnsafeBufferPointer(start: pointer, count: count + 1))
      if name == [46, 0] || name == [46, 46, 0] { continue }
      return name
    }
    return nil
  }

  /// What an entry is; nil where it is gone.
  package borrowing func examine(_ name: [CChar]) -> WalkedObject? { System.examine(descriptor, name) }

  /// What the directory itself is.
  package borrowing func examine() -> WalkedObject? { System.examine(descriptor, [0]) }
}

/// What the object at `path` is (a symbolic link itself); nil where there is none.
package func examine(path: [UInt8]) -> WalkedObject? { examine(AT_FDCWD, cString(path)) }

/// The inode of what is at `path` (a symbolic link itself), if no symbolic link leads there and the kernel can tell from its
/// caches alone: it waits for no disk, no server and no FUSE process. Nil otherwise, always before Linux 5.12.
/// - Parameter path: with a zero byte at its end; without one it is none.
package func cachedInode(_ path: RawSpan) -> UInt64? {
  var object = linux_object()
  return path.withUnsafeBytes { bytes in
    guard bytes.last == 0, let start = bytes.baseAddress else { return nil }
    return linux_cached_object(start.assumingMemoryBound(to: CChar.self), &object) == 0 ? object.inode : nil
  }
}

/// The number of the mount that `path` is in, which no later mount gets (STATX_MNT_ID_UNIQUE); nil before Linux 6.8, and where the kernel's
/// caches do not tell, as ``cachedInode(_:)``.
package func mountNumber(_ path: [UInt8]) -> UInt64? {
  var object = linux_object()
  return linux_cached_object(cString(path), &object) == 0 && object.mount != 0 ? object.mount : nil
}

private func cString(_ path: [UInt8]) -> [CChar] { path.map { CChar(bitPattern: $0) } + [0] }

private func examine(_ directory: Int32, _ name: [CChar]) -> WalkedObject? {
  var object = linux_object()
  guard linux_statx(directory, name, 0, linux_mount_id, &object) == 0 else { return nil }
  return WalkedObject(
    inode: object.inode, major: object.device_major, minor: object.device_minor, mount: object.mount, mode: object.mode, links: object.links
  )
}

/// One line of /proc/self/mountinfo, proc_pid_mountinfo(5), without what a remount changes.
package struct Mount: Hashable, Sendable {
  /// statx stx_mnt_id. Used again once the mount is gone.
  package let id: UInt64
  /// The super block's device, which is what kernel audit logs as `dev=`.
  package let major: UInt32
  package let minor: UInt32
  /// What of the file system is mounted, as a path in it.
  package let root: [UInt8]
  /// Where, as this process sees it.
  package let point: [UInt8]
  /// The file system's type, `ext4`.
  package let type: [UInt8]

  /// nil for anything else than such a line.
  init?(_ line: ArraySlice<UInt8>) {
    let fields = line.split(separator: UInt8(ascii: " "))
    guard fields.count > 6, let id = UInt64(String(decoding: fields[0], as: UTF8.self)),
      let dash = fields[6...].firstIndex(where: { $0.elementsEqual([UInt8(ascii: "-")]) }), dash + 1 < fields.count
    else { return nil }
    let numbers = fields[2].split(separator: UInt8(ascii: ":")).compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
    if numbers.count != 2 { return nil }
    self.id = id
    (major, minor) = (numbers[0], numbers[1])
    (root, point) = (unescapedOctal(fields[3]), unescapedOctal(fields[4]))
    type = unescapedOctal(fields[dash + 1])
  }
}

/// What is mounted, as this process sees it; nil where /proc cannot be read.
package func mountTable() -> [Mount]? {
  guard let text = try? contents(of: "/proc/self/mountinfo", limitBytes: 16 << 20) else { return nil }
  return text.split(separator: UInt8(ascii: "\n")).compactMap(Mount.init)
}

/// Each mount's super block device by mount id.
package func mountDevices() -> [UInt64: (major: UInt32, minor: UInt32)] {
  Dictionary((mountTable() ?? []).map { ($0.id, ($0.major, $0.minor)) }) { first, _ in first }
}

/// Each mounted file system's type by mount id.
package func mountTypes() -> [UInt64: String] {
  Dictionary((mountTable() ?? []).map { ($0.id, String(decoding: $0.type, as: UTF8.self)) }) { first, _ in first }
}

/// Blank, tab, newline and backslash are `\040` and so on.
private func unescapedOctal(_ text: ArraySlice<UInt8>) -> [UInt8] {
  var result: [UInt8] = []
  var at = text.startIndex
  while at < text.endIndex {
    if text[at] == UInt8(ascii: "\\"), at + 3 < text.endIndex,
      let byte = UInt8(String(decoding: text[at + 1...at + 3], as: UTF8.self), radix: 8)
    {
      result.append(byte)
      at += 4
    } else {
      result.append(text[at])
      at += 1
    }
  }
  return result
}

/// readlink(2), as bytes; nil where there is no link.
package func linkTarget(_ path: String) -> [UInt8]? {
  withUnsafeTemporaryAllocation(byteCount: 4097, alignment: 1) { buffer in
    guard let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
    let count = readlink(path, start, 4097)
    return count > 0 && count < 4097 ? Array(buffer[..<count]) : nil
  }
}
