import EventLog
import Glibc
import Replay
import System
import TestSupport
import Testing

@testable import LogQuery

/// Questions to our own log.
@Suite struct OwnLogTests {
  private let directory: TemporaryDirectory
  private var source: Source { .log(directory: directory.path) }
  private let start: Int64 = 1_795_217_571_000

  init() throws { directory = try TemporaryDirectory() }

  /// The corpus' lines, as `count` segments an hour apart; every second one but the last is compressed.
  private func segments(_ count: Int, seed: UInt64) throws -> [String] {
    var random = SplitMix(seed: seed)
    let corpus = try Corpus.logs.flatMap { Corpus.lines(try Corpus.read($0.dropLast(4) + ".jsonl")) }
    var all: [String] = []
    for index in 0..<count {
      let time = start + Int64(index) * 3_600_000
      let lines = (0..<random.below(120) + 1).map { place in
        // as late as a line may be
        let late = random.below(10) == 0 ? Int64(random.below(500_000)) : 0
        return at(time + Int64(place) * 20_000 - late, corpus.randomElement(using: &random) ?? "{}")
      }
      let name = index == count - 1 ? SegmentName.live : SegmentName(timeMs: time, firstSerial: UInt32(index)).fileName
      try directory.write(name, lines.map { $0 + "\n" }.joined())
      if index % 2 == 0, index < count - 2 { try run("zstd", ["-q", "--rm", directory[name]]) }
      all += lines
    }
    return all
  }

  private func at(_ timeMs: Int64, _ line: String) -> String {
    var writer = JSONWriter()
    writer.timestamp(milliseconds: timeMs)
    return #"{"@timestamp":"# + String(decoding: writer.bytes, as: UTF8.self)
      + line.dropFirst(#"{"@timestamp":"2026-11-20T23:32:51.738Z""#.count)
  }

  private func line(_ serial: Int, _ timeMs: Int64, _ rest: String = "") -> String {
    at(timeMs, #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"sequence":\#(serial),"dataset":"fsaudit.file"}\#(rest)}"#) + "\n"
  }

  /// Passing over lines and segments is quicker, never different.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func whatIsPassedOverDoesNotMatch(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let lines = try segments(5, seed: seed)
    for round in 0..<60 {
      var filter = Filter()
      if round % 5 > 0 { filter.conditions = someConditions(of: lines, &random) }
      if round % 3 == 0 { filter.exclusions = someConditions(of: lines, &random) }
      if round % 4 == 0 { filter.sinceMs = start + Int64(random.below(5 * 3_600_000)) }
      if round % 7 == 0 { filter.untilMs = (filter.sinceMs ?? start) + Int64(random.below(3 * 3_600_000)) }
      let wanted = lines.filter { filter.verdict(on: parsed($0)) != .no }
      let answer = try ask([source]) { $0.filter = filter }
      #expect(answer.lines == wanted && answer.said.isEmpty, "\(filter)")
      #expect(answer.outcome.matched + answer.outcome.gaps == wanted.count)
      let backwards = try ask([source]) { ($0.filter, $0.isReversed) = (filter, true) }
      #expect(backwards.lines == wanted.reversed())
      let limited = try ask([source]) { ($0.filter, $0.isReversed, $0.limit) = (filter, round % 2 == 0, 3) }
      #expect(limited.outcome.matched == min(3, answer.outcome.matched))
    }
  }

  /// Where the clock was set back, the lines' order tells what was later.
  @Test func sinceAPlace() throws {
    let lines = [(1, 0), (2, 10_000), (3, 5000), (4, 20_000), (5, 1)].map { line($0.0, start + $0.1) }
    try directory.write(SegmentName.live, lines.joined())
    func serials(_ change: (inout Question) -> Void) throws -> [UInt32?] {
      try ask([source]) {
        $0.filter.sinceMs = start + 15_000
        change(&$0)
      }.lines.map { parsed($0).sequence }
    }
    #expect(try serials { _ in } == [4])
    #expect(try serials { $0.isUnchecked = true } == [4])
    #expect(try serials { ($0.isUnchecked, $0.isByPlace) = (true, true) } == [3, 4, 5])
  }

  @Test func segmentsOfAnotherTimeAreNotOpened() throws {
    let names = [0, 1, 2, 3].map { SegmentName(timeMs: start + $0 * 3_600_000, firstSerial: 1).fileName }
    for (index, name) in names.enumerated() { try directory.write(name, index == 2 ? line(7, start + 7_300_000) : "damaged\n") }
    try directory.write(SegmentName.live, line(9, start + 14_500_000))
    func answer(_ since: Int64?, _ until: Int64?) throws -> Answer {
      try ask([source]) { ($0.filter.sinceMs, $0.filter.untilMs) = (since.map { start + $0 }, until.map { start + $0 }) }
    }
    let quiet = try answer(7_200_000 + OwnLog.slackMs + 1, 10_800_000 - OwnLog.slackMs - 1)
    #expect(quiet.lines.isEmpty && quiet.said.isEmpty && quiet.outcome.corrupt == 0 && quiet.outcome.exit == .findings)
    let near = try answer(7_200_000 + OwnLog.slackMs, 10_800_000 - OwnLog.slackMs)
    #expect(near.outcome.corrupt == 2 && near.outcome.exit == .inputOutput)
    let all = try answer(nil, nil)
    #expect(all.serials == [7, 9] && all.outcome.corrupt == 3)
    #expect(all.said == [0, 1, 3].map { "fsaudit: \(directory[names[$0]]):1: no line of the log, or a damaged one" })
  }

  @Test func unreadableLinesAreCountedAndPlaced() throws {
    let good = line(1, start)
    let torn = SegmentName(timeMs: start, firstSerial: 1).fileName
    try directory.write(torn, good + "\n" + good + "{\"@timestamp\":\"\u{0}\u{0}\n" + good + "{\"@timestamp\":\"2026-1")
    let long = String(repeating: "x", count: LineReader.maximumLineBytes + 200_000)
    try directory.write(SegmentName.live, "{\"a\":1}\n" + long + "\n" + good + "no\n" + good + "{\"@timestamp\":\"2026-1")
    let answer = try ask([source])
    #expect(
      answer.outcome.matched == 6 && answer.outcome.corrupt == 4 && answer.outcome.tooLong == 1 && answer.outcome.exit == .inputOutput)
    let places = [(torn, 2), (torn, 4), (torn, 6), (SegmentName.live, 4)]
    #expect(answer.said == places.map { "fsaudit: \(directory[$0.0]):\($0.1): no line of the log, or a damaged one" })
    // also with a filter that lets most lines be passed over
    let filtered = try ask([source]) { $0.filter.conditions = [words(.key, "none")] }
    #expect(filtered.outcome.corrupt == 4 && filtered.outcome.tooLong == 1 && filtered.said == answer.said)
  }

  /// A line is known by its key without being taken apart; a name that looks like one is none.
  @Test func aKeyIsKnownAtSight() throws {
    func holds(_ keys: [String], _ text: String) throws -> Bool {
      var filter = Filter()
      filter.conditions = [FilterCondition(.key, words: keys.map { Array($0.utf8) })]
      let match = try #require(KeyMatch(filter))
      return Array(text.utf8).withUnsafeBytes { match.holds(in: $0) }
    }
    #expect(try holds(["a"], #"{"x":{},"tags":["a"],"host":1}"#) && holds(["b"], #"{"x":{},"tags":["a","b"]}"#))
    #expect(try holds(["c", "b"], #"{"x":{},"tags":["a","b"]}"#))
    #expect(try !holds(["b"], #"{"x":{},"tags":["a"],"b":["b"]}"#) && !holds(["a"], #"{"x":{},"tags":["ab"]}"#))
    #expect(try !holds(["a"], #"{"x":",\"tags\":[\"a\"]"}"#) && !holds(["a"], #"{"x":{},"tags":["\u0061"]}"#))
    #expect(try !holds(["a"], #"{"x":{},"tags":["#) && !holds(["a"], #"{"x":{},"tags":["a"#) && !holds(["a"], #"{"x":{},"tags":["b","#))
    var other = Filter()
    other.conditions = [FilterCondition(.key, words: [Array("a\"b".utf8)])]
    #expect(KeyMatch(other) == nil && KeyMatch(Filter()) == nil)
  }

  /// The newest answers, also behind more gaps than answers are wanted, and where so many lines come that the oldest are forgotten.
  @Test(arguments: [990, 998, 999, 1500]) func gapsTakeNoPlaceOfTheNewest(count: Int) throws {
    let gap = at(start + 1, #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"gap","dataset":"fsaudit.gap"}}"#) + "\n"
    let lines = (1...count).map { line($0, start + Int64($0)) }.joined()
    try directory.write(SegmentName.live, lines + gap + gap + gap + gap)
    let answer = try ask([source]) { ($0.filter.conditions, $0.isReversed, $0.limit) = ([words(.text, "fsaudit.file")], true, 3) }
    #expect(answer.outcome.matched == 3 && answer.outcome.gaps == 4)
    #expect(answer.lines.compactMap { parsed($0).sequence } == [count, count - 1, count - 2].map(UInt32.init))
  }

  /// A packed segment of several blocks whose last byte, of the check sum, is wrong: what is before it is given once.
  @Test func aDamagedSegmentIsReadOnce() throws {
    let name = SegmentName(timeMs: start, firstSerial: 1, isCompressed: true).fileName
    let plain = try directory.write("plain", (1...3000).map { line($0, start + Int64($0)) }.joined())
    try #require(run("zstd", ["-q", "--check", plain, "-o", directory[name]]).status == 0)
    var bytes = try contents(of: directory[name], limitBytes: 1 << 20)
    bytes[bytes.count - 1] ^= 0x55
    try run("rm", [plain, directory[name]])
    let file = try Descriptor.open(directory[name], O_WRONLY | O_CREAT, mode: 0o600)
    try bytes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
    let answer = try ask([source])
    #expect(answer.outcome.exit == .inputOutput && answer.outcome.corrupt == 0 && answer.said.count == 1)
    // the last block comes with the check sum, or not at all
    let sequences = answer.lines.compactMap { parsed($0).sequence }
    #expect(sequences.count > 2000 && sequences == (0..<sequences.count).map { UInt32($0 + 1) })
  }

  @Test func anEmptyPackedSegmentIsDamaged() throws {
    let name = SegmentName(timeMs: start, firstSerial: 1, isCompressed: true).fileName
    try directory.write(name, "")
    try directory.write(SegmentName.live, line(2, start + 2))
    let answer = try ask([source])
    #expect(answer.serials == [2] && answer.outcome.exit == .inputOutput && answer.said.count == 1 && answer.said[0].contains(name))
    // nothing, packed
    try directory.write("empty", "")
    try run("zstd", ["-q", "-f", directory["empty"], "-o", directory[name]])
    #expect(try ask([source]).outcome.exit == .ok)
  }

  /// A gap is written when it is over, maybe days and a segment later; it belongs to every time that it covers.
  @Test(arguments: [false, true]) func aGapBelongsToTheTimeItCovers(isRotated: Bool) throws {
    let hour: Int64 = 3_600_000
    var writer = JSONWriter()
    writer.line(
      Gap(.notRunning, sinceMs: start + hour, untilMs: start + 50 * hour, detail: "killed"), timeMs: start + 50 * hour, host: "host")
    let gap = String(decoding: writer.bytes, as: UTF8.self)
    let (before, after) = (line(1, start), gap + line(2, start + 50 * hour + 1))
    if isRotated {
      try directory.write(SegmentName(timeMs: start, firstSerial: 1).fileName, before)
      try directory.write(SegmentName(timeMs: start + 50 * hour, firstSerial: 2).fileName, after)
      try directory.write(SegmentName(timeMs: start + 60 * hour, firstSerial: 3).fileName, line(3, start + 60 * hour))
    } else {
      try directory.write(SegmentName(timeMs: start, firstSerial: 1).fileName, before + after)
    }
    try directory.write(SegmentName.live, line(4, start + 70 * hour))
    for isReversed in [false, true] {
      for filter in [[], [words(.serial, "1")]] {
        func gaps(_ since: Int64?, _ until: Int64?) throws -> Int {
          try ask([source]) {
            ($0.filter.conditions, $0.filter.sinceMs, $0.filter.untilMs) = (
              filter, since.map { start + $0 * hour }, until.map { start + $0 * hour }
            )
            $0.isReversed = isReversed
          }.lines.count { $0.contains("not_running") }
        }
        #expect(try gaps(10, 20) == 1 && gaps(nil, 2) == 1 && gaps(49, nil) == 1 && gaps(0, 1) == 1 && gaps(50, 60) == 1)
        #expect(try gaps(51, 60) == 0 && gaps(nil, 0) == 0 && gaps(-5, -1) == 0)
      }
    }
  }

  /// What is not wanted is less than all, and seals are nobody's changes.
  @Test func notOnlyTakesAway() throws {
    let seal = at(start + 1, #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"seal","dataset":"fsaudit.seal"}}"#) + "\n"
    let gap = at(start + 1, #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"gap","dataset":"fsaudit.gap"}}"#) + "\n"
    try directory.write(SegmentName.live, line(1, start) + seal + gap + line(2, start + 2))
    func count(_ exclusion: FilterCondition?, _ condition: FilterCondition? = nil) throws -> Int {
      try ask([source]) { ($0.filter.exclusions, $0.filter.conditions) = (exclusion.map { [$0] } ?? [], condition.map { [$0] } ?? []) }
        .lines.count
    }
    #expect(try count(nil) == 3 && count(words(.user, "nobody")) == 3 && count(words(.serial, "1")) == 2)
    #expect(try count(nil, words(.action, "seal")) == 2 && count(words(.action, "gap"), words(.serial, "1")) == 2)
  }

  @Test func gapsBelongToTheAnswer() throws {
    let gap = at(start + 1, #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"gap","dataset":"fsaudit.gap"}}"#) + "\n"
    try directory.write(SegmentName.live, line(1, start) + gap + line(2, start + 2) + gap + line(3, start + 3))
    let answer = try ask([source]) { $0.filter.conditions = [words(.serial, "2")] }
    #expect(answer.lines.count == 3 && answer.outcome.matched == 1 && answer.outcome.gaps == 2)
    // they take no place of an answer
    let limited = try ask([source]) { ($0.filter.exclusions, $0.limit) = ([words(.action, "gap")], 2) }
    #expect(limited.outcome.matched == 2 && limited.serials == [1, 2])
    let none = try ask([source]) { $0.filter.conditions = [words(.serial, "4")] }
    #expect(none.outcome.exit == .findings && none.outcome.gaps == 2)
  }

  @Test func aLogThatIsNotThereIsAFault() throws {
    let answer = try ask([.log(directory: directory["none"])])
    #expect(answer.outcome.fault == .inputOutput && answer.said.count == 1 && answer.said[0].contains("--log"))
    try directory.write(SegmentName.live, line(1, start))
    let both = try ask([.log(directory: directory["none"]), source])
    #expect(both.serials == [1] && both.outcome.exit == .inputOutput)
    #expect(throws: Failure.self) { try ask([source]) { $0.wantsRecords = true } }
  }

  @Test func aDirectoryWithoutALogIsAFault() throws {
    try directory.write("notes.txt", "")
    let none = try ask([source])
    #expect(none.outcome.fault == .inputOutput && none.said.count == 1 && none.said[0].contains("no log in this directory: start"))
    for name in ["web-1", "web-2", "web-3", "web-4", "none"] { try directory.makeDirectory(name) }
    for name in 1...4 { try directory.write("web-\(name)/" + SegmentName.live, "") }
    let hosts = try ask([source])
    #expect(hosts.outcome.fault == .inputOutput && hosts.said.count == 1)
    let advice = [1, 2, 3].map { "--log \(directory["web-\($0)"])" }.joined(separator: " ")
    #expect(hosts.said[0].hasSuffix("name the logs below it: \(advice) and 1 more"))
    // a log without a line, and one without a line of that time
    #expect(try ask([.log(directory: directory["web-1"])]).outcome.exit == .findings)
    try directory.write(SegmentName(timeMs: start, firstSerial: 1).fileName, line(1, start))
    let early = try ask([source]) { $0.filter.untilMs = start - 3_600_000 }
    #expect(early.outcome.exit == .findings && early.said.isEmpty)
  }

  /// A name that is no UTF-8, and one so long that its readable form is cut, are found by their bytes.
  @Test func namesAreFoundByTheirBytes() throws {
    let broken: [UInt8] = Array("/srv/x".utf8) + [0xff, 0x22, 0x0a] + Array("y.conf".utf8)
    let long = Array(String(repeating: "/\u{1}\u{2}\u{3}", count: 900).utf8) + Array("/end.conf".utf8)
    var text = ""
    for (serial, name) in [broken, long].enumerated() {
      var raw = JSONWriter()
      let end = Array(name.suffix(4096))
      raw.hexString(end.span.bytes)
      let hex = String(decoding: raw.bytes, as: UTF8.self)
      text += line(serial, start, #","file":{"path":"/cut"},"fsaudit":{"raw":{"path":\#(hex)}}"#)
    }
    try directory.write(SegmentName.live, text)
    for (glob, serials) in [
      (broken, [0]), (Array("/srv/x".utf8) + [0xff, 0x2a], [0]), (Array("*.conf".utf8), [0, 1]), (Array("end.conf".utf8), [1]),
      (Array("/srv/x".utf8) + [0xfe, 0x2a], []), (Array("/cut".utf8), []),
    ] as [([UInt8], [UInt32])] {
      let answer = try ask([source]) { $0.filter.conditions = [FilterCondition(.path, globs: [Glob(glob)])] }
      #expect(answer.serials == Set(serials), "\(glob)")
    }
    #expect(try ask([source]) { $0.filter.conditions = [FilterCondition(.text, words: [[0x78, 0xff]])] }.serials == [0])
  }
}
