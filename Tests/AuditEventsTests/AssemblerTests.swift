import AuditWire
import Replay
import Testing

@testable import AuditEvents

/// What came in, line by line, and what events came out: `TYPE serial[@milliseconds][/host]`, `now MS`, `expire`, `finish`.
struct Scenario: Sendable, CustomTestStringConvertible {
  var name: String
  var script: [String]
  /// `serial:RECORDS completion[ late][ cut]`
  var events: [String]
  var counters: @Sendable (inout Assembler.Counters) -> Void = { _ in }
  var endsAtProctitle = false
  var limits: @Sendable (inout Assembler.Limits) -> Void = { _ in }
  var testDescription: String { name }

  static let all: [Scenario] = [
    Scenario(
      name: "normal", script: ["SYSCALL 1", "CWD 1", "PATH 1", "PROCTITLE 1", "EOE 1"], events: ["1:SYSCALL CWD PATH PROCTITLE endOfEvent"]),
    Scenario(
      name: "interleaved", script: ["SYSCALL 1", "SYSCALL 2", "PATH 1", "PATH 2", "EOE 2", "PROCTITLE 1", "EOE 1"],
      events: ["2:SYSCALL PATH endOfEvent", "1:SYSCALL PATH PROCTITLE endOfEvent"]),
    Scenario(
      name: "serials out of order", script: ["SYSCALL 3", "EOE 3", "SYSCALL 1", "EOE 1", "SYSCALL 2", "EOE 2"],
      events: ["3:SYSCALL endOfEvent", "1:SYSCALL endOfEvent", "2:SYSCALL endOfEvent"]),
    Scenario(
      name: "the serial rolls over", script: ["SYSCALL 4294967295", "SYSCALL 0", "PATH 4294967295", "EOE 0", "EOE 4294967295"],
      events: ["0:SYSCALL endOfEvent", "4294967295:SYSCALL PATH endOfEvent"]),
    Scenario(
      name: "a lost record in the middle", script: ["SYSCALL 1", "PATH 1", "EOE 1"], events: ["1:SYSCALL PATH endOfEvent"]),
    Scenario(
      name: "the lost record is the first", script: ["PATH 1", "PROCTITLE 1", "EOE 1"], events: ["1:PATH PROCTITLE endOfEvent"]),
    Scenario(
      name: "no EOE: the time-out ends it", script: ["now 1000", "SYSCALL 1", "PATH 1", "now 2999", "expire", "now 3000", "expire"],
      events: ["1:SYSCALL PATH timeout"], counters: { $0.timedOut = 1 }),
    Scenario(
      name: "one event without EOE does not hold up the next", script: ["SYSCALL 1", "SYSCALL 2", "EOE 2", "SYSCALL 3", "EOE 3"],
      events: ["2:SYSCALL endOfEvent", "3:SYSCALL endOfEvent"]),
    Scenario(
      name: "every record renews the time-out",
      script: ["now 0", "SYSCALL 1", "now 1500", "PATH 1", "now 3000", "expire", "now 3500", "expire"],
      events: ["1:SYSCALL PATH timeout"], counters: { $0.timedOut = 1 }),
    Scenario(
      name: "the oldest waits longest, not the lowest serial",
      script: ["now 0", "SYSCALL 2", "now 100", "SYSCALL 1", "now 2000", "expire", "now 2100", "expire"],
      events: ["2:SYSCALL timeout", "1:SYSCALL timeout"], counters: { $0.timedOut = 2 }),
    Scenario(
      name: "a record behind the end is late", script: ["SYSCALL 1", "EOE 1", "PATH 1", "finish"],
      events: ["1:SYSCALL endOfEvent", "1:PATH endOfInput late"], counters: { $0.late = 1 }),
    Scenario(
      name: "EOE behind PROCTITLE is expected", script: ["SYSCALL 1", "PROCTITLE 1", "EOE 1"], events: ["1:SYSCALL PROCTITLE proctitle"],
      endsAtProctitle: true),
    Scenario(
      name: "EOE of an event that never came", script: ["EOE 7"], events: [], counters: { $0.late = 1 }),
    Scenario(
      name: "EOE twice", script: ["SYSCALL 1", "EOE 1", "EOE 1"], events: ["1:SYSCALL endOfEvent"]),
    Scenario(
      name: "a record twice is kept twice", script: ["SYSCALL 1", "PATH 1", "PATH 1", "EOE 1"], events: ["1:SYSCALL PATH PATH endOfEvent"]),
    Scenario(
      name: "the same serial at another time is another event",
      script: ["SYSCALL 1@1000", "SYSCALL 1@2000", "EOE 1@2000", "finish"],
      events: ["1:SYSCALL endOfEvent", "1:SYSCALL endOfInput"]),
    Scenario(
      name: "the same serial and time on other hosts are other events",
      script: ["SYSCALL 1/a", "SYSCALL 1/b", "SYSCALL 1", "CWD 1/a", "PATH 1/b", "EOE 1/b", "PATH 1", "PATH 1/a", "EOE 1/a", "EOE 1"],
      events: ["1:SYSCALL PATH endOfEvent", "1:SYSCALL CWD PATH endOfEvent", "1:SYSCALL PATH endOfEvent"]),
    Scenario(
      name: "hosts' events in a log, where PROCTITLE ends them",
      script: ["SYSCALL 1/a", "SYSCALL 1/b", "PATH 1/a", "PATH 1/b", "PROCTITLE 1/a", "EOE 1/a", "PROCTITLE 1/b", "EOE 1/b"],
      events: ["1:SYSCALL PATH PROCTITLE proctitle", "1:SYSCALL PATH PROCTITLE proctitle"], endsAtProctitle: true),
    Scenario(
      name: "EOE behind the PROCTITLE of another host's event", script: ["SYSCALL 1/b", "SYSCALL 1/a", "PROCTITLE 1/a", "EOE 1/b"],
      events: ["1:SYSCALL PROCTITLE proctitle", "1:SYSCALL endOfEvent"], endsAtProctitle: true),
    Scenario(
      name: "the clock steps back",
      script: ["now 100000", "SYSCALL 1", "now 500", "expire", "SYSCALL 2", "expire", "PATH 1", "EOE 1", "now 2500", "expire"],
      events: ["1:SYSCALL PATH endOfEvent", "2:SYSCALL timeout"], counters: { $0.timedOut = 1 }),
    Scenario(
      name: "in a log a step of the clock alone ends nothing",
      script: ["now 0", "SYSCALL 1", "now 99999", "SYSCALL 2", "expire", "PATH 1", "PROCTITLE 1", "PROCTITLE 2"],
      events: ["1:SYSCALL PATH PROCTITLE proctitle", "2:SYSCALL PROCTITLE proctitle"], endsAtProctitle: true,
      limits: { $0.quietRecords = 3 }),
    Scenario(
      name: "in a log other records must follow as well",
      script: ["now 0", "SYSCALL 1", "now 99999", "SYSCALL 2", "PATH 2", "expire", "PROCTITLE 2", "expire"],
      events: ["2:SYSCALL PATH PROCTITLE proctitle", "1:SYSCALL timeout"], counters: { $0.timedOut = 1 }, endsAtProctitle: true,
      limits: { $0.quietRecords = 3 }),
    Scenario(
      name: "user space's records come alone", script: ["USER_LOGIN 5", "SERVICE_START 6"],
      events: ["5:USER_LOGIN alone", "6:SERVICE_START alone"]),
    Scenario(
      name: "CONFIG_CHANGE precedes its SYSCALL", script: ["CONFIG_CHANGE 1", "SYSCALL 1", "PROCTITLE 1", "EOE 1"],
      events: ["1:CONFIG_CHANGE SYSCALL PROCTITLE endOfEvent"]),
    Scenario(
      name: "CONFIG_CHANGE without a SYSCALL waits less",
      script: [
        "now 1000", "SYSCALL 1", "CONFIG_CHANGE 2", "SYSCALL 3", "now 1199", "expire", "now 1200", "expire", "EOE 3", "now 3000", "expire",
      ],
      events: ["2:CONFIG_CHANGE timeout", "3:SYSCALL endOfEvent", "1:SYSCALL timeout"], counters: { $0.timedOut = 2 }),
    Scenario(
      name: "CONFIG_CHANGE with its SYSCALL waits like any other",
      script: ["now 1000", "CONFIG_CHANGE 1", "now 1199", "SYSCALL 1", "now 3198", "expire", "now 3199", "expire"],
      events: ["1:CONFIG_CHANGE SYSCALL timeout"], counters: { $0.timedOut = 1 }),
    Scenario(
      name: "the last record alone", script: ["now 1000", "CONFIG_CHANGE 1", "now 1200", "expire"], events: ["1:CONFIG_CHANGE timeout"],
      counters: { $0.timedOut = 1 }),
    Scenario(
      name: "CONFIG_CHANGE in a log",
      script: ["now 1000", "CONFIG_CHANGE 1", "now 1500", "SYSCALL 2", "expire", "PROCTITLE 2", "expire"],
      events: ["2:SYSCALL PROCTITLE proctitle", "1:CONFIG_CHANGE timeout"], counters: { $0.timedOut = 1 }, endsAtProctitle: true,
      limits: {
        $0.quietRecords = 64
        $0.quietRecordsAfterChange = 2
      }),
    Scenario(
      name: "io_uring's worker writes no PROCTITLE", script: ["URINGOP 1", "PATH 1", "EOE 1"], events: ["1:URINGOP PATH endOfEvent"]),
    Scenario(
      name: "io_uring in a log, without EOE", script: ["now 0", "URINGOP 1", "PATH 1", "now 5000", "SYSCALL 2", "PROCTITLE 2", "expire"],
      events: ["2:SYSCALL PROCTITLE proctitle", "1:URINGOP PATH timeout"], counters: { $0.timedOut = 1 }, endsAtProctitle: true),
    Scenario(
      name: "more open events than the bound", script: ["SYSCALL 1", "SYSCALL 2", "SYSCALL 3", "PATH 2", "EOE 2", "EOE 3"],
      events: ["1:SYSCALL evicted", "2:SYSCALL PATH endOfEvent", "3:SYSCALL endOfEvent"], counters: { $0.evicted = 1 },
      limits: { $0.openEvents = 2 }),
    Scenario(
      name: "serials that share a slot",
      script: ["SYSCALL 1", "SYSCALL 4097", "SYSCALL 8193", "PATH 4097", "PATH 1", "EOE 4097", "EOE 1", "finish"],
      events: ["4097:SYSCALL PATH endOfEvent", "1:SYSCALL PATH endOfEvent", "8193:SYSCALL endOfInput"]),
    Scenario(
      name: "a huge event is cut", script: ["SYSCALL 1", "EXECVE 1", "EXECVE 1", "EXECVE 1", "EOE 1"],
      events: ["1:SYSCALL EXECVE endOfEvent cut"], counters: { $0.oversized = 2 }, limits: { $0.eventBytes = 50 }),
    Scenario(
      name: "open bytes are bounded", script: ["SYSCALL 1", "SYSCALL 2", "SYSCALL 3", "finish"],
      events: ["1:SYSCALL evicted", "2:SYSCALL endOfInput", "3:SYSCALL endOfInput"], counters: { $0.evicted = 1 },
      limits: { $0.openBytes = 30 }),
    Scenario(
      name: "the input ends", script: ["SYSCALL 1", "SYSCALL 2", "finish"], events: ["1:SYSCALL endOfInput", "2:SYSCALL endOfInput"]),
  ]
}

@Suite struct AssemblerTests {
  @Test(arguments: Scenario.all) func scenario(_ scenario: Scenario) {
    var limits = Assembler.Limits()
    scenario.limits(&limits)
    var assembler = Assembler(limits: limits, endsAtProctitle: scenario.endsAtProctitle)
    var now: Int64 = 0
    var found: [String] = []
    var records = 0
    for step in scenario.script {
      let words = step.split(separator: " ").map(String.init)
      switch words[0] {
      case "now": now = Int64(words[1]) ?? 0
      case "expire": assembler.expire(now: now)
      case "finish": assembler.finish()
      default:
        records += 1
        add(words[0], words[1], now, to: &assembler)
      }
      take(from: &assembler, into: &found)
    }
    #expect(found == scenario.events)
    var expected = Assembler.Counters()
    expected.records = records
    expected.events = scenario.events.count
    scenario.counters(&expected)
    #expect(assembler.counters == expected)
  }

  /// A record whose body is 20 bytes.
  private func add(_ type: String, _ place: String, _ now: Int64, to assembler: inout Assembler) {
    let host = place.split(separator: "/")
    let time = host[0].split(separator: "@")
    let milliseconds = time.count > 1 ? Int(time[1]) ?? 0 : 5000
    let thousandths = String(milliseconds % 1000 + 1000).dropFirst()
    let text = Array("audit(\(milliseconds / 1000).\(thousandths):\(time[0])): field=aaaaaaaaaaaaaa".utf8)
    let name = Array(type.utf8)
    let node = host.count > 1 ? Array(host[1].utf8) : []
    let known = RecordType(name: name.span.bytes)
    assembler.add(type: known ?? .user, text: text.span.bytes, node: node.span.bytes, now: now)
  }

  private func take(from assembler: inout Assembler, into found: inout [String]) {
    var event = Event()
    while assembler.next(&event) {
      let types = event.records.map { $0.type.name.map { "\($0)" } ?? "?" }.joined(separator: " ")
      found.append(
        "\(event.serial):\(types) \(event.completion)" + (event.isLate ? " late" : "") + (event.droppedRecords > 0 ? " cut" : ""))
    }
  }

  @Test func whatHasNoHeaderIsCounted() {
    var assembler = Assembler(endsAtProctitle: false)
    let bad = Array("no header".utf8)
    let hasHeader = assembler.add(type: .syscall, text: bad.span.bytes, node: bad.span.bytes.extracting(0..<0), now: 0)
    #expect(!hasHeader && assembler.counters.malformed == 1 && !assembler.hasOpenEvents)
  }

  @Test func theHostIsKept() {
    var assembler = Assembler(endsAtProctitle: false)
    add("USER", "1/web-1", 0, to: &assembler)
    var event = Event()
    let found = assembler.next(&event)
    #expect(found && String(decoding: event.text.array[event.node.range], as: UTF8.self) == "web-1")
  }

  /// Against the naive model: a dictionary of open events. Records interleave at random; some EOEs are lost. Every record
  /// must come out once, in its own event, in order.
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func everyRecordComesOutOnce(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var assembler = Assembler(endsAtProctitle: false)
    var open: [UInt32: [String]] = [:]
    var expected: [String] = []
    var found: [String] = []
    var next = UInt32.max - 100
    for step in 0..<3000 {
      if open.count < 1 + random.below(30) {
        open[next] = []
        next &+= 1
      }
      guard let serial = open.keys.sorted().randomElement(using: &random) else { continue }
      let ends = open[serial]?.count == 6 || random.below(6) == 0
      let text = Array("audit(1.000:\(serial)): n=\(step)".utf8)
      let type: RecordType = ends ? .endOfEvent : open[serial]?.isEmpty == true ? .syscall : .path
      assembler.add(type: type, text: text.span.bytes, node: text.span.bytes.extracting(0..<0), now: 0)
      if ends {
        if let records = open.removeValue(forKey: serial), !records.isEmpty {
          expected.append("\(serial) " + records.joined(separator: ","))
        }
      } else {
        open[serial]?.append("n=\(step)")
      }
      collect(&assembler, &found)
    }
    #expect(found == expected)
    assembler.finish()
    found = []
    collect(&assembler, &found)
    let rest = open.filter { !$0.value.isEmpty }.map { "\($0.key) " + $0.value.joined(separator: ",") }
    #expect(found.sorted() == rest.sorted() && !assembler.hasOpenEvents)
  }

  private func collect(_ assembler: inout Assembler, _ found: inout [String]) {
    var event = Event()
    while assembler.next(&event) {
      found.append(
        "\(event.serial) " + event.records.map { String(decoding: event.text.array[$0.body.range], as: UTF8.self) }.joined(separator: ","))
    }
  }

  /// Events that never complete must not grow the memory.
  @Test func whatNeverCompletesIsBounded() {
    var limits = Assembler.Limits()
    limits.openEvents = 50
    var assembler = Assembler(limits: limits, endsAtProctitle: false)
    var event = Event()
    var taken = 0
    for serial in 0..<20_000 {
      let text = Array("audit(1.000:\(serial)): n=1".utf8)
      assembler.add(type: .syscall, text: text.span.bytes, node: text.span.bytes.extracting(0..<0), now: 0)
      while assembler.next(&event) { taken += 1 }
    }
    #expect(taken == 19_950 && assembler.counters.evicted == 19_950)
  }
}
