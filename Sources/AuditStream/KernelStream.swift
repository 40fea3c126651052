import CLinux
import Glibc
import System
import SystemPackage

/// Where the kernel is to send its records.
package enum KernelSource: String, Sendable, CaseIterable {
  /// To us alone, as the registered audit daemon. The kernel waits for a slow reader.
  case unicast
  /// To us as well, beside a registered daemon. A slow reader loses records.
  case multicast
  /// Unicast if nobody is registered or the registered daemon is gone, else multicast. Never takes the stream from anybody.
  case auto
}

/// The receiving end of kernel audit: a netlink socket of its own, because a long answer to a question must not push out records.
///
/// The kernel sends unicast records to the port of the socket that registered, so the registration is sent from here; all other questions go
/// through AuditControl. When the value goes away it unregisters, if it is still registered, and closes the socket. Not more than one unicast
/// stream a process at a time: the kernel knows the registered daemon by its process alone.
package struct KernelStream: ~Copyable, Sendable {
  /// `unicast` or `multicast`: how the records come.
  package let source: KernelSource
  private let netlink: NetlinkReceiver
  private var batch: MessageBatch
  private var isRegistered = false
  /// What arrived before the kernel's answer to the registration: ``receive(_:)`` delivers it first.
  private var early: [(bytes: [UInt8], sender: UInt32, isCut: Bool)] = []
  private var earlyOverrun = false

  /// Longer than any record (PATH_MAX bytes in hexadecimal and their company: libaudit.h has 8970).
  static let slotBytes = 9216
  static let batchCapacity = 64

  /// Opens the stream. Call ``receive(_:)`` once before waiting for the descriptor: records may have arrived with the registration's answer.
  /// - Parameters:
  ///   - registered: the pid in AUDIT_GET's answer, asked just now. A live daemon is not even probed: it would hear of it (AUDIT_REPLACE).
  ///   - receiveBufferBytes: the socket buffer to ask for; without CAP_NET_ADMIN net.core.rmem_max is the limit.
  /// - Throws: ``Failure`` when the kernel refuses or, for `unicast`, when another daemon is registered and alive.
  package static func open(
    _ source: KernelSource, registered: UInt32, receiveBufferBytes: Int = 8 << 20
  ) throws(Failure) -> KernelStream {
    let isFree = registered == 0 || registered == UInt32(getpid()) || !isAlive(registered)
    if source == .unicast && !isFree { throw taken(by: registered) }
    if source != .multicast && isFree {
      do {
        var stream = try KernelStream(.unicast, receiveBufferBytes)
        try stream.register()
        return stream
      } catch {
        // Somebody whom we cannot see (another pid namespace), or who was quicker.
        if error.code != .fileExists { throw refusal(error) }
        if source == .unicast { throw taken(by: registered) }
      }
    }
    do { return try KernelStream(.multicast, receiveBufferBytes) } catch { throw refusal(error) }
  }

  private init(_ source: KernelSource, _ bufferBytes: Int) throws(SystemError) {
    self.source = source
    let groups = source == .multicast ? UInt32(AUDIT_NLGRP_READLOG.rawValue) : 0
    netlink = try NetlinkReceiver(protocol: NETLINK_AUDIT, groups: groups, bufferBytes: bufferBytes)
    batch = MessageBatch(capacity: Self.batchCapacity, slotBytes: Self.slotBytes)
  }

  deinit { unregisterIfRegistered() }

  /// The socket, to wait for with `Poll`.
  package var descriptor: Int32 { netlink.socket.raw }
  /// Our netlink port, given by the kernel.
  package var port: UInt32 { netlink.port }
  /// The socket buffer that we got, in bytes as the kernel counts them (twice what one asks for, socket(7)).
  package var receiveBufferBytes: Int { netlink.bufferBytes }

  /// Passes on the records that wait, at most one batch, without blocking and without allocating.
  /// - Parameter body: gets the record's type and its text (`audit(TIME:SERIAL): …`), which is gone when it returns.
  /// - Throws: what the socket reports, full buffers excepted: those are in the outcome.
  package mutating func receive(_ body: (_ type: UInt16, _ payload: RawSpan) -> Void) throws(SystemError) -> ReceiveOutcome {
    var outcome = ReceiveOutcome()
    if earlyOverrun || !early.isEmpty {
      outcome.overrun = earlyOverrun
      outcome.isFull = true
      for datagram in early { outcome.take(datagram.bytes.span.bytes, sender: datagram.sender, isCut: datagram.isCut, body) }
      early = []
      earlyOverrun = false
      return outcome
    }
    switch try batch.receive(from: netlink.socket.raw) {
    case .nothing: break
    case .overrun:
      outcome.overrun = true
      outcome.isFull = true
    case .messages(let count):
      outcome.isFull = count == batch.capacity
      for index in 0..<count {
        outcome.take(batch.bytes(index).bytes, sender: batch.sender(index), isCut: batch.isCut(index), body)
      }
    }
    return outcome
  }

  /// Datagrams that the kernel threw away because this socket's buffer was full, since it was opened (SK_MEMINFO_DROPS of sock_diag(7)).
  /// See ``ReceiveOutcome/overrun`` for what that means for the records.
  package borrowing func drops() -> UInt32 { netlink.drops() }

  /// Whether `registered`, the pid in AUDIT_GET's answer, is still us; always true of a multicast stream, which needs no registration.
  package borrowing func isStillRegistered(_ registered: UInt32) -> Bool { !isRegistered || registered == UInt32(getpid()) }

  /// Gives the registration up, so that nothing new comes; what the socket still holds can be received. Does nothing for multicast.
  ///
  /// What the kernel still has in its own queue (`backlog` of AUDIT_GET) goes to the kernel log instead of to us: receive until that is 0 first.
  package mutating func unregister() {
    unregisterIfRegistered()
    isRegistered = false
  }

  /// The answer is not waited for: the kernel refuses with EACCES where another process is registered by now, and that is as well.
  private borrowing func unregisterIfRegistered() {
    if isRegistered { _ = try? setDaemon(0, sequence: 2) }
  }
}

// MARK: - Registration

extension KernelStream {
  /// Registers this socket as the audit daemon's. What arrives before the kernel's answer is kept.
  /// - Throws: EEXIST when another daemon is registered and alive; EPERM, ECONNREFUSED without the right or outside the initial namespaces.
  private mutating func register() throws(SystemError) {
    try setDaemon(UInt32(getpid()), sequence: 1)
    while true {
      switch try batch.receive(from: netlink.socket.raw) {
      case .overrun: earlyOverrun = true
      case .nothing:
        // The answer is queued before sendto returns (netlink_rcv_skb), unless the buffer was full.
        if try !netlink.socket.hasInput(within: 5000) { throw SystemError("AUDIT_SET", "audit stream", .timedOut) }
      case .messages(let count):
        var answer: Int32?
        for index in 0..<count {
          let bytes = batch.bytes(index)
          if case .acknowledgement(1, let code) = ReceiveOutcome.content(of: bytes.bytes, sender: batch.sender(index)) {
            answer = code
          } else {
            early.append((Array(bytes), batch.sender(index), batch.isCut(index)))
          }
        }
        guard let answer else { continue }
        if answer != 0 { throw SystemError("AUDIT_SET", "audit stream", Errno(rawValue: answer == .min ? EIO : -answer)) }
        isRegistered = true
        return
      }
    }
  }

  /// Sends AUDIT_SET with STATUS_PID: 0, or our own process id (the kernel takes no other).
  private borrowing func setDaemon(_ pid: UInt32, sequence: UInt32) throws(SystemError) {
    var request = (header: nlmsghdr(), status: audit_status())
    request.header.nlmsg_len = UInt32(MemoryLayout.size(ofValue: request))
    request.header.nlmsg_type = UInt16(AUDIT_SET)
    request.header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ACK)
    request.header.nlmsg_seq = sequence
    request.status.mask = UInt32(AUDIT_STATUS_PID)
    request.status.pid = pid
    try withUnsafeBytes(of: &request) { bytes throws(SystemError) in try netlink.send(bytes) }
  }

  /// Whether a process exists and is not a zombie.
  static func isAlive(_ pid: UInt32) -> Bool {
    guard let text = try? contents(of: "/proc/\(pid)/stat") else { return false }
    // pid (comm) state …: the name may hold anything, parentheses and spaces included (proc(5)).
    guard let name = text.lastIndex(of: UInt8(ascii: ")")), name + 2 < text.count else { return false }
    return ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(text[name + 2])
  }

  private static func taken(by pid: UInt32) -> Failure {
    var who = ""
    if pid != 0 {
      let name = (try? contents(of: "/proc/\(pid)/comm")).map { String(decoding: $0.dropLast(), as: UTF8.self) }
      who = " (pid \(pid)\(name.map { ", " + printable($0) } ?? ""))"
    }
    return Failure(
      "another audit daemon\(who) owns the stream", advice: "use source = multicast, or stop it", exit: .kernelRefused)
  }

  private static func refusal(_ error: SystemError) -> Failure {
    switch error.code {
    case .notPermitted, .permissionDenied:
      Failure(
        "the kernel refuses the audit stream: \(error.code)", advice: "run it as root, on the host, not in a container", exit: .notPermitted
      )
    case .connectionRefused:
      Failure("no audit stream in this user namespace", advice: "run it on the host, not in a container", exit: .notPermitted)
    case .protocolNotSupported:
      Failure("this kernel has no audit system", advice: "boot one with CONFIG_AUDIT, without audit=off", exit: .kernelRefused)
    default: error.failure()
    }
  }
}
