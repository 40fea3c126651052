import System
import Testing

@testable import EventLog

/// What comes behind a run's last seal: lines of a run that was killed, or somebody else's.
@Suite struct SealEndTests {
  private func run(_ lab: SealLab, _ serials: ClosedRange<UInt32>) throws {
    try lab.run { writer in
      var lines = changes(serials)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
  }

  @Test func aLineBehindAnOrderlyEndIsFoundForEver() throws {
    let lab = try SealLab()
    try run(lab, 1...3)
    // first seal, three lines, last seal
    try lab.write("events.jsonl", try lab.text + changes(98...99).text)
    let findings = try lab.verify()
    #expect(findings.map(\.kind) == [.inserted] && lab.report.isClosed && lab.report.linesAfter == 2)
    #expect(
      findings.first?.description
        == "events.jsonl:6-7: 2 lines were added after the log was closed with seal 1, by no run that seals", "\(findings)")
    for serials in [4...6, 7...9] as [ClosedRange<UInt32>] {
      try run(lab, serials)
      let later = try lab.verify()
      #expect(later.map(\.description) == (findings.map(\.description).map { $0 + "; seal 2 took over what it found" }))
      #expect(lab.report.linesAfter == 0 && lab.report.linesAdopted == 0 && lab.report.isSigned)
    }
    #expect(try lab.seals().map(\.seal.reason) == [.first, .stop, .start, .stop, .start, .stop])
    // Taken away again, they are still told of.
    var lines = try lab.text.split(separator: "\n")
    lines.removeSubrange(5...6)
    try lab.write("events.jsonl", lines.joined(separator: "\n") + "\n")
    let gone = try lab.verify()
    #expect(gone.map(\.kind) == [.deleted, .inserted] && gone.last?.place.line == 6, "\(gone)")
  }

  /// A run that ends while nothing waits for a seal closes the log all the same.
  @Test func aRunThatHasSealedEverythingClosesTheLog() throws {
    let lab = try SealLab()
    lab.lines = 3
    try run(lab, 1...3)
    let seals = try lab.seals()
    #expect(seals.map(\.seal.reason) == [.first, .due, .stop] && seals.map(\.seal.lines) == [0, 3, 0])
    try lab.write("events.jsonl", try lab.text + changes(9...9).text)
    #expect(try lab.verify().map(\.place) == [SealPlace(file: "events.jsonl", line: 7)])
  }

  @Test func whatHasNoLinesIsNamedWithoutOne() throws {
    let lab = try SealLab()
    try run(lab, 1...3)
    try lab.write("events.jsonl", "")
    let what = "the seals up to 1 of the daemon's chain are missing: the log was cut off, or replaced"
    #expect(try lab.verify().map(\.description) == ["events.jsonl: \(what)"])
    try removeFile(lab.log + "/events.jsonl")
    #expect(try lab.verify().map(\.description) == [what])
  }

  @Test func whatKilledRunsLeftIsCountedAndNoFinding() throws {
    let lab = try SealLab()
    for round in 0..<12 as Range<UInt32> {
      let writer = try lab.writer()
      var lines = changes(round * 4 + 1...round * 4 + 4)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    try run(lab, 100...101)
    #expect(try lab.verify() == [])
    #expect(lab.report.linesAdopted == 48 && lab.report.adoptions == 12 && lab.report.adoptedBy == Array(1...10) && lab.report.isClosed)
  }
}

extension Batch {
  fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}
