import CLinux
import Glibc
import SystemPackage

/// A Unix stream socket that answers whoever connects with one text: no request is read, so there is nothing to attack.
package struct LocalSocket: ~Copyable, Sendable {
  package let descriptor: Descriptor
  private let path: String

  /// Listens at `path`, for this user alone. What a previous process left there is replaced.
  package static func listen(at path: String) throws(SystemError) -> LocalSocket {
    let descriptor = Descriptor(
      adopting: try call("socket", path) { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0) })
    unlink(path)
    let number = descriptor.raw
    let old = umask(0o177)
    defer { umask(old) }
    try withAddress(path) { address, size throws(SystemError) in
      try call("bind", path) { bind(number, address, size) }
    }
    try call("listen", path) { Glibc.listen(number, 8) }
    return LocalSocket(descriptor: descriptor, path: path)
  }

  private init(descriptor: consuming Descriptor, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { unlink(path) }

  /// Answers everybody who waits. A peer that does not take its answer at once does not get it: nobody makes the daemon wait.
  package borrowing func answer(_ text: () -> [UInt8]) {
    while true {
      let number = linux_accept(descriptor.raw, O_CLOEXEC | O_NONBLOCK)
      guard number >= 0 else { return }
      let peer = Descriptor(adopting: number)
      let bytes = text()
      bytes.withUnsafeBytes { _ = send(peer.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
  }

  /// What the process that listens at `path` answers.
  /// - Throws: ETIMEDOUT when it does not within `seconds`: it is stopped, or stuck.
  package static func ask(_ path: String, seconds: Int) throws(SystemError) -> [UInt8] {
    let peer = Descriptor(adopting: try call("socket", path) { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) })
    let number = peer.raw
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    // the sending side's limit is connect(2)'s, too: the queue of those who wait for a stopped process fills up
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      try call("setsockopt", path) { setsockopt(number, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size)) }
    }
    do {
      try withAddress(path) { address, size throws(SystemError) in
        try call("connect", path) { connect(number, address, size) }
      }
      return try peer.readToEnd(limitBytes: 1 << 20)
    } catch {
      throw error.code == .wouldBlock ? SystemError(error.call, path, .timedOut) : error
    }
  }
}

/// Tells systemd how the service is (sd_notify(3)); does nothing where nobody listens.
package func notifyServiceManager(_ state: String) {
  guard let pointer = getenv("NOTIFY_SOCKET") else { return }
  let path = String(cString: pointer)
  let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
  guard number >= 0 else { return }
  let own = Descriptor(adopting: number)
  try? withAddress(path) { address, size throws(SystemError) in
    let bytes = Array(state.utf8)
    try call("sendto", path) {
      bytes.withUnsafeBytes { sendto(own.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL), address, size) }
    }
  }
}

/// sockaddr_un of a path; a leading `@` means an abstract name, as in NOTIFY_SOCKET.
private func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void) throws(SystemError) {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  var bytes = Array(path.utf8)
  guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
    throw SystemError("bind", path, .fileNameTooLong)
  }
  if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
  let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (bytes[0] == 0 ? 0 : 1))
  var fault: SystemError?
  withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
      do throws(SystemError) { try body(rebound, size) } catch { fault = error }
    }
  }
  if let fault { throw fault }
}
