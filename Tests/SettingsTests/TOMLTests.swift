import Testing

@testable import Settings

/// What `text` holds, up to its first fault.
private func read(_ text: String) throws -> [TOMLItem] {
  var reader = TOMLReader(Array(text.utf8))
  var items: [TOMLItem] = []
  while let item = try reader.next() { items.append(item) }
  return items
}

@Suite struct TOMLTests {
  @Test func tablesKeysAndLines() throws {
    #expect(
      try read("# c\n\na = 1 # c\r\n[t] # c\r\n\tb='x'\n[ u.v ]\nc-d_9 . e =true") == [
        .entry(table: "", key: "a", .number(1), line: 3), .table("t", line: 4), .entry(table: "t", key: "b", .string("x"), line: 5),
        .table("u.v", line: 6), .entry(table: "u.v.c-d_9", key: "e", .flag(true), line: 7),
      ])
    #expect(try read("") == [])
    #expect(try read("\u{feff}a = 1") == [.entry(table: "", key: "a", .number(1), line: 1)])
  }

  @Test(arguments: [
    ("0", TOMLValue.number(0)), ("-0", .number(0)), ("+5", .number(5)), ("1_000", .number(1000)), ("-17", .number(-17)),
    ("9223372036854775807", .number(.max)), ("false", .flag(false)), ("\"\"", .string("")), ("''", .string("")),
    (#""a\tb\"c\\dé\U0001F600#""#, .string("a\tb\"c\\dé😀#")), ("'a\\tb\"'", .string("a\\tb\"")), ("\"a\tb\"", .string("a\tb")),
  ])
  func values(_ text: String, _ value: TOMLValue) throws {
    #expect(try read("a = \(text)") == [.entry(table: "", key: "a", value, line: 1)])
    #expect(try read("a=\(text)#\n") == [.entry(table: "", key: "a", value, line: 1)])
  }

  /// Refused, with the line: what is not TOML at all, and what settings do not need of it.
  @Test(arguments: [
    ("[a", 2, "a table's name without ]"), ("[{lo", 2, "not a setting"), ("[]", 2, "not a setting"), ("[a]b", 2, "text behind"),
    ("[[a]]", 2, "an array of tables"), ("[\"a\"]", 2, "not a setting"), ("\"a\" = 1", 2, "not a setting"),
    ("a", 2, "a key without ="), ("a = ", 2, "no value"), ("a = # 1", 2, "no value"), ("= 1", 2, "not a setting"),
    ("a.= 1", 2, "not a setting"), ("a = 1 2", 2, "text behind"), ("a = 1\rb", 2, "text behind"), ("a = 1.5", 2, "the value 1.5"),
    ("a = 007", 2, "the value 007"), ("a = 1__0", 2, "the value 1__0"), ("a = _1", 2, "the value _1"), ("a = +-1", 2, "the value +-1"),
    ("a = +", 2, "the value +"), ("a = 1-0", 2, "the value 1-0"), ("a = 0x1f", 2, "the value 0x1f"),
    ("a = 9223372036854775808", 2, "the value 9223372036854775808"), ("a = 2026-01-01", 2, "the value 2026-01-01"),
    ("a = 10:00:00", 2, "the value 10:00:00"), ("a = True", 2, "the value True"), ("a = 24h", 2, "the value 24h"),
    ("a = \"x", 2, "a text that does not end"), ("a = \"x\n\"", 2, "a text that does not end on its line"),
    ("a = 'x", 2, "a text that does not end"), ("a = \"\u{1b}\"", 2, "a text that does not end on its line, or has a control"),
    ("a = \"\"\"x\"\"\"", 2, "a text of several lines"), ("a = '''x'''", 2, "a text of several lines"), ("a = [1]", 2, "a list"),
    ("a = { b = 1 }", 2, "a list or an inline table"), (#"a = "\x""#, 2, "a backslash"), (#"a = "\"#, 2, "a backslash"),
    (#"a = "\u0000""#, 2, "a backslash"), (#"a = "\ud800""#, 2, "a backslash"), (#"a = "\u+041""#, 2, "a backslash"),
    (#"a = "\u12"#, 2, "a backslash"), ("# \u{0}", 2, "a control character"), ("\u{0}", 2, "not a setting"),
    ("a = 1\na = 2", 3, "a stands on line 2 already"), ("[a]\n[a]", 3, "[a] stands on line 2 already"),
    ("a.b = 1\n[a]", 3, "[a] stands on line 2 already"), ("[a]\nb = 1\nb = 1", 4, "b stands on line 3 already"),
  ])
  func refused(_ text: String, _ line: Int, _ wrong: String) {
    let error = #expect(throws: TOMLError.self) { try read("\n" + text) }
    #expect(error?.wrong.hasPrefix(wrong) == true, "\(error?.wrong ?? "")")
    #expect(error?.line == line)
  }
}
