import Glibc
import System
import Testing

@testable import EventLog

@Suite struct GlobTests {
  @Test(arguments: [
    ("/etc", "/etc", true), ("/etc", "/etc/passwd", true), ("/etc/", "/etc/a/b", true), ("/etc", "/etcx", false), ("/", "/x", true),
    ("/etc/*", "/etc/passwd", true), ("/etc/*", "/etc/a/b", false), ("/etc/**", "/etc/a/b", true), ("/etc/**", "/etc", false),
    ("/etc/**/b", "/etc/x/y/b", true), ("/etc/**/b", "/etc/b", false), ("*.conf", "/etc/a/x.conf", true), ("*.conf", "/x.conf/y", false),
    ("x.conf", "/etc/x.conf", true), ("x.conf", "/etc/x.conf/y", false), ("/a?c", "/abc", true), ("/a?c", "/a/c", false),
    ("/a?c", "/aäc", true), ("/[a-c]x", "/bx", true), ("/[!a-c]x", "/bx", false), ("/[^a-c]x", "/dx", true), ("/[]x]", "/]", true),
    ("/[a", "/[a", true), ("/\\*", "/*", true), ("/\\*", "/x", false), ("/a*b*c", "/aXbYbZc", true), ("/a*b*c", "/aXbYbZ", false),
    ("**", "/any/thing", true), ("/**", "/any/thing", true), ("/srv/**/*.py", "/srv/a/b/c.py", true), ("/漢*", "/漢字", true),
    ("/[z-a]", "/m", true), ("", "", true), ("", "/x", false), ("/a**b", "/axx/yb", true), ("/*/x", "/a/b/x", false),
    ("/**/x*y/z", "/1/xay/2/xby/z", true),
  ])
  func patternsMeanPaths(pattern: String, path: String, wanted: Bool) {
    #expect(Glob(pattern).matches(Array(path.utf8)) == wanted)
  }

  @Test func aBrokenByteIsOneCharacter() {
    #expect(Glob("/a?b").matches([0x2f, 0x61, 0xff, 0x62]))
    #expect(Glob("/a*").matches([0x2f, 0x61, 0xff, 0xfe]))
    #expect(!Glob("/a\u{fffd}b").matches([0x2f, 0x61, 0xff, 0x62]))
  }

  /// What defeats backtracking matchers: 2^n steps there, none to speak of here.
  @Test func hostilePatternsEnd() {
    let path = Array(("/" + String(repeating: "a/", count: 2000)).utf8)
    #expect(!Glob("/" + String(repeating: "*a**", count: 100) + "b").matches(path))
    #expect(!Glob(String(repeating: "/**/a*", count: 50) + "/b").matches(path))
  }

  /// Against fnmatch(3) with FNM_PATHNAME, for patterns that mean the same to both.
  @Test func agreesWithFnmatch() {
    var random = SplitMix(seed: 6)
    let (patternPieces, textPieces) = (["*", "?", "a", "b", "/", "[ab]", "[!a]"], ["a", "b", "/", "c"])
    for _ in 0..<20_000 {
      var pattern = "/"
      for _ in 0..<Int.random(in: 1...7, using: &random) { pattern += patternPieces.randomElement(using: &random) ?? "" }
      pattern = pattern.replacing("**", with: "*").replacing("**", with: "*").replacing("**", with: "*")
      guard pattern.contains("*") || pattern.contains("?") || pattern.contains("[") else { continue }
      var text = "/"
      for _ in 0..<Int.random(in: 0...8, using: &random) { text += textPieces.randomElement(using: &random) ?? "" }
      #expect(Glob(pattern).matches(Array(text.utf8)) == (fnmatch(pattern, text, FNM_PATHNAME) == 0), "\(pattern) \(text)")
    }
  }
}

@Suite struct TimeExpressionTests {
  /// 2026-11-21T12:00:00.500Z; the tests' zone is whatever the machine has.
  private let now: Int64 = 1_795_262_400_500

  @Test(
    arguments: [
      ("now", 0, 0), ("90s", -90_000, -90_000), ("30m", -1_800_000, -1_800_000), ("2h", -7_200_000, -7_200_000),
      ("2d", -172_800_000, -172_800_000), ("1w", -604_800_000, -604_800_000), ("2026-11-21T12:00:00Z", -500, 499),
      ("2026-11-21T12:00Z", -500, 59_499), ("2026-11-21 12:00:00.500Z", 0, 0), ("2026-11-21T13:00:00+01:00", -500, 499),
      ("2026-11-21T07:00:00-0500", -500, 499), ("1970-01-01T00:00:00Z", -1_795_262_400_500, -1_795_262_399_501),
    ] as [(String, Int64, Int64)])
  func instantsAreAbsoluteOrRelative(text: String, first: Int64, last: Int64) throws {
    let time = try TimeExpression(text, nowMs: now)
    #expect(time.firstMs == now + first && time.lastMs == now + last)
  }

  @Test func localTimesAreTheZones() throws {
    let here = localTime(ms: now)
    let date = "\(here.tm_year + 1900)-\(pad(Int64(here.tm_mon) + 1, 2))-\(pad(Int64(here.tm_mday), 2))"
    let clock = "\(pad(Int64(here.tm_hour), 2)):\(pad(Int64(here.tm_min), 2)):\(pad(Int64(here.tm_sec), 2))"
    for text in ["\(date) \(clock)", "\(date)T\(clock)", clock] {
      let time = try TimeExpression(text, nowMs: now)
      #expect(time.firstMs == now - 500 && time.lastMs == now + 499)
    }
    let (today, day, yesterday) = (
      try TimeExpression("today", nowMs: now), try TimeExpression(date, nowMs: now), try TimeExpression("yesterday", nowMs: now)
    )
    #expect(today.firstMs == day.firstMs && today.lastMs == day.lastMs)
    #expect(today.firstMs <= now && now <= today.lastMs && yesterday.lastMs + 1 == today.firstMs)
    #expect((23...25).contains((yesterday.lastMs + 1 - yesterday.firstMs) / 3_600_000))
  }

  @Test(arguments: [
    "", " ", "h", "2", "2x", "-2h", "2 h", "1234567h", "25:00", "12:60", "12", "2026-13-01", "2026-00-01", "2026-1-32", "26-11-21",
    "2026-02-29", "2026-11-31", "2026-11-21 12:00+24:00", "2026-11-21 12:00+01:60", "2026-11-21 25:00", "2026-11-21 12:00:00+1",
    "2026-11-21 12:00:00 x", "12:00:00.", "Z", "T", "+", "٣h",
  ])
  func everythingElseIsAUsageError(text: String) {
    #expect { try TimeExpression(text, nowMs: now) } throws: { ($0 as? Failure)?.exit == .usage }
  }
}

@Suite struct FilterTests {
  private let line = parsed(
    #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"renamed","outcome":"failure","dataset":"fsaudit.file"},"#
      + #""file":{"path":"/srv/c"},"#
      + #""process":{"pid":2334,"name":"mv","executable":"/usr/bin/mv"},"user":{"id":"0","name":"root","effective":{"id":"33"},"#
      + #""audit":{"id":"1000","name":"alice"}},"tags":["srv","www"],"fsaudit":{"action":"rename","errno":"EACCES","#
      + #""previous":{"path":"/old/b"},"raw":{"path":"2f7372762fff"}}}"#)
  private let gap = parsed(#"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"gap","dataset":"fsaudit.gap"}}"#)

  private func verdict(on line: LogLine, _ change: (inout Filter) -> Void) -> Filter.Verdict {
    var filter = Filter()
    change(&filter)
    return filter.verdict(on: line)
  }

  @Test func everyFieldIsAsked() {
    let wanted: [(inout Filter) -> Void] = [
      { _ in }, { $0.keys = ["x", "www"] }, { $0.paths = [Glob("/srv")] }, { $0.paths = [Glob("/old/*")] }, { $0.users = ["root"] },
      { $0.users = ["33"] }, { $0.users = ["alice"] }, { $0.auditUsers = ["1000"] }, { $0.auditUsers = ["alice"] },
      { $0.processes = [1, 2334] }, { $0.executables = [Glob("mv")] }, { $0.executables = [Glob("/usr/bin/*")] },
      { $0.actions = ["rename"] },
      { $0.actions = ["renamed"] }, { $0.results = ["failure"] }, { $0.results = ["EACCES"] }, { $0.sinceMs = 1_795_217_571_738 },
      { $0.untilMs = 1_795_217_571_738 }, { ($0.keys, $0.users, $0.processes) = (["srv"], ["root"], [2334]) },
    ]
    for (index, change) in wanted.enumerated() { #expect(verdict(on: line, change) == .matches, "\(index)") }
    let unwanted: [(inout Filter) -> Void] = [
      { $0.keys = ["sr"] }, { $0.paths = [Glob("/etc")] }, { $0.paths = [Glob("/srv/c")] }, { $0.users = ["bob"] },
      { $0.auditUsers = ["root"] }, { $0.auditUsers = ["unset"] }, { $0.processes = [233] }, { $0.executables = [Glob("cp")] },
      { $0.actions = ["delete"] }, { $0.results = ["success"] }, { $0.sinceMs = 1_795_217_571_739 }, { $0.untilMs = 1_795_217_571_737 },
      { ($0.keys, $0.users) = (["srv"], ["bob"]) },
    ]
    for (index, change) in unwanted.enumerated() { #expect(verdict(on: line, change) == .no, "\(index)") }
    #expect(verdict(on: parsed("{\"user\":{\"audit\":{\"id\":\"4294967295\"}}}")) { $0.auditUsers = ["unset"] } == .matches)
  }

  @Test func aWordThatNoLineCanHaveIsNone() {
    for word in ["rename", "renamed", "gap", "reload", "config-change", "user-login"] { #expect(Filter.isAction(word), "\(word)") }
    for word in ["nonsense", "", "1", "Rename", "created "] { #expect(!Filter.isAction(word), "\(word)") }
    for (word, result) in [("success", "success"), ("unknown", "unknown"), ("EACCES", "EACCES"), ("eperm", "EPERM")] {
      #expect(Filter.result(word) == result)
    }
    for word in ["", "maybe", "EWRONG", "E"] { #expect(Filter.result(word) == nil, "\(word)") }
  }

  @Test func aGapBelongsToEveryAnswerAboutItsTime() {
    #expect(verdict(on: gap) { $0.paths = [Glob("/etc")] } == .gap)
    #expect(verdict(on: gap) { $0.actions = ["gap"] } == .matches)
    #expect(verdict(on: gap) { $0.sinceMs = .max } == .no)
  }
}
