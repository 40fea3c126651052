import EventLog
import Replay
import Testing

@testable import Baseline

/// A log, line by line, and what it says of differences.
private struct Log {
  var lines: [[UInt8]] = []
  var serial: UInt32 = 0

  /// A change, as the daemon writes it.
  mutating func change(
    _ action: String, _ path: String, from previous: String? = nil, by user: String = "alice", mode: String = "0644", inode: UInt64 = 7,
    target: String? = nil, outcome: String = "success", type: String = "file"
  ) {
    serial += 1
    var extra = ""
    if let previous { extra += ",\"previous\":{\"path\":\"\(previous)\"}" }
    if let target { extra += ",\"target\":{\"path\":\"\(target)\"}" }
    lines.append(
      Array(
        """
        {"@timestamp":"\(time())","event":{"outcome":"\(outcome)","sequence":\(serial),"dataset":"fsaudit.file"},\
        "file":{"path":"\(path)","inode":"\(inode)","device":"fe:00","type":"\(type)","mode":"\(mode)","uid":"0","gid":"0"},\
        "process":{"executable":"/bin/\(user)","args":["x"]},"user":{"id":"0","audit":{"id":"1000","name":"\(user)"}},"tags":["k"],\
        "fsaudit":{"action":"\(action)","key":"k"\(extra)}}
        """.utf8))
  }

  mutating func gap(until: String) {
    serial += 1
    lines.append(
      Array(
        """
        {"@timestamp":"\(time())","event":{"dataset":"fsaudit.gap"},"message":"7 events are missing",\
        "fsaudit":{"gap":{"reason":"overrun","until":"\(until)"}}}
        """.utf8))
  }

  /// - Parameter key: as JSON has it.
  mutating func ruleAdded(_ key: String) {
    serial += 1
    lines.append(
      Array(
        """
        {"@timestamp":"\(time())","event":{"dataset":"fsaudit.rules"},"fsaudit":{"records":[{"op":"add_rule","key":\(key)}]}}
        """.utf8))
  }

  /// One second a line, from 2026-11-27T00:00:00Z on.
  private func time() -> String {
    "2026-11-27T00:\(serial / 60 < 10 ? "0" : "")\(serial / 60):\(serial % 60 < 10 ? "0" : "")\(serial % 60).000Z"
  }

  static let startMs: Int64 = 1_795_737_600_000

  func explain(
    _ path: String, _ aspects: Aspects, since: Int64 = startMs + 1000, isThere: Bool = true, isDirectory: Bool = false,
    isRunning: Bool = true,
    isCovered: Bool = true, keys: [String] = ["k"], isDamaged: Bool = false, mode: UInt32? = nil, inode: UInt64 = 5
  ) throws -> Explanation {
    var subject = Subject(path: Array(path.utf8), aspects: aspects)
    subject.isThere = isThere
    subject.isDirectory = isDirectory
    subject.mode = mode
    (subject.device, subject.inode) = ("fe:00", inode)
    var explainer = Explainer(since: since, beginsMs: lines.isEmpty ? nil : Log.startMs + 1000, isRunning: isRunning) { _ in
      isCovered ? .whole(keys: keys) : .lacking("no rule watches it")
    }
    let explanations = try explainer.explain([subject]) { body in
      var refused = 0
      for line in lines where !body(line.span.bytes) { refused += 1 }
      return refused == 0 && !isDamaged
    }
    return try #require(explanations.first)
  }
}

extension Explanation {
  /// `explained: rename alice /srv/a`
  fileprivate var text: String {
    ([verdict.rawValue + ":"] + causes.map { "\($0.action) \($0.login ?? "-") \($0.path)" }).joined(separator: " ")
  }
}

@Suite struct ExplainerTests {
  @Test func aWriteExplainsTheContentAndNotTheMode() throws {
    var log = Log()
    log.change("chmod", "/other")
    log.change("open", "/srv/a", by: "bob")
    #expect(try log.explain("/srv/a", [.content, .modified]).text == "explained: open bob /srv/a")
    #expect(try log.explain("/srv/a", [.content, .owner]).text == "partly: open bob /srv/a")
    #expect(try log.explain("/srv/a", [.owner]).text == "unexplained:")
    #expect(try log.explain("/srv/b", [.content]).text == "unexplained:")
  }

  @Test func whatWasBeforeTheBaselineIsNoCause() throws {
    var log = Log()
    log.change("write", "/srv/a")
    log.change("chmod", "/srv/z")
    #expect(try log.explain("/srv/a", [.content], since: Log.startMs + 1500).text == "unexplained:")
    #expect(try log.explain("/srv/a", [.content], since: Log.startMs + 1000).text == "explained: write alice /srv/a")
  }

  @Test func attemptsThatFailedAreNoCause() throws {
    var log = Log()
    log.change("write", "/srv/z")
    log.change("write", "/srv/a", outcome: "failure")
    #expect(try log.explain("/srv/a", [.content]).text == "unexplained:")
  }

  @Test func theTrailSaysWhatItCannotKnow() throws {
    var log = Log()
    log.change("chmod", "/other")
    log.change("chmod", "/srv/c")
    #expect(try log.explain("/srv/a", [.content], isCovered: false).reason == "no rule watches it")
    #expect(try log.explain("/srv/a", [.content], isCovered: false).verdict == .uncovered)
    #expect(try log.explain("/srv/a", [.content], since: Log.startMs).reason == "the log begins after the baseline was made")
    #expect(try log.explain("/srv/a", [.content], isRunning: false).reason == "fsaudit is not running now")
    for (key, covering) in [(#""k""#, "k"), (#""a\u0001k""#, "k"), (#""(null)""#, ""), ("null", ""), (#""other""#, nil)] {
      var late = log
      late.ruleAdded(key)
      let reason = try late.explain("/srv/a", [.content], keys: [covering ?? "k"]).reason
      #expect(reason.hasPrefix("its rule was loaded after") == (covering != nil), "\(key): \(reason)")
    }
    let damaged = try log.explain("/srv/a", [.content], isDamaged: true)
    #expect(damaged.verdict == .uncovered && damaged.reason == "the log is damaged, some of it cannot be read")
    var torn = log
    torn.lines.append(Array("{\"@timestamp\":\"2026".utf8))
    #expect(try torn.explain("/srv/a", [.content]).verdict == .uncovered)
    var holed = log
    holed.gap(until: "2026-11-27T00:00:03.000Z")
    #expect(try holed.explain("/srv/a", [.content]).reason == "2026-11-27T00:00:03.000Z: 7 events are missing")
    #expect(try holed.explain("/srv/c", [.mode, .content]).verdict == .partly)
    // over before the baseline was made
    #expect(try holed.explain("/srv/a", [.content], since: Log.startMs + 4000).verdict == .unexplained)
  }

  @Test func aFilesPastFollowsItThroughRenames() throws {
    var log = Log()
    log.change("open", "/srv/.a.swp", by: "vi", inode: 9)
    log.change("rename", "/srv/a", from: "/srv/.a.swp", by: "vi", inode: 9)
    #expect(try log.explain("/srv/a", [.content, .inode], inode: 9).text == "explained: rename vi /srv/a open vi /srv/.a.swp")
    // somebody put another file there, unseen
    #expect(try log.explain("/srv/a", [.content, .inode], inode: 10).verdict == .partly)
    #expect(try log.explain("/srv/.a.swp", [.presence], isThere: false).text == "explained: rename vi /srv/a open vi /srv/.a.swp")
  }

  @Test func andThroughRenamesOfTheDirectoriesAbove() throws {
    var log = Log()
    log.change("write", "/srv/old/deep/a", by: "bob")
    log.change("rename", "/srv/new", from: "/srv/old", by: "carol", type: "dir")
    log.change("chmod", "/srv/new/deep/a", by: "dave")
    #expect(
      try log.explain("/srv/new/deep/a", [.presence]).text
        == "explained: chmod dave /srv/new/deep/a rename carol /srv/new write bob /srv/old/deep/a")
    #expect(
      try log.explain("/srv/new/deep/a", [.content, .mode]).text
        == "explained: chmod dave /srv/new/deep/a rename carol /srv/new write bob /srv/old/deep/a")
    #expect(try log.explain("/srv/old/deep/a", [.presence], isThere: false).text == "explained: rename carol /srv/new")
    // never touched, and moved all the same
    #expect(try log.explain("/srv/new/untouched", [.presence]).text == "explained: rename carol /srv/new")
    #expect(try log.explain("/srv/old/untouched", [.presence], isThere: false).text == "explained: rename carol /srv/new")
    #expect(try log.explain("/srv/old/deep/a", [.presence], isThere: true).verdict == .unexplained)
  }

  @Test func additionsAndRemovalsNeedTheRightEnd() throws {
    var log = Log()
    log.change("create", "/srv/a")
    log.change("delete", "/srv/a", by: "bob")
    #expect(try log.explain("/srv/a", [.presence], isThere: false).text == "explained: delete bob /srv/a create alice /srv/a")
    // deleted as far as the trail knows, and yet it is there
    #expect(try log.explain("/srv/a", [.presence]).verdict == .unexplained)
    log.change("create", "/srv/a", by: "carol")
    #expect(try log.explain("/srv/a", [.presence]).verdict == .explained)
    #expect(try log.explain("/srv/a", [.presence], isThere: false).verdict == .unexplained)
  }

  @Test func exchangeGivesBothTheOthersPast() throws {
    var log = Log()
    log.change("write", "/srv/a", by: "bob", inode: 1)
    log.change("write", "/srv/b", by: "carol", inode: 2)
    log.change("exchange", "/srv/a", from: "/srv/b", inode: 2)
    #expect(try log.explain("/srv/a", [.content], inode: 2).text == "explained: exchange alice /srv/a write carol /srv/b write bob /srv/a")
  }

  @Test func anotherNameOfTheFileIsFoundByItsInode() throws {
    var log = Log()
    log.change("write", "/elsewhere/b", by: "bob", inode: 33)
    #expect(try log.explain("/srv/a", [.content], inode: 33).text == "explained: write bob /elsewhere/b")
    #expect(try log.explain("/srv/a", [.content], inode: 34).verdict == .unexplained)
  }

  @Test func aDirectoryChangesWhenNamesInItDo() throws {
    var log = Log()
    log.change("create", "/srv/a", by: "bob")
    #expect(try log.explain("/srv", [.modified, .changed, .links], isDirectory: true).text == "explained: create bob /srv/a")
    #expect(try log.explain("/srv", [.mode], isDirectory: true).verdict == .unexplained)
  }

  @Test func theChainHasToLeadToWhatIsThere() throws {
    var log = Log()
    log.change("chmod", "/srv/a", mode: "0600")
    #expect(try log.explain("/srv/a", [.mode], mode: 0o100600).verdict == .explained)
    #expect(try log.explain("/srv/a", [.mode], mode: 0o104755).verdict == .unexplained)
    #expect(try log.explain("/srv/a", [.mode, .changed], mode: 0o104755).verdict == .partly)
  }

  /// Between the two readings retention deletes a segment.
  @Test func aLogThatGoesAwayIsNoAlarm() throws {
    var log = Log()
    log.change("write", "/srv/a")
    var explainer = Explainer(since: Log.startMs, beginsMs: Log.startMs, isRunning: true) { _ in .whole(keys: ["k"]) }
    var readings = 0
    let explanation = try explainer.explain([Subject(path: Array("/srv/a".utf8), aspects: .content)]) { body in
      readings += 1
      for line in log.lines where readings == 1 { _ = body(line.span.bytes) }
      return true
    }.first
    #expect(readings == 2 && explanation?.verdict == .uncovered && explanation?.reason == "some of the log went away while it was read")
  }

  /// More than can be kept in mind: the newest changes are known, and what was forgotten is not held against anybody.
  @Test func aLongLogIsForgotten() throws {
    var log = Log()
    log.change("chown", "/srv/a", by: "bob")
    for _ in 0..<1001 { log.change("write", "/srv/a") }
    #expect(try log.explain("/srv/a", [.content]).verdict == .explained)
    let old = try log.explain("/srv/a", [.owner])
    #expect(old.verdict == .uncovered && old.reason == "the log has more changes of it than are followed")
    #expect(try log.explain("/srv/b", [.owner]).verdict == .unexplained)

    var trail = Trail(entryLimit: 200)
    var line = LogLine()
    for (number, bytes) in log.lines.enumerated() where line.parse(bytes.span.bytes) { trail.add(line, identity: number) }
    let chain = trail.chain(of: Array("/srv/a".utf8), limit: 1000)
    #expect(trail.entries.count < 200 && trail.isWhole && !chain.isWhole)
    #expect(chain.entries.count >= 30 && chain.entries.first.map { trail.entries[Int($0)].line } == 1001)
    // of very many names nothing can be forgotten
    var names = Log()
    for number in 0..<300 { names.change("create", "/n\(number)") }
    for (number, bytes) in names.lines.enumerated() where line.parse(bytes.span.bytes) { trail.add(line, identity: number) }
    #expect(trail.entries.count <= 205 && !trail.isWhole)
  }

  /// A rename that cannot have been: whoever it names is not to blame for the change before it in the log.
  @Test func anImpossibleRenameBlamesNobody() throws {
    var log = Log()
    log.change("write", "/srv/z", by: "bob", inode: 3)
    log.change("rename", "/srv/a", from: "/srv/a", by: "carol", inode: 33)
    #expect(try log.explain("/srv/n", [.content], inode: 33).verdict == .unexplained)
  }

  /// Renames in circles, into themselves, of the root: nothing hangs, nothing traps.
  @Test(arguments: 0..<50) func anythingMayBeInTheLog(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    var log = Log()
    let paths = ["/", "/a", "/a/b", "/a/b/c", "/b", "/b/a", "/c/c/c", "//x//", "/a/", "relative", ""]
    let actions = ["rename", "exchange", "create", "delete", "mkdir", "rmdir", "link", "write", "chmod", "mount", "nonsense"]
    func any(_ list: [String]) -> String { list[Int(random.next() % UInt64(list.count))] }
    for _ in 0..<59 { log.change(any(actions), any(paths), from: any(paths), target: any(paths)) }
    for path in paths { _ = try log.explain(path, .all, isDirectory: true) }
  }
}
