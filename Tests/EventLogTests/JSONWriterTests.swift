import Testing

@testable import EventLog

/// What the writer makes of `bytes`, as text.
private func string(_ bytes: [UInt8]) -> (text: String, whole: Bool) {
  var writer = JSONWriter()
  let whole = writer.string(bytes.span.bytes)
  return (String(decoding: writer.bytes, as: UTF8.self), whole)
}

@Suite struct JSONWriterTests {
  @Test(arguments: [
    ("", #""""#), ("plain", #""plain""#), ("12345678", #""12345678""#), ("a\"b\\c", #""a\"b\\c""#),
    ("1234567\"", #""1234567\"""#), ("\u{8}\t\n\u{c}\r", #""\b\t\n\f\r""#), ("\u{1b}[31m\0\u{7f}", #""\u001b[31m\u0000\u007f""#),
    ("täglich 漢字 🙂 Ω", #""täglich 漢字 🙂 Ω""#), ("\u{9b}31m\u{202e}x\u{2066}\u{2028}", #""\u009b31m\u202ex\u2066\u2028""#),
  ])
  func stringsAreQuotedAndEscaped(text: String, expected: String) {
    let (written, whole) = string(Array(text.utf8))
    #expect(written == expected)
    #expect(whole)
    var writer = JSONWriter()
    writer.string(text)
    #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
  }

  /// Overlong, surrogate, too large, cut off, stray: the examples of The Unicode Standard, table 3-8 and neighbours.
  @Test(
    arguments: [
      (
        [0x61, 0xf1, 0x80, 0x80, 0xe1, 0x80, 0xc2, 0x62, 0x80, 0x63, 0x80, 0xbf, 0x64],
        "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d"
      ),
      ([0xc0, 0xaf, 0x21], "\u{fffd}\u{fffd}!"), ([0xed, 0xa0, 0x80], "\u{fffd}\u{fffd}\u{fffd}"),
      ([0xf4, 0x90, 0x80, 0x80], "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"), ([0xff], "\u{fffd}"), ([0xe2, 0x82], "\u{fffd}"),
    ] as [([UInt8], String)])
  func whatIsNotUTF8IsReplacedAndSaidSo(bytes: [UInt8], expected: String) {
    let (written, whole) = string(bytes)
    #expect(written == "\"\(expected)\"")
    #expect(!whole)
  }

  /// Against the standard library's decoder as the oracle, on every length around the 8-byte step.
  @Test func agreesWithTheStandardLibraryOnRandomBytes() {
    var random = SplitMix(seed: 1)
    for round in 0..<20_000 {
      let bytes = random.bytes(count: round % 40, alphabet: round % 3)
      let (written, whole) = string(bytes)
      var expected = "\""
      let decoded = String(decoding: bytes, as: UTF8.self)
      for scalar in decoded.unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5c: expected += "\\\(scalar)"
        case 0x08: expected += "\\b"
        case 0x09: expected += "\\t"
        case 0x0a: expected += "\\n"
        case 0x0c: expected += "\\f"
        case 0x0d: expected += "\\r"
        case _ where [.control, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory),
          _ where scalar.value < 0x10000 && scalar.properties.isDefaultIgnorableCodePoint, 0xfff9...0xfffb, 0x2800:
          let digits = String(scalar.value, radix: 16)
          expected += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: expected.unicodeScalars.append(scalar)
        }
      }
      #expect(written == expected + "\"")
      #expect(whole == (String(validating: bytes, as: UTF8.self) != nil))
    }
  }

  @Test func integersHaveNoLimitsOfTheirOwn() {
    var writer = JSONWriter()
    for value in [0, 7, 10, -1, Int64.max, .min] {
      writer.integer(value)
      writer.raw(" ")
    }
    writer.integer(UInt64.max)
    writer.raw(" ")
    writer.integer(UInt8.max)
    writer.integer(Int8.min)
    #expect(
      String(decoding: writer.bytes, as: UTF8.self) == "0 7 10 -1 9223372036854775807 -9223372036854775808 18446744073709551615 255-128")
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1_795_217_571_738, "2026-11-20T23:32:51.738Z"), (951_782_400_007, "2000-02-29T00:00:00.007Z"),
      (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (-5, "1970-01-01T00:00:00.000Z"), (Int64.max, "9999-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func timesAreISO8601(milliseconds: Int64, expected: String) {
    var writer = JSONWriter()
    writer.timestamp(milliseconds: milliseconds)
    writer.timestamp(milliseconds: milliseconds)
    #expect(String(decoding: writer.bytes, as: UTF8.self) == "\"\(expected)\"\"\(expected)\"")
  }

  @Test func theCalendarIsItsOwnInverse() {
    for day in stride(from: Int64(-800_000), through: 3_000_000, by: 61) {
      let time = CivilTime(secondsUTC: day * 86400)
      #expect(CivilTime.days(year: time.year, month: time.month, day: time.day) == day)
    }
  }

  @Test func hexIsLowerCase() {
    var writer = JSONWriter()
    let bytes: [UInt8] = [0x00, 0x0f, 0xff, 0xa5]
    writer.hexString(bytes.span.bytes)
    #expect(String(decoding: writer.bytes, as: UTF8.self) == "\"000fffa5\"")
  }
}
