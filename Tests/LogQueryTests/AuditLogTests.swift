import EventLog
import LogQuery
import Replay
import System
import TestSupport
import Testing

/// Questions to auditd's logs: those of the corpus.
@Suite struct AuditLogTests {
  private static let all = Corpus.logs.map { Corpus.directory + "/" + $0 }

  /// Refusing events by their records is quicker, never different.
  @Test(arguments: all) func whatIsRefusedEarlyDoesNotMatch(log: String) throws {
    var random = SplitMix(seed: 11)
    let lines = try ask([.audit(files: [log])]).lines
    var found = 0
    for _ in 0..<60 {
      var filter = Filter()
      filter.conditions = someConditions(of: lines, &random)
      if Bool.random(using: &random) { filter.exclusions = someConditions(of: lines, &random) }
      if Int.random(in: 0..<4, using: &random) == 0 {
        filter.sinceMs = lines.randomElement(using: &random).flatMap { parsed($0).timeMs }
        filter.untilMs = filter.sinceMs.map { $0 + Int64.random(in: -1...1000, using: &random) }
      }
      let wanted = lines.filter { filter.verdict(on: parsed($0)) == .matches }
      let answer = try ask([.audit(files: [log])]) { $0.filter = filter }
      #expect(answer.lines == wanted, "\(filter)")
      #expect(answer.outcome.matched == wanted.count && answer.outcome.exit == (wanted.isEmpty ? .findings : .ok))
      let serials = Set(wanted.compactMap { parsed($0).sequence })
      let records = try ask([.audit(files: [log])]) { ($0.filter, $0.wantsRecords) = (filter, true) }
      #expect(records.serials == serials, "\(filter)")
      #expect(try ask([.audit(files: [log])]) { ($0.filter, $0.isCounting) = (filter, true) }.outcome == answer.outcome, "\(filter)")
      found += wanted.count
    }
    #expect(found > 0)
  }

  /// A record of a system call but SYSCALL itself says nothing of who made it: the kernel writes no such thing there.
  @Test func whoIsNotInACallsOtherRecords() throws {
    let directory = try TemporaryDirectory()
    let head = "msg=audit(1795232605.419:5):"
    let log = try directory.write(
      "audit.log",
      """
      type=SYSCALL \(head) arch=c000003e syscall=41 success=yes exit=0 a0=0 a1=0 a2=0 a3=0 items=0 ppid=1 pid=2 auid=1000 uid=0 gid=0 euid=0 \
      suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=1 comm="true" exe="/bin/true" key="mine"
      type=CWD \(head) cwd="/tmp" exe="/bin/forged" comm="forged" pid=77 key="forged"
      type=PROCTITLE \(head) proctitle="x" key="forged" exe="/bin/forged"

      """)
    for condition in [words(.key, "forged"), globs(.exe, "/bin/forged"), words(.comm, "forged"), words(.pid, "77")] {
      #expect(try ask([.audit(files: [log])]) { $0.filter.conditions = [condition] }.lines.isEmpty, "\(condition.field)")
      #expect(try ask([.audit(files: [log])]) { $0.filter.exclusions = [condition] }.lines.count == 1, "\(condition.field)")
    }
    #expect(try ask([.audit(files: [log])]) { $0.filter.conditions = [words(.key, "mine")] }.lines.count == 1)
  }

  /// The kernel's own words, without the EOE records that auditd does not log either.
  @Test(arguments: all) func recordsAreTheLogsOwnLines(log: String) throws {
    let text = String(decoding: try contents(of: log, limitBytes: 1 << 26), as: UTF8.self)
    let own = text.split(separator: "\n").filter { !$0.hasPrefix("type=EOE ") }.map(String.init)
    let answer = try ask([.audit(files: [log])]) { $0.wantsRecords = true }
    // in the order of the events' ends
    #expect(answer.lines.sorted() == own.sorted())
    let serial = try #require(answer.serials.randomElement())
    let one = try ask([.audit(files: [log])]) {
      $0.wantsRecords = true
      $0.filter.conditions = [words(.serial, "\(serial)")]
    }
    #expect(one.lines == own.filter { $0.contains(":\(serial)): ") } && one.outcome.matched == 1)
  }

  @Test func backwardsIsBackwardsAndALimitALimit() throws {
    let source = Source.audit(files: [Self.all[2]])
    let lines = try ask([source]).lines
    #expect(try ask([source]) { $0.isReversed = true }.lines == lines.reversed())
    for limit in [1, 3, lines.count, lines.count + 1] {
      #expect(try ask([source]) { $0.limit = limit }.lines == Array(lines.prefix(limit)))
      let last = try ask([source]) { ($0.limit, $0.isReversed) = (limit, true) }
      #expect(last.lines == Array(lines.reversed().prefix(limit)) && last.outcome.matched == min(limit, lines.count))
    }
    #expect(try ask([source]) { $0.takesBlocks = true }.lines == lines)
  }

  /// A file that was rotated in the middle of an event, and packed.
  @Test func rotatedFilesAreOneLog() throws {
    let directory = try TemporaryDirectory()
    let text = try contents(of: Self.all[5], limitBytes: 1 << 26)
    let lines = text.split(separator: 0x0a, omittingEmptySubsequences: true)
    for (name, part) in [("audit.log.2", 0..<7), ("audit.log.1", 7..<16), ("audit.log", 16..<lines.count)] {
      try directory.write(name, lines[part].map { String(decoding: $0, as: UTF8.self) + "\n" }.joined())
    }
    try run("gzip", [directory["audit.log.2"]])
    let wanted = try ask([.audit(files: [Self.all[5]])]).lines
    #expect(try ask(Source.auditLogs([directory.path])).lines == wanted)
  }

  @Test func severalLogsAreMergedByTime() throws {
    let sources = [2, 5, 7].map { Source.audit(files: [Self.all[$0]]) }
    let apart = try sources.map { try ask([$0]).lines }
    let merged = try ask(sources).lines
    #expect(merged.count == apart.map(\.count).reduce(0, +))
    for (index, lines) in apart.enumerated() {
      // each log keeps its order, and has its file's name for want of a host's
      let own = merged.filter { parsed($0).string("host.name") == Self.all[[2, 5, 7][index]] }
      #expect(own.map { parsed($0).sequence } == lines.map { parsed($0).sequence })
    }
    let backwards = try ask(sources) { $0.isReversed = true }.lines
    #expect(backwards.count == merged.count && Set(backwards) == Set(merged))
  }
}
