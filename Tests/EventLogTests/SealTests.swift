import Glibc
import System
import Testing

@testable import EventLog

@Suite struct SealTests {
  /// FIPS 180-4's examples and RFC 4231's case with a key of 32 bytes; the rest from `openssl dgst`.
  @Test func hashesAsTheStandardsSay() {
    func hex(_ text: String) -> String { SHA256.hash(of: Array(text.utf8).span.bytes).hex }
    #expect(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    var hash = SHA256()
    hash.update("a")
    #expect(hash.peek().hex == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    hash.update("bc")
    #expect(hash.finish().hex == hex("abc") && hash.finish().hex == hex(""))
    let key = Digest(hex: String(repeating: "0b", count: 32))
    #expect(
      key.map { messageCode(key: $0, Array("Hi There".utf8).span.bytes).hex }
        == "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7")
    #expect(Digest(hex: String(repeating: "0B", count: 32)) == nil && Digest(hex: "00") == nil)
  }

  @Test func keysGoForwardAlone() throws {
    let first = SealKey.random()
    #expect(SealKey(text: " \(first.text)\n") == first)
    #expect(SealKey(text: first.text.replacing("-1 ", with: "-2 ")) == nil)
    var text = Array(first.text)
    text[text.count - 1] = text[text.count - 1] == "0" ? "1" : "0"
    #expect(SealKey(text: String(text)) == nil, "a wrong digit is seen")
    var later = first
    let canAdvance = later.advance(to: 5, limit: 5)
    #expect(canAdvance && later.number == 5 && later.chain == first.chain && later.text != first.text)
    let canReturn = later.advance(to: 4, limit: 5)
    #expect(!canReturn && later.number == 5)
    var far = first
    let isTooFar = !far.advance(to: .max, limit: 1000)
    #expect(isTooFar)
  }

  @Test func theKeyFileKeepsTheNewestKeyAndNothingOlder() throws {
    let scratch = Scratch()
    let (first, file) = try SealKeyFile.open(in: scratch.path)
    #expect(try SealKeyFile.initialKey(in: scratch.path) == first)
    for name in [SealKeyFile.name, SealKeyFile.initialName] {
      #expect(try status(of: scratch.path + "/" + name).st_mode & 0o7777 == 0o600)
    }
    var key = first
    var secrets: [String] = []
    for _ in 0..<3 {
      secrets.append(String(key.text.suffix(64)))
      key.advance()
      try file.store(key)
      #expect(try SealKeyFile.key(in: scratch.path) == key)
    }
    let stored = try contents(of: scratch.path + "/" + SealKeyFile.name).map { String($0, radix: 16) }.map { $0.count == 1 ? "0" + $0 : $0 }
    let text = stored.joined()
    #expect(text.contains(key.text.suffix(64)) && !secrets.contains { text.contains($0) })
    try SealKeyFile.removeInitialKey(in: scratch.path)
    #expect(try SealKeyFile.initialKey(in: scratch.path) == nil)
    #expect(try SealKeyFile.open(in: scratch.path).key == key, "what is there is used")
  }

  @Test func aHalfWrittenKeyIsNone() throws {
    let scratch = Scratch()
    let (first, file) = try SealKeyFile.open(in: scratch.path)
    var key = first
    key.advance()
    try file.store(key)
    // As if the power had gone before the old slot was wiped, and in the middle of the next key.
    var bytes = try contents(of: scratch.path + "/" + SealKeyFile.name)
    bytes.replaceSubrange(0..<40, with: bytes[4096..<4136])
    try scratch.write(SealKeyFile.name, bytes)
    #expect(try SealKeyFile.key(in: scratch.path) == key)
  }

  @Test func sealsOverRotationAndRestartsAreProven() throws {
    let lab = try SealLab()
    try lab.run { writer in
      for batch in 0..<6 as Range<UInt32> {
        var lines = changes(batch * 10 + 1...batch * 10 + 10)
        #expect(writer.write(&lines, nowMs: 1000 + Int64(batch), monotonicMs: Int64(batch)) == nil)
        if batch % 2 == 1 { writer.rotate(nowMs: 2000) }
      }
    }
    try lab.run { writer in
      var lines = changes(61...65)
      #expect(writer.write(&lines, nowMs: 3000, monotonicMs: 0) == nil)
    }
    let segments = try SegmentSet(directory: lab.log).rotated
    #expect(segments.count == 3)
    _ = Housekeeper(directory: lab.log, policy: RetentionPolicy()).run()
    #expect(try lab.verify() == [])
    let reasons = try lab.seals().map(\.seal.reason)
    #expect(reasons == [.first, .due, .due, .due, .due, .due, .due, .start, .stop])
    #expect(lab.report.isSigned && lab.report.lines == 65 + 9 && lab.report.lastNumber == 8 && lab.report.linesAfter == 0)
    let withoutKey = try lab.verify(keys: [])
    #expect(withoutKey.isEmpty && !lab.report.isSigned)
    #expect(try lab.verify(keys: [.random()]).map(\.kind) == [.newChain])
  }

  @Test func whatAKilledRunLeftIsSealedByTheNext() throws {
    let lab = try SealLab()
    let writer = try lab.writer()
    var lines = changes(1...4)
    #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    // killed here, in the middle of a line
    let file = try Descriptor.open(lab.log + "/events.jsonl", O_WRONLY | O_APPEND)
    let torn = Array("{\"@timestamp\":".utf8)
    try torn.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
    #expect(try lab.verify() == [])
    #expect(lab.report.linesAfter == 4 && lab.report.unfinishedBytes == torn.count)
    try lab.run { writer in
      var lines = changes(5...6)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    #expect(try lab.verify() == [])
    let seals = try lab.seals()
    #expect(seals.map(\.seal.reason) == [.first, .start, .stop] && seals.map(\.seal.lines) == [0, 4, 2])
  }

  /// The key on disk may be some seals old: it is brought up to date from the log, once the log has shown that it is its own.
  @Test func aKeyThatWasNotStoredIsBroughtUpToDate() throws {
    let lab = try SealLab()
    var stale: [UInt8] = []
    for run in 1...3 as ClosedRange<UInt32> {
      try lab.run { writer in
        var lines = changes(run...run)
        #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
      }
      if run == 1 { stale = try contents(of: lab.state + "/" + SealKeyFile.name) }
    }
    try Descriptor.open(lab.state + "/" + SealKeyFile.name, O_WRONLY | O_TRUNC).writeAll(stale)
    try lab.run { _ in }
    #expect(try lab.verify() == [])
    #expect(try lab.seals().map(\.seal.number) == Array(0...7))
  }

  @Test func aLogThatWasCutOffIsSeenWhetherTheDaemonStartsAgainOrNot() throws {
    let lab = try SealLab()
    for serial in 1...3 as ClosedRange<UInt32> {
      try lab.run { writer in
        var lines = changes(serial...serial)
        #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
      }
    }
    let anchor = try #require(try SealedLog(directory: lab.log).newest()).anchor
    for text in [anchor.text, " \(anchor.text)\t", "\(anchor.text)\r\n"] { #expect(SealAnchor(text: text) == anchor) }
    for text in ["", " ", "\(anchor.text) \(anchor.text)"] { #expect(SealAnchor(text: text) == nil) }
    #expect(try lab.verify(anchors: [anchor]) == [] && lab.report.anchored == 5)
    // back to the second seal of the second run
    let text = try lab.text.split(separator: "\n", omittingEmptySubsequences: false)
    let kept = text.prefix(6).joined(separator: "\n") + "\n"
    try lab.write("events.jsonl", kept)
    #expect(try lab.verify().map(\.kind) == [.cutOff])
    #expect(try lab.verify(keys: []).map(\.kind) == [.cutOff])
    #expect(try lab.verify(anchors: [anchor], knowsEnd: false).map(\.kind) == [.cutOff])
    #expect(try lab.verify(knowsEnd: false) == [], "only the key or a kept seal can tell")
    try lab.run { _ in }
    #expect(try lab.seals().suffix(2).map(\.seal.reason) == [.cut, .stop])
    let findings = try lab.verify()
    #expect(findings.map(\.kind) == [.sealsMissing] && findings.first?.place.line == 7)
  }

  /// A closed run of four segments, ten changes each.
  private func fourSegments(_ lab: SealLab) throws -> [Segment] {
    try lab.run { writer in
      for batch in 0..<4 as Range<UInt32> {
        var lines = changes(batch * 10 + 1...batch * 10 + 10)
        #expect(writer.write(&lines, nowMs: 1000 + Int64(batch), monotonicMs: 0) == nil)
        writer.rotate(nowMs: 2000)
      }
    }
    return try SegmentSet(directory: lab.log).rotated
  }

  @Test func retentionIsNoFindingAHoleIs() throws {
    let lab = try SealLab()
    let segments = try fourSegments(lab)
    try removeFile(segments[0].path)
    #expect(try lab.verify() == [])
    #expect(lab.report.firstNumber ?? 0 > 0)
    let saved = try contents(of: segments[2].path)
    try removeFile(segments[2].path)
    let findings = try lab.verify()
    #expect(findings.map(\.kind) == [.sealsMissing])
    #expect(findings.first?.place.file == segments[3].name?.fileName)
    // The beginning of the oldest segment, seals and all, is not what retention takes.
    try lab.write(segments[2].name?.fileName ?? "", saved)
    #expect(try lab.verify() == [])
    var oldest = try String(decoding: contents(of: segments[1].path), as: UTF8.self).split(separator: "\n")
    oldest.removeFirst(3)
    try lab.write(segments[1].name?.fileName ?? "", oldest.joined(separator: "\n") + "\n")
    #expect(try lab.verify().map(\.kind) == [.deleted])
  }

  /// The log is long, and retention does not wait for who verifies it.
  @Test(arguments: [[0, 1], [1]]) func whatGoesWhileItIsVerified(indices: [Int]) throws {
    let lab = try SealLab()
    let segments = try fourSegments(lab)
    let oldest = try String(decoding: contents(of: segments[0].path), as: UTF8.self)
    try lab.write(segments[0].name?.fileName ?? "", oldest.replacing("\"sequence\":7}", with: "\"sequence\":8}"))
    var verifier = SealVerifier(keys: [try #require(try SealKeyFile.initialKey(in: lab.state))])
    var kinds: [SealFinding.Kind] = []
    try SealedLog(directory: lab.log).verify(with: &verifier, next: SealKeyFile.kept(in: lab.state)) { finding in
      if kinds.isEmpty { for index in indices { try? removeFile(segments[index].path) } }
      kinds.append(finding.kind)
    }
    // retention takes the oldest first: a younger one that is gone alone was taken by somebody else
    #expect(kinds == (indices == [0, 1] ? [.changed] : [.changed, .sealsMissing]))
    #expect(verifier.report.isSigned)
  }

  @Test func aNewKeyIsANewChain() throws {
    let lab = try SealLab()
    try lab.run { _ in }
    let old = try #require(try SealKeyFile.initialKey(in: lab.state))
    try removeFile(lab.state + "/" + SealKeyFile.name)
    try lab.run { writer in
      var lines = changes(1...1)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    let new = try #require(try SealKeyFile.initialKey(in: lab.state))
    #expect(try lab.verify(keys: [old, new]).map(\.kind) == [.newChain])
    #expect(lab.report.isSigned)
  }

  /// Who has become root has the present key. What was sealed before is out of reach.
  @Test func todaysKeyCannotRewriteYesterday() throws {
    let lab = try SealLab()
    try lab.run { writer in
      var lines = changes(1...3)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    let stolen = try #require(try SealKeyFile.key(in: lab.state))
    // The second line is changed, and its seal made anew, as well as can be.
    var lines = try lab.text.split(separator: "\n").map(String.init)
    let old = try lab.seals()
    lines[1] = lines[1].replacing("create", with: "delete")
    var seal = old[1].seal
    let covered = lines[1...3].map { $0 + "\n" }.joined()
    seal.content = SHA256.hash(of: Array(covered.utf8).span.bytes)
    var writer = JSONWriter()
    let digests = lines[1...3].map { sealDigest(of: Array($0.utf8).span.bytes) }
    writer.line(seal, digests: digests.span, key: stolen, timeMs: old[1].timeMs, host: "h")
    lines[4] = String(decoding: writer.bytes.dropLast(), as: UTF8.self)
    try lab.write("events.jsonl", lines.joined(separator: "\n") + "\n")
    let findings = try lab.verify()
    #expect(findings.map(\.kind) == [.sealAltered] && findings.first?.place.line == 5)
    #expect(try lab.verify(keys: []) == [], "the chain alone does not show it")
    let anchor = SealAnchor(chain: old[1].chain, number: old[1].seal.number, hash: old[1].hash)
    #expect(try lab.verify(keys: [], anchors: [anchor]).map(\.kind) == [.anchor], "a kept seal does")
  }

  @Test func aLogWithoutSealsIsNotProven() throws {
    let lab = try SealLab()
    try makeDirectory(lab.log, mode: 0o700)
    try lab.write("events.jsonl", changes(1...3).bytes)
    #expect(try lab.verify(keys: []) == [] && lab.report.seals == 0)
    // It gets seals later: what was there is told apart.
    try lab.run { writer in
      var lines = changes(4...5)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    #expect(try lab.verify() == [] && lab.report.linesBefore == 3 && lab.report.linesAfter == 0)
  }

  /// A batch with more lines than a seal has digests for is sealed; a change in it is found, if not to the line.
  @Test func manyLinesHaveOneHash() throws {
    let lab = try SealLab()
    try lab.run { writer in
      var lines = changes(1...5000)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    #expect(try lab.verify() == [])
    #expect(try lab.seals().map { $0.digests?.count } == [0, nil, 0])
    try lab.write("events.jsonl", try lab.text.replacing("\"sequence\":777}", with: "\"sequence\":778}"))
    #expect(try lab.verify().map(\.kind) == [.damaged])
  }

  @Test func sealLinesKeepTheContractOfTheLog() throws {
    let lab = try SealLab()
    try lab.run { writer in
      var lines = changes(1...4096)
      #expect(writer.write(&lines, nowMs: 0, monotonicMs: 0) == nil)
    }
    for line in try lab.text.split(separator: "\n") where line.contains("fsaudit.seal") {
      #expect(line.utf8.count < 32000)
      #expect(parsed(line).dataset == .seal && SealLine.isSeal(Array(line.utf8).span.bytes))
      #expect(Filter().verdict(on: parsed(line)) == .no)
    }
    #expect(try lab.seals().map { $0.digests?.count } == [0, 4096, 0])
  }
}

/// A sealed log and the state directory of its key.
final class SealLab {
  private let scratch = Scratch()
  let log: String, state: String
  private(set) var report = SealReport()
  var lines = 8

  /// - Parameter log: a directory for the log, which another owner removes.
  init(log: String? = nil) throws {
    (self.log, state) = (log ?? scratch.path + "/log", scratch.path + "/state")
    try makeDirectory(state, mode: 0o700)
  }

  func writer() throws -> SegmentWriter {
    var policy = SealPolicy()
    policy.lines = lines
    return SegmentWriter(LogPolicy(directory: log), host: "h", sealer: try Sealer(policy, stateDirectory: state, host: "h"))
  }

  /// One run of a daemon, from start to stop.
  func run(_ body: (SegmentWriter) -> Void) throws {
    let writer = try writer()
    writer.maintain(nowMs: 0, monotonicMs: 0)
    body(writer)
    writer.finish(nowMs: 0)
  }

  var text: String { get throws { try scratch.read("log/events.jsonl") } }

  func write(_ name: String, _ text: String) throws { try scratch.write("log/" + name, text) }
  func write(_ name: String, _ bytes: [UInt8]) throws { try scratch.write("log/" + name, bytes) }

  /// - Parameter keys: the chain's own if nil.
  func verify(keys: [SealKey]? = nil, anchors: [SealAnchor] = [], knowsEnd: Bool = true) throws -> [SealFinding] {
    let next = knowsEnd ? SealKeyFile.kept(in: state) : .unknown
    var verifier = SealVerifier(keys: try keys ?? [SealKeyFile.initialKey(in: state)].compactMap { $0 }, anchors: anchors)
    var findings: [SealFinding] = []
    try SealedLog(directory: log).verify(with: &verifier, next: next) { findings.append($0) }
    report = verifier.report
    return findings
  }

  /// All seals of the log.
  func seals() throws -> [SealLine] {
    var found: [SealLine] = []
    var parser = LogLine()
    for segment in try SegmentSet(directory: log).segments {
      var reader = try LineReader(segment)
      while try reader.next({ if let seal = SealLine($0, &parser) { found.append(seal) } }) {}
    }
    return found
  }
}

extension Descriptor {
  fileprivate borrowing func writeAll(_ bytes: [UInt8]) throws {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try writeAll(bytes) }
  }
}
