import AuditControl
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
