import AuditControl
import Glibc
import System
import TestSupport
import Testing

private func line(_ text: String) throws(Failure) -> RuleLine { try RuleLine(ruleArguments(line: Array(text.utf8)) ?? []) }

/// The rules that are in the kernel and were not before, as text, arch and calls left out.
private func added(since before: [[UInt8]]) throws -> [String] {
  var audit = try KernelAudit()
  return try audit.ruleData().filter { !before.contains($0) }.compactMap(Rule.init(data:)).map {
    let words = $0.description.split(separator: " ")
    return words[1...].filter { !$0.hasPrefix("-") && !$0.hasPrefix("arch=") && !$0.contains("open,") }.joined(separator: " ")
  }
}

@Suite(.serialized) struct RuleBookTests {
  private let directory: TemporaryDirectory
  private let ledger: String

  init() throws {
    directory = try TemporaryDirectory()
    ledger = directory["run"]
  }

  /// Loads files of the test's `rules.d` by the command.
  private func load(_ files: [String: String], _ options: [String] = []) throws -> ProgramResult {
    removeTree(directory["rules.d"])
    try directory.makeDirectory("rules.d")
    for (name, text) in files { try directory.write("rules.d/" + name, text) }
    return try fsaudit(["load", directory["rules.d"]] + options, directory)
  }

  private func never(_ number: Int) -> String { "-a never,exit -F arch=b64 -S open -F pid=\(900_000 + number)" }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func loadAppliesOnlyTheDifference() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      var result = try load([
        "10.rules": "-D\n-b 8192\n\(never(1))\n\(never(2))\n", "20.rules": "\(never(3))\n\(never(3))\n", "30.txt": "nonsense",
      ])
      #expect(result.status == 0 && result.text == "added 3, removed 0, moved 0, unchanged 0\n", "\(result)")
      #expect(result.errorText.contains("10.rules:1: -D does nothing here"))
      #expect(result.errorText.contains("20.rules:2: the same rule as \(directory["rules.d"])/20.rules:1"))
      #expect(try audit.status().backlogLimit == 8192)
      result = try load(["10.rules": "\(never(2))\n\(never(4))\n", "20.rules": never(3)], ["--dry-run"])
      #expect(result.text.contains("would be added 1, removed 1, moved 1, unchanged 1"), "\(result.text)")
      result = try load(["10.rules": "\(never(2))\n\(never(4))\n", "20.rules": never(3)])
      #expect(result.text == "added 1, removed 1, moved 1, unchanged 1\n")
      let rules = try audit.ruleData().filter { !before.contains($0) }.compactMap(Rule.init(data:)).map(\.description)
      #expect(rules == [never(2), never(4), never(3)])
      #expect(try load([:], ["--allow-empty"]).text == "added 0, removed 3, moved 0, unchanged 0\n")
      #expect(try audit.ruleData() == before)
    }
  }

  /// A wrong path or suffix must not take all rules away.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func anEmptyLoadThatRemovesAllIsAskedAbout() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      #expect(try load([:]).text == "added 0, removed 0, moved 0, unchanged 0\n", "nothing to remove")
      #expect(try load(["10.rules": never(1)]).status == 0)
      let loaded = try audit.ruleData()
      for files in [
        [:], ["10.rule": never(1)], ["10.rules": "# nothing\n-b 8192\n-D\n"], ["10.rules": "\(never(1))\n-d\(never(1).dropFirst(2))"],
      ] {
        let refused = try load(files)
        #expect(refused.status == 2 && refused.errorText.contains("--allow-empty") && refused.output.isEmpty, "\(files) \(refused)")
        let dry = try load(files, ["--dry-run"])
        #expect(dry.status == 0 && dry.text.contains("removed 1") && dry.errorText.contains("--allow-empty"), "\(files) \(dry)")
        #expect(try audit.ruleData() == loaded)
      }
      // as the daemon reloads
      var book = try RuleBook(directory: ledger)
      do throws(Failure) {
        _ = try book.load([])
        Issue.record("a load of nothing removes all")
      } catch { #expect(error.exit == .usage) }
      let missing = try fsaudit(["load", directory["missing"], "--allow-empty"], directory)
      #expect(missing.status == 5 && missing.errorText.contains(directory["missing"]), "\(missing)")
      #expect(try audit.ruleData() == loaded)
      #expect(try load([:], ["--allow-empty"]).text == "added 0, removed 1, moved 0, unchanged 0\n")
      #expect(try audit.ruleData() == before)
    }
  }

  /// By their own line, with and without the switch, as `-W`, and by their key; also when the path is there by now, or was and is gone.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func waitingRulesAreRemovedByTheirLine() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      let path = directory["later"]
      let calls = ["-a", "always,exit", "-F", "arch=b64", "-S", "unlink", "-F", "dir=\(path)", "-k", "one"]
      let watch = ["-w", path, "-p", "wa", "-k", "one"]
      for (added, removed) in [
        (watch, watch), (watch, ["--when-created"] + watch), (watch, ["-W"] + watch.dropFirst()),
        (watch, ["-k", "one", "-p", "wa", "-w", path]),
        (watch, ["-D", "-k", "one"]), (calls, calls), (calls, ["-d"] + calls.dropFirst()), (calls, ["-D", "-k", "one"]),
      ] {
        for isThere in [false, true] {
          #expect(try fsaudit(["add", "--when-created", "-w", directory["other"], "-k", "two"], directory).status == 0)
          let result = try fsaudit(["add", "--when-created"] + added, directory)
          #expect(result.status == 0 && result.errorText.contains("waits"), "\(result)")
          if isThere { try directory.makeDirectory("later") }
          #expect(try fsaudit(["remove"] + removed, directory).status == 0, "\(removed) \(isThere)")
          let left = try RuleBook(directory: ledger).waiting().map { String(decoding: $0, as: UTF8.self) }
          #expect(left == ["--when-created -w \(directory["other"]) -k two"], "\(removed) \(isThere)")
          if isThere { #expect(rmdir(path) == 0) }
        }
      }
      // It was there, so the kernel had its rules, and is not any more.
      try directory.makeDirectory("later")
      #expect(try fsaudit(["add"] + watch, directory).status == 0)
      #expect(rmdir(path) == 0)
      #expect(try fsaudit(["remove"] + watch, directory).status == 0)
      #expect(try fsaudit(["remove"] + watch, directory).status == 4)
      #expect(try fsaudit(["remove", "-D"], directory).status == 0)
      #expect(try RuleBook(directory: ledger).waiting().isEmpty)
      #expect(try audit.ruleData() == before)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func aFailedLoadIsTakenBack() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      #expect(try load(["10.rules": "\(never(1))\n\(never(2))\n\(never(3))\n"]).status == 0)
      let loaded = try audit.ruleData()
      let status = try audit.status()
      let ledgerBytes = try contents(of: ledger + "/rules")
      // The kernel refuses the fifth line: there is no such directory.
      var result = try load([
        "10.rules": "-b 1234\n\(never(3))\n\(never(9))\n\n-a always,exit -S open -F dir=/nonexistent/fsaudit\n\(never(8))\n"
      ])
      #expect(result.status == 4 && result.errorText.contains("10.rules:5: "), "\(result)")
      #expect(try audit.ruleData() == loaded)
      #expect(try audit.status() == status)
      #expect(try contents(of: ledger + "/rules") == ledgerBytes)
      // A line that cannot be parsed is found before anything is changed.
      result = try load(["10.rules": "\(never(9))\n", "20.rules": "# one\n-a always,exit -S nosuchcall\n"])
      #expect(result.status == 2 && result.errorText.contains("20.rules:2: -S nosuchcall"), "\(result)")
      #expect(try audit.ruleData() == loaded)
      for (text, word) in [("-e 2", "--allow-lock"), ("-f 2", "--allow-panic")] {
        result = try load(["10.rules": "\(never(9))\n\(text)\n"])
        #expect(result.status == 2 && result.errorText.contains("10.rules:2: ") && result.errorText.contains(word), "\(result)")
      }
      #expect(try audit.ruleData() == loaded)
      #expect(try fsaudit(["remove", "-D"], directory).status == 0)
      #expect(try audit.ruleData() == before)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func toleratedErrorsAreReportedAndSkipped() throws {
    try KernelLab.run { () throws in
      let bad = "-a always,exit -S nosuchcall\n-a always,exit -S open -F dir=/nonexistent/fsaudit\n"
      var result = try load(["10.rules": "-i\n\(never(1))\n\(bad)\(never(2))\n"])
      #expect(result.status == 0 && result.text.hasPrefix("added 2,") && result.errorText.contains("10.rules:3:"), "\(result)")
      #expect(result.errorText.contains("10.rules:4:"))
      result = try load(["10.rules": "-c\n\(bad)"])
      #expect(result.status == 4, "\(result)")
      #expect(try fsaudit(["remove", "-D"], directory).status == 0)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func whatOthersAddedIsLeftAlone() throws {
    let theirs = never(5).split(separator: " ").map(String.init)
    try KernelLab.run { () throws in
      #expect(try run("auditctl", theirs).status == 0)
      defer { _ = try? run("auditctl", ["-d"] + theirs.dropFirst()) }
      let refused = try fsaudit(["add"] + theirs, directory)
      #expect(refused.status == 4 && refused.errorText.contains("did not add it"))
      #expect(try fsaudit(["remove"] + theirs, directory).status == 4)
      let loaded = try load(["10.rules": "\(never(5))\n\(never(6))\n"])
      #expect(loaded.status == 0 && loaded.errorText.contains("10.rules:1: the kernel has this rule from somebody else"))
      let listed = try fsaudit(["list"], directory).text
      #expect(listed.contains("# not added by fsaudit\n\(never(5))\n# added by fsaudit rule load\n\(never(6))\n"))
      #expect(try load([:], ["--allow-empty"]).text == "added 0, removed 1, moved 0, unchanged 0\n")
      #expect(try fsaudit(["list"], directory).text.contains(never(5)))
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func addingTwiceIsNoErrorAndLoadTakesOver() throws {
    try KernelLab.run { () throws in
      let words = never(1).split(separator: " ").map(String.init)
      #expect(try fsaudit(["add"] + words, directory).status == 0)
      #expect(try fsaudit(["add"] + words, directory).status == 0)
      #expect(try load(["10.rules": never(2)]).text == "added 1, removed 0, moved 0, unchanged 0\n")
      #expect(try load(["10.rules": never(1)]).text == "added 0, removed 1, moved 0, unchanged 1\n")
      #expect(try load([:], ["--allow-empty"]).text == "added 0, removed 1, moved 0, unchanged 0\n")
    }
  }

  /// A pasted `-D` must not take away what the daemon has loaded.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func addingRemovesNothing() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      #expect(try load(["10.rules": never(1)]).status == 0)
      let rules = try audit.ruleData()
      for arguments in [["-D"], ["-D", "-k", "x"]] {
        let refused = try fsaudit(["add"] + arguments, directory)
        #expect(refused.status == 2 && refused.errorText.contains("fsaudit rule remove -D"), "\(refused)")
        #expect(try audit.ruleData() == rules)
      }
      #expect(try fsaudit(["remove", "-D"], directory).status == 0)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func aRuleWaitsForItsPathAndFollowsIt() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      let path = directory["later"]
      #expect(try fsaudit(["add", "--when-created", "-w", path, "-p", "wa"], directory).status == 0)
      var book = try RuleBook(directory: ledger)
      #expect(try book.repair().map(\.state) == [.waiting])
      #expect(try fsaudit(["list"], directory).text.contains("# waits for its path: --when-created -w \(path) -p wa\n"))
      try directory.makeDirectory("later")
      #expect(try book.repair().map(\.state) == [.installed])
      #expect(try book.repair().isEmpty)
      #expect(try added(since: before) == ["always,exit dir=\(path) perm=wa", "always,exit dir=\(path) perm=wa"])
      // Another directory takes its place: the kernel's rule follows the old one, and ours must not.
      #expect(rename(path, directory["moved"]) == 0)
      #expect(try book.repair().map(\.state) == [.pathGone])
      try directory.makeDirectory("later")
      #expect(try book.repair().map(\.state) == [.rearmed])
      // Deleted and made again: the kernel has dropped the rules.
      #expect(rmdir(path) == 0)
      #expect(try added(since: before) == [])
      try directory.makeDirectory("later")
      #expect(try book.repair().map(\.state) == [.rearmed])
      #expect(try added(since: before).count == 2)
      // Taken away by somebody else: that is their right.
      for rule in try audit.ruleData() where !before.contains(rule) { try audit.change(rule, add: false, subject: "test") }
      #expect(try book.repair().map(\.state) == [.removedByOthers])
      // They come back when ours are asked for: by a load, whatever it loads.
      #expect(try load([:]).text == "added 2, removed 0, moved 0, unchanged 0\n")
      #expect(try added(since: before).count == 2)
      #expect(try book.repair().isEmpty)
      for rule in try audit.ruleData() where !before.contains(rule) { try audit.change(rule, add: false, subject: "test") }
      #expect(try fsaudit(["remove", "--when-created", "-w", path, "-p", "wa"], directory).status == 0)
      #expect(try book.repair().isEmpty)
    }
  }

  /// `tree-link -> tree`, whose name has the other's in it, and then another directory.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func aLinkThatLeadsElsewhereIsFollowed() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      for name in ["tree", "other"] { try directory.makeDirectory(name) }
      symlink("tree", directory["tree-link"])
      #expect(try fsaudit(["add", "-w", directory["tree-link"], "-p", "wa"], directory).status == 0)
      var book = try RuleBook(directory: ledger)
      #expect(try book.repair().isEmpty)
      #expect(unlink(directory["tree-link"]) == 0 && symlink("other", directory["tree-link"]) == 0)
      #expect(try book.repair().map(\.state) == [.rearmed])
      #expect(try Set(added(since: before)) == ["always,exit dir=\(directory["other"]) perm=wa"])
      #expect(try fsaudit(["remove", "-w", directory["tree-link"], "-p", "wa"], directory).status == 0)
      #expect(try audit.ruleData() == before)
    }
  }

  /// What stands behind it may be there for what it leaves, or to except something from it.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func aRuleThatFollowsAMountKeepsItsPlace() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      try directory.makeDirectory("tree")
      try directory.makeDirectory("tree/mounted")
      try directory.makeDirectory("other")
      let first = "-A always,exit -F arch=b64 -S open,chmod"
      #expect(
        try load([
          "10.rules": """
          \(first) -F dir=\(directory["other"]) -k other
          \(first) -F dir=\(directory["tree"]) -k first
          \(first) -F pid=900009
          \(never(1))
          -w \(directory["tree"]) -p wa -k tree
          \(never(2))
          -a always,exit -F arch=b64 -S open -F dir=\(directory["tree"]) -k all
          -a never,exit -F arch=b64 -S open -F dir=\(directory["other"])

          """
        ]).status == 0)
      let loaded = try audit.ruleData()
      #expect(loaded.count == before.count + 9)
      var book = try RuleBook(directory: ledger)
      #expect(try book.follow(mounts: [Array(directory["tree/mounted"].utf8)]).count == 3)
      #expect(try audit.ruleData() == loaded)
      #expect(try book.follow(mounts: [Array(directory["elsewhere"].utf8)]).isEmpty)
      #expect(try load([:], ["--allow-empty"]).status == 0)
      #expect(try audit.ruleData() == before)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func temporaryRulesGoWithTheirProcess() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      try directory.makeDirectory("tree")
      let lines = try TemporaryRules.lines(
        path: Array(directory["tree"].utf8), permissions: [.write, .attributes], times: false, key: Array("fsaudit-1".utf8))
      let rules = try TemporaryRules(lines, directory: ledger)
      #expect(rules.rules.count == 8)
      #expect(try audit.ruleData().count == before.count + 8)
      #expect(try fsaudit(["list", "--ours"], directory).text.hasPrefix("# added by fsaudit watch\n"))
      // A watcher that is alive is not stale.
      #expect(try TemporaryRules.cleanStale(directory: ledger) == 0)
      try rules.remove()
      #expect(try audit.ruleData() == before)

      // One that is gone: its record names a process that never had this number at that time.
      _ = try TemporaryRules(lines, directory: ledger)
      let record = String(decoding: try contents(of: "\(ledger)/watch-\(getpid())"), as: UTF8.self)
      let rest = record.drop { $0 != "\n" }
      #expect(unlink("\(ledger)/watch-\(getpid())") == 0)
      try directory.write("run/watch-1", "process 1 123456789\(rest)")
      #expect(try TemporaryRules.cleanStale(directory: ledger) == 8)
      #expect(try audit.ruleData() == before)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func oddPathsSurviveAddListAndRemove() throws {
    try KernelLab.run { () throws in
      var audit = try KernelAudit()
      let before = try audit.ruleData()
      let names: [[UInt8]] = ["a b", "back\\slash", "quote\"'", "ünï", "a!=b", "a,b#c", "tab\tin"].map { Array($0.utf8) } + [[0xff, 0xfe]]
      for name in names {
        let path = Array(directory.path.utf8) + Array("/".utf8) + name
        #expect(try run("touch", bytes: [path]).status == 0)
        let arguments = ["rule", "add", "-w"].map { Array($0.utf8) } + [path]
        #expect(try run(fsauditBinary, bytes: arguments, environment: ["FSAUDIT_RUN_DIRECTORY": ledger]).status == 0)
        let rules = try audit.ruleData().filter { !before.contains($0) }
        #expect(rules.count == 2)
        #expect(rules.compactMap(Rule.init(data:)).allSatisfy { $0.fields.contains { $0.text == path } })
        let list = try fsaudit(["list", "--ours"], directory)
        #expect(!list.text.contains("no line can say"))
        let removal = ["rule", "remove", "-w"].map { Array($0.utf8) } + [path]
        #expect(try run(fsauditBinary, bytes: removal, environment: ["FSAUDIT_RUN_DIRECTORY": ledger]).status == 0)
        #expect(try audit.ruleData() == before)
      }
    }
  }

  /// Whoever adds a rule chooses what stands in its key.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func keysCannotSteerATerminal() throws {
    try KernelLab.run { () throws in
      let rule = ["-a", "always,exit", "-F", "arch=b64", "-S", "open", "-F", "dir=\(directory.path)", "-k", "\u{1b}[31m"]
      #expect(try fsaudit(["add"] + rule, directory).status == 0)
      #expect(try fsaudit(["list", "--ours"], directory).text.contains("key=\u{1b}[31m"))
      #expect(try fsaudit(["list", "--ours", "--json"], directory).text.contains("\\u001b[31m"))
      let shown = try run(
        "script", ["-qec", "\(fsauditBinary) rule list --ours", "/dev/null"], environment: ["FSAUDIT_RUN_DIRECTORY": ledger])
      #expect(shown.text.contains("key=\\x1b[31m") && !shown.output.contains(0x1b), "\(shown.text)")
      #expect(try fsaudit(["remove"] + rule, directory).status == 0)
    }
  }

  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func ringRulesAreBuiltWithoutLibaudit() throws {
    try KernelLab.run { () throws in
      let rule = ["-a", "always,io_uring", "-S", "openat,unlinkat", "-F", "dir=\(directory.path)", "-k", "ring"]
      #expect(try fsaudit(["add"] + rule, directory).status == 0)
      let listed = "-a always,io_uring -S openat,unlinkat -F dir=\(directory.path) -F key=ring\n"
      #expect(try fsaudit(["list", "--ours"], directory).text == "# added by fsaudit rule add\n" + listed)
      #expect(try fsaudit(["remove"] + rule, directory).status == 0)
    }
  }

  @Test func aDamagedLedgerIsNotGuessedAt() throws {
    try directory.makeDirectory("run")
    for text in ["add now - zz \n", "add now\n", "what now - 2d61  \n", "add now - 2d61 00ff \n"] {
      try directory.write("run/rules", text)
      let failure = #expect(throws: Failure.self) { _ = try Ledger(path: ledger + "/rules") }
      #expect(failure?.description.contains("rules:1: damaged") == true)
    }
  }

  @Test func helpIsAnAnswer() throws {
    for command in ["add", "remove", "list", "load", "check"] {
      let result = try fsaudit([command, "--help"], directory)
      #expect(result.status == 0 && result.text.contains("USAGE: fsaudit rule \(command)"), "\(result)")
    }
    #expect(try fsaudit(["add"], directory).status == 2)
  }
}
