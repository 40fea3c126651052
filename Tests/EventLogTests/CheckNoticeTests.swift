import System
import Testing

@testable import EventLog

/// What a check asks the daemon to note, and the line that it becomes.
@Suite struct CheckNoticeTests {
  private static let numbers = "3 1200 1 0 2 0 2 0 1 0 5000 123456 4 456 0 0"

  private func request(_ text: String) -> CheckNotice? { CheckNotice(request: Array(text.utf8)) }

  private func line(_ notice: CheckNotice) -> LogLine {
    var writer = JSONWriter()
    writer.line(notice, timeMs: 3000, host: "web-1")
    return parsed(String(decoding: writer.bytes.dropLast(), as: UTF8.self))
  }

  @Test func thereAndBack() throws {
    var notice = CheckNotice(
      isFull: true, isExplained: false, generation: 3, durationMs: 1200,
      counts: [[1, 0, 2, 0], [2, 0, 1, 0], [5000, 123456, 4, 456, 0, 0]],
      database: Array("/var/lib/a b\n\u{1b}\"c".utf8) + [0xff])
    #expect(CheckNotice(request: notice.request) == notice)
    notice.isExplained = true
    #expect(CheckNotice(request: notice.request) == notice)
    #expect(request("check fast explained \(Self.numbers) /b.db")?.isFull == false)
  }

  @Test(arguments: [
    "", "check", "status", "Check fast explained \(numbers) /b", "check slow explained \(numbers) /b", "check fast maybe \(numbers) /b",
    "check fast explained \(numbers)", "check fast explained \(numbers) ", "check fast explained \(numbers) b.db",
    "check fast explained \(numbers) /b\0c", "check fast explained  \(numbers) /b", "check fast explained -\(numbers) /b",
    "check fast explained +\(numbers) /b", "check fast explained 9007199254740993 \(numbers.dropFirst(2)) /b",
    "check fast explained 99999999999999999999 \(numbers.dropFirst(2)) /b", "check fast explained x \(numbers.dropFirst(2)) /b",
    "check fast explained \(numbers) 7 /b", "check fast explained \(numbers.dropFirst(2)) /b",
    "check fast explained \(numbers) /" + String(repeating: "b", count: 4096),
  ])
  func whatIsNoRequest(_ text: String) { #expect(request(text) == nil) }

  /// Whatever bytes come, the line is one line of the log or there is none.
  @Test func anyBytes() throws {
    var random = SplitMix(seed: 3)
    let good = Array("check full explained \(Self.numbers) /b.db".utf8)
    for round in 0..<2000 {
      var bytes = good
      for _ in 0...round % 4 { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next()) }
      guard let notice = CheckNotice(request: bytes) else { continue }
      var writer = JSONWriter()
      writer.line(notice, timeMs: 0, host: "h")
      #expect(writer.bytes.firstIndex(of: 10) == writer.bytes.count - 1)
      #expect(line(notice).dataset == .check)
    }
  }

  @Test func theLine() throws {
    var notice = try #require(request("check fast explained \(Self.numbers) /b.db"))
    notice.pid = 77
    let line = line(notice)
    #expect(line.dataset == .check && line.timeMs == 3000 && line.string("event.action") == "check")
    #expect(line.string("event.outcome") == "success" && line.integer("process.pid") == 77)
    #expect(
      line.string("message")
        == "fast check against generation 3: 1 added, 0 removed, 2 changed, 0 moved; 2 explained, 0 partly, 1 unexplained, 0 uncovered")
    #expect(line.integer("fsaudit.check.generation") == 3 && line.integer("fsaudit.check.duration_ms") == 1200)
    let groups = ["counts", "verdicts", "examined"].map { line.members("fsaudit.check." + $0).map { "\($0.name) \($0.value)" } }
    #expect(groups[0] == ["added 1", "removed 0", "changed 2", "moved 0"])
    #expect(groups[1] == ["explained 2", "partly 0", "unexplained 1", "uncovered 0"])
    #expect(groups[2] == ["objects 5000", "bytes 123456", "files_read 4", "bytes_read 456", "problems 0", "busy 0"])
    #expect(line.string("fsaudit.check.database") == "/b.db")
    notice.isExplained = false
    notice.counts[2][4] = 9
    notice.database = [0x2f, 0xff]
    let other = self.line(notice)
    #expect(!other.has("fsaudit.check.verdicts") && other.string("event.outcome") == "failure")
    #expect(other.string("message")?.hasSuffix(", 0 moved; 9 could not be examined") == true)
    #expect(other.string("fsaudit.check.database_bytes") == "2fff")
  }

  /// It belongs to answers about time, and to those that ask for it; a summary shows the last one.
  @Test func inReports() throws {
    let notice = try #require(request("check fast explained \(Self.numbers) /b.db"))
    let line = line(notice)
    var filter = Filter()
    #expect(filter.verdict(on: line) == .matches)
    filter.sinceMs = 4000
    #expect(filter.verdict(on: line) == .no)
    func summary(_ format: ReportFormat) throws -> String {
      var report = Report(Report.needed(for: .summary), by: .hour, isUTC: true)
      for _ in 0..<2 { report.add(line.bytes.span.bytes) }
      let isEmpty = report.isEmpty
      #expect(isEmpty)
      var text = ""
      let style = TextStyle(colour: false, columns: nil, isUTC: true)
      try report.write(.summary, format, top: nil, style: style, origin: .log) { bytes in
        text += bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
      }
      return text
    }
    #expect(try summary(.text).contains("\nChecks      2, the last: 1970-01-01 00:00:03 fast check against generation 3: 1 added,"))
    let json = parsed(String(try summary(.json).dropLast()))
    #expect(json.integer("checks.count") == 2 && json.string("checks.last.message")?.hasPrefix("fast check") == true)
  }
}
