import System
import TestSupport
import Testing

@testable import Baseline

/// What is read, and what is said about what cannot be.
@Suite struct ConfigTests {
  private func parse(_ text: String, host: ConfigHost = .system) throws -> SelectionConfig {
    try SelectionConfig.parse(Array(text.utf8), file: "a.conf", host: host)
  }

  @Test(arguments: [
    ("/etc foo", "a.conf:1:6: foo is no attribute, and no group that is defined before this line"),
    ("\n  /etc pug", "a.conf:2:8: pug is no attribute, and no group that is defined before this line: write p+u+g?"),
    ("/etc sha265", "did you mean sha256?"),
    ("/etc p+", "a.conf:1:8: an attribute or a group is missing"),
    ("/etc", "a.conf:1:5: an attribute or a group is missing"),
    ("/etc f,q p", "a.conf:1:8: q is no kind of file"),
    ("/etc p,u", "a.conf:1:8: u is no kind of file"),
    ("!/etc R", "a.conf:1:7: R is no kind of file, and a negative rule takes no attributes"),
    ("!/etc f R", "a.conf:1:9: `R` follows a negative rule"),
    ("! /etc", "a.conf:1:2: a blank where a path begins"),
    ("=etc p", "a.conf:1:2: `etc` where a path begins"),
    ("etc p", "a.conf:1:5: `p` follows etc"),
    (".* R", "a.conf:1:1: `.*` begins no line"),
    ("/a(b R", "a.conf:1:4: the regular expression /a(b is wrong here: missing closing parenthesis"),
    ("/a\\ b[ R", "a.conf:1:6: the regular expression /a b[ is wrong here"),
    ("p = u", "a.conf:1:1: p is an attribute, and no group can have its name"),
    ("databse_in = p", "a.conf:1:1: databse_in is no option"),
    ("databse_in = p", "did you mean database_in?"),
    ("A = B\nB = p", "a.conf:1:5: B is no attribute"),
    ("A - B = p", "a.conf:1:3: `-` follows A"),
    ("@@if defined V\n/x p", "a.conf:1:1: this condition is never closed"),
    ("/x p\n@@endif", "a.conf:2:1: @@endif without its @@if"),
    ("@@if defined V\n@@else\n@@else\n@@endif", "a.conf:3:1: @@else without its @@if"),
    ("@@ifdeff V", "a.conf:1:1: @@ifdeff is no macro line: did you mean @@ifdef?"),
    ("@@if frob V\n@@endif", "a.conf:1:6: frob is no condition"),
    ("@@{V}/etc p", "a.conf:1:3: a macro begins no line"),
    ("@@define V a b", "a.conf:1:14: `b` is too much here"),
    ("@@include /nonexistent/x", "a.conf:1:11: /nonexistent/x: No such file or directory"),
    ("@@include /etc ^a$ x", "a.conf:1:20: the prefix of rules begins with x"),
    ("/a\u{0} p", "a.conf:1:3: a NUL byte"),
  ]) func errorsHaveTheirPlace(text: String, message: String) {
    let failure = #expect(throws: Failure.self) { try parse(text) }
    #expect(failure.map { "\($0)".contains(message) } == true, "\(text) → \(failure.map { "\($0)" } ?? "")")
    #expect(failure?.advice.isEmpty == false && failure?.exit == .usage)
  }

  @Test func whatIsOddIsSaid() throws {
    let config = try parse(
      """
      database=file:/x # AIDE's
      A_B = tiger+p
      /etc A_B
      /etc/ssh R-sha256+S
      /etc/ssh/sshd f R
      /etc/ssh/ssh R
      !/srv
      /srv/x R
      /@@{NONE} u
      /a\\d/x p
      """)
    #expect(
      config.warnings.map(\.description) == [
        "a.conf:2:1: A_B: newer versions of AIDE want letters and digits only in the name of a group",
        "a.conf:2:7: tiger is obsolete: sha256 is taken instead",
        "a.conf:9:2: NONE is not defined: nothing is put in its place",
        "a.conf:8:1: /srv/x R: never selects, because !/srv at a.conf:7:1 wins",
        "a.conf:10:1: /a\\d/x p: is looked for below /ad only, where nothing can match it",
      ])
    #expect(
      config.notes.map(\.description) == [
        "a.conf:1:1: database: no effect: fsaudit keeps its own database", "a.conf:4:19: S is an old name of growing+s",
      ])
    let order = try parse("/etc/a p\n/etc/ab u\n/etc/b d p\n/etc/b d u\n/etc/b u\n")
    #expect(order.warnings.map(\.place.line) == [2, 4])
  }

  @Test func digestsThatAreObsolete() throws {
    let config = try parse("ALL = md5+tiger-md5\n/a ALL\n/b H-tiger\n/c H-tiger-sha256\n/d S-growing\n/e tiger+p-H\n")
    #expect(
      config.rules.map(\.attributes.expression) == ["sha256", "md5+sha1+rmd160+sha256+sha512", "md5+sha1+rmd160+sha512", "s+growing", "p"])
  }

  @Test func macrosAndConditions() throws {
    var host = ConfigHost.system
    host.name = "web-1"
    host.exists = { $0 == "/etc/there" }
    let config = try parse(
      """
      @@define D srv/a\\ b
      @@if hostname web-1
      /@@{D}/@@{HOSTNAME}$ p  # a comment
      @@else
      nonsense that is not read =
      @@if defined D
      @@endif
      @@endif
      @@if not exists /etc/there
      /not p
      @@endif
      @@if version_ge 0.18.3
      /old u
      @@endif
      @@if version_ge 0.19
      /new u
      @@endif
      @@undef D
      @@ifndef D
      /x\\\\.y\\@z m
      @@endif
      """, host: host)
    #expect(config.rules.map { String(decoding: $0.expression, as: UTF8.self) } == ["/srv/a b/web-1$", "/old", #"/x\.y@z"#])
  }

  @Test func conditionsInConditions() throws {
    let config = try parse(
      """
      @@define YES
      @@if defined NO
      @@if defined NO
      /a p
      @@else
      /b p
      @@endif
      @@else
      @@if defined NO
      /c p
      @@else
      /d p
      @@endif
      @@if defined YES
      /e p
      @@else
      /f p
      @@endif
      /g p
      @@endif
      """)
    #expect(config.rules.map { String(decoding: $0.expression, as: UTF8.self) } == ["/d", "/e", "/g"])
  }

  /// What a few lines can make of one another is bounded, and so is what files can.
  @Test func nothingGrowsWithoutBound() throws {
    func fault(_ text: String) -> String? {
      var parser = ConfigParser(host: .system)
      parser.mostBytes = 6000
      do throws(Failure) { try parser.parse(Array(text.utf8), file: "a.conf") } catch { return error.message }
      return nil
    }
    let macro = "@@define A " + String(repeating: "a", count: 600) + "\n"
    #expect(fault(macro + String(repeating: "@@define B @@{A}\n", count: 9)) == nil)
    #expect(fault(macro + String(repeating: "@@define B @@{A}\n", count: 10))?.hasPrefix("a.conf:11:17: macros have made more") == true)
    let directory = try TemporaryDirectory()
    let file = try directory.write("big", String(repeating: "# comment\n", count: 280))
    #expect(fault(String(repeating: "@@include \(file)\n", count: 2)) == nil)
    #expect(fault(String(repeating: "@@include \(file)\n", count: 3))?.contains("big: with it the configuration has more") == true)
    // very many rules are one pass each, and none of them is lost
    let many = try parse((0..<20_000).map { "/srv/\($0)/x p\n" }.joined())
    for number in [0, 9999, 19_999] { #expect(many.decide(Array("/srv/\(number)/x".utf8), .regular).rule == number) }
  }

  @Test func includes() throws {
    let directory = try TemporaryDirectory()
    try directory.makeDirectory("d")
    try directory.write("d/20-b", "/b p\n")
    try directory.write("d/10-a", "@@include 30.c\n/a p\n")
    try directory.write("d/30.c", "/c p\n")
    try directory.write("d/40-run", "#!/bin/sh\ntouch \(directory["ran"])\n", mode: 0o755)
    let main = try directory.write("main.conf", "@@x_include \(directory["d"]) ^[0-9a-z-]+$\n@@include d ^30\\.c$ /pre\n/last p\n")
    let config = try SelectionConfig.load(main)
    #expect(config.rules.map { String(decoding: $0.expression, as: UTF8.self) } == ["/c", "/a", "/b", "/pre/c", "/last"])
    #expect(config.rules.map { $0.place.file.split(separator: "/").last } == ["30.c", "10-a", "20-b", "30.c", "main.conf"])
    #expect(config.warnings.count == 1 && config.warnings[0].text.contains("40-run is a program and was skipped"))
    #expect(throws: SystemError.self) { try status(of: directory["ran"]) }

    try directory.write("loop.conf", "@@include loop.conf\n")
    let failure = #expect(throws: Failure.self) { try SelectionConfig.load(directory["loop.conf"]) }
    #expect(failure?.message.contains("loop.conf:1:11: files include one another 16 deep") == true)
  }

  /// What is known of an expression without PCRE2 must be what PCRE2 says.
  @Test func literalsAgreeWithThePattern() throws {
    let matcher = Matcher()
    var checked = 0
    var random = ConfigGenerator(seed: 7)
    let odd = [
      "/a?b", "/ab*", "/a{0}b", "/a|/b", "/(a|b)", "/[|]a|c", "/[(]|b", "/a\\|b", "/a(?#(|)b|c", "/a\\Q|\\E", "/.*", "/a.*", "/a$", "/a$|b",
      "/\\.a",
      "/[]|]x", "/[^]]|b", "/a+", "/[[:alpha:]|]x|b", "/[\\]|]x",
    ]
    let generated = (0..<200).map { _ in random.config() }.flatMap { (try? parse($0))?.rules.map(\.expression) ?? [] }
    for expression in odd.map({ Array($0.utf8) }) + generated {
      let pattern = try Pattern(expression)
      let literal = Literal(expression)
      var paths = [Array("/".utf8), literal.bytes + [10], literal.bytes, literal.bytes + Array("b/x".utf8)]
      paths += ["/a", "/b", "/ab", "/abab", "/|", "b", "c", "/c|", "/a|b", "/.a", "/]", "/(x"].map { Array($0.utf8) }
      for path in paths where !path.isEmpty {
        let isMatch = path.withUnsafeBufferPointer { pattern.apply($0, matcher) == .match }
        let starts = path.starts(with: literal.bytes)
        let text = "\(String(decoding: expression, as: UTF8.self)) on \(String(decoding: path, as: UTF8.self))"
        if isMatch { #expect(starts, "\(text)") }
        switch literal.rest {
        case .anything: #expect(starts == isMatch, "\(text)")
        case .end: #expect((path == literal.bytes || path == literal.bytes + [10]) == isMatch, "\(text)")
        case .expression: break
        }
        checked += 1
      }
    }
    #expect(checked > 10_000)
  }
}
