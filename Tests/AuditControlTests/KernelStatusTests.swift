import AuditControl
import System
import SystemPackage
import TestSupport
import Testing

@Suite struct KernelStatusTests {
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func settingsAreSetReadAndRestored() throws {
    var before: KernelStatus?
    try KernelLab.run {
      var audit = try KernelAudit()
      before = try audit.status()
      let limit: UInt32 = before?.backlogLimit == 9000 ? 9001 : 9000
      try audit.set(.backlogLimit(limit))
      #expect(try audit.status().backlogLimit == limit)
    }
    try KernelLab.run {
      var audit = try KernelAudit()
      #expect(try audit.status().backlogLimit == before?.backlogLimit)
    }
  }

  @Test func lockAndPanicAreRefusedBeforeTheKernelIsAsked() throws {
    var audit = try KernelAudit()
    #expect(throws: (any Error).self) { try audit.set(.enabled(2)) }
    #expect(throws: (any Error).self) { try audit.set(.failure(2)) }
  }
}

@Suite struct AdviceTests {
  @Test(
    arguments: [
      (Errno.notPermitted, 2, "reboot", System.ExitStatus.kernelRefused), (.notPermitted, 1, "CAP_AUDIT_CONTROL", .notPermitted),
      (.connectionRefused, 1, "container", .notPermitted), (.fileExists, 1, "already", .kernelRefused),
      (.noSuchFileOrDirectory, 1, "--when-created", .kernelRefused), (.invalidArgument, 1, "operators", .kernelRefused),
    ] as [(Errno, UInt32, String, System.ExitStatus)])
  func refusalsSayWhatToDo(code: Errno, enabled: UInt32, word: String, exit: System.ExitStatus) {
    let failure = KernelAudit.failure(SystemError("netlink", "a.rules:3", code), enabled: enabled)
    #expect(failure.message.hasPrefix("a.rules:3: ") && failure.description.contains(word) && failure.exit == exit)
  }

  @Test func theRegisteredDaemonIsNamed() {
    var status = KernelStatus()
    #expect(RegisteredDaemon(status) == nil)
    status.pid = 1
    #expect(RegisteredDaemon(status)?.isAlive == true)
    status.pid = UInt32(Int32.max)
    #expect(RegisteredDaemon(status)?.isAlive == false)
  }
}
