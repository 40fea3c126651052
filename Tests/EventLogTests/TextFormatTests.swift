import Testing

@testable import EventLog

private let when: Int64 = 1_795_217_571_738

@Suite struct TextFormatTests {
  /// A change with the members given put over those of an ordinary one; the text without its time.
  private func text(
    _ file: String, _ fsaudit: String, outcome: String = "success", rest: String = "", columns: Int? = 130, colour: Bool = false
  ) -> String {
    let line = parsed(
      #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"outcome":"\#(outcome)","dataset":"fsaudit.file"},"file":{\#(file)},"#
        + #""process":{"pid":2334,"name":"mv"},"user":{"id":"0","name":"root","effective":{"id":"0"},"#
        + #""audit":{"id":"1000","name":"alice"}},"tags":["srv","www"],"fsaudit":{"tty":"pts0",\#(fsaudit)}\#(rest)}"#)
    let text = textLine(line, colour: colour, columns: columns)
    return String(text.dropFirst(columns == nil ? 24 : 15))
  }

  /// Its columns, which two blanks or more separate.
  private func words(_ text: String) -> [String] { text.split(separator: "  ").map { $0.trimming() } }

  @Test func aChangeIsOneAlignedLine() {
    let lines = [
      text(#""path":"/srv/a""#, #""action":"create""#), text(#""path":"/srv/漢字""#, #""action":"delete""#),
      text(#""path":"/srv/e\u0301""#, #""action":"removexattr""#),
    ]
    #expect(words(lines[0]) == ["create", "/srv/a", "alice→root pts0", "mv[2334]", "srv,www"])
    let places = lines.map { line in line.unicodeScalars.prefix { $0 != "[" }.reduce(0) { $0 + columns(of: $1) } }
    #expect(Set(places).count == 1, "aligned by columns, not by characters")
    #expect(lines.allSatisfy { !$0.contains("\n") })
  }

  @Test(arguments: [
    (#""path":"/b""#, #""action":"rename","previous":{"path":"/a"}"#, "/a → /b"),
    (#""path":"/b","type":"dir""#, #""action":"rename","previous":{"path":"/a"}"#, "/a/ → /b/"),
    (#""path":"/b""#, #""action":"rename","previous":{"path":"/a"},"replaced":{"path":"/b","inode":"7"}"#, "/a → /b (replaced)"),
    (#""path":"/b""#, #""action":"rename","previous":{"path":"/a"},"replaced":{"path":"/c"}"#, "/a → /b (replaced /c)"),
    (#""path":"/b""#, #""action":"exchange","previous":{"path":"/a"}"#, "/a ⇄ /b"),
    (#""path":"/b""#, #""action":"link","target":{"path":"/a"}"#, "/b = /a"),
    (#""path":"/b""#, #""action":"symlink","target":{"path":"../a"}"#, "/b → ../a"),
    (#""path":"/d","type":"directory""#, #""action":"mkdir""#, "/d/"), (#""path":"/","type":"dir""#, #""action":"chmod""#, "/"),
    ("", #""action":"fchmod""#, "(unknown path)"),
    // what could pass for something else is quoted
    (#""path":"/b → /c""#, #""action":"rename","previous":{"path":"/a"}"#, #"/a → "/b → /c""#),
    (#""path":"/c""#, #""action":"rename","previous":{"path":"/a → /b"}"#, #""/a → /b" → /c"#),
    (#""path":"/b→c""#, #""action":"symlink","target":{"path":"x = \"y\" \\"}"#, #""/b→c" → "x = \"y\" \\""#),
    (#""path":"/b c","type":"dir""#, #""action":"exchange","previous":{"path":"/a⇄"}"#, #""/a⇄/" ⇄ "/b c/""#),
    (#""path":"/b""#, #""action":"symlink","target":{"path":""}"#, #"/b → """#),
    (#""path":"/b\u3000(path: x)""#, #""action":"delete""#, "\"/b\u{3000}(path: x)\""),
    (#""path":"/x","mode":"0600""#, #""action":"chmod""#, "/x 0600"), (#""path":"/x","mode":"0600""#, #""action":"create""#, "/x"),
    (#""path":"/x","mode":"0600""#, #""action":"chmod","previous":{"mode":"0644"}"#, "/x 0644→0600"),
    (#""path":"/x","uid":"0","gid":"5""#, #""action":"chown","previous":{"uid":"7","gid":"8"}"#, "/x owner 7→0 group 8→5"),
    (#""path":"/x""#, #""action":"delete","path_confidence":"cwd-guess""#, "/x (path: cwd-guess)"),
    (#""path":"/x""#, #""action":"delete","path_confidence":"exact""#, "/x"),
    (#""path":"/\ufffd""#, #""action":"delete","raw":{"path":"2fff5c"}"#, #"/\xff\\"#),
  ])
  func everyShapeOfPathIsShown(file: String, fsaudit: String, expected: String) {
    #expect(words(text(file, fsaudit))[1] == expected)
  }

  @Test func aRefusedAttemptSaysWhy() {
    #expect(words(text(#""path":"/x""#, #""action":"delete","errno":"EACCES""#, outcome: "failure"))[1] == "EACCES /x")
    #expect(words(text(#""path":"/x""#, #""action":"delete""#, outcome: "failure"))[1] == "failed /x")
  }

  /// Nothing a name holds reaches the terminal as a control, moves text about or begins a line.
  @Test func hostileNamesAreHarmless() {
    let hostile = #"/a\u001b[31m\n\r\u0000\u007f\u009b\u202e\u2066\u2028\\x41"#
    let line = text(#""path":"\#(hostile)""#, #""action":"\#(hostile)""#, rest: #","message":"\#(hostile)""#)
    #expect(line.contains(#"/a\x1b[31m\x0a\x0d\x00\x7f\u{9b}\u{202e}\u{2066}\u{2028}\\x41"#))
    var random = SplitMix(seed: 7)
    for round in 0..<3000 {
      let text = name(random.bytes(count: round % 50, alphabet: round % 3))
      #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) && $0.value != 0x202e })
    }
  }

  /// The text tells the bytes: two names never look alike.
  @Test func escapedNamesCanBeReadBack() {
    var random = SplitMix(seed: 8)
    for round in 0..<3000 {
      let name = random.bytes(count: round % 30, alphabet: round % 3)
      #expect(bytes(of: self.name(name)) == name)
      let quoted = written { $0.quoted(name.span.bytes) }
      let isQuoted = quoted.first == "\""
      #expect(bytes(of: isQuoted ? String(quoted.dropFirst().dropLast()) : quoted) == name)
      // outside of quotes there is nothing that a line means something by
      if !isQuoted { #expect(!quoted.contains { $0.isWhitespace || "→⇄\"".contains($0) } && !quoted.isEmpty) }
    }
  }

  /// Nothing that a program calls itself, or a rule its key, looks like another column.
  @Test func columnsCannotBeForged() {
    let line = parsed(
      #"{"event":{"dataset":"fsaudit.file"},"file":{"path":"/x"},"process":{"pid":7,"name":"a[1] \"b\""},"user":{"id":"0","name":"do main"},"tags":["a,b","c d"]}"#
    )
    #expect(
      words(String(textLine(line, columns: 130).dropFirst(15))) == [
        "?", "/x", #""do main""#, #""a[1] \"b\""[7]"#, #""a,b","c d""#,
      ])
  }

  private func name(_ bytes: [UInt8]) -> String { written { $0.name(bytes.span.bytes) } }

  private func written(_ body: (inout TextCells) -> Void) -> String {
    var cells = TextCells(colour: false)
    body(&cells)
    return cells.bytes.withBytes { text in text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
  }

  /// The inverse of `TextCells.name`.
  private func bytes(of text: String) -> [UInt8] {
    var result: [UInt8] = []
    var rest = Array(text.utf8)[...]
    func take(_ count: Int) -> String {
      defer { rest = rest.dropFirst(count) }
      return String(decoding: rest.prefix(count), as: UTF8.self)
    }
    while !rest.isEmpty {
      guard rest.first == UInt8(ascii: "\\") else {
        result.append(rest.removeFirst())
        continue
      }
      _ = take(1)
      switch take(1) {
      case "x": result.append(UInt8(take(2), radix: 16) ?? 0)
      case "u":
        _ = take(1)
        let digits = take(rest.prefix { $0 != UInt8(ascii: "}") }.count)
        _ = take(1)
        result += UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init).map { Array(String($0).utf8) } ?? []
      case let quote: result += Array(quote.utf8)
      }
    }
    return result
  }

  @Test func colourOnlyWhereItIsWanted() {
    #expect(text(#""path":"/x""#, #""action":"delete""#, columns: 100, colour: true).contains("\u{1b}[31mdelete"))
    #expect(!text(#""path":"/x""#, #""action":"delete""#).contains("\u{1b}"))
  }

  @Test func otherLinesAreSentences() {
    var writer = JSONWriter()
    writer.line(Gap(.kernelLost, count: 12, firstSerial: 5, lastSerial: 18, sinceMs: when - 1000, untilMs: when), timeMs: when, host: "h")
    writer.line(Gap(.notRunning, count: 0), timeMs: when, host: "h")
    writer.line(Gap(.serialGap, count: 1, firstSerial: 5, lastSerial: 5), timeMs: when, host: "h")
    writer.line(DaemonNotice(.start, pid: 7, version: "0.1.0", message: "fsaudit 0.1.0 started"), timeMs: when, host: "h")
    let lines = String(decoding: writer.bytes, as: UTF8.self).split(separator: "\n").map { line in
      String(textLine(parsed(line), columns: 100).dropFirst(15))
    }
    #expect(
      lines[0].hasPrefix("GAP         12 records are missing, serials 5 to 18: the kernel dropped them: raise backlog_limit, between "))
    #expect(lines[1] == "GAP         events may be missing: fsaudit was not running")
    #expect(lines[2] == "GAP         1 event is missing, serial 5: their serials never arrived")
    #expect(lines[3] == "fsaudit start fsaudit 0.1.0 started")
  }

  /// Lines of the kernel's own records: a rule that it removed, a program that started, a type without fields.
  @Test(arguments: [
    (
      #""event":{"action":"execve","dataset":"fsaudit.event"},"process":{"name":"ls","pid":5,"args":["ls","-l\u001b"]}"#,
      #"execve      ls -l\x1b"#
    ),
    (#""event":{"action":"login","dataset":"fsaudit.event"},"fsaudit":{"record_types":["LOGIN","X"]}"#, "login       LOGIN X"),
  ])
  func otherRecordsSayWhatTheyHold(members: String, expected: String) {
    let text = textLine(parsed("{\(members)}"), columns: 100, nowMs: 0).dropFirst(15)
    #expect(text.hasPrefix(expected), "\(text)")
  }

  /// A rule that came or went: what the kernel's record says of it, and who.
  @Test(arguments: [
    (#""auid":"0","op":"remove_rule","dir":"/d e","key":"k","list":"4","res":"1""#, "", #"rule removed dir="/d e" key=k"#),
    (#""op":"remove_rule","path":"/d","key":null,"list":"4","res":"1""#, "", "rule removed path=/d (what it watched is gone)"),
    (#""ses":"4294967295op=remove_rule","path":"/d""#, "", "rule removed path=/d (what it watched is gone)"),
    (#""op":"add_rule","key":null,"list":"5","res":"0""#, "", "rule added  no key list=exclude (refused)"),
    (
      #""op":"add_rule","key":"two words","list":"4","res":"1""#, #","process":{"args":["auditctl","-k","two words"]}"#,
      #"rule added  key="two words": auditctl -k "two words""#
    ),
    (#""op":"updated_rules","path":"/d","key":"k","list":"4","res":"1""#, "", "rule updated path=/d key=k"),
  ])
  func ruleChangesSayWhich(record: String, rest: String, expected: String) {
    let line = parsed(
      #"{"event":{"action":"config-change","dataset":"fsaudit.rules"},"user":{"audit":{"id":"1000","name":"alice"}},"#
        + #""fsaudit":{"session":3,"records":[{"type":"CONFIG_CHANGE",\#(record)}]}\#(rest)}"#)
    let text = String(textLine(line, columns: 100, nowMs: 0).dropFirst(15))
    #expect(text.hasPrefix(expected + " ") && text.hasSuffix(" alice ses3"), "\(text)")
  }

  @Test func aPipeGetsTheDateAndATerminalOnlyForOtherDays() {
    let line = parsed(#"{"@timestamp":"2026-11-20T12:32:51.738Z","event":{"dataset":"fsaudit.daemon"}}"#)
    let here = localTime(ms: 1_795_177_971_738)
    let clock = "\(pad(Int64(here.tm_hour), 2)):\(pad(Int64(here.tm_min), 2)):\(pad(Int64(here.tm_sec), 2))"
    let day = "\(pad(Int64(here.tm_mon) + 1, 2))-\(pad(Int64(here.tm_mday), 2))"
    let year = here.tm_year + 1900
    #expect(textLine(line, columns: nil).hasPrefix("\(year)-\(day) \(clock).738 "))
    #expect(textLine(line, columns: 80, nowMs: 1_795_177_971_738).hasPrefix("\(clock).738 "))
    #expect(textLine(line, columns: 80, nowMs: when + 5 * 86_400_000).hasPrefix("\(day) \(clock) "))
  }
}

/// A line in the text format.
private func textLine(_ line: LogLine, colour: Bool = false, columns: Int?, nowMs: Int64 = when) -> String {
  formatted(line.bytes, .text, TextStyle(colour: colour, columns: columns), nowMs: nowMs)
}

/// A line in any format, without its line end.
func formatted(_ line: [UInt8], _ format: LineFormat, _ style: TextStyle, nowMs: Int64 = when) -> String {
  var text = ""
  LineFormatter(format, style).format(line.span.bytes, nowMs: nowMs) { bytes in
    text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
  return text
}

extension StringProtocol {
  fileprivate func trimming() -> String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
