import CLinux
import Glibc
import SystemPackage

/// A file descriptor that is closed exactly once, when its owner goes away. Always close-on-exec.
package struct Descriptor: ~Copyable, Sendable {
  /// The number, for calls that only borrow it.
  package let raw: Int32

  /// Takes ownership of `raw`.
  package init(adopting raw: Int32) { self.raw = raw }

  deinit { _ = Glibc.close(raw) }

  /// Gives the number away; the caller closes it.
  package consuming func release() -> Int32 {
    let number = raw
    discard self
    return number
  }
}

extension Descriptor {
  /// open(2) with O_CLOEXEC added.
  package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> Descriptor {
    Descriptor(adopting: try call("open", path) { linux_open(path, flags | O_CLOEXEC, mode) })
  }

  /// openat(2) below this directory, with O_CLOEXEC added.
  package borrowing func open(at path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> Descriptor {
    let directory = raw
    return Descriptor(adopting: try call("openat", path) { linux_openat(directory, path, flags | O_CLOEXEC, mode) })
  }

  /// One read(2). Returns the count, 0 at the end; EAGAIN is thrown like any other error.
  package borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    let number = raw
    return try call("read", "descriptor \(number)") { Glibc.read(number, buffer.baseAddress, buffer.count) }
  }

  /// One write(2). Returns the count, which may be short.
  package borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    let number = raw
    return try call("write", "descriptor \(number)") { Glibc.write(number, bytes.baseAddress, bytes.count) }
  }

  /// Writes everything, in as many calls as it takes.
  package borrowing func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    var rest = bytes
    while !rest.isEmpty { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(try write(rest))) }
  }

  /// Reads to the end of the file, at most `limitBytes`; EFBIG beyond that.
  package borrowing func readToEnd(limitBytes: Int) throws(SystemError) -> [UInt8] {
    var result: [UInt8] = []
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    defer { chunk.deallocate() }
    while true {
      let count = try read(into: chunk)
      if count == 0 { return result }
      if result.count + count > limitBytes { throw SystemError("read", "descriptor \(raw)", .fileTooLarge) }
      result.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
    }
  }

  /// fstat(2).
  package borrowing func status() throws(SystemError) -> stat {
    var result = stat()
    let number = raw
    try call("fstat", "descriptor \(number)") { fstat(number, &result) }
    return result
  }
}

/// Puts something at descriptors 0, 1 and 2 where nothing is open: else the next file that is opened would be taken for stdin, stdout or
/// stderr. It is open the wrong way round, so that reading and writing fail with EBADF, as they would without it.
package func holdStandardDescriptors() {
  for number in Int32(0)...2 where fcntl(number, F_GETFD) == -1 {
    // the lowest free number is this one
    _ = linux_open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY, 0)
  }
}

/// The whole of a small file (a configuration, something below /proc), at most `limitBytes`.
package func contents(of path: String, limitBytes: Int = 1 << 20) throws(SystemError) -> [UInt8] {
  let file = try Descriptor.open(path, O_RDONLY)
  do { return try file.readToEnd(limitBytes: limitBytes) } catch { throw SystemError(error.call, path, error.code) }
}

/// The same of a file that a command was given; `-` is stdin. (`/dev/stdin` cannot be opened where it is a socket, as ssh makes it.)
package func input(_ path: String, limitBytes: Int) throws(SystemError) -> [UInt8] {
  if path != "-" { return try contents(of: path, limitBytes: limitBytes) }
  let file = Descriptor(adopting: try call("dup", "stdin") { dup(0) })
  return try file.readToEnd(limitBytes: limitBytes)
}
