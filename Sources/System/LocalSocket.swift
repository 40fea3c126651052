import CLinux
import Glibc
import SystemPackage

/// A Unix stream socket that answers whoever connects, and may send one short text, with one text.
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

  /// Who asks.
  package struct Peer: Sendable {
    package var pid: Int32 = 0
    /// The effective uid that it connected with.
    package var user: UInt32 = .max
  }

  /// How long a peer may take to send what it has to say, in all; one that sends nothing has nothing to say.
  private static let patienceMs: Int64 = 100

  /// Answers everybody who waits. A peer that does not take its answer at once does not get it: nobody makes the daemon wait.
  /// - Parameters:
  ///   - limitBytes: of a request; of a longer one so much, and a byte more, is passed on.
  ///   - text: the answer to a request, which is empty where the peer only wants to know.
  package borrowing func answer(limitBytes: Int, _ text: (_ request: [UInt8], _ peer: Peer) -> [UInt8]) {
    while true {
      let number = linux_accept(descriptor.raw, O_CLOEXEC | O_NONBLOCK)
      guard number >= 0 else { return }
      let socket = Descriptor(adopting: number)
      var peer = Peer()
      if linux_peer(number, &peer.pid, &peer.user) != 0 { continue }
      let bytes = text(Self.request(number, limitBytes: limitBytes), peer)
      bytes.withUnsafeBytes { _ = send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
  }

  private static func request(_ number: Int32, limitBytes: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    let end = milliseconds(CLOCK_MONOTONIC) + patienceMs
    while bytes.count <= limitBytes {
      var wait = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      let left = end - milliseconds(CLOCK_MONOTONIC)
      guard left > 0, poll(&wait, 1, Int32(left)) == 1 else { break }
      let count = recv(number, &block, min(block.count, limitBytes + 1 - bytes.count), 0)
      guard count > 0 else { break }
      bytes += block[..<count]
    }
    return bytes
  }

  /// What the process that listens at `path` answers.
  /// - Parameter request: what it is told; nothing for its status.
  /// - Throws: ETIMEDOUT when it does not within `seconds`: it is stopped, or stuck.
  package static func ask(_ path: String, _ request: [UInt8] = [], seconds: Int) throws(SystemError) -> [UInt8] {
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
      if !request.isEmpty {
        // no longer than a socket's buffer: it goes as one
        _ = try call("send", path) { request.withUnsafeBytes { send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) } }
      }
      // there is no more to come
      try call("shutdown", path) { shutdown(number, Int32(SHUT_WR)) }
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
