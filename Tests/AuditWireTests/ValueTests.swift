import Replay
import Testing

@testable import AuditWire

/// AUDIT-FACTS 5: the quotes alone decide what a value means.
@Suite struct ValueTests {
  private func read(_ text: [UInt8]) -> (encoding: Value.Encoding, decoded: [UInt8], end: Int) {
    var cursor = Cursor()
    let value = cursor.value(text.span.bytes)
    var decoded = ByteScratch()
    value.decode(from: text.span.bytes, into: &decoded)
    return (value.encoding, decoded.array, cursor.at)
  }

  @Test(
    arguments: [
      (#""DEADBEEF" inode=1"#, .quoted, "DEADBEEF", 10), ("DEADBEEF inode=1", .hex, "\u{de}\u{ad}\u{be}\u{ef}", 8),
      (#""(null)""#, .quoted, "(null)", 8), ("(null) key", .null, "", 6), ("(null", .bare, "(null", 5), ("(null)x", .bare, "(null)x", 7),
      (#""" x"#, .quoted, "", 2), ("", .bare, "", 0), (" ", .bare, "", 0), ("abc", .bare, "abc", 3), ("abcd", .hex, "\u{ab}\u{cd}", 4),
      ("41 42", .hex, "A", 2), ("4142\u{1d}UID=\"x\"", .hex, "AB", 4), (#""open"#, .bare, "\"open", 5), ("?", .bare, "?", 1),
      (#""a\b" "#, .quoted, #"a\b"#, 5), ("20202020", .hex, "    ", 8),
    ] as [(String, Value.Encoding, String, Int)])
  func values(text: String, encoding: Value.Encoding, decoded: String, end: Int) {
    let found = read(Array(text.utf8))
    #expect(found.encoding == encoding && found.decoded == decoded.unicodeScalars.map { UInt8($0.value) } && found.end == end)
  }

  /// kernel/audit.c audit_log_n_untrustedstring: quotes if all bytes are in 0x21…0x7e and none is a quote, else hexadecimal.
  private func asTheKernelPrints(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.allSatisfy({ $0 >= 0x21 && $0 <= 0x7e && $0 != 0x22 }) { return [0x22] + bytes + [0x22] }
    return bytes.flatMap { Array((($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true)).utf8) }
  }

  @Test func everyNameComesBack() {
    var random = SplitMix(seed: 2)
    for round in 0..<5000 {
      let plain = round % 2 == 0
      let name = (0..<1 + random.below(40)).map { _ in plain ? UInt8(0x21 + random.below(0x5e)) : UInt8(random.below(256)) }
      let printed = asTheKernelPrints(name)
      #expect(read(printed + Array(" inode=1".utf8)).decoded == name)
      #expect(read(printed).decoded == name)
    }
  }

  @Test func absentIsNoString() {
    #expect(!Value.absent.isPresent && !Value(start: 0, count: 6, encoding: .null).isPresent)
    #expect(Value(start: 0, count: 0, encoding: .quoted).isPresent)
  }
}
