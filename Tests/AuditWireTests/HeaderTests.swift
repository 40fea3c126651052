import Replay
import Testing

@testable import AuditWire

@Suite struct HeaderTests {
  private func read(_ text: String, _ reader: inout HeaderReader, at start: Int = 0) -> RecordHeader? {
    let bytes = Array(text.utf8)
    var isSame = false
    return reader.read(bytes.span.bytes, at: start, isSame: &isSame)
  }

  @Test(
    arguments: [
      ("audit(1795228434.415:4): arch=c000003e", RecordHeader(time: 1_795_228_434_415, serial: 4, bodyStart: 25)),
      ("audit(0.000:0): ", RecordHeader(time: 0, serial: 0, bodyStart: 16)),
      ("audit(1.005:4294967295): x", RecordHeader(time: 1005, serial: .max, bodyStart: 25)),
      ("audit(1.005:1):x", RecordHeader(time: 1005, serial: 1, bodyStart: 15)),
      ("audit(1.005:1) x", RecordHeader(time: 1005, serial: 1, bodyStart: 15)),
      ("audit(1.005:1)", RecordHeader(time: 1005, serial: 1, bodyStart: 14)),
      ("audit(1.005:4294967296): x", nil), ("audit(1.1000:1): x", nil), ("audit(1.005): x", nil), ("audit(.005:1): x", nil),
      ("audit(-1.005:1): x", nil), ("audit(1.005:1: x", nil), ("Audit(1.005:1): x", nil), ("", nil), ("audit(", nil),
      ("audit(99999999999999999999.000:1): x", nil), ("audit(1099511627776.000:1): x", nil),
    ] as [(String, RecordHeader?)])
  func headers(text: String, header: RecordHeader?) {
    var reader = HeaderReader()
    #expect(read(text, &reader) == header)
    // a second time, from the memo where it is long enough for that
    #expect(read(text, &reader) == header)
    #expect(read("xx" + text, &reader, at: 2).map { $0.serial } == header?.serial)
  }

  /// (In the kernel's own form, with colon and blank; any other is read anew.)
  @Test func theSameHeaderIsRecognised() {
    var reader = HeaderReader()
    func isSame(_ text: String) -> Bool {
      let bytes = Array((text + String(repeating: "x", count: 40)).utf8)
      var isSame = true
      _ = reader.read(bytes.span.bytes, at: 0, isSame: &isSame)
      return isSame
    }
    #expect(!isSame("audit(1795228434.415:44): ") && isSame("audit(1795228434.415:44): a") && !isSame("audit(1795228434.415:44) "))
    #expect(!isSame("audit(1795228434.415:43): ") && !isSame("audit(1795228434.416:43): ") && isSame("audit(1795228434.416:43): "))
    #expect(!isSame("no header") && !isSame("audit(1795228434.416:430): ") && isSame("audit(1795228434.416:430): "))
  }

  /// Headers that differ in one byte from the one before must not be taken for it.
  @Test func theMemoIsExact() {
    var random = SplitMix(seed: 3)
    var memo = HeaderReader()
    for _ in 0..<20_000 {
      let seconds = [0, 1, 999_999_999, 1_795_228_434][random.below(4)] + random.below(2)
      let serial = [0, 9, 99, 123_456, 4_294_967_294][random.below(5)] + random.below(2)
      let part = ["000", "001", "415"][random.below(3)]
      let tail = ["", " ", ": ", ": a=1", ": " + String(repeating: "x", count: 40)][random.below(5)]
      let text = "audit(\(seconds).\(part):\(serial))\(tail)"
      var fresh = HeaderReader()
      #expect(read(text, &memo) == read(text, &fresh), "\(text)")
    }
    // the same bytes up to the memo's end, another digit behind it
    #expect(read("audit(1795228434.415:4): " + String(repeating: "x", count: 40), &memo)?.serial == 4)
    #expect(read("audit(1795228434.415:42): " + String(repeating: "x", count: 40), &memo)?.serial == 42)
    #expect(read("audit(1795228434.415:4)x " + String(repeating: "x", count: 40), &memo)?.bodyStart == 24 - 1)
  }

  @Test(arguments: [
    ("type=PATH msg=audit(1.000:1): item=0", 1302, "", 14), ("type=SYSCALL msg=audit(", 1300, "", 17),
    ("type=CWD msg=audit(", 1307, "", 13),
    ("type=PROCTITLE msg=audit(", 1327, "", 19), ("type=EXECVE msg=audit(", 1309, "", 16), ("type=EOE msg=audit(", 1320, "", 13),
    ("node=web-1 type=PATH msg=audit(", 1302, "web-1", 25), ("node= type=PATH msg=audit(", 1302, "", 20),
    ("type=UNKNOWN[1500] msg=audit(", 1500, "", 23), ("type=1334 msg=audit(", 1334, "", 14), ("type=AVC msg=", 1400, "", 13),
    ("type=USER_LOGIN msg=audit(", 1112, "", 20),
  ])
  func linePrefixes(line: String, type: Int, node: String, headerStart: Int) throws {
    let bytes = Array(line.utf8)
    let found = LinePrefix(bytes.span.bytes)
    let prefix = try #require(found)
    #expect(prefix.type.rawValue == UInt16(type) && prefix.headerStart == headerStart)
    #expect(String(decoding: bytes[prefix.node.range], as: UTF8.self) == node)
  }

  @Test(arguments: [
    "", "type=", "type=PATH", "type=PATH msg", "type=NOSUCH msg=audit(", "type=PATHS msg=audit(", "type=UNKNOWN[99999] msg=audit(",
    "type=UNKNOWN[15 msg=audit(", "type=UNKNOWN[1500]x msg=audit(", "node=x", "node=x y", " type=PATH msg=audit(", "Type=PATH msg=audit(",
    "type=PATH  msg=audit(", "type=12x msg=audit(",
  ])
  func whatIsNoLine(line: String) {
    let bytes = Array(line.utf8)
    let found = LinePrefix(bytes.span.bytes)
    #expect(found == nil)
  }

  /// The table names every type once, and reads back what it writes.
  @Test func typeNames() {
    var seen: Set<String> = []
    for number in UInt16.min...UInt16.max {
      guard let name = RecordType(rawValue: number).name else { continue }
      #expect(seen.insert("\(name)").inserted)
      let bytes = Array("\(name)".utf8)
      let again = RecordType(name: bytes.span.bytes)
      #expect(again?.rawValue == number)
    }
    #expect(seen.count > 150)
  }
}
