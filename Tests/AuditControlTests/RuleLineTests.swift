import AuditControl
import System
import Testing

private let paths = PathResolver { path in
  switch String(decoding: path, as: UTF8.self) {
  case "/missing": .missing
  case "/link", "/srv/", "/srv": .directory(Array("/srv".utf8))
  default: .file(path)
  }
}

private func parse(_ text: String) throws(Failure) -> RuleLine {
  try RuleLine(ruleArguments(line: Array(text.utf8)) ?? [], paths: paths)
}

private func split(_ text: String) -> [String]? {
  ruleArguments(line: Array(text.utf8))?.map { String(decoding: $0, as: UTF8.self) }
}

@Suite struct RuleLineTests {
  @Test(arguments: [
    ("-w /etc/passwd -p wa", ["-w", "/etc/passwd", "-p", "wa"]),
    ("   -w   /a  ", ["-w", "/a"]),
    (#"-F path=/with\ space\\ -k x"#, ["-F", #"path=/with space\"#, "-k", "x"]),
    (#"-F path=/a\b"#, ["-F", #"path=/a\b"#]),
    (#"-F path="/a -k b""#, ["-F", #"path="/a"#, "-k", #"b""#]),
    ("-w\t/etc/passwd\t-p\twa\r", ["-w", "/etc/passwd", "-p", "wa"]),
    ("-F path=/a\tb", ["-F", "path=/a\tb"]),
  ])
  func linesAreSplitAsAuditctlSplitsThem(line: String, arguments: [String]) { #expect(split(line) == arguments) }

  @Test(arguments: ["", "   ", "# comment", "  # comment", "\t# comment", "\r"])
  func emptyLinesAndCommentsHoldNothing(line: String) { #expect(split(line) == nil) }

  /// The canonical form that `rule list` prints, and that reads back as the same rule.
  @Test(arguments: [
    ("-a exit,always -S all", "-a always,exit -S all"),
    ("-a always,exit -F path=/etc/passwd -p wa -k a -k b", "-a always,exit -S all -F path=/etc/passwd -F perm=wa -F key=a -F key=b"),
    ("-k late -S open -F arch=b32 -a always,exit", "-a always,exit -F arch=b32 -S open -F key=late"),
    // found by the fuzzer: two key fields, of which the kernel takes none
    ("-a always,exit -F keY=a -k b", "-a always,exit -S all -F key=a -F key=b"),
    ("-aalways,exit -Farch=b64 -Sopen,close -S2 -S3", "-a always,exit -F arch=b64 -S open,close"),
    ("-a always,exit -F arch=b64 -S fchmodat2 -S setxattrat", "-a always,exit -F arch=b64 -S 452,463"),
    ("-a always,exit -S kill -F a1&=0x3 -F a0>=-1", "-a always,exit -S kill -F a1&=0x3 -F a0>=0xFFFFFFFF"),
    ("-a always,exit -S open -F auid!=-1 -F exit=-13", "-a always,exit -S open -F auid!=unset -F exit=-EACCES"),
    ("-a always,exit -S execve -C euid!=uid", "-a always,exit -S execve -C uid!=euid"),
    ("-a always,exit -F filetype=fifo -F success=1", "-a always,exit -S all -F filetype=fifo -F success=1"),
    ("-a always,exit -S open -F path=/a!=b", "-a always,exit -S open -F path=/a!=b"),
    (#"-a always,exit -S open -F path=/a\ b\\c"#, #"-a always,exit -S open -F path=/a\ b\\c"#),
    ("-a never,task -F uid=7", "-a never,task -F uid=7"),
    ("-a never,user -F msgtype=USER_LOGIN", "-a never,user -F msgtype=USER_LOGIN"),
    ("-a always,exclude -F msgtype>=1300", "-a always,exclude -F msgtype>=SYSCALL"),
    ("-a never,filesystem -F fstype=tracefs", "-a never,filesystem -F fstype=tracefs"),
    ("-a always,io_uring -S openat,renameat,38 -F dir=/srv", "-a always,io_uring -S openat,renameat,symlinkat -F dir=/srv"),
    ("-a always,exit -S open -F inode!=3000000000 -F inode!=1", "-a always,exit -S open -F inode!=3000000000 -F inode!=1"),
  ])
  func rulesPrintInOneForm(line: String, printed: String) throws {
    let rule = try #require(try parse(line).rules.first)
    #expect(rule.description == printed)
    #expect(rule.isLoadable)
    #expect(try parse(printed).rules == [rule])
    #expect(Rule(data: rule.data) == rule)
  }

  @Test func aWatchBecomesARuleForEachArchitecture() throws {
    let rules = try parse("-w /link -p a -k x -F auid>=1000").rules
    #expect(rules.map { $0.fields.map(\.name) } == [["arch", "dir", "perm", "auid", "key"], ["arch", "dir", "perm", "auid", "key"]])
    #expect(rules.compactMap { RuleScope($0)?.path } == [Array("/srv".utf8), Array("/srv".utf8)])
    let names = try #require(rules.first?.syscallNames)
    #expect(names.contains("fchmodat") && names.contains("452") && !names.contains("rename"))
    #expect(rules.last?.syscallNames?.contains("chown32") == true)
  }

  @Test func aWatchOfAMissingPathIsAnErrorOrWaits() throws {
    #expect(throws: Failure.self) { try parse("-w /missing -p wa") }
    let line = try parse("--when-created -w /missing -p wa -k x")
    #expect(line.rules.isEmpty && line.whenCreated && line.operation == .append)
    #expect(split(String(decoding: line.text, as: UTF8.self)) == ["--when-created", "-w", "/missing", "-p", "wa", "-k", "x"])
    #expect(try RuleLine(line.arguments, removing: true, paths: paths).rules.count == 2)
  }

  @Test func controlsAreRead() throws {
    #expect(
      try parse("-b 8192 -f 1 --backlog_wait_time=0x10").controls == [
        .set(.backlogLimit(8192)), .set(.failure(1)), .set(.backlogWaitTime(16)),
      ])
    #expect(try parse("-D -k ab").controls == [.deleteAll(key: Array("ab".utf8))])
    #expect(try parse("-q /mnt,/srv").controls == [.makeEquivalent(mountPoint: Array("/mnt".utf8), subtree: Array("/srv".utf8))])
    #expect(
      try parse("--loginuid --reset-l --reset_b -t -i -c -r 5 -e 2").controls == [
        .loginuidImmutable, .resetLost, .resetBacklogWaitTimeActual, .trim, .ignoreErrors, .continueAfterErrors, .set(.rateLimit(5)),
        .set(.enabled(2)),
      ])
  }

  /// Every refusal says what is wrong, and what to do.
  @Test(arguments: [
    ("-a always", "list"), ("-a entry,always -S open", "entry list"), ("-a always,possible", "possible"), ("-w", "-w has no value"),
    ("-w relative", "absolute"), ("-p wa", "without a rule"), ("-k x", "without a rule"), ("-a always,exit -a never,exit", "two rules"),
    ("-w /etc -a always,exit", "two rules"), ("-a always,exit -S nosuchcall", "nosuchcall"), ("-a always,exit -S 2040", "0 to 2031"),
    ("-a always,exit -S ,", "without a system call"), ("-a never,task -S open", "task list"), ("-a always,exclude -F exit=1", "exit"),
    ("-a always,exit -F nofield=1", "unknown field"), ("-a always,exit -F uid", "no operator"), ("-a always,exit -F =1", "no name"),
    ("-a always,exit -F uid=", "no value"), ("-a always,exit -F uid=nosuchuser", "unknown"),
    ("-a always,exit -F path!=/etc", "only takes ="),
    ("-a always,exit -F path=/etc/", "slash"), ("-a always,exit -F dir=etc", "absolute"), ("-a always,exit -F perm=q", "permission"),
    ("-a always,exit -F perm=rwxaa", "permission"), ("-a always,exit -F arch>b64", "= or !="),
    ("-a always,exit -F arch=b65", "architecture"),
    ("-a always,exit -F path=/a -F dir=/b", "more than one"), ("-a always,exit -C uid!=gid", "cannot be compared"),
    ("-a always,exit -C uid<euid", "= and !="), ("-a always,exit -F saddr_fam=99", "address family"),
    ("-a always,exit -F pid=x", "unknown"),
    ("-e 3", "0, 1 or 2"), ("-b many", "number"), ("-q /mnt", "mount-point"), ("-D -a always,exit", "alone"), ("-Z", "unknown option"),
    ("--nonsense", "unknown option"), ("--reset", "unknown option"), ("-l", "order to auditctl"), ("-w /etc # comment", "own"),
    ("-a always,exit -k \(String(repeating: "k", count: 257))", "256"), ("--when-created", "no rule"),
    ("--backlog_wait_time foo", "--backlog_wait_time foo: give a number"), ("-a always,exit -F uid!=euid", "-C compares two fields"),
    ("-w /etc -k \"my key\"", "\"key\"\" belongs to no option: write \\ before a space in a path or key; quotes mean nothing"),
    ("-w\\ /srv\\ -p\\ wa", "\"-w /srv -p wa\" is one word"),
  ])
  func malformedLinesAreRefusedInWords(line: String, word: String) {
    let failure = #expect(throws: Failure.self) { try parse(line) }
    #expect(failure?.description.contains(word) == true, "\(String(describing: failure))")
    #expect(failure?.exit == .usage)
  }

  @Test func allKeysTogetherMayTake256Bytes() throws {
    let half = String(repeating: "k", count: 127)
    #expect(try parse("-a always,exit -S open -k \(half) -k \(half)x").rules.first?.keys.count == 2)
    #expect(throws: Failure.self) { try parse("-a always,exit -S open -k \(half)x -k \(half)x") }
  }

  @Test func whatAuditctlMisreadsInSilenceIsNoted() throws {
    #expect(try parse("-a always,exit -S open -F uid=1000x").notes.count == 1)
    #expect(try parse("-a always,exit -S open -F inode=99999999999").notes.count == 1)
    #expect(try parse("-a always,exit -S open -F a1=0xfffffffff").notes.first?.hasPrefix("-F a1=0xfffffffff: ") == true)
    #expect(try parse("-a always,exit -S open -F uid=1000").notes.isEmpty)
  }

  /// Lines changed at random, bytes and words: whatever comes in, the parser answers, and what it accepts it can print and read again.
  @Test func mutatedLinesNeverCrash() throws {
    let seeds = [
      "-w /etc/passwd -p wa -k key", "-a always,exit -F arch=b64 -S open,openat -F a2&0100 -F exit=-EACCES -F auid>=1000 -F key=x",
      "-a never,exclude -F msgtype=CRYPTO_KEY_USER", "-A always,exit -S execve -C uid!=euid -F perm=x -F dir=/srv", "-D -k x",
      "-b 8192 -f 1",
      "--backlog_wait_time 60000", "-q /a,/b", "-a always,io_uring -S openat -F dir=/srv", #"-F path=/a\ b -a exit,always"#,
    ].map { Array($0.utf8) }
    let words = [
      "-a", "-F", "=", "!=", "&=", ",", "4294967296", "-1", "0x", "key=", "\u{1}", "\\", " ", "\t", "all", "b64", "arch=", "--", "-",
    ]
    var generator = Generator(seed: 7)
    var accepted = 0
    for _ in 0..<20_000 {
      var line = generator.pick(seeds)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0...line.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: line.insert(UInt8.random(in: 0...255, using: &generator), at: place)
        case 1 where place < line.count: line.remove(at: place)
        case 2: line.insert(contentsOf: generator.pick(words).utf8, at: place)
        case 3: line.insert(contentsOf: generator.pick(seeds), at: place)
        default: if place < line.count { line[place] = UInt8.random(in: 0...255, using: &generator) }
        }
      }
      guard let arguments = ruleArguments(line: line), let parsed = try? RuleLine(arguments, paths: paths) else { continue }
      accepted += 1
      for rule in parsed.rules {
        #expect(Rule(data: rule.data) == rule)
        _ = rule.isLoadable
      }
      #expect(ruleArguments(line: parsed.text) == arguments)
    }
    #expect(accepted > 1000)
  }

  /// The kernel's bytes, changed at random: never a crash.
  @Test func mutatedKernelRulesNeverCrash() throws {
    let rule = try #require(try parse("-a always,exit -F arch=b64 -S open -F dir=/srv -F perm=wa -k a -k b").rules.first)
    var generator = Generator(seed: 9)
    for _ in 0..<20_000 {
      var data = rule.data
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        data[Int.random(in: 0..<(generator.chance(50) ? 12 : data.count), using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      if generator.chance(30) { data.removeLast(Int.random(in: 0..<data.count, using: &generator)) }
      if let read = Rule(data: data) {
        _ = read.line
        _ = read.isLoadable
        _ = RuleScope(read)
      }
    }
  }
}
