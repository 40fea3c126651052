import CLinux
import Glibc
import SystemPackage

/// Room for a batch of datagrams that one recvmmsg(2) fills. Everything is allocated once, here.
package struct MessageBatch: ~Copyable, @unchecked Sendable {  // unchecked: the pointers have one owner, this value
  /// Most datagrams of one receive call.
  package let capacity: Int
  private let slotBytes: Int
  private let slots: UnsafeMutableRawPointer
  private let vectors: UnsafeMutablePointer<iovec>
  private let senders: UnsafeMutablePointer<sockaddr_nl>
  private let messages: UnsafeMutablePointer<linux_message>

  /// What one receive call gave.
  package enum Received: Sendable, Equatable {
    /// That many datagrams, in slots 0..<n.
    case messages(Int)
    /// Nothing is waiting.
    case nothing
    /// ENOBUFS: the socket's buffer was full and the kernel threw datagrams away. Others may be waiting: receive again.
    case overrun
  }

  /// - Parameter slotBytes: what of a datagram is longer is cut off.
  package init(capacity: Int, slotBytes: Int) {
    self.capacity = capacity
    self.slotBytes = slotBytes
    slots = .allocate(byteCount: capacity * slotBytes, alignment: 64)
    vectors = .allocate(capacity: capacity)
    senders = .allocate(capacity: capacity)
    messages = .allocate(capacity: capacity)
    for index in 0..<capacity {
      vectors[index] = iovec(iov_base: slots + index * slotBytes, iov_len: slotBytes)
      senders[index] = sockaddr_nl()
      var header = msghdr()
      header.msg_name = UnsafeMutableRawPointer(senders + index)
      header.msg_iov = vectors + index
      header.msg_iovlen = 1
      messages[index] = linux_message(header: header, length: 0)
    }
  }

  deinit {
    slots.deallocate()
    vectors.deallocate()
    senders.deallocate()
    messages.deallocate()
  }

  /// Receives what is waiting on a netlink socket, without blocking, over what the batch held before.
  ///
  /// Does not go through `call(_:_:_:)`: an empty socket is not an error here and must not cost an allocated one.
  package mutating func receive(from socket: Int32) throws(SystemError) -> Received {
    for index in 0..<capacity { messages[index].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_nl>.size) }
    while true {
      let count = linux_recvmmsg(socket, messages, UInt32(capacity), linux_msg_dontwait)
      if count > 0 { return .messages(Int(count)) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .nothing
      case ENOBUFS: return .overrun
      case let code: throw SystemError("recvmmsg", "netlink socket", Errno(rawValue: code))
      }
    }
  }

  /// The bytes of datagram `index`, as many as were received. They live until the next receive call.
  package borrowing func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    precondition(index >= 0 && index < capacity)
    return UnsafeRawBufferPointer(start: slots + index * slotBytes, count: min(Int(messages[index].length), slotBytes))
  }

  /// The netlink port that sent datagram `index`: 0 is the kernel.
  package borrowing func sender(_ index: Int) -> UInt32 {
    precondition(index >= 0 && index < capacity)
    return senders[index].nl_pid
  }

  /// Whether datagram `index` was longer than its slot and lost its end.
  package borrowing func isCut(_ index: Int) -> Bool {
    precondition(index >= 0 && index < capacity)
    return messages[index].header.msg_flags & linux_msg_trunc != 0
  }
}
