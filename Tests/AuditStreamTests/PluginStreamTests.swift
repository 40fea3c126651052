import AuditStream
import Glibc
import System
import TestSupport
import Testing

/// A frame as auditd writes it.
func frame(version: UInt32, type: UInt32, _ text: String, padding: [UInt8]) -> [UInt8] {
  let header: [UInt32] = [version, 16, type, UInt32(text.utf8.count)]
  return header.flatMap { word in withUnsafeBytes(of: word.littleEndian, Array.init) } + text.utf8 + padding
}

/// Feeds the bytes in pieces and returns the lines, whether the end was seen, and the fault.
func plugin(_ bytes: [UInt8], piece: Int) throws -> (lines: [String], ended: Bool, fault: Failure?) {
  var pair: [Int32] = [-1, -1]
  try call("socketpair", "test") { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) }
  var stream = PluginStream(Descriptor(adopting: pair[0]))
  let writer = Descriptor(adopting: pair[1])
  var lines: [String] = []
  var rest = bytes[...]
  func take(_ line: RawSpan) { lines.append(line.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }) }
  do throws(Failure) {
    #expect(try stream.receive(take))  // nothing there yet: no waiting, no end
    while !rest.isEmpty {
      let count = rest.prefix(piece).withUnsafeBytes { send(writer.raw, $0.baseAddress, $0.count, 0) }
      rest = rest.dropFirst(count)
      #expect(try stream.receive(take))
    }
    shutdown(writer.raw, Int32(SHUT_WR))
    var ended = false
    for _ in 0..<10_000 where !ended { ended = try !stream.receive(take) }
    return (lines, ended, nil)
  } catch { return (lines, false, error) }
}

@Suite struct PluginStreamTests {
  static let record = "audit(1700000000.123:7): cwd=\"/root\""
  static let pieces = [1, 3, 17, 4096, 65536]

  @Test(arguments: pieces) func linesArriveWhateverThePieces(piece: Int) throws {
    let text = "node=a type=CWD msg=\(Self.record)\n\ntype=EOE msg=audit(1700000000.123:7): \ntype=CUT msg="
    let result = try plugin(Array(text.utf8), piece: piece)
    #expect(result.lines == ["node=a type=CWD msg=\(Self.record)", "", "type=EOE msg=audit(1700000000.123:7): ", "type=CUT msg="])
    #expect(result.ended)
  }

  @Test(arguments: pieces) func paddedFramesBecomeLines(piece: Int) throws {
    func padding(_ text: String) -> [UInt8] { (text.utf8.count..<8970).map { UInt8($0 % 251) } }
    let formatted = "type=SYSCALL msg=\(Self.record)"
    let bytes =
      frame(version: 0, type: 1307, Self.record, padding: padding(Self.record))
      + frame(version: 1, type: 1300, formatted, padding: padding(formatted))
      + frame(version: 0, type: 65535, Self.record + "\n", padding: padding(Self.record + "\n"))
      + frame(version: 0, type: 1320, "", padding: padding(""))
    let result = try plugin(bytes, piece: piece)
    #expect(result.fault == nil)
    #expect(result.lines == ["type=1307 msg=\(Self.record)", formatted, "type=65535 msg=\(Self.record)", "type=1320 msg="])
    #expect(result.ended)
  }

  @Test(arguments: pieces) func framesOfTheirOwnSizeBecomeLines(piece: Int) throws {
    let bytes =
      frame(version: 0, type: 1307, Self.record, padding: []) + frame(version: 1, type: 1300, "type=A msg=b", padding: [])
      + frame(version: 0, type: 7, "x", padding: [])
    #expect(try plugin(bytes, piece: piece).lines == ["type=1307 msg=\(Self.record)", "type=A msg=b", "type=7 msg=x"])
  }

  @Test func framesThatMakeNoSenseAreAFault() throws {
    for bytes in [frame(version: 0, type: 1307, "a", padding: []), frame(version: 1, type: 1307, "a", padding: [])] {
      var wrong = bytes + bytes + bytes
      wrong[bytes.count * 2 + 4] = 99  // the third header's own length
      #expect(try plugin(wrong, piece: 4096).fault?.message.contains("makes no sense at byte \(bytes.count * 2)") == true)
    }
    #expect(try plugin([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], piece: 16).fault != nil)
  }

  @Test func randomBytesTerminate() throws {
    var random = SplitMix(state: 99)
    let seed = frame(version: 0, type: 1307, Self.record, padding: []) + frame(version: 1, type: 1300, Self.record, padding: [])
    for round in 0..<300 {
      var bytes = round % 2 == 0 ? seed + seed : (0..<500).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      for _ in 0..<(random.next() % 6) { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next() % 20) }
      let result = try plugin(bytes, piece: 1 + Int(random.next() % 300))
      #expect(result.ended || result.fault != nil)
    }
  }
}
