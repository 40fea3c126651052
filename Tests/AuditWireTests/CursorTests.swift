import Replay
import Testing

@testable import AuditWire

/// Numbers as the kernel prints them, at every place where a buffer can end.
@Suite struct CursorTests {
  /// What `read` makes of `text` when it stands behind `lead` bytes and `tail` follows.
  private func number<Number>(
    _ text: String, lead: Int = 0, tail: String = "", _ read: (inout Cursor, RawSpan) -> Number?
  ) -> (value: Number?, length: Int) {
    let bytes = Array((String(repeating: "7", count: lead) + text + tail).utf8)
    var cursor = Cursor(at: lead)
    let value = read(&cursor, bytes.span.bytes)
    return (value, cursor.at - lead)
  }

  @Test(arguments: 1...20) func decimalsOfEveryLength(length: Int) {
    for first in ["1", "9"] {
      let text = first + String(repeating: "8", count: length - 1)
      for lead in 0...9 {
        for tail in ["", " ", ":", "/", "x", "-1", " 12345678"] {
          let read = number(text, lead: lead, tail: tail) { $0.decimal($1) }
          #expect(read.value == UInt64(text))
          #expect(read.length == (UInt64(text) == nil ? 0 : length))
        }
      }
    }
  }

  @Test(
    arguments: [
      ("18446744073709551615", UInt64.max), ("18446744073709551616", nil), ("18446744073709551620", nil), ("99999999999999999999", nil),
      ("100000000000000000000", nil), ("00000000000000000000000001", 1), ("0", 0), ("00", 0), ("", nil), ("x1", nil), ("-1", nil),
      (" 1", nil),
      ("/", nil), (":", nil), ("\u{10}", nil), ("4294967295", 4_294_967_295), ("12345678", 12_345_678), ("1234567", 1_234_567),
    ] as [(String, UInt64?)])
  func decimals(text: String, value: UInt64?) {
    let read = number(text) { $0.decimal($1) }
    #expect(read.value == value && (value != nil || read.length == 0))
  }

  /// The digits' neighbours in ASCII, and bytes whose high bit is set, end a number at every place of a word.
  @Test func whatEndsADecimal() {
    for end: UInt8 in [0, 0x1d, 0x20, 0x2f, 0x3a, 0x3f, 0xb0, 0xb9, 0xff] {
      for count in 1...17 {
        let bytes: [UInt8] = [UInt8](repeating: 0x34, count: count) + [end] + [UInt8]("55555555".utf8)
        var cursor = Cursor()
        let value = cursor.decimal(bytes.span.bytes)
        #expect(value == UInt64(String(repeating: "4", count: count)) && cursor.at == count)
      }
    }
  }

  @Test(
    arguments: [
      ("0", 0), ("-1", -1), ("-13", -13), ("9223372036854775807", .max), ("-9223372036854775807", -.max), ("9223372036854775808", nil),
      ("-", nil),
      ("--1", nil), ("", nil), ("+1", nil),
    ] as [(String, Int64?)])
  func signedNumbers(text: String, value: Int64?) {
    let read = number(text) { $0.signed($1) }
    #expect(read.value == value && read.length == (value == nil ? 0 : text.utf8.count))
  }

  @Test(
    arguments: [
      ("0", 0), ("ff", 255), ("FF", 255), ("fF", 255), ("c000003e", 0xc000_003e), ("ffffffffffffffff", .max), ("10000000000000000", nil),
      ("", nil),
      ("g", nil),
      ("fe:00", 0xfe), ("7ffecf172710 ", 0x7ffe_cf17_2710),
    ] as [(String, UInt64?)])
  func hexadecimals(text: String, value: UInt64?) {
    #expect(number(text, lead: 3) { $0.hexadecimal($1) }.value == value)
  }

  @Test(
    arguments: [
      ("0", 0), ("0100644", 0o100644), ("040755", 0o40755), ("777777777777777777777", 0o777777777777777777777), ("", nil), ("8", nil),
      ("18", 1),
      ("0000000000000000000000", nil),
    ] as [(String, UInt64?)])
  func octals(text: String, value: UInt64?) {
    #expect(number(text) { $0.octal($1) }.value == value)
  }

  @Test func literalsAreSteppedOverOnlyWhereTheyStand() {
    let bytes = Array("item=0 name=".utf8)
    var cursor = Cursor()
    func steps(over text: StaticString, to end: Int) -> Bool {
      let before = cursor.at
      let found = cursor.skip(text, bytes.span.bytes)
      return cursor.at == end && found == (end > before)
    }
    #expect(steps(over: "item=1", to: 0))
    #expect(steps(over: "item=", to: 5))
    #expect(steps(over: "0 nam=", to: 5))
    #expect(steps(over: "0 name=", to: 12))
    #expect(steps(over: "x", to: 12))
    // what is behind the buffer reads as zero, and is not there all the same: no literal of ours has a zero
    #expect(steps(over: " nametyp", to: 12))
  }

  @Test func numbersAgreeWithTheStandardLibrary() {
    var random = SplitMix(seed: 1)
    for _ in 0..<20_000 {
      let value = random.next() >> UInt64(random.below(64))
      let text = String(value)
      let read = number(text, lead: random.below(9), tail: String(repeating: " ", count: random.below(9))) { $0.decimal($1) }
      #expect(read.value == value && read.length == text.utf8.count)
      #expect(number(String(value, radix: 16)) { $0.hexadecimal($1) }.value == value)
    }
  }
}
