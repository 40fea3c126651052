import CLinux
import Glibc
import SystemPackage

/// The listening side of a netlink(7) protocol: a socket with a large buffer that is read in batches.
package struct NetlinkReceiver: ~Copyable, Sendable {
  /// Our port, given by the kernel.
  package let port: UInt32
  /// The socket buffer that we got, in bytes as the kernel counts them (twice what one asks for, socket(7)).
  package let bufferBytes: Int
  /// The socket, to wait for input with.
  package let socket: Descriptor

  /// - Parameters:
  ///   - groups: bits of the multicast groups to join.
  ///   - bufferBytes: the socket buffer to ask for; without CAP_NET_ADMIN net.core.rmem_max is the limit.
  package init(protocol number: Int32, groups: UInt32, bufferBytes wanted: Int) throws(SystemError) {
    let socket = Descriptor(
      adopting: try call("socket", "netlink") { Glibc.socket(AF_NETLINK, linux_sock_raw | linux_sock_cloexec, number) })
    let raw = socket.raw
    var bytes = Int32(clamping: wanted)
    var size = socklen_t(MemoryLayout<Int32>.size)
    if setsockopt(raw, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, size) != 0 { setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &bytes, size) }
    try call("getsockopt", "netlink") { getsockopt(raw, SOL_SOCKET, SO_RCVBUF, &bytes, &size) }
    var address = sockaddr_nl()
    address.nl_family = sa_family_t(AF_NETLINK)
    address.nl_groups = groups
    var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
    try call("bind", "netlink") { withSocketAddress(&address) { bind(raw, $0, length) } }
    try call("getsockname", "netlink") { withSocketAddress(&address) { getsockname(raw, $0, &length) } }
    self.socket = socket
    bufferBytes = Int(bytes)
    port = address.nl_pid
  }

  /// Sends one message to the kernel.
  package borrowing func send(_ message: UnsafeRawBufferPointer) throws(SystemError) {
    var kernel = sockaddr_nl()
    kernel.nl_family = sa_family_t(AF_NETLINK)
    let raw = socket.raw
    try call("sendto", "netlink") {
      withSocketAddress(&kernel) {
        sendto(raw, message.baseAddress, message.count, 0, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
      }
    }
  }

  /// Datagrams that the kernel threw away because the socket's buffer was full, since it was opened (SO_MEMINFO, sock_diag(7)).
  package borrowing func drops() -> UInt32 {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: SK_MEMINFO_VARS) { words in
      words.initialize(repeating: 0)
      var size = socklen_t(words.count * MemoryLayout<UInt32>.size)
      return getsockopt(socket.raw, SOL_SOCKET, SO_MEMINFO, words.baseAddress, &size) == 0 ? words[SK_MEMINFO_DROPS] : 0
    }
  }
}

/// A netlink address as the socket calls want it.
private func withSocketAddress<Result>(_ address: inout sockaddr_nl, _ body: (UnsafeMutablePointer<sockaddr>) -> Result) -> Result {
  withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
}
