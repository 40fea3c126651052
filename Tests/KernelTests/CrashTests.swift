import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// kill -9 in the middle of full load, again and again: the log stays whole lines, and says each time what may be missing.
  @Suite struct CrashTests {
    @Test func killedTwentyTimesUnderLoad() throws {
      let (daemon, ends) = try KernelLab.run { try work() }
      let files = try daemon.segments()
      #expect(files.count > 2, "no rotation")
      let bytes = try daemon.logBytes()
      #expect(try checkJSON(files) == bytes.lineCount())
      for (round, end) in ends.enumerated() {
        // what the run before left, up to its last whole line, is as it was; behind it comes what may be missing
        let begin = try parse(bytes.lines(6, from: end))
        #expect(begin.first?.string("fsaudit.seal.reason") == "start", "round \(round)")
        let lines = begin.filter { $0.dataset != .seal }
        try #require(lines.count >= 3)
        #expect(lines[0].dataset == .gap && lines[0].reason == GapReason.notRunning.rawValue, "round \(round): \(lines[0].json)")
        #expect(lines[0].integer("fsaudit.gap.first_serial") ?? 0 > 0)
        #expect(lines[0].string("fsaudit.gap.since") != nil && lines[0].string("fsaudit.gap.until") != nil)
        #expect(lines[1].dataset == .daemon && lines[1].action == "recovered", "\(lines[1].json)")
        #expect(lines[2].dataset == .daemon && lines[2].action == "start", "\(lines[2].json)")
      }
      #expect(bytes.count(of: "\"reason\":\"not_running\"") == 20)
      // the last one did end in order
      #expect(try daemon.lastLine().action == "stop")
      let answer = try run(fsauditBinary, ["log", "verify", "--config", daemon.configuration])
      #expect(answer.status == 0 && answer.text.contains("as it was written"), "\(answer.text)")
    }

    /// Returns the daemon, ended, and where in the log its first twenty lives ended.
    private func work() throws -> (TestDaemon, [Int]) {
      let daemon = try TestDaemon(log: "rotate_size = \"256KiB\"\nkeep_size = \"unlimited\"")
      let workload = try RunningProgram(CPrograms.path("workload"), [daemon.tree, "100000000"])
      try daemon.start()
      var ends: [Int] = []
      for round in 1...20 {
        // at another point of the log's life each time, and not before something has come in
        let isLogging = workload.wait(seconds: 20) { (try? daemon.logSize()) ?? 0 > (ends.last ?? 0) + 65536 }
        #expect(isLogging, "round \(round): nothing is logged")
        usleep(UInt32(round) * 7919 % 50_000)
        try daemon.kill9()
        // the next start cuts off what is half a line
        ends.append(try daemon.wholeLinesSize())
        try daemon.start()
      }
      workload.signal(SIGKILL)
      _ = try workload.wait()
      try daemon.stop()
      return (daemon, ends)
    }
  }
}
