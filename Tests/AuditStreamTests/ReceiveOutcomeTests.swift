import AuditStream
import System
import TestSupport
import Testing

@Suite struct ReceiveOutcomeTests {
  /// A netlink datagram; the header's length field is as wrong as audit's unicast one.
  func datagram(type: UInt16, sequence: UInt32 = 0, _ payload: [UInt8]) -> [UInt8] {
    func bytes<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value, Array.init) }
    return bytes(UInt32(payload.count)) + bytes(type) + bytes(UInt16(0)) + bytes(sequence) + bytes(UInt32(0)) + payload
  }

  /// What one datagram does to an outcome, and the record it gave.
  func take(_ bytes: [UInt8], sender: UInt32 = 0, isCut: Bool = false) -> (outcome: ReceiveOutcome, record: String?) {
    var outcome = ReceiveOutcome()
    var record: String?
    outcome.take(bytes.span.bytes, sender: sender, isCut: isCut) { type, payload in
      record = "\(type) " + payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
    return (outcome, record)
  }

  @Test(arguments: ["", "\n", "\0", "\n\0\n"]) func recordsLoseTheHeaderAndTheEndMark(end: String) {
    let result = take(datagram(type: 1300, Array(("audit(1.2:3): a=\"x\n\"" + end).utf8)))
    #expect(result.record == "1300 audit(1.2:3): a=\"x\n\"")
    #expect(result.outcome.records == 1)
  }

  @Test func anEmptyRecordIsARecord() {
    #expect(take(datagram(type: 1320, [])).record == "1320 ")
    #expect(take(datagram(type: 1320, [0, 0, 10])).record == "1320 ")
    // AUDIT_LOGIN has a number among the requests', and is a record.
    #expect(take(datagram(type: 1006, Array("audit(1.2:3): ".utf8))).outcome.records == 1)
  }

  @Test func onlyTheKernelIsHeard() {
    let result = take(datagram(type: 1300, Array("audit(1.2:3): forged".utf8)), sender: 812)
    #expect(result.record == nil)
    #expect(result.outcome.foreign == 1)
    for count in 0..<16 { #expect(take([UInt8](repeating: 0, count: count)).outcome.foreign == 1) }
  }

  @Test func acknowledgementsAreNoRecords() {
    let clean = ReceiveOutcome()
    for payload in [[], [0, 0, 0], [0, 0, 0, 0], [UInt8](repeating: 0xff, count: 20)] {
      for type: UInt16 in [1, 2, 3, 4, 15] {
        let result = take(datagram(type: type, payload))
        #expect(result.record == nil)
        #expect(result.outcome == clean)
      }
    }
  }

  @Test func aRivalIsReported() {
    #expect(take(datagram(type: 1329, [0x2c, 0x03, 0, 0])).outcome.replacedBy == 812)
    #expect(take(datagram(type: 1329, [0x2c])).outcome == ReceiveOutcome())
  }

  @Test func cutRecordsAreCounted() {
    let result = take(datagram(type: 1302, [0x61]), isCut: true)
    #expect(result.record == "1302 a")
    #expect(result.outcome.cut == 1)
  }

  @Test func recordingIsAnAuditLog() throws {
    let directory = try TemporaryDirectory()
    var recording = try Recording(directory["log"])
    recording.append(1300, "audit(1.2:3): a\nb".utf8.span.bytes)
    recording.append(1320, "audit(1.2:3): ".utf8.span.bytes)
    try recording.flush()
    try recording.flush()
    #expect(
      lines([directory["log"]]).lines.map { String(decoding: $0, as: UTF8.self) } == [
        "type=1300 msg=audit(1.2:3): a b", "type=1320 msg=audit(1.2:3): ",
      ])
  }
}
