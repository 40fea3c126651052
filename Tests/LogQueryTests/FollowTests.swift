import EventLog
import LogQuery
import System
import TestSupport
import Testing

/// One file's life through all its names.
@Suite struct FollowTests {
  private let directory: TemporaryDirectory
  /// What happened, by serial from 1; `rename a b` and so on.
  private static let story = [
    "create /s/a", "write /s/a", "create /s/other", "rename /s/a /s/d/a", "chmod /s/d/a", "rename /s/d /s/e", "write /s/e/a",
    "write /s/d/a",
    "rename /s/e/a /s/b", "create /s/a", "write /s/a", "rename /s/other /s/b", "write /s/b", "delete /s/a", "create /s/a", "write /s/a",
    "exchange /s/a /s/c", "write /s/c", "write /s/a", "rename /s /t", "delete /t/c", "write /t/a", "write /s/a",
  ]

  init() throws {
    directory = try TemporaryDirectory()
    var text = ""
    for (index, words) in Self.story.map({ $0.split(separator: " ").map(String.init) }).enumerated() {
      let (path, previous) = words.count > 2 ? (words[2], #","previous":{"path":"\#(words[1])"}"#) : (words[1], "")
      text +=
        #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"outcome":"success","sequence":\#(index + 1)},"file":{"path":"\#(path)"},"#
        + #""fsaudit":{"action":"\#(words[0])"\#(previous)}}"# + "\n"
    }
    try directory.write(SegmentName.live, text)
  }

  @Test(
    arguments: [
      // the first file called a, until it was replaced; by any of its names
      ("/s/d/a", [1, 2, 4, 5, 6, 7, 9, 12]), ("/s/e/a", [1, 2, 4, 5, 6, 7, 9, 12]),
      // what replaced it
      ("/s/b", [3, 12, 13, 20]), ("/s/other", [3, 12, 13, 20]),
      // of several that had the name, the last
      ("/t/c", [15, 16, 17, 18, 20, 21]), ("/s/c", [15, 16, 17, 18, 20, 21]), ("/t/a", [17, 19, 20, 22]), ("/none", []),
    ] as [(String, [UInt32])])
  func aLifeIsWhole(path: String, serials: [UInt32]) throws {
    let source = Source.log(directory: directory.path)
    let answer = try ask([source]) { $0.followedFile = Array(path.utf8) }
    #expect(answer.lines.compactMap { parsed($0).sequence } == serials)
    let backwards = try ask([source]) { ($0.followedFile, $0.isReversed) = (Array(path.utf8), true) }
    #expect(backwards.lines == answer.lines.reversed())
    let writes = try ask([source]) { ($0.followedFile, $0.filter.conditions) = (Array(path.utf8), [words(.action, "write")]) }
    #expect(writes.lines == answer.lines.filter { $0.contains("\"write\"") })
  }

  /// Lines a second apart, by serial from 0.
  private func write(_ story: [String]) throws {
    var text = ""
    for (index, words) in story.map({ $0.split(separator: " ").map(String.init) }).enumerated() {
      let (path, previous) = words.count > 2 ? (words[2], #","previous":{"path":"\#(words[1])"}"#) : (words[1], "")
      text +=
        #"{"@timestamp":"2026-11-20T23:32:\#(10 + index).000Z","event":{"outcome":"success","sequence":\#(index)},"#
        + #""file":{"path":"\#(path)"},"fsaudit":{"action":"\#(words[0])"\#(previous)}}"# + "\n"
    }
    try directory.write(SegmentName.live, text)
  }

  private func follow(_ path: String, since: Int64? = nil, until: Int64? = nil) throws -> (serials: [UInt32], said: [String]) {
    let start: Int64 = 1_795_217_530_000
    let answer = try ask([.log(directory: directory.path)]) {
      $0.followedFile = Array(path.utf8)
      $0.filter.sinceMs = since.map { start + $0 * 1000 }
      $0.filter.untilMs = until.map { start + $0 * 1000 + 999 }
    }
    return (answer.lines.compactMap { parsed($0).sequence }, answer.said)
  }

  private func note(_ count: String, _ until: String) -> [String] {
    ["fsaudit: note: \(count) had this name before: --until 2026-11-20T23:32:\(until)Z"]
  }

  /// Of several files that had a name, the one that had it last by the time asked for; the others are told of.
  @Test func earlierFilesOfTheNameAreAskedForByTime() throws {
    try write([
      "write /a", "create /t", "rename /t /a", "write /a", "delete /a", "create /a", "rename /a /b", "write /b", "create /a",
      "rename /a /c",
      "rename /b /a", "write /a",
    ])
    var answer = try follow("/a")
    #expect(answer.serials == [5, 6, 7, 10, 11] && answer.said == note("3 other files", "19.999"))
    answer = try follow("/a", until: 9)
    #expect(answer.serials == [8, 9] && answer.said == note("3 other files", "17.999"))
    answer = try follow("/a", until: 7)
    #expect(answer.serials == [5, 6, 7] && answer.said == note("2 other files", "14.999"))
    answer = try follow("/a", until: 4)
    #expect(answer.serials == [1, 2, 3, 4] && answer.said == note("1 other file", "11.999"))
    answer = try follow("/a", until: 1)
    #expect(answer.serials == [0] && answer.said.isEmpty)
    // the time asked for is that of the others, too
    #expect(try follow("/a", since: 9).said == note("1 other file", "19.999"))
    #expect(try follow("/a", since: 11).said.isEmpty && follow("/b").said.isEmpty && follow("/none").said.isEmpty)
  }

  @Test func aDeletionWhoseCreationIsMissingEndsAnEarlierFile() throws {
    try write(["create /a", "delete /a", "write /a", "rename /a /b"])
    #expect(try follow("/a").serials == [2, 3] && follow("/a").said == note("1 other file", "11.000"))
    #expect(try follow("/a", until: 1).serials == [0, 1])
  }

  @Test func thousandsOfFilesWithOneNameAreNotCounted() throws {
    try write((0..<40).flatMap { _ in ["create /a", "delete /a"] }.prefix(45).map { $0 })
    #expect(try follow("/a").said == note("22 other files", "53.999"))
    let line = { (action: String, at: Int) in
      #"{"@timestamp":"2026-11-20T23:33:00.\#(at)Z","event":{"outcome":"success","sequence":1},"file":{"path":"/a"},"#
        + #""fsaudit":{"action":"\#(action)"}}"# + "\n"
    }
    try directory.write(SegmentName.live, (0..<400).map { line($0 % 2 == 0 ? "create" : "delete", 100 + $0) }.joined())
    #expect(try follow("/a").said == ["fsaudit: note: 100 or more other files had this name before: --until 2026-11-20T23:33:00.497Z"])
  }
}
