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

  /// A pattern with bytes that are no UTF-8 means just those.
  @Test func patternsAreBytes() {
    let path: [UInt8] = [0x2f, 0x61, 0xff, 0xe2, 0x82, 0x2f, 0x62]
    for pattern: [UInt8] in [
      path, [0x2f, 0x61, 0xff, 0x2a, 0x2f, 0x62], [0x2f, 0x3f, 0x3f, 0x3f, 0x3f, 0x2f, 0x62],
      [0x2f, 0x61, 0x5b, 0xfe, 0x2d, 0xff, 0x5d, 0x2a, 0x2f, 0x62],
      [0x2f, 0x61, 0xff, 0xe2, 0x82],
    ] { #expect(Glob(pattern).matches(path), "\(pattern)") }
    for pattern: [UInt8] in [
      [0x2f, 0x61, 0xfe, 0x2a, 0x2f, 0x62], [0x2f, 0x3f, 0x3f, 0x3f, 0x2f, 0x62], [0x2f, 0x61, 0x5b, 0x21, 0xff, 0x5d, 0x2a, 0x2f, 0x62],
      [0x2f, 0x61, 0xff, 0xe2], Array("/a\u{fffd}*/b".utf8),
    ] { #expect(!Glob(pattern).matches(path), "\(pattern)") }
    #expect(Glob(below: Array("/a*".utf8)).matches(Array("/a*/x".utf8)) && !Glob(below: Array("/a*".utf8)).matches(Array("/ab/x".utf8)))
    #expect(Glob(below: [0x2f]).matches(path) && Glob(below: [0x2f, 0x61, 0xff, 0xe2, 0x82, 0x2f]).matches(path))
  }

  /// A character that stands for one in a pattern never splits another.
  @Test func aStarStepsOverWholeCharacters() {
    #expect(
      !Glob("/*??").matches(Array("/€".utf8)) && Glob("/*??").matches(Array("/€x".utf8)) && Glob("/**[é€]").matches(Array("/a/x€".utf8)))
  }

  @Test func theLiteralStandsInEveryPath() {
    for (pattern, literal) in [
      ("/etc/*.conf", "/etc/"), ("*.conf", ".conf"), ("/etc", "/etc"), ("**", ""), ("/a[bc]def", "def"), ("/ü/x", "/x"),
    ] {
      #expect(Glob(pattern).literal == Array(literal.utf8), "\(pattern)")
    }
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

  @Test func ausearchsWordsAreDays() throws {
    func time(_ word: String) throws -> TimeExpression { try TimeExpression(word, nowMs: now) }
    let (today, week) = (try time("today"), try time("this-week"))
    #expect(localTime(ms: week.firstMs).tm_wday == 0 && week.firstMs <= today.firstMs && today.lastMs <= week.lastMs)
    #expect((167...169).contains((week.lastMs + 1 - week.firstMs) / 3_600_000))
    let (month, year) = (try time("this-month"), try time("this-year"))
    #expect(localTime(ms: month.firstMs).tm_mday == 1 && localTime(ms: month.lastMs + 1).tm_mday == 1 && month.lastMs > today.firstMs)
    #expect(localTime(ms: year.firstMs).tm_yday == 0 && localTime(ms: year.lastMs + 1).tm_yday == 0 && year.firstMs <= month.firstMs)
    let ago = try time("week-ago")
    #expect(
      (167...169).contains((today.firstMs - ago.firstMs) / 3_600_000) && (23...25).contains((ago.lastMs + 1 - ago.firstMs) / 3_600_000))
    #expect(try time("recent").firstMs == now - 600_000)
    let boot = try TimeExpression("boot", nowMs: milliseconds(CLOCK_REALTIME)).firstMs
    let told = String(decoding: try contents(of: "/proc/stat"), as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("btime ") }
    #expect(abs(boot / 1000 - (told.flatMap { Int64($0.dropFirst(6)) } ?? 0)) <= 1)
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
    #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"renamed","outcome":"failure","sequence":6,"dataset":"fsaudit.file"},"#
      + #""file":{"path":"/srv/c","inode":"5"},"host":{"name":"web \"1\""},"#
      + #""process":{"pid":2334,"parent":{"pid":7},"name":"mv","executable":"/usr/bin/mv"},"user":{"id":"0","name":"root","effective":{"id":"33"},"#
      + #""audit":{"id":"1000","name":"alice"}},"tags":["srv","www"],"fsaudit":{"action":"rename","syscall":"renameat2","session":3,"errno":"EACCES","#
      + #""previous":{"path":"/old/b"},"raw":{"path":"2f7372762fff"}}}"#)
  private let gap = parsed(#"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"gap","dataset":"fsaudit.gap"}}"#)

  private func words(_ field: FilterField, _ words: String...) -> FilterCondition {
    FilterCondition(field, words: words.map { Array($0.utf8) })
  }

  private func globs(_ field: FilterField, _ globs: String...) -> FilterCondition { FilterCondition(field, globs: globs.map { Glob($0) }) }

  private func verdict(on line: LogLine, _ conditions: [FilterCondition], not exclusions: [FilterCondition] = []) -> Filter.Verdict {
    var filter = Filter()
    (filter.conditions, filter.exclusions) = (conditions, exclusions)
    return filter.verdict(on: line)
  }

  private var wanted: [FilterCondition] {
    [
      words(.key, "x", "www"), globs(.path, "/srv"), globs(.path, "/old/*"), words(.user, "root"), words(.user, "33"),
      words(.user, "alice"),
      words(.auid, "1000"), words(.auid, "alice"), words(.pid, "1", "2334"), words(.ppid, "7"), words(.session, "3"), globs(.exe, "mv"),
      globs(.exe, "/usr/bin/*"), words(.comm, "mv"), words(.action, "rename"), words(.action, "renamed"), words(.syscall, "renameat2"),
      words(.result, "failure"), words(.result, "EACCES"), words(.host, "web \"1\""), words(.serial, "6"), words(.inode, "5", "9"),
      words(.text, "nameat"), words(.text, "b \"1"), words(.text, "233"), words(.text, ""),
      FilterCondition(.path, globs: [Glob([0x2a, 0xff])]),
      FilterCondition(.under, globs: [Glob(below: Array("/srv".utf8))]), FilterCondition(.text, words: [[0x2f, 0xff]]),
      FilterCondition(.session, words: [[0x33]], wantsUnset: true),
    ]
  }

  private var unwanted: [FilterCondition] {
    [
      words(.key, "sr"), globs(.path, "/etc"), globs(.path, "/srv/c"), words(.user, "bob"), words(.auid, "root"),
      FilterCondition(.auid, words: [], wantsUnset: true), words(.pid, "233"), words(.ppid, "2334"), words(.session, "4"),
      globs(.exe, "cp"),
      words(.comm, "m"), words(.action, "delete"), words(.syscall, "rename"), words(.result, "success"), words(.host, "web"),
      words(.serial, "60"), words(.inode, "55"), words(.text, "tags"), words(.text, "nameatx"),
      FilterCondition(.path, globs: [Glob([0x2a, 0xfe])]), FilterCondition(.under, globs: [Glob(below: Array("/sr".utf8))]),
      FilterCondition(.text, words: [[0xff, 0xff]]), FilterCondition(.session, words: [], wantsUnset: true),
    ]
  }

  @Test func everyFieldIsAsked() {
    #expect(Set((wanted + unwanted).map(\.field)) == Set(FilterField.allCases))
    for one in wanted {
      #expect(verdict(on: line, [one]) == .matches && verdict(on: line, [], not: [one]) == .no, "\(one)")
      for other in wanted { #expect(verdict(on: line, [one, other]) == .matches) }
    }
    for one in unwanted {
      #expect(verdict(on: line, [one]) == .no && verdict(on: line, [], not: [one]) == .matches, "\(one)")
      for other in wanted { #expect(verdict(on: line, [one, other]) == .no) }
    }
    #expect(verdict(on: line, []) == .matches)
  }

  @Test func unsetIsNoNumberOrTheLargest() {
    for text in ["{}", "{\"user\":{\"audit\":{\"id\":\"4294967295\"}}}"] {
      #expect(verdict(on: parsed(text), [FilterCondition(.auid, words: [], wantsUnset: true)]) == .matches)
      #expect(verdict(on: parsed(text), [], not: [FilterCondition(.auid, words: [], wantsUnset: true)]) == .no)
    }
  }

  @Test func timesAreInclusive() {
    var filter = Filter()
    for (since, until, verdict) in [
      (1_795_217_571_738, 1_795_217_571_738, Filter.Verdict.matches), (1_795_217_571_739, nil, .no), (nil, 1_795_217_571_737, .no),
    ] as [(Int64?, Int64?, Filter.Verdict)] {
      (filter.sinceMs, filter.untilMs) = (since, until)
      #expect(filter.verdict(on: line) == verdict && filter.verdict(on: gap) == verdict)
      #expect(filter.verdict(on: parsed("{}")) == .no)
    }
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
    #expect(verdict(on: gap, [globs(.path, "/etc")]) == .gap)
    #expect(verdict(on: gap, [words(.action, "gap")]) == .matches)
    #expect(verdict(on: gap, [], not: [words(.action, "gap")]) == .gap)
  }
}
