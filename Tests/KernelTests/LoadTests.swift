import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// The kernel's full speed: nothing lost, nothing doubled, and in order.
  @Suite struct LoadTests {
    /// How often each action of the workload must be in the log.
    private func check(_ bytes: [UInt8], rounds: Int) throws {
      for action in ["create", "rename", "chmod", "delete"] {
        #expect(bytes.count(of: "\"fsaudit\":{\"action\":\"\(action)\"") == rounds, "\(action)")
      }
      #expect(bytes.count(of: "\"dataset\":\"fsaudit.gap\"") == 0)
      #expect(bytes.count(of: "\"path_confidence\"") == 0)
    }

    @Test func twentyThousandRounds() throws {
      let daemon = try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        let lost = try kernelStatus().lost
        let workload = try run(CPrograms.path("workload"), [daemon.tree, "20000"])
        #expect(workload.status == 0)
        try daemon.settle(seconds: 60)
        let status = try daemon.status()
        #expect(status.integer("received.overruns") == 0)
        #expect(status.integer("received.dropped_events") == 0)
        try daemon.stop()
        #expect(try kernelStatus().lost == lost)
        return daemon
      }
      try check(try daemon.logBytes(), rounds: 20_000)
      #expect(try checkJSON(try daemon.segments()) >= 80_000)
    }

    /// SIGTERM while the kernel's queue and ours are full: what was done before it is all there, within five seconds.
    @Test func stoppedUnderLoad() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        let workload = try run(CPrograms.path("workload"), [daemon.tree, "4000"])
        #expect(workload.status == 0)
        let before = milliseconds(CLOCK_MONOTONIC)
        try daemon.stop()
        let took = milliseconds(CLOCK_MONOTONIC) - before
        #expect(took < 5000, "stopping takes \(took) ms")
        try check(try daemon.logBytes(), rounds: 4000)
        #expect(try daemon.lastLine().action == "stop")
      }
    }

    /// SIGTERM while the load goes on: within five seconds, in order, and the rules go before the stream.
    @Test func stoppedInTheMiddleOfLoad() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        let workload = try RunningProgram(CPrograms.path("workload"), [daemon.tree, "100000000"])
        usleep(500_000)
        let before = milliseconds(CLOCK_MONOTONIC)
        try daemon.stop()
        let took = milliseconds(CLOCK_MONOTONIC) - before
        workload.signal(SIGKILL)
        _ = try workload.wait()
        #expect(took < 5000, "stopping takes \(took) ms")
        let bytes = try daemon.logBytes()
        #expect(try checkJSON(try daemon.segments()) == bytes.lineCount())
        #expect(bytes.count(of: "\"dataset\":\"fsaudit.gap\"") == 0)
        // every round that was begun and shown to its end is whole: nothing is missing in the middle
        let counts = ["create", "rename", "chmod", "delete"].map { bytes.count(of: "\"fsaudit\":{\"action\":\"\($0)\"") }
        #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(counts)")
      }
    }
  }
}
