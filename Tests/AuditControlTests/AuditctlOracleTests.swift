import AuditControl
import TestSupport
import Testing

/// auditctl is the oracle: what it and `fsaudit rule add` leave in the kernel must be the same, byte for byte and in `auditctl -l`.
@Suite(.serialized) struct AuditctlOracleTests {
  private static let examples = "/usr/share/doc/auditd/examples/rules"

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func exampleFilesLeaveTheSameRules() throws {
    let files = try RuleFile.files(in: Self.examples)
    try #require(files.count > 30)
    var accepted = 0
    for file in files {
      let lines = try contentsOfLines(file).filter(Self.isHarmless)
      accepted += try KernelLab.run { try Self.compare(lines, file) }
    }
    // Fewer would mean that the comparison has lost its subject.
    #expect(accepted > 150)
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func twoHundredGeneratedRulesLeaveTheSameRules() throws {
    let directory = try TemporaryDirectory()
    try directory.write("file", "")
    var generator = Generator(seed: 20_261_120)
    var accepted = 0
    var number = 0
    while accepted < 200 {
      var batch: [[String]] = []
      for _ in 0..<25 {
        number += 1
        batch.append(generator.rule(directory: directory.path, number: number))
      }
      accepted += try KernelLab.run { try Self.compare(batch, "rules \(number - 24)…\(number)") }
      try #require(number < 1000)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func settingsAreTheSame() throws {
    let directory = try TemporaryDirectory()
    for line in ["-b 8192", "-f 1", "-r 100", "--backlog_wait_time 60000", "-b 0x1000 -f 0", "--backlog_wait_time=20", "-e 0"] {
      let arguments = line.split(separator: " ").map(String.init)
      try KernelLab.run {
        var audit = try KernelAudit()
        let before = try audit.status()
        #expect(try run("auditctl", arguments).status == 0)
        let theirs = try audit.status()
        for setting in [
          KernelSetting.backlogLimit(before.backlogLimit), .failure(before.failure), .rateLimit(before.rateLimit),
          .backlogWaitTime(before.backlogWaitTime), .enabled(before.enabled),
        ] { try audit.set(setting) }
        #expect(try fsaudit(["add"] + arguments, directory).status == 0)
        #expect(try audit.status() == theirs, "\(line)")
      }
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func aWatchIsTheCheaperRuleForBothArchitectures() throws {
    let directory = try TemporaryDirectory()
    try directory.write("file", "")
    try directory.makeDirectory("sub")
    for (path, kind) in [("file", "path"), ("sub", "dir"), ("sub/", "dir")] {
      try KernelLab.run {
        var audit = try KernelAudit()
        let before = try audit.ruleData()
        let arguments = ["-w", directory[path], "-p", "wa", "-k", "one", "-k", "two"]
        #expect(try fsaudit(["add"] + arguments, directory).status == 0)
        let added = try audit.ruleData().filter { !before.contains($0) }.compactMap(Rule.init(data:))
        #expect(added.count == 2)
        let resolved = directory[path.split(separator: "/")[0].description]
        for (rule, arch) in zip(added, ["b64", "b32"]) {
          #expect(rule.description.hasPrefix("-a always,exit -F arch=\(arch) -S "))
          #expect(rule.description.hasSuffix(" -F \(kind)=\(resolved) -F perm=wa -F key=one -F key=two"))
          #expect(rule.syscalls != .all && rule.syscallNames?.contains("renameat2") == true)
        }
        #expect(try fsaudit(["remove"] + arguments, directory).status == 0)
        #expect(try audit.ruleData() == before)
      }
    }
  }

  /// Adds `lines` by auditctl, then by fsaudit, and compares; lists, reloads and removes them. Returns how many lines auditctl accepted.
  private static func compare(_ lines: [[String]], _ name: String) throws -> Int {
    let directory = try TemporaryDirectory()
    var audit = try KernelAudit()
    let before = try audit.ruleData()
    func clear() throws {
      for rule in try audit.ruleData() where !before.contains(rule) { try audit.change(rule, add: false, subject: name) }
    }
    defer { try? clear() }

    var accepted: [[String]] = []
    for line in lines where try run("auditctl", line).status == 0 { accepted.append(line) }
    let theirs = try audit.ruleData()
    let theirText = try run("auditctl", ["-l"]).text
    try clear()

    for line in accepted {
      let result = try fsaudit(["add"] + line, directory)
      #expect(result.status == 0, "\(name): \(line.joined(separator: " ")): \(result.errorText)")
    }
    #expect(try audit.ruleData() == theirs, "\(name)")
    // None of them is taken for one that somebody has removed.
    if !accepted.isEmpty {
      var book = try RuleBook(directory: directory["run"])
      #expect(try book.repair() == [], "\(name)")
    }
    #expect(try run("auditctl", ["-l"]).text == theirText, "\(name)")
    if accepted.isEmpty { return 0 }

    // What `rule list` prints, auditctl loads again.
    let list = try fsaudit(["list", "--ours"], directory)
    try directory.write("list.rules", list.text)
    try clear()
    #expect(try run("auditctl", ["-R", directory["list.rules"]]).status == 0, "\(name)\n\(list.text)")
    #expect(Set(try audit.ruleData()) == Set(theirs), "\(name)")

    // And the line that added a rule removes exactly that.
    for line in accepted {
      let present = try audit.ruleData()
      let rules = try RuleLine(line.map { Array($0.utf8) }).rules.map(\.data)
      let result = try fsaudit(["remove"] + line, directory)
      #expect(result.status == 0, "\(name): \(line.joined(separator: " ")): \(result.errorText)")
      #expect(try audit.ruleData() == present.filter { !rules.contains($0) }, "\(name): \(line.joined(separator: " "))")
    }
    #expect(try audit.ruleData() == before, "\(name)")
    return accepted.count
  }

  /// What may be tried on this machine and compared: rules that are not a watch, and do not keep new processes from being audited for good.
  private static func isHarmless(_ arguments: [String]) -> Bool {
    guard let first = arguments.first, ["-a", "-A"].contains(first) else { return false }
    return !arguments.contains("task,never") && !arguments.contains("never,task")
  }

  private func contentsOfLines(_ file: String) throws -> [[String]] {
    try run("cat", [file]).output.split(separator: UInt8(ascii: "\n"))
      .compactMap { ruleArguments(line: $0)?.map { String(decoding: $0, as: UTF8.self) } }
  }
}

/// Runs `fsaudit rule` with a ledger of the test's own.
func fsaudit(_ arguments: [String], _ directory: TemporaryDirectory) throws -> ProgramResult {
  try run(fsauditBinary, ["rule"] + arguments, environment: ["FSAUDIT_RUN_DIRECTORY": directory["run"]])
}
