import CLinux
import Glibc
import SystemPackage

/// The asking side of a netlink(7) protocol: one request at a time, its answers, its acknowledgement.
///
/// Every request has its own sequence number and asks for an acknowledgement. What comes from anybody but the kernel (nl_pid 0), or belongs to an
/// older request, is dropped. The kernel sends some answers from a thread of its own (audit's status and rule list, kernel/audit.c
/// audit_send_reply), so that the acknowledgement may arrive before or after them.
package struct NetlinkSocket: ~Copyable, Sendable {
  private let socket: Descriptor
  private var sequence: UInt32 = 0

  /// One message of the kernel's answer.
  package struct Message: Sendable {
    package let type: UInt16
    package let payload: [UInt8]
  }

  /// What completes the answer, beside the acknowledgement.
  package enum Completion: Sendable {
    /// The acknowledgement says it all.
    case acknowledgement
    /// One message of the request's own type.
    case message
    /// Any number of messages, then NLMSG_DONE.
    case list
  }

  /// Opens a socket of a protocol (`NETLINK_AUDIT`, for example) with a port number that the kernel chooses.
  package init(protocol number: Int32) throws(SystemError) {
    let socket = Descriptor(
      adopting: try call("socket", "netlink") { Glibc.socket(AF_NETLINK, linux_sock_raw | linux_sock_cloexec, number) })
    let raw = socket.raw
    // A rule list arrives faster than it is read, and the kernel drops what finds no room for 0.1 s (kernel/auditfilter.c
    // audit_send_list_thread): room for ten thousand rules. Without CAP_NET_ADMIN the system's own limit applies.
    var bytes: Int32 = 32 << 20
    let size = socklen_t(MemoryLayout<Int32>.size)
    if setsockopt(raw, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, size) != 0 { setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &bytes, size) }
    // A kernel that never answers must not hang the command. Adding a rule is quick whatever it watches; 20 s is for a machine in distress.
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_nl()
    address.nl_family = sa_family_t(AF_NETLINK)
    try call("bind", "netlink") {
      withUnsafeBytes(of: &address) { bytes in
        bytes.withMemoryRebound(to: sockaddr.self) { bind(raw, $0.baseAddress, socklen_t(MemoryLayout<sockaddr_nl>.size)) }
      }
    }
    self.socket = socket
  }

  /// Sends a request and returns its answers and the acknowledgement's number: 0, or the positive value that some requests return.
  ///
  /// A question (anything but `.acknowledgement`) is asked again, twice, when the socket's buffer overflowed, since it changes nothing.
  /// - Throws: the errno of a negative acknowledgement, as from a call named `subject`; ETIMEDOUT when nothing came for 20 s.
  package mutating func request(
    _ type: UInt16, _ payload: [UInt8] = [], subject: String, completion: Completion
  ) throws(SystemError) -> (acknowledgement: Int32, answers: [Message]) {
    var attempt = 1
    while true {
      sequence &+= 1
      try send(type, payload, subject)
      do throws(SystemError) { return try answer(to: type, subject, completion) } catch {
        if error.code != .noBufferSpace || completion == .acknowledgement || attempt == 3 { throw error }
        attempt += 1
      }
    }
  }

  private borrowing func send(_ type: UInt16, _ payload: [UInt8], _ subject: String) throws(SystemError) {
    var header = nlmsghdr()
    let headerBytes = MemoryLayout<nlmsghdr>.size
    header.nlmsg_len = UInt32(headerBytes + payload.count)
    header.nlmsg_type = type
    header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ACK)
    header.nlmsg_seq = sequence
    let message = withUnsafeBytes(of: header) { Array($0) } + payload
    var kernel = sockaddr_nl()
    kernel.nl_family = sa_family_t(AF_NETLINK)
    let raw = socket.raw
    try call("sendto", subject) {
      withUnsafeBytes(of: &kernel) { bytes in
        bytes.withMemoryRebound(to: sockaddr.self) {
          sendto(raw, message, message.count, 0, $0.baseAddress, socklen_t(MemoryLayout<sockaddr_nl>.size))
        }
      }
    }
  }

  private borrowing func answer(
    to type: UInt16, _ subject: String, _ completion: Completion
  ) throws(SystemError) -> (acknowledgement: Int32, answers: [Message]) {
    var answers: [Message] = []
    var acknowledgement: Int32?
    var complete = completion == .acknowledgement
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      if complete, let acknowledgement { return (acknowledgement, answers) }
      guard let count = try receive(into: buffer, subject) else { continue }
      var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      while rest.count >= MemoryLayout<nlmsghdr>.size {
        let header = rest.loadUnaligned(as: nlmsghdr.self)
        let length = Int(header.nlmsg_len)
        guard length >= MemoryLayout<nlmsghdr>.size, length <= rest.count else { break }
        let payload = Array(rest[MemoryLayout<nlmsghdr>.size..<length])
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst((length + 3) & ~3))
        if header.nlmsg_seq != sequence { continue }
        switch Int32(header.nlmsg_type) {
        case NLMSG_ERROR:
          guard payload.count >= 4 else { continue }
          let number = payload.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
          if number < 0 { throw SystemError("netlink", subject, Errno(rawValue: number == .min ? EIO : -number)) }
          acknowledgement = number
        case NLMSG_DONE: complete = true
        case NLMSG_NOOP: break
        default:
          answers.append(Message(type: header.nlmsg_type, payload: payload))
          if completion == .message, header.nlmsg_type == type { complete = true }
        }
      }
    }
  }

  /// One datagram from the kernel, or nil where somebody else sent it or it did not fit.
  private borrowing func receive(into buffer: UnsafeMutableRawBufferPointer, _ subject: String) throws(SystemError) -> Int? {
    let raw = socket.raw
    var sender = sockaddr_nl()
    var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
    do throws(SystemError) {
      let count = try call("recvfrom", subject) {
        withUnsafeMutableBytes(of: &sender) { bytes in
          bytes.withMemoryRebound(to: sockaddr.self) {
            recvfrom(raw, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC), $0.baseAddress, &length)
          }
        }
      }
      return sender.nl_pid == 0 && count <= buffer.count ? count : nil
    } catch {
      throw error.code == .wouldBlock ? SystemError("recvfrom", subject, .timedOut) : error
    }
  }
}
