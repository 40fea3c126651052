import CLinux

/// What one call of ``KernelStream/receive(_:)`` met. Each count is loss, or a suspicion of it, that the log must tell of.
package struct ReceiveOutcome: Sendable, Equatable {
  /// Records that were passed on.
  package internal(set) var records = 0
  /// The batch was full: more is likely to be waiting.
  package internal(set) var isFull = false
  /// The socket's buffer was full and the kernel threw datagrams away; ``KernelStream/drops()`` counts them.
  ///
  /// Multicast: those records are lost for us, and `lost` of AUDIT_GET does not know of them. Unicast: the kernel keeps them until the next
  /// record comes and tries again, but gives up silently on some if that fails, too (kernel/audit.c kauditd_hold_skb: without audit=1 on the
  /// kernel command line not even `lost` counts them); the serials show which.
  package internal(set) var overrun = false
  /// Records longer than a slot, passed on without their end.
  package internal(set) var cut = 0
  /// Datagrams that somebody other than the kernel sent, or that are no netlink message: dropped.
  package internal(set) var foreign = 0
  /// A process that is alive has just tried to register as the audit daemon in our place (AUDIT_REPLACE). The kernel refuses it as long as we are
  /// there to hear of it.
  package internal(set) var replacedBy: UInt32?

  package init(records: Int = 0) { self.records = records }

  /// What a datagram is.
  enum Content: Equatable {
    case record(type: UInt16)
    /// NLMSG_ERROR: the answer to our own request of that sequence number; `code` is 0 or a negative errno.
    case acknowledgement(sequence: UInt32, code: Int32)
    case replace(byPid: UInt32)
    /// Another message of netlink's own.
    case control
    case foreign
  }

  static let headerBytes = MemoryLayout<nlmsghdr>.size

  /// Tells what a datagram is. Its length is the one received: `nlmsg_len` of audit's unicast records leaves out the header (kernel/audit.c
  /// __audit_log_end), that of multicast records does not.
  static func content(of datagram: RawSpan, sender: UInt32) -> Content {
    if sender != 0 || datagram.byteCount < headerBytes { return .foreign }
    let type = datagram.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt16.self)
    let sequence = datagram.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt32.self)
    let first =
      datagram.byteCount >= headerBytes + 4 ? datagram.unsafeLoadUnaligned(fromByteOffset: headerBytes, as: UInt32.self) : nil
    switch Int32(type) {
    case NLMSG_ERROR:
      guard let first else { return .control }
      return .acknowledgement(sequence: sequence, code: Int32(bitPattern: first))
    case AUDIT_REPLACE:
      guard let first else { return .control }
      return .replace(byPid: first)
    case ..<NLMSG_MIN_TYPE: return .control
    default: return .record(type: type)
    }
  }

  /// Counts a datagram and passes it on if it is a record. The seam at the socket: tests feed bytes here.
  package mutating func take(_ datagram: RawSpan, sender: UInt32, isCut: Bool, _ body: (_ type: UInt16, _ payload: RawSpan) -> Void) {
    switch Self.content(of: datagram, sender: sender) {
    case .record(let type):
      // Records from programs (AUDIT_USER and its kin) may end with the NUL or the newline that the program sent.
      var end = datagram.byteCount
      while end > Self.headerBytes {
        let last = datagram.unsafeLoad(fromByteOffset: end - 1, as: UInt8.self)
        if last != 0 && last != UInt8(ascii: "\n") { break }
        end -= 1
      }
      records += 1
      if isCut { cut += 1 }
      body(type, datagram.extracting(Self.headerBytes..<end))
    case .replace(let pid): replacedBy = pid
    case .acknowledgement, .control: break
    case .foreign: foreign += 1
    }
  }
}
