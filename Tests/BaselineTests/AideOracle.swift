import Baseline
import Glibc
import Replay
import System
import TestSupport

/// AIDE itself, asked what it would do (`aide --path-check`): the Debian package, 0.18.
enum AideOracle {
  /// Whether the tests that ask it are run; where they are required, they fail without it.
  static let isThere = access("/usr/bin/aide", X_OK) == 0 || KernelLab.isRequired

  /// What was decided about a path: the attributes where it is selected, and the line of the rule.
  struct Answer: Equatable, CustomStringConvertible {
    var attributes: Set<String>?
    var line: Int?
    var description: String { "\(attributes.map { $0.sorted().joined(separator: "+") } ?? "-") by line \(line ?? 0)" }
  }

  /// AIDE's answers, in the order of the paths (`f:/path`); nil where it refuses the configuration.
  static func ask(_ config: String, _ paths: [String]) throws -> [Answer]? {
    let script = #"conf=$1; shift; for path in "$@"; do aide -c "$conf" -p "$path" 2>/dev/null; [ $? -lt 14 ] || echo refused; done"#
    let result = try run("sh", ["-c", script, "sh", config] + paths)
    let lines = result.text.split(separator: "\n").map(String.init)
    if lines.contains("refused") { return nil }
    guard lines.count == paths.count else { throw Failure("aide answered \(lines.count) of \(paths.count)", exit: .inputOutput) }
    return lines.map(answer)
  }

  /// Whether the answers are the same. `H` holds obsolete digests for AIDE and none for us, so without its SHA-256 it says nothing about that.
  static func isSame(_ ours: Answer, _ theirs: Answer) -> Bool {
    var ours = ours
    var theirs = theirs
    if theirs.attributes?.contains("crc32") == true {
      ours.attributes?.insert("sha256")
      theirs.attributes?.formUnion(["sha256"])
    }
    theirs.attributes?.subtract(obsolete)
    return ours == theirs
  }

  private static let obsolete: Set = ["tiger", "haval", "crc32", "crc32b", "whirlpool", "gost", "stribog256", "stribog512"]

  /// Reads `[X] f '/etc/passwd': selective rule: '/etc (none) p+u' (/tmp/a.conf:3: '/etc PERMS')`.
  private static func answer(_ text: String) -> Answer {
    let isSelected = text.hasPrefix("[X]")
    guard let place = text.ranges(of: "' (/").last, let rule = text.firstRange(of: " rule: '") else { return Answer() }
    let line = text[place.upperBound...].split(separator: ":").dropFirst().first.flatMap { Int($0) }
    let names = text[rule.upperBound..<place.lowerBound].split(separator: " ", omittingEmptySubsequences: false).last ?? ""
    return Answer(attributes: isSelected ? same(names.split(separator: "+").map(String.init)) : nil, line: line)
  }

  /// Our own answers to the same.
  static func ours(_ config: SelectionConfig, _ paths: [String]) -> [Answer] {
    paths.map { path in
      let kind = path.first.flatMap { FileKind(letter: $0) } ?? .regular
      let decision = config.decide(Array(path.utf8.dropFirst(2)), kind)
      return Answer(attributes: decision.attributes.map { same($0.names) }, line: decision.rule.map { config.rules[$0].place.line })
    }
  }

  /// The names with the differences evened out that the README lists: obsolete digests count as SHA-256, S as what it means.
  private static func same(_ names: [String]) -> Set<String> {
    var result = Set(names)
    if result.contains("tiger") { result.insert("sha256") }
    if result.remove("S") != nil { result.formUnion(["growing", "s"]) }
    return result
  }
}

/// Configurations and paths made of the same few names, so that they meet.
struct ConfigGenerator {
  var random: SplitMix
  private static let names = ["a", "b", "ab", "a.b", "log", "x1", "é", "b~", "l", "aa", "c d", "x+y", "a\n", "%20"]
  private static let pieces = [
    "a", "b", "ab", #"a\.b"#, #"a\\.b"#, "log", "x1", "é", "b~", "l", "aa", "a.b", ".*", "[ab]+", "(a|b)", "[^/]+", "a?", "x[0-9]", "a{2}",
    #"\d"#, "l$", "(log|x1)$", ".", #"\@"#, "(?i:LOG)", "a|b", "[[:alpha:]]", "b*", #"\Qa.b\E"#, #"c\ d"#, #"x\+y"#, ".+", #"[^\.]+"#,
    "(?=a)", "[]a]", "(/a)?", "%20", "^a", "a$/b", "(", "[a", "{b",
  ]

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  private mutating func pick(_ from: [String]) -> String { from[random.below(from.count)] }
  private mutating func chance(_ percent: Int) -> Bool { random.below(100) < percent }

  mutating func path() -> String {
    let depth = chance(3) ? 0 : 1 + random.below(5)
    return pick(["f", "d", "l", "f", "d", "s"]) + ":/" + (0..<depth).map { _ in pick(Self.names) }.joined(separator: "/")
  }

  private mutating func expression() -> String {
    let plain = Array(Self.pieces.prefix(12))
    let count = 1 + random.below(4)
    var text = ""
    for _ in 0..<count { text += "/" + pick(chance(60) ? plain : chance(92) ? Array(Self.pieces.dropLast(3)) : Self.pieces) }
    switch random.below(12) {
    case 0: return text + "/"
    case 1: return text + "$"
    case 2: return text + "/.*"
    case 3: return "/"
    case 4: return "/@@{M}" + text
    case 5: return text.hasPrefix("/.") || text.contains("(") ? text : "/(a|ab)" + text
    default: return text
    }
  }

  private mutating func attributes(_ groups: [String]) -> String {
    let names = [
      "p", "u", "g", "s", "m", "c", "i", "n", "b", "l", "acl", "sha256", "sha512", "ANF", "I", "growing", "ftype", "R", "L", ">", "X", "E",
    ]
    var text = pick(chance(50) ? groups + ["R"] : names)
    for _ in 0..<random.below(4) { text += pick(["+", "-", " + "]) + pick(chance(20) ? groups + ["H", "S", "tiger"] : names) }
    return text
  }

  mutating func config() -> String {
    var text = "@@define M \(pick(["a", "b/a", #"a\\.b"#, "(a|b)"]))\n"
    var groups = ["R"]
    for name in ["FULL", "Perms", "LOG2"] {
      text += "\(name) = \(attributes(groups))\n"
      groups.append(name)
    }
    for _ in 0..<3 + random.below(12) {
      let kinds = chance(25) ? " " + pick(["f", "d", "f,d", "l", "0", "f,l"]) : ""
      let isInside = chance(8)
      if isInside { text += pick(["@@if defined M\n", "@@if not defined M\n", "@@if exists /etc\n", "@@ifdef N\n"]) }
      switch random.below(10) {
      case 0...2: text += "!" + expression() + kinds + "\n"
      case 3: text += "=" + expression() + kinds + " " + attributes(groups) + "\n"
      default: text += expression() + kinds + " " + attributes(groups) + "\n"
      }
      if isInside { text += chance(30) ? "@@else\n/ p\n@@endif\n" : "@@endif\n" }
    }
    return text
  }
}
