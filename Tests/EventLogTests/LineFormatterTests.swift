import Glibc
import Replay
import Testing

@testable import EventLog

/// What each format makes of lines. `UPDATE_GOLDEN=1 swift test --filter LineFormatter` rewrites Tests/Corpus/formats: read the difference.
@Suite struct LineFormatterTests {
  private static let style = TextStyle(colour: false, columns: nil, isUTC: true)
  private static let inputs = [
    "formats/others.jsonl", "debian12-6.18/article.jsonl", "debian12-6.18/attributes.jsonl", "debian12-6.18/names.jsonl",
    "debian12-6.18/rename.jsonl", "debian12-6.18/rules.jsonl", "debian12-6.1/programs-enriched.jsonl",
  ]
  private static let everyLog = Corpus.logs.map { $0.dropLast(4) + ".jsonl" } + ["formats/others.jsonl"]

  private func lines(_ name: String) throws -> [[UInt8]] {
    try Corpus.read(name).split(separator: UInt8(ascii: "\n")).map(Array.init)
  }

  /// A whole log in a format, as a command prints it.
  private func output(_ lines: [[UInt8]], _ format: LineFormat) -> [UInt8] {
    let formatter = LineFormatter(format, Self.style)
    var output: [UInt8] = []
    func add(_ bytes: RawSpan) { output += bytes.withUnsafeBytes { Array($0) } + [UInt8(ascii: "\n")] }
    formatter.header(add)
    for line in lines { formatter.format(line.span.bytes, nowMs: 0, add) }
    return output
  }

  @Test(arguments: inputs, [LineFormat.text, .long, .csv, .ocsf]) func theFormatIs(input: String, format: LineFormat) throws {
    let found = output(try self.lines(input), format)
    let name = input.split(separator: "/").joined(separator: "-").dropLast(6)
    let golden = "formats/\(name).\(format)"
    if getenv("UPDATE_GOLDEN") != nil { return try Corpus.write(found, to: golden) }
    let (lines, wanted) = (Corpus.lines(found), Corpus.lines(try Corpus.read(golden)))
    #expect(lines.count == wanted.count, "\(golden)")
    for (index, (line, want)) in zip(lines, wanted).enumerated() where line != want {
      Issue.record("\(golden):\(index + 1): \(line)")
      return
    }
  }

  /// Where a terminal would obey it, a name in CSV is escaped; elsewhere it is as it is.
  @Test func csvDoesNotSteerATerminal() {
    let line = Array(
      #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"dataset":"fsaudit.file"},"file":{"path":"/a\u001b]0;x\u0007"}}"#.utf8)
    func csv(isTerminal: Bool) -> String {
      let formatter = LineFormatter(.csv, TextStyle(colour: false, columns: nil, isTerminal: isTerminal))
      var result = ""
      func add(_ bytes: RawSpan) { result = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
      formatter.format(line.span.bytes, nowMs: 0, add)
      return result
    }
    #expect(csv(isTerminal: true).contains(#",/a\x1b]0;x\x07,"#) && csv(isTerminal: false).contains(",/a\u{1b}]0;x\u{7},"))
  }

  /// JSON is the log as it is, also where it is none.
  @Test func jsonIsTheLog() throws {
    let input = try Corpus.read("formats/others.jsonl")
    #expect(output(try lines("formats/others.jsonl"), .json) == input)
  }

  /// Read back by the rules of RFC 4180, every field is what the line holds.
  @Test(arguments: everyLog) func csvKeepsEverything(log: String) throws {
    let lines = try lines(log).filter { $0.first == UInt8(ascii: "{") }
    var rows = csvRows(output(lines, .csv))
    let header = rows.removeFirst().map { String(decoding: $0, as: UTF8.self) }
    #expect(rows.count == lines.count && rows.allSatisfy { $0.count == header.count })
    let paths = [
      "path": "file.path", "previous_path": "fsaudit.previous.path", "serial": "event.sequence", "host": "host.name",
      "process": "process.name", "message": "message", "login_name": "user.audit.name", "raw_path": "fsaudit.raw.path",
    ]
    for (bytes, row) in zip(lines, rows) {
      let line = parsed(String(decoding: bytes, as: UTF8.self))
      for (name, value) in zip(header, row) {
        if let path = paths[name] { #expect(String(decoding: value, as: UTF8.self) == line.string(path) ?? "", "\(log) \(name)") }
        guard name == "arguments", !value.isEmpty else { continue }
        let arguments = parsed(#"{"a":\#(String(decoding: value, as: UTF8.self))}"#)
        #expect(arguments.strings("a") == line.strings("process.args"))
      }
    }
  }

  private func csvRows(_ text: [UInt8]) -> [[[UInt8]]] {
    var (rows, row, field): ([[[UInt8]]], [[UInt8]], [UInt8]) = ([], [], [])
    var at = 0
    var isQuoted = false
    while at < text.count {
      let byte = text[at]
      at += 1
      if isQuoted {
        if byte != UInt8(ascii: "\"") {
          field.append(byte)
        } else if at < text.count, text[at] == UInt8(ascii: "\"") {
          field.append(byte)
          at += 1
        } else {
          isQuoted = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
      case UInt8(ascii: ","): (row, field) = (row + [field], [])
      case UInt8(ascii: "\r") where at < text.count && text[at] == UInt8(ascii: "\n"):
        rows.append(row + [field])
        (row, field) = ([], [])
        at += 1
      default: field.append(byte)
      }
    }
    return rows
  }

  /// What a spreadsheet may take for a formula is quoted, and otherwise left alone.
  @Test func formulasAreQuoted() throws {
    for start in ["=", "+", "-", "@", "\\t", " "] {
      let line = Array(#"{"event":{"dataset":"fsaudit.file"},"file":{"path":"\#(start)1+1"}}"#.utf8)
      let text = String(decoding: output([line], .csv), as: UTF8.self)
      #expect(text.contains(",\"\(start == "\\t" ? "\t" : start)1+1\","), "\(text)")
    }
  }

  /// One line in, one object out, and nothing that the log said is lost.
  @Test(arguments: everyLog) func ocsfIsJSONThatHoldsTheLine(log: String) throws {
    let lines = try lines(log)
    let events = output(lines, .ocsf).split(separator: UInt8(ascii: "\n"))
    #expect(events.count == lines.count)
    for (bytes, text) in zip(lines, events) {
      var line = LogLine()
      let event = parsed(String(decoding: text, as: UTF8.self))
      guard line.parse(bytes.span.bytes) else {
        #expect(event.string("raw_data").map { Array($0.utf8) } == bytes)
        continue
      }
      let isChange = line.string("event.dataset", equals: "fsaudit.file")
      #expect(event.integer("class_uid") == (isChange ? 1001 : 0))
      if isChange {
        #expect(event.string("unmapped.fsaudit.action") == line.string("fsaudit.action"))
        #expect(event.string("unmapped.fsaudit.raw.path") == line.string("fsaudit.raw.path"))
        #expect(event.strings("unmapped.arguments") == line.strings("process.args"))
        let isRename = event.integer("activity_id") == 5
        let old = isRename ? line.string("fsaudit.previous.path") : nil
        #expect(event.string("file.path") == old ?? line.string("file.path"))
        if isRename, old != nil { #expect(event.string("file_result.path") == line.string("file.path")) }
        #expect(event.integer("time") == line.timeMs ?? 0)
      } else {
        #expect(event.string("unmapped.event.action") == line.string("event.action"))
        #expect(event.string("unmapped.message") == line.string("message"))
      }
    }
  }

  /// Text for people never moves the cursor, whatever a line holds.
  @Test(arguments: everyLog) func textIsSafe(log: String) throws {
    for format in [LineFormat.text, .long] {
      let text = output(try lines(log), format)
      #expect(!text.contains { $0 < 0x20 && $0 != 0x0a || $0 == 0x7f })
      #expect(!String(decoding: text, as: UTF8.self).unicodeScalars.contains { (0x80..<0xa0).contains($0.value) || $0.value == 0x202e })
    }
  }

  /// The pass over a line's bytes finds what the parser finds, in every line and every damaged one.
  @Test(arguments: everyLog) func theFieldsAreTheParsers(log: String) throws {
    var fields = LineFields()
    var random = SplitMix(seed: 11)
    for bytes in try lines(log) {
      var line = LogLine()
      let isJSON = line.parse(bytes.span.bytes)
      let isFound = fields.scan(bytes.span.bytes)
      #expect(isFound == isJSON)
      for field in LineField.allCases where isJSON {
        let path = "\(field.path)"
        #expect((fields[field].kind != .absent) == line.has(path), "\(path)")
        let text = fields.text(field).map { String(decoding: bytes.span.bytes.decoded($0), as: UTF8.self) }
        #expect(text == line.string(path), "\(path)")
      }
      for _ in 0..<20 where !bytes.isEmpty {
        var damaged = bytes
        damaged[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        let found = fields.scan(damaged.span.bytes)
        if line.parse(damaged.span.bytes) { #expect(found) }
        damaged.removeLast(Int(random.next() % UInt64(bytes.count)))
        _ = fields.scan(damaged.span.bytes)
      }
    }
  }
}
