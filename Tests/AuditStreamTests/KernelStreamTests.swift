import AuditControl
import AuditStream
import Glibc
import System
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) struct KernelStreamTests {
  let own = UInt32(getpid())

  @Test func unicastGetsEveryRecordAndUnregistersAtTheEnd() throws {
    try KernelLab.run {
      let lab = try Lab()
      do {
        var stream = try KernelStream.open(.unicast, registered: lab.registered())
        #expect(stream.source == .unicast)
        #expect(try lab.registered() == own)
        let (isOwn, isFree) = (stream.isStillRegistered(own), stream.isStillRegistered(0))
        #expect(isOwn && !isFree)
        #expect(stream.receiveBufferBytes >= 8 << 20)
        #expect(stream.port != 0)
        try lab.emit(200, "unicast")
        var delivery = Delivery()
        try delivery.take(&stream, until: 200, with: "msg='unicast-")
        // The registration's own record, and the messages in their order, whole: the length is right although nlmsg_len is not.
        #expect(delivery.count("op=set audit_pid=\(own)") == 1)
        let messages = delivery.records.filter { $0.type == 1107 }.map(\.text)
        #expect(messages.count == 200)
        #expect(messages.allSatisfy { $0.hasPrefix("audit(") })
        #expect(messages.enumerated().allSatisfy { $0.element.hasSuffix("msg='unicast-\($0.offset + 1)'") })
        #expect(delivery.overruns == 0)
        let drops = stream.drops()
        #expect(drops == 0)
      }
      #expect(try lab.registered() == 0)
    }
  }

  @Test func unregisteringKeepsWhatHasArrived() throws {
    try KernelLab.run {
      let lab = try Lab()
      var stream = try KernelStream.open(.auto, registered: lab.registered())
      #expect(stream.source == .unicast)
      try lab.emit(11, "before")  // the last may still be on its way when the queue is empty
      try lab.settle()
      stream.unregister()
      #expect(try lab.registered() == 0)
      var delivery = Delivery()
      try delivery.take(&stream, until: 10, with: "before-")
      #expect(delivery.count("before-") >= 10)
    }
  }

  @Test func aLiveDaemonKeepsTheStreamAndIsNotEvenProbed() throws {
    try KernelLab.run {
      let lab = try Lab()
      let daemon = try rival("register")
      #expect(try text(daemon).hasPrefix("registered 0\n"))
      let pid = try lab.registered()
      #expect(pid == UInt32(daemon.pid))
      let refusal = #expect(throws: Failure.self) { _ = try KernelStream.open(.unicast, registered: pid) }
      #expect(refusal?.message == "another audit daemon (pid \(pid), perl) owns the stream")
      #expect(refusal?.exit == .kernelRefused)
      var stream = try KernelStream.open(.auto, registered: pid)
      #expect(stream.source == .multicast)
      try lab.emit(50, "both")
      var delivery = Delivery()
      try delivery.take(&stream, until: 50, with: "msg='both-")
      #expect(delivery.count("msg='both-") == 50)
      #expect(delivery.records.last { $0.type == 1107 }?.text.hasSuffix("msg='both-50'") == true)
      let isThere = try daemon.wait(seconds: 5) { try text(daemon).split(separator: "\n").count { $0 == "received 1107" } == 50 }
      #expect(isThere)
      #expect(try !text(daemon).contains("received 1329"))
      #expect(try lab.registered() == pid)
    }
  }

  /// Another pid namespace's daemon has no pid that we could look at: the kernel's EEXIST decides.
  @Test func aDaemonThatWeCannotSeeKeepsTheStream() throws {
    try KernelLab.run {
      let lab = try Lab()
      let daemon = try rival("register")
      let stream = try KernelStream.open(.auto, registered: 0)
      #expect(stream.source == .multicast)
      #expect(throws: Failure.self) { _ = try KernelStream.open(.unicast, registered: 0) }
      let isProbed = try daemon.wait(seconds: 5) { try text(daemon).contains("received 1329") }
      #expect(isProbed)
      #expect(try lab.registered() == UInt32(daemon.pid))
    }
  }

  @Test(arguments: [KernelSource.unicast, .auto]) func theStreamOfADeadDaemonIsTakenOver(source: KernelSource) throws {
    try KernelLab.run {
      let lab = try Lab()
      let daemon = try rival("register")
      let pid = try lab.registered()
      kill(daemon.pid, SIGKILL)
      // Not reaped: a zombie is dead enough.
      var info = siginfo_t()
      waitid(P_PID, id_t(daemon.pid), &info, WEXITED | WNOWAIT)
      var stream = try KernelStream.open(source, registered: pid)
      #expect(stream.source == .unicast)
      #expect(try lab.registered() == own)
      try lab.emit(5, "mine")
      var delivery = Delivery()
      try delivery.take(&stream, until: 5, with: "mine-")
      #expect(delivery.count("mine-") == 5)
    }
  }

  @Test func aRivalIsRefusedAndReported() throws {
    try KernelLab.run {
      let lab = try Lab()
      var stream = try KernelStream.open(.unicast, registered: lab.registered())
      let daemon = try rival("register")
      #expect(try text(daemon).hasPrefix("registered \(EEXIST)\n"))
      var delivery = Delivery()
      try delivery.take(&stream, until: 1, with: "op=set audit_pid=\(daemon.pid)")
      #expect(delivery.replacedBy == UInt32(daemon.pid))
      #expect(try lab.registered() == own)
    }
  }

  /// Multicast to a slow reader: the loss is reported, counted to the record, and reading goes on.
  @Test func multicastOverrunIsReportedAndCounted() throws {
    try KernelLab.run {
      let lab = try Lab()
      let daemon = try rival("register")
      let lost = try lab.lost()
      var stream = try KernelStream.open(.multicast, registered: UInt32(daemon.pid), receiveBufferBytes: 8192)
      var delivery = Delivery()
      try delivery.take(&stream, until: 1, with: "nothing")
      delivery = Delivery()
      try lab.emit(300, "flood")
      try lab.settle()
      try delivery.take(&stream, until: 300, with: "msg='flood-")
      #expect(delivery.overruns > 0)
      #expect(delivery.records.count < 300)
      let drops = Int(stream.drops())
      #expect(delivery.records.count + drops == 300)
      #expect(try lab.lost() == lost)
      try lab.emit(3, "after")
      try delivery.take(&stream, until: 3, with: "msg='after-")
      #expect(delivery.count("msg='after-") == 3)
    }
  }

  /// Unicast to a reader that sleeps with a full buffer. What the kernel could not send it keeps until the next record comes, or gives up: some
  /// of it silently (kauditd_hold_skb without audit=1), some of it counted in `lost`. How much of each is a matter of timing; the overrun is
  /// told in every case, the reader stays registered, and what comes later arrives.
  @Test func unicastOverrunIsReportedAndTheRestComesWithTheNextRecord() throws {
    try KernelLab.run {
      let lab = try Lab()
      var stream = try KernelStream.open(.unicast, registered: lab.registered(), receiveBufferBytes: 8192)
      try lab.emit(300, "slow")
      usleep(1_500_000)
      var delivery = Delivery()
      try delivery.take(&stream, until: 300, with: "msg='slow-")
      #expect(delivery.overruns > 0)
      let drops = stream.drops()
      #expect(drops > 0)
      #expect(try lab.registered() == own)
      try lab.emit(1, "next")
      try delivery.take(&stream, until: 1, with: "msg='next-1'")
      #expect(delivery.count("msg='next-1'") == 1)
      #expect((1...300).contains(delivery.count("msg='slow-")))
    }
  }

  /// Records race with the kernel's answer to the registration: every serial after the registration's own record arrives.
  @Test func nothingIsLostWhileRegistering() throws {
    try KernelLab.run {
      let lab = try Lab()
      for _ in 0..<20 {
        let flood = try rival("flood")
        var stream = try KernelStream.open(.unicast, registered: lab.registered())
        var delivery = Delivery()
        try delivery.take(&stream, until: 1, with: "op=set audit_pid=\(own)")
        try delivery.take(&stream, until: delivery.count("msg='flood-") + 100, with: "msg='flood-")
        flood.signal(SIGKILL)
        _ = try flood.wait(seconds: 5)
        let serials = delivery.records.compactMap { record in
          record.text.split(separator: ")").first?.split(separator: ":").last.flatMap { Int($0) }
        }
        let first = try #require(delivery.records.firstIndex { $0.text.contains("op=set audit_pid=\(own)") })
        let since = Set(serials[first...]).filter { $0 >= serials[first] }.sorted()
        // The last few may still be overtaking one another.
        #expect(since.count > 50)
        #expect(since.dropLast(5).enumerated().allSatisfy { $0.element == serials[first] + $0.offset })
        #expect(delivery.overruns == 0)
      }
    }
  }
}
