import System
import TestSupport
import Testing

@testable import AuditControl

private func findings(_ text: String, treeLimit: Int = 100_000) -> [String] {
  var check = RuleCheck(treeLimit: treeLimit)
  for line in RuleFile.parse(Array(text.utf8), file: "a.rules") { check.check(line) }
  return check.findings.map(\.description)
}

@Suite struct RuleCheckTests {
  @Test func aByteOrderMarkIsNoPartOfARule() {
    #expect(findings("\u{feff}-w /etc/passwd -p w -k x\n") == [])
  }

  @Test func aNULIsNoPartOfARule() throws {
    let lines = RuleFile.parse(Array("-w /etc\0/passwd -p w -k x\n# \0\n".utf8), file: "a.rules")
    #expect(lines.count == 1)
    #expect(throws: Failure.self) { try lines[0].content.get() }
    if case .failure(let failure) = lines[0].content { #expect(failure.message.hasPrefix("a.rules:1: ")) }
  }

  /// One line, and the words that its finding must contain.
  @Test(arguments: [
    ("-w /proc/self -p wa", "fsaudit itself"),
    ("-a always,exit -S open -F path=/etc/passwd", "warning: no arch="), ("-a always,exit -F path=/etc/passwd -F perm=wa", "cheaper"),
    ("-a always,exit -F arch=b64 -F path=/etc/passwd -F perm=wa", "note: no -S"), ("-a always,exit -S all", "records every system call"),
    ("-w /nonexistent/x -p wa", "error: /nonexistent/x"),
    ("-a always,exit -F dir=/nonexistent -S open", "error: /nonexistent does not exist"),
    ("-a always,exit -F path=/nonexistent/x -S open", "error: the directory of"),
    ("-a always,exit -F path=/etc/nonexistent -S open", "yet"),
    ("-a always,exit -F path=/etc/ -S open", "error"), ("-a always,exit -F path=/etc -S open", "use dir="),
    ("-a always,exit -F dir=/proc/self -S open", "symbolic link"), ("-w /proc/sys -p wa", "no ordinary file system"),
    ("-a always,io_uring -S openat -F path=/etc/passwd", "use dir="), ("-e 2", "--allow-lock"), ("-f 2", "--allow-panic"),
    ("-D", "note: -D"),
    ("-e 0", "turns audit off"), ("-b 64", "8192"), ("-r 10", "drops"), ("-i", "passed over"), ("-a never,task", "no process"),
    ("-a always,exit -F arch=b64 -S open -F uid=1000x", "only its beginning"),
    ("-w /etc/passwd -k \(String(repeating: "k", count: 257))", "256"),
    ("-d always,exit -S open", "note: removes"), ("--when-created -w /nonexistent/x", "waits"),
  ])
  func faultsAndCostsAreFound(line: String, words: String) {
    let found = findings("\n# comment\n" + line)
    #expect(found.contains { $0.hasPrefix("a.rules:3: ") && $0.contains(words) }, "\(found)")
  }

  @Test(arguments: [
    "-w /etc/passwd -p wa -k id", "-a always,exit -F arch=b64 -S unlink,unlinkat -F exit=-EACCES -k x", "-b 8192", "-f 1", "-e 1",
  ])
  func goodLinesHaveNoFindings(line: String) { #expect(findings(line).isEmpty) }

  @Test func duplicatesAndShadowedRulesNameTheEarlierLine() {
    let never = "-a never,exit -F arch=b64 -S open,openat -F dir=/etc\n"
    #expect(findings(never + "-a always,exit -F arch=b64 -S open -F path=/etc/passwd").last?.contains("never reached: a.rules:1") == true)
    #expect(findings(never + "-a always,exit -F arch=b64 -S open -F path=/etcetera").allSatisfy { !$0.contains("never reached") })
    #expect(findings(never + "-a always,exit -F arch=b64 -S unlink -F path=/etc/passwd").allSatisfy { !$0.contains("never reached") })
    #expect(findings(never + "-A always,exit -F arch=b64 -S open -F path=/etc/passwd").allSatisfy { !$0.contains("never reached") })
    let wide = "-a always,exit -F arch=b64 -S open -F success=1 -k one\n"
    #expect(
      findings(wide + "-a always,exit -F arch=b64 -S open -F success=1 -F auid!=unset -k two").last?.contains("its key is never") == true)
    #expect(findings(wide + wide).last?.contains("the same rule as a.rules:1") == true)
    #expect(findings("-w /etc/passwd -p wa\n-w /etc/passwd -p wa").filter { $0.contains("same rule") }.count == 1)
  }

  /// As when each rule is compared with all that come before it.
  @Test func theIndexFindsWhatComparingAllFinds() throws {
    func rule(_ generator: inout Generator) throws -> Rule {
      var arguments = ["-a", generator.pick(["always,exit", "always,exit", "never,exit", "always,io_uring", "never,task"])]
      if !arguments[1].hasSuffix("task") {
        let isRing = arguments[1].hasSuffix("ring")
        if generator.chance(60) { arguments += ["-F", generator.pick(["arch=b64", "arch=b32"])] }
        if generator.chance(80) {
          arguments += ["-S", generator.pick(isRing ? ["openat", "renameat"] : ["open", "open,unlink", "chmod"])]
        }
        if generator.chance(60) {
          arguments += ["-F", generator.pick(["dir=/", "dir=/a", "dir=/a/", "dir=/a/b", "dir=/ab", "path=/a", "path=/a/b/c", "path=/ab"])]
        }
        if !isRing, generator.chance(40) { arguments += ["-p", generator.pick(["w", "wa", "r", "rwxa"])] }
        if generator.chance(30) { arguments += ["-F", generator.pick(["uid=0", "uid!=0", "success=1"])] }
      }
      if generator.chance(50) { arguments += ["-k", generator.pick(["a", "b"])] }
      return try #require(try RuleLine(arguments.map { Array($0.utf8) }).rules.first)
    }
    var generator = Generator(seed: 5)
    for _ in 0..<150 {
      var index = EarlierRules()
      var all: [(place: String, rule: Rule)] = []
      for number in 0..<40 {
        let next = try rule(&generator)
        #expect(index.place(of: next) == all.first { $0.rule == next }?.place)
        let covering = next.list.selectsSyscalls ? all.first { EarlierRules.covers($0.rule, next) }?.place : nil
        #expect(index.first(covering: next)?.place == covering, "\(next.description)")
        if generator.chance(10) {
          index.remove(next)
          all.removeAll { $0.rule == next }
          continue
        }
        let inFront = generator.chance(20)
        index.add(next, "\(number)", inFront: inFront)
        all.insert(("\(number)", next), at: inFront ? 0 : all.count)
      }
    }
  }

  /// Comparing each with all takes minutes.
  @Test(.timeLimit(.minutes(1))) func aHugeFileIsCheckedInSeconds() {
    let different = (0..<5_000).map { "-a always,exit -F arch=b64 -S open -F path=/etc/f\($0) -F perm=wa -k k\($0 % 7)" }
    #expect(findings(different.joined(separator: "\n")).allSatisfy { $0.hasSuffix("does not exist yet") })
    let alike = (0..<5_000).map { "-a always,exit -F arch=b64 -S open -F success=0 -k \($0)" }
    #expect(findings(alike.joined(separator: "\n")).count == 4_999)
  }

  @Test func hugeTreesAreFound() throws {
    let directory = try TemporaryDirectory()
    try directory.makeDirectory("sub")
    for name in ["a", "b", "sub/c"] { try directory.write(name, "") }
    #expect(findings("-w \(directory.path) -p wa", treeLimit: 4).first?.contains("4 files or more") == true)
    #expect(findings("-w \(directory.path) -p wa", treeLimit: 5).isEmpty)
  }

  @Test func theCommandPrintsFindingsAndNeedsNoRoot() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("a.rules", "-w /etc/passwd -p wa -k id\n-a always,exit -S open -F path=/etc/passwd\n", mode: 0o644)
    _ = try run("chmod", ["755", directory.path])
    // Run from a copy that the unprivileged user can reach.
    try run("cp", [fsauditBinary, directory["fsaudit"]])
    let result = try run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", directory["fsaudit"], "rule", "check", file])
    #expect(result.status == 1)
    #expect(
      result.text
        == "\(file):2: warning: no arch=: the numbers mean other calls to 32-bit programs; write the rule for arch=b64 and for arch=b32\n")
    #expect(result.errorText == "")
  }

  @Test func scopesTellWhatAProgramCanDecide() throws {
    func scope(_ text: String) throws -> RuleScope? {
      try RuleLine(ruleArguments(line: Array(text.utf8)) ?? []).rules.first.flatMap(RuleScope.init)
    }
    let directory = try #require(try scope("-a never,exit -F arch=b64 -S open -F dir=/etc/ -F perm=wa -k a -k b"))
    #expect(directory.kind == .directory && directory.path == Array("/etc".utf8) && directory.isNever && directory.isDecidable)
    #expect(
      directory.keys == [Array("a".utf8), Array("b".utf8)] && directory.permissions == [.write, .attributes]
        && directory.syscalls.contains(2))
    #expect(try scope("-a always,exit -F path=/etc/passwd -F auid>=1000")?.isDecidable == false)
    #expect(try scope("-a always,exit -F path=/etc/passwd -F auid>=1000")?.kind == .path)
    #expect(try scope("-a always,exit -F inode=5")?.kind == .inode)
    #expect(try scope("-a always,exit -F arch!=b64 -S open")?.isDecidable == false)
    #expect(try scope("-a always,exit -F arch!=b64 -S open")?.arch == nil)
    #expect(try scope("-a never,exclude -F msgtype=AVC") == nil)
    #expect(try [#require(try RuleLine(["-a", "never,task"].map { Array($0.utf8) }).rules.first)].blocksEverything)
    #expect(try ![#require(try RuleLine(["-a", "never,task", "-F", "uid=5"].map { Array($0.utf8) }).rules.first)].blocksEverything)
  }
}
