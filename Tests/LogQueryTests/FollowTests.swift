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
}
