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
}
