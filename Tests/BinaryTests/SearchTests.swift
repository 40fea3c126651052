import TestSupport
import Testing

/// `search --audit-log` over logs that are not as auditd writes them.
@Suite struct SearchTests {
  private let directory: TemporaryDirectory
  private let good = """
    type=SYSCALL msg=audit(1700000000.123:10): arch=c000003e syscall=87 success=yes exit=0 a0=1 a1=2 a2=0 a3=0 items=2 ppid=1 pid=77 auid=0 \
    uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="rm" exe="/usr/bin/rm" key="k"
    type=CWD msg=audit(1700000000.123:10): cwd="/srv"
    type=PATH msg=audit(1700000000.123:10): item=0 name="/srv" inode=2 dev=fe:00 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT
    type=PATH msg=audit(1700000000.123:10): item=1 name="a" inode=5 dev=fe:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=DELETE
    type=PROCTITLE msg=audit(1700000000.123:10): proctitle="rm"

    """

  init() throws { directory = try TemporaryDirectory() }

  private func search(_ arguments: String..., input: String? = nil) throws -> ProgramResult {
    try run(fsauditBinary, ["search", "--audit-log"] + arguments, input: input.map { Array($0.utf8) })
  }

  @Test func damagedLinesAreCountedPlacedAndFailTheCommand() throws {
    let bad = "type=CWD msg=audit(17x0.123:11): cwd=\"/\"\n"
    let log = try directory.write("audit.log", bad + good + "garbage\n\n" + String(repeating: bad, count: 5))
    let result = try search(log)
    #expect(result.status == 5 && result.text.contains("/srv/a"), "\(result.status) \(result.text)")
    let errors = result.errorText.split(separator: "\n")
    #expect(
      errors == [1, 7, 9, 10, 11].map { "fsaudit: \(log):\($0): no record of auditd's, or a damaged one" } + [
        "fsaudit: 7 lines could not be read: the answer may lack what they held"
      ])
    let nothing = try search("-", "--key", "other", input: bad)
    #expect(nothing.status == 5 && nothing.errorText.hasPrefix("fsaudit: standard input:1: "), "\(nothing.errorText)")
  }

  @Test func lineEndsOfDOSAreNoPartOfARecord() throws {
    let (unix, dos) = try (
      search("-", "--format", "json", input: good), search("-", "--format", "json", input: good.replacing("\n", with: "\r\n"))
    )
    #expect(unix.status == 0 && unix.text.contains("/srv/a"))
    #expect(dos.status == 0 && dos.output == unix.output && dos.errors.isEmpty, "\(dos.errorText)")
  }

  @Test func aPackedLogThatCannotBeReadSaysHow() throws {
    let log = directory["audit.log.xz"]
    try #require(try run("sh", ["-c", "printf '\\3757zXZ\\0rest\n' >\(log)"]).status == 0)
    let result = try search(log)
    #expect(result.status == 5 && result.output.isEmpty)
    #expect(
      result.errorText
        == "fsaudit: \(log): packed with xz, which fsaudit does not read: unpack it on the way, xzcat \(log) | fsaudit search --audit-log -\n"
    )
  }

  /// Without a SYSCALL the record itself says who it was, in the kernel's words, not in those of a message from user space.
  @Test func whoeverActedOutsideOfASystemCallIsFound() throws {
    let rule = #"type=CONFIG_CHANGE msg=audit(1700000001.123:11): auid=0 ses=7 subj=unconfined op=remove_rule key="srv" list=4 res=1"#
    let message = #"type=USER_CMD msg=audit(1700000002.123:12): pid=9 uid=4294967000 auid=1 ses=2 msg='op=x auid=0 uid=0 res=success'"#
    let log = try directory.write("audit.log", "\(rule)\n\(message)\n")
    let root = try search(log, "--auid", "root")
    #expect(
      root.status == 0 && root.text.split(whereSeparator: \.isWhitespace).suffix(5) == ["rule", "removed", "key=srv", "root", "ses7"],
      "\(root.text)")
    let other = try search(log, "--user", "4294967000", "--format", "json")
    #expect(other.text.contains(#","user":{"id":"4294967000","audit":{"id":"1","#) && other.text.contains(#""session":2"#), "\(other.text)")
    #expect(try search(log, "--user", "4294967000", "--auid", "0").status == 1)
  }

  /// A name need not be UTF-8: an argument's bytes are compared with the file's.
  @Test func namesAreAskedForByTheirBytes() throws {
    let log = try directory.write("audit.log", good.replacing(#"name="a""#, with: "name=61FF62"))
    func status(_ option: String, _ name: [UInt8]) throws -> Int32 {
      let last = option.hasSuffix("=") ? [Array(option.utf8) + name] : [Array(option.utf8), name]
      return try run(fsauditBinary, bytes: ["search", "--count", "--audit-log", log].map { Array($0.utf8) } + last).status
    }
    let path = Array("/srv/a".utf8)
    for option in ["--path", "--path=", "--under", "--text", "--follow-file"] {
      #expect(try status(option, path + [0xff, 0x62]) == 0 && status(option, path + [0xfe, 0x62]) == 1, "\(option)")
    }
    #expect(try status("--path", path + [0xff, 0x2a]) == 0 && status("--path", path + [0xfe, 0x2a]) == 1)
    #expect(try status("--not=path=", path + [0xff, 0x62]) == 1 && status("--not=path=", path + [0xfe, 0x62]) == 0)
  }

  /// A file whose name looks like a rename, and a name that is a guess.
  @Test func textCannotBeMistaken() throws {
    let name = "a → /etc/shadow".utf8.map { String($0, radix: 16, uppercase: true) }.joined()
    let forged = good.replacing(#"name="a""#, with: "name=\(name)")
    #expect(try search("-", input: forged).text.contains(#" delete      "/srv/a → /etc/shadow" "#))
    let relative = good.replacing("syscall=87", with: "syscall=263").replacing("a0=1", with: "a0=5")
    #expect(try search("-", input: relative).text.contains(" delete      /srv/a (path: cwd-guess) "))
    for command in ["tail", "search", "watch"] {
      #expect(try run(fsauditBinary, [command, "--help"]).text.contains("cwd-guess takes the working directory"))
    }
  }

  /// Whatever kernels have logged, as the Open Cybersecurity Schema Framework wants it.
  @Test func ocsfIsAsTheSchemaHasIt() throws {
    let tests = "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    let logs = try run("sh", ["-c", "echo \(tests)/Corpus/*/*.log"]).text.split(whereSeparator: \.isWhitespace).map(String.init)
    try #require(logs.count > 10)
    let events = try run(fsauditBinary, ["search", "--format", "ocsf", "--audit-log"] + logs)
    let check = try run("\(tests)/check-ocsf", input: events.output)
    #expect(check.status == 0, "\(check.text) \(check.errorText)")
    // and the check finds what is wrong
    let wrong = events.text.replacing("\"category_uid\":1,", with: "\"category_uid\":2,")
    #expect(try run("\(tests)/check-ocsf", input: Array(wrong.utf8)).status == 1)
  }
}
