import Replay
import Testing

@testable import EventLog

@Suite struct ReportTests {
  private func report(_ lines: [String], _ kinds: [ReportKind] = ReportKind.allCases, by step: ReportStep = .hour) -> Report {
    var report = Report(kinds, by: step, isUTC: true)
    for line in lines { report.add(Array(line.utf8).span.bytes) }
    return report
  }

  private func text(
    _ report: consuming Report, _ kind: ReportKind, _ format: ReportFormat = .csv, top: Int? = nil, origin: ReportOrigin = .log
  ) throws -> String {
    var text = ""
    try report.write(kind, format, top: top, style: TextStyle(colour: false, columns: nil, isUTC: true), origin: origin) { bytes in
      text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
    return text
  }

  /// The rows of a table without its header and its times.
  private func rows(_ report: consuming Report, _ kind: ReportKind, top: Int? = nil) throws -> [String] {
    try text(report, kind, top: top).split(separator: "\r\n").dropFirst().map { row in
      let fields = row.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false)
      return "\(fields[0]) \(fields[1]) \(fields[4])"
    }
  }

  private func change(
    _ path: String, _ action: String = "create", at time: String = "2026-11-20T23:32:51.738Z", outcome: String = "success",
    rest: String = ""
  ) -> String {
    #"{"@timestamp":"\#(time)","event":{"outcome":"\#(outcome)","dataset":"fsaudit.file"},"file":{"path":"\#(path)"},"#
      + #""process":{"name":"mv","executable":"/usr/bin/mv"},"user":{"id":"0","name":"root","audit":{"id":"1000","name":"alice"}},"#
      + #""tags":["srv","www"],"host":{"name":"web-1"},"fsaudit":{"action":"\#(action)","syscall":"openat"\#(rest)}}"#
  }

  private let gap =
    #"{"@timestamp":"2026-11-20T23:40:00.000Z","event":{"dataset":"fsaudit.gap","action":"gap"},"message":"12 records are missing","fsaudit":{"gap":{"count":12}}}"#

  @Test func aTableHasCountsAndTimes() throws {
    let lines = [
      change("/b", at: "2026-11-20T23:32:51.738Z"), change("/a", at: "2026-11-21T01:00:00.000Z"),
      change("/a", at: "2026-11-20T22:00:00.000Z", outcome: "failure", rest: #","errno":"EACCES""#), gap,
    ]
    #expect(
      try text(report(lines), .files) == """
        count,failed,first,last,file\r
        2,1,2026-11-20T22:00:00.000Z,2026-11-21T01:00:00.000Z,/a\r
        1,0,2026-11-20T23:32:51.738Z,2026-11-20T23:32:51.738Z,/b\r\n
        """)
    #expect(
      try text(report(lines), .files, .text) == """
        Files: 3 changes of files, 1 of them refused, 2026-11-20 22:00:00 to 2026-11-21 01:00:00

            count   failed first               last                 file
                2        1 2026-11-20 22:00:00 2026-11-21 01:00:00 /a
                1          2026-11-20 23:32:51 2026-11-20 23:32:51 /b\n
        """)
  }

  @Test func everyKindCountsItsOwn() throws {
    let lines = [
      change("/new", "rename", rest: #","previous":{"path":"/old"}"#),
      change("/x", "delete", outcome: "failure", rest: #","errno":"EACCES""#),
      #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"execve","outcome":"success","dataset":"fsaudit.event"},"process":{"name":"ls"},"user":{"id":"33"}}"#,
      #"{"event":{"action":"start","dataset":"fsaudit.daemon"},"process":{"name":"fsaudit"}}"#,
    ]
    let expected: [(ReportKind, [String])] = [
      (.files, ["1 0 /new", "1 0 /old", "1 1 /x"]), (.users, ["2 1 alice,yes", "1 0 33,no"]),
      (.executables, ["2 1 /usr/bin/mv", "1 0 ls"]),
      (.keys, ["2 1 srv", "2 1 www", "1 0 "]), (.actions, ["1 1 delete", "1 0 execve", "1 0 rename"]), (.hosts, ["2 1 web-1", "1 0 "]),
      (.syscalls, ["2 1 openat", "1 0 "]), (.failures, ["1 1 EACCES,delete,/x"]),
    ]
    for (kind, wanted) in expected { #expect(try rows(report(lines), kind) == wanted, "\(kind)") }
  }

  @Test func theRestIsOneRow() throws {
    let lines = (0..<10).flatMap { number in Array(repeating: change("/\(number)"), count: number + 1) }
    #expect(try rows(report(lines), .files, top: 2) == ["10 0 /9", "9 0 /8", "36 0 (others)"])
    let json = parsed(try text(report(lines), .files, .json, top: 2))
    #expect(json.integer("others.rows") == 8 && json.integer("others.count") == 36 && json.string("rows.1.file") == "/8")
  }

  /// Names that are not UTF-8, and those that could pass for something else.
  @Test func hostileNamesStayWhatTheyAre() throws {
    let lines = [
      change(#"/\ufffd"#, rest: #","raw":{"path":"2fff"}"#), change(#"/\ufffd"#, rest: #","raw":{"path":"2ffe"}"#),
      change(#"/a\u001b[31m\n=\"1\",2"#),
    ]
    let json = parsed(try text(report(lines), .files, .json))
    #expect(Set((0..<3).map { json.string("rows.\($0).raw") }) == ["2fff", "2ffe", nil])
    #expect(try rows(report([lines[2]]), .files) == ["1 0 \"/a\u{1b}[31m\n=\"\"1\"\",2\""])
    let shown = try text(report(lines), .summary, .text)
    #expect(shown.contains(#""/a\x1b[31m\x0a=\"1\",2""#) || shown.contains(#"/a\x1b[31m\x0a=\"1\",2"#))
    #expect(shown.contains(#"/\xff"#) && shown.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x0a })
  }

  @Test func theTimelineShowsQuietHours() throws {
    let lines = ["2026-11-20T22:59:59.999Z", "2026-11-21T01:00:00.000Z", "2026-11-20T22:10:00.000Z"].map { change("/a", at: $0) }
    #expect(
      try text(report(lines), .timeline, .text).split(separator: "\n").dropFirst() == [
        "2026-11-20 22:00        2 ########################################", "2026-11-20 23:00        0", "2026-11-21 00:00        0",
        "2026-11-21 01:00        1 ####################",
      ])
    #expect(
      try rows(report(lines, by: .day), .timeline) == ["2 0 2026-11-20T00:00:00.000Z", "1 0 2026-11-21T00:00:00.000Z"])
  }

  /// The summary says whether anything was missed, and that auditd's log cannot.
  @Test func theSummarySaysWhatWasMissed() throws {
    #expect(try text(report([change("/a")]), .summary, .text).contains("\nGaps        none: nothing is known to be missing\n"))
    #expect(try text(report([change("/a")]), .summary, .text, origin: .auditd).contains("\nGaps        unknown: "))
    let missed = try text(report([change("/a"), gap, "no JSON"]), .summary, .text)
    #expect(
      missed.contains("\nGaps        1 gap: 12 events or records are missing\n            2026-11-20 23:40:00 12 records are missing\n"))
    #expect(missed.contains("could not be read: 1\n") && missed.contains("Hosts       web-1\n"))
    let json = parsed(try text(report([change("/a"), gap]), .summary, .json))
    #expect(json.integer("gaps.count") == 1 && json.integer("gaps.missing") == 12 && json.string("files.rows.0.file") == "/a")
    let csv = try text(report([change("/a")]), .summary).split(separator: "\r\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    #expect(csv.allSatisfy { $0.count == 8 } && csv.contains { $0[0] == "users" && $0[5] == "alice" })
  }

  @Test func everyReportIsJSON() throws {
    let lines = try Corpus.logs.flatMap { Corpus.lines(try Corpus.read($0.dropLast(4) + ".jsonl")) } + [change(#"/\"<\u0000"#)]
    for kind in ReportKind.allCases {
      let json = parsed(try text(report(lines), kind, .json))
      #expect(json.string("report") == kind.rawValue)
    }
  }

  /// Nothing of the log is markup, and nothing is loaded from elsewhere.
  @Test func thePageIsOnlyOurs() throws {
    let hostile = #"/</td><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'\u001b\u202e"#
    var page = ""
    var report = report([change(hostile, "delete", rest: #","errno":"EACCES""#), gap.replacing("12 records", with: "<b>&")])
    try report.writePage(top: nil, isUTC: true, origin: .log) { bytes in
      page = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
    #expect(page.components(of: "<script").count == 2 && !page.contains("<img") && !page.contains("<b>"))
    #expect(
      page.contains("/&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;amp;&quot;&#39;\\x1b\\u{202e}")
    )
    #expect(page.contains("default-src 'none'") && !page.contains("http:") && !page.contains("https:") && !page.contains(" style="))
  }

  // MARK: counting

  @Test func theTableCountsAsADictionary() {
    var random = SplitMix(seed: 5)
    var table = CountTable()
    var counts: [[UInt8]: UInt64] = [:]
    for round in 0..<20_000 {
      let key = random.bytes(count: Int(random.next() % 40), alphabet: round % 3)
      table.add(key.span.bytes, ms: nil, failed: false)
      counts[key, default: 0] += 1
    }
    #expect(table.rows.count == counts.count && table.others.count == 0)
    let sorted = table.ranked(top: nil).shown
    for row in sorted {
      let key = table.keys.withBytes { bytes in bytes.extracting(row.key.range).withUnsafeBytes { Array($0) } }
      #expect(counts[key] == row.count)
    }
    let order = sorted.map(\.count)
    #expect(order == order.sorted(by: >))
  }

  /// A flood of new names does not grow the table, and is not forgotten either.
  @Test func aFloodOfNamesIsCountedTogether() {
    var table = CountTable(rowLimit: 10)
    for number in 0..<1000 {
      let key = Array("\(number % 500)".utf8)
      table.add(key.span.bytes, ms: Int64(number), failed: number % 2 == 0)
    }
    #expect(table.rows.count == 10 && table.others.count == 980)
    let rest = table.ranked(top: 4).rest
    #expect(rest?.rows == 6 && rest?.row.count == 992 && rest?.row.firstMs == 4 && rest?.row.lastMs == 999)
  }
}

extension String {
  fileprivate func components(of text: String) -> [Substring] { split(separator: text, omittingEmptySubsequences: false) }
}
