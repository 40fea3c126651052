import System
import Testing

@testable import EventLog

/// Whatever is done to a sealed log is found; a single thing, at its line.
@Suite struct SealDamageTests {
  private struct File: Equatable {
    var name: String
    /// With their `\n`.
    var lines: [[UInt8]]
  }

  private let files: [File]
  private let first: SealKey, next: SealKey

  init() throws {
    let lab = try SealLab()
    lab.lines = 3
    try lab.run { writer in
      for batch in 0..<7 as Range<UInt32> {
        var lines = changes(batch * 3 + 1...batch * 3 + 3, timeMs: Int64(batch))
        _ = writer.write(&lines, nowMs: Int64(batch), monotonicMs: 0)
        if batch == 2 || batch == 4 { writer.rotate(nowMs: Int64(batch)) }
      }
    }
    files = try SegmentSet(directory: lab.log).segments.map { segment in
      let bytes = try contents(of: segment.path)
      let lines = bytes.split(separator: 10).map { Array($0) + [10] }
      return File(name: String(segment.path.split(separator: "/").last ?? ""), lines: lines)
    }
    first = try #require(try SealKeyFile.initialKey(in: lab.state))
    next = try #require(try SealKeyFile.key(in: lab.state))
  }

  private func verify(_ files: [File], steps: Int64 = 1000, jumpSteps: Int64 = 1000) -> [SealFinding] {
    var verifier = SealVerifier(keys: [first], steps: steps, jumpSteps: jumpSteps)
    for (index, file) in files.enumerated() {
      verifier.begin(file.name)
      for line in file.lines { verifier.feed(line.span.bytes) }
      verifier.end(isLive: index == files.count - 1)
    }
    verifier.finish(next: .key(next))
    return verifier.takeFindings()
  }

  private func isSeal(_ line: [UInt8]) -> Bool { SealLine.isSeal(line.span.bytes) }

  @Test func theLogIsGoodBeforeItIsDamaged() {
    #expect(files.count == 3 && files.map(\.lines.count).reduce(0, +) == 21 + 9)
    #expect(verify(files) == [])
  }

  /// Four times 2,500, one after the other in each quarter so that they run beside each other.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func tenThousandTimes(seed: UInt64) {
    var random = SplitMix(seed: seed)
    for round in 0..<2500 {
      var damaged = files
      let description = Self.damage(&damaged, &random)
      if damaged == files { continue }
      let findings = verify(damaged)
      if findings.isEmpty { Issue.record("seed \(seed), round \(round): \(description)") }
    }
  }

  private static func damage(_ files: inout [File], _ random: inout SplitMix) -> String {
    let file = Int.random(in: 0..<files.count, using: &random)
    let line = Int.random(in: 0..<files[file].lines.count, using: &random)
    let kind = Int.random(in: 0..<8, using: &random)
    switch kind {
    case 0, 1, 2:
      let byte = Int.random(in: 0..<files[file].lines[line].count, using: &random)
      let bit: UInt8 = kind == 0 ? 0xff : 1 << UInt8.random(in: 0..<8, using: &random)
      files[file].lines[line][byte] ^= kind == 1 ? UInt8.random(in: 1...255, using: &random) : bit
      return "byte \(byte) of line \(line) of segment \(file)"
    case 3:
      files[file].lines.remove(at: line)
      return "line \(line) of segment \(file) deleted"
    case 4:
      let other = Int.random(in: 0..<files.count, using: &random)
      let otherLine = Int.random(in: 0..<files[other].lines.count, using: &random)
      let moved = files[file].lines[line]
      files[file].lines[line] = files[other].lines[otherLine]
      files[other].lines[otherLine] = moved
      return "line \(line) of segment \(file) and line \(otherLine) of segment \(other) swapped"
    case 5:
      files.removeSubrange((file + 1)...)
      files[file].lines.removeSubrange((line + 1)...)
      let bytes = Int.random(in: 0..<files[file].lines[line].count, using: &random)
      files[file].lines[line].removeSubrange(bytes...)
      return "cut off at byte \(bytes) of line \(line) of segment \(file)"
    case 6:
      // Not behind the last seal: what is there has no seal yet.
      let copy = files[file].lines[line]
      files[file].lines.insert(copy, at: Int.random(in: 0..<files[file].lines.count, using: &random))
      return "line \(line) of segment \(file) copied"
    default:
      // The oldest is retention's to take.
      let segment = Int.random(in: 1..<files.count, using: &random)
      files.remove(at: segment)
      return "segment \(segment) removed"
    }
  }

  /// Nobody uses up the steps that the seals need by writing numbers.
  @Test func aSealOutOfItsTurnHasItsOwnSteps() throws {
    let count = Int64(files.flatMap(\.lines).count(where: isSeal))
    #expect(verify(files, steps: count, jumpSteps: 0) == [])
    #expect(verify(files, steps: count - 1, jumpSteps: 1000).map(\.kind) == [.key])
    var forged = files
    let last = try #require(forged[2].lines.last(where: isSeal).map { String(decoding: $0, as: UTF8.self) })
    forged[2].lines.append(Array(last.replacing("\"number\":\(count - 1),", with: "\"number\":\(count + 500),").utf8))
    let kinds = Set(verify(forged, steps: count).map(\.kind))
    #expect(kinds.contains(.sealAltered) && !kinds.contains(.key), "\(kinds)")
  }

  @Test func oneChangedByteIsFoundAtItsLine() {
    for (file, line) in places {
      for byte in stride(from: 0, to: files[file].lines[line].count - 1, by: 11) {
        var damaged = files
        damaged[file].lines[line][byte] ^= 1
        expect(verify(damaged), isSeal(files[file].lines[line]) ? nil : .changed, file, line)
      }
    }
  }

  @Test func oneDeletedLineIsFoundAtItsPlace() {
    for (file, line) in places where !isSeal(files[file].lines[line]) {
      var damaged = files
      damaged[file].lines.remove(at: line)
      expect(verify(damaged), .deleted, file, line)
    }
  }

  @Test func oneAddedLineIsFoundAtItsPlace() {
    for (file, line) in places {
      var damaged = files
      damaged[file].lines.insert(changeLine(99), at: line)
      expect(verify(damaged), .inserted, file, line)
    }
  }

  @Test func twoSwappedLinesAreFoundAtTheirPlace() {
    for (file, line) in places where !isSeal(files[file].lines[line]) && !isSeal(files[file].lines[line + 1]) {
      var damaged = files
      damaged[file].lines.swapAt(line, line + 1)
      expect(verify(damaged), .moved, file, line)
    }
  }

  @Test func aMissingSealLeavesItsLinesUnproven() {
    for (file, line) in places where isSeal(files[file].lines[line]) {
      var damaged = files
      damaged[file].lines.remove(at: line)
      let findings = verify(damaged)
      let isLast = file == files.count - 1 && line == files[file].lines.count - 1
      let isFirst = file == 0 && line == 0
      #expect(isFirst || findings.map(\.kind) == [isLast ? .cutOff : .sealsMissing], "\(file):\(line): \(findings)")
      #expect(!findings.isEmpty)
    }
  }

  private var places: [(file: Int, line: Int)] {
    files.enumerated().flatMap { file in file.element.lines.indices.map { (file.offset, $0) } }
  }

  /// One finding, at a line. What was done to a seal line itself may show in more than one way.
  private func expect(_ findings: [SealFinding], _ kind: SealFinding.Kind?, _ file: Int, _ line: Int) {
    if let kind {
      let place = SealPlace(file: files[file].name, line: line + 1)
      // Before the first seal nothing is sealed, but then the seal is not at its place.
      let isBefore = file == 0 && line == 0 && kind == .inserted
      #expect(isBefore || findings.map(\.kind) == [kind] && findings.first?.place == place, "\(file):\(line): \(findings)")
    }
    #expect(!findings.isEmpty, "\(file):\(line)")
  }
}
