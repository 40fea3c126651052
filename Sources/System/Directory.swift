import CLinux
import Glibc
import SystemPackage

/// lstat(2): what is at `path`, a symbolic link itself rather than what it points at.
package func status(of path: String) throws(SystemError) -> stat {
  var result = stat()
  try call("lstat", path) { lstat(path, &result) }
  return result
}

/// mkdir(2). EEXIST is thrown like any other error.
package func makeDirectory(_ path: String, mode: mode_t) throws(SystemError) {
  try call("mkdir", path) { mkdir(path, mode) }
}

/// rename(2): replaces what is at `to`.
package func rename(_ from: String, to: String) throws(SystemError) {
  try call("rename", from) { Glibc.rename(from, to) }
}

/// unlink(2).
package func removeFile(_ path: String) throws(SystemError) {
  try call("unlink", path) { unlink(path) }
}

/// The names in a directory, without `.` and `..`, in no order. A name that is not UTF-8 is left out: nobody who asks
/// through this call (log segments, rule files) makes such names.
package func directoryEntries(_ path: String) throws(SystemError) -> [String] {
  let descriptor = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
  let number = descriptor.release()
  guard let stream = fdopendir(number) else {
    let code = errno
    close(number)
    throw SystemError("fdopendir", path, Errno(rawValue: code))
  }
  defer { closedir(stream) }
  var names: [String] = []
  while true {
    errno = 0
    guard let entry = readdir(stream) else {
      if errno != 0 { throw SystemError("readdir", path, Errno(rawValue: errno)) }
      return names
    }
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(validating: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if let name, name != ".", name != ".." { names.append(name) }
  }
}

/// fsync(2) of a directory: makes a rename, a new or a removed name in it survive a power loss.
package func synchronizeDirectory(_ path: String) throws(SystemError) {
  let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
  let number = directory.raw
  try call("fsync", path) { fsync(number) }
}

extension Descriptor {
  /// `count` bytes from `offset` on, by pread(2), which leaves the descriptor's own position alone; fewer at the end.
  package borrowing func bytes(at offset: Int64, count: Int) throws(SystemError) -> [UInt8] {
    let number = raw
    var result = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = try call("pread", "descriptor \(number)") {
        result.withUnsafeMutableBytes { pread(number, $0.baseAddress?.advanced(by: filled), count - filled, off_t(offset) + off_t(filled)) }
      }
      if got == 0 { break }
      filled += got
    }
    result.removeSubrange(filled...)
    return result
  }

  /// ftruncate(2).
  package borrowing func truncate(to bytes: Int64) throws(SystemError) {
    let number = raw
    try call("ftruncate", "descriptor \(number)") { ftruncate(number, off_t(bytes)) }
  }

  /// fdatasync(2): the data, and as much of the metadata as reading it back takes.
  package borrowing func synchronizeData() throws(SystemError) {
    let number = raw
    try call("fdatasync", "descriptor \(number)") { fdatasync(number) }
  }

  /// fchmod(2).
  package borrowing func changeMode(to mode: mode_t) throws(SystemError) {
    let number = raw
    try call("fchmod", "descriptor \(number)") { fchmod(number, mode) }
  }

  /// fchown(2); nil leaves the user or the group as it is.
  package borrowing func changeOwner(user: uid_t?, group: gid_t?) throws(SystemError) {
    let number = raw
    try call("fchown", "descriptor \(number)") { fchown(number, user ?? .max, group ?? .max) }
  }

  /// futimens(2): access and modification time.
  package borrowing func setTimes(access: timespec, modification: timespec) throws(SystemError) {
    let number = raw
    let times: [2 of timespec] = [access, modification]
    try call("futimens", "descriptor \(number)") {
      times.span.withUnsafeBufferPointer { futimens(number, $0.baseAddress) }
    }
  }

  /// Where the next ``read(into:)`` begins, moved with lseek(2).
  package borrowing func seek(to offset: Int64) throws(SystemError) {
    let number = raw
    try call("lseek", "descriptor \(number)") { lseek(number, off_t(offset), SEEK_SET) }
  }
}

/// The name of an errno value, `ENOSPC`; the number where glibc has no name for it.
package func name(of code: Errno) -> String {
  strerrorname_np(code.rawValue).map { String(cString: $0) } ?? "\(code.rawValue)"
}
