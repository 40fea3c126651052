import TestSupport
import Testing

/// The filters of the commands that read logs: what no line can match is refused, not answered with nothing.
@Suite struct FilterTests {
  /// Some words of an option, and some of the answer.
  private static let refused: [(arguments: [String], words: [String])] = [
    (["--action", "nonsense"], ["nonsense is no action", "rename", "reload", "config-change"]),
    (["--action", "rename,remove"], ["remove is no action"]), (["--action", ""], ["--action without a value"]),
    (["--result", "maybe"], ["maybe is no result", "success", "failure", "EACCES"]), (["--result", "EWRONG"], ["no result"]),
    (["--key", ""], ["--key without a value"]), (["--key", "a,"], ["--key without a value"]),
    (["--user", ""], ["--user without a value"]), (["--user", "4294967296"], ["no user", "4294967294"]),
    (["--auid", ""], ["--auid without a value"]), (["--auid", "99999999999"], ["no user"]),
    (["--path", ""], ["--path without a value"]), (["--path", "etc/passwd"], ["write /etc/passwd, or **/etc/passwd"]),
    (["--path", "/etc//x"], ["matches nothing", "//"]), (["--path", "/etc/../x"], ["matches nothing", "/../"]),
    (["--path", "."], ["matches nothing"]), (["--exe", "bin/mv"], ["**/bin/mv"]), (["--exe", ""], ["--exe without a value"]),
    (["--pid", "0"], ["no process"]), (["--pid=-4"], ["no process"]), (["--pid", "5000000"], ["no process"]),
    (["--pid", "x"], ["--pid x is no process"]),
    (["--ppid", ""], ["--ppid without a value"]), (["--session", "x"], ["no session"]), (["--serial", "4294967296"], ["no serial number"]),
    (["--inode", "0"], ["no inode"]), (["--syscall", "frob"], ["no system call", "renameat2"]), (["--under", "etc"], ["no absolute path"]),
    (["--under", "/a/../b"], ["matches nothing"]), (["--comm", ""], ["--comm without a value"]), (["--host", "a,"], ["--host without"]),
    (["--text", ""], ["--text without a value"]), (["--not", "root"], ["root is no filter", "user", "inode"]),
    (["--not", "since=1h"], ["no filter"]), (["--not", "action=nonsense"], ["--not action nonsense is no action"]),
    (["--not", "key="], ["--not key without a value"]),
    (["--since", "2026-02-30"], ["--since: 2026-02-30 is no time"]), (["--until", "soon"], ["soon is no time"]),
    (["--since", "1h", "--until", "2h"], ["--since is later"]), (["--format", "xml"], ["xml"]),
  ]

  @Test(arguments: ["tail", "search"]) func whatNoLineCanMatchIsRefused(command: String) throws {
    let directory = try TemporaryDirectory()
    let log = try directory.write("events.jsonl", "")
    let source = command == "tail" ? ["--log", directory.path] : ["--audit-log", log]
    for (arguments, words) in Self.refused {
      let result = try run(fsauditBinary, [command] + source + arguments)
      #expect(result.status == 2 && result.output.isEmpty, "\(arguments): \(result.status)")
      #expect(result.errorText.hasPrefix("fsaudit: "), "\(result.errorText)")
      for word in words { #expect(result.errorText.contains(word), "\(arguments): \(result.errorText)") }
    }
  }

  @Test func whatSomeLineCanMatchIsAsked() throws {
    let directory = try TemporaryDirectory()
    let log = try directory.write(
      "audit.log", "type=USER_LOGIN msg=audit(1700000000.123:10): pid=1 uid=0 auid=0 ses=1 msg='op=login res=success'\n")
    for arguments in [
      ["--action", "rename,mode-changed,gap,start,execve,config-change"], ["--result", "yes,no,failed,unknown,EACCES,eperm"],
      ["--key", "a,b"], ["--user", "root,0,0123"], ["--auid", "unset,-1,4294967295,root"], ["--path", "/", "--path", "*.conf"],
      ["--path", "**/../x"], ["--path", "/etc/*/"], ["--exe", "mv", "--exe", "/usr/bin/*"], ["--pid", "1", "--pid", "4194304"],
      ["--under", "/"], ["--ppid", "7,8", "--session", "unset,3", "--serial", "0", "--inode", "18446744073709551615"],
      ["--syscall", "renameat2,io_uring:openat", "--host", "web-1", "--comm", "a b,c", "--text", "x,y"],
      ["--not", "user=root", "--not", "action=gap,chmod", "--not", "path=*.swp"], ["--since", "boot"], ["--since", "this-week"],
    ] {
      let result = try run(fsauditBinary, ["search", "--audit-log", log] + arguments)
      #expect([0, 1].contains(result.status) && result.errors.isEmpty, "\(arguments): \(result.status) \(result.errorText)")
    }
  }

  /// The user may have been deleted since, or be one of another host.
  @Test func aUserThatDoesNotExistIsSaid() throws {
    let directory = try TemporaryDirectory()
    let log = try directory.write("events.jsonl", "")
    for option in ["--user", "--auid"] {
      let tail = try run(fsauditBinary, ["tail", "--log", directory.path, option, "no-such-user"])
      #expect(tail.status == 0 && tail.errorText.hasPrefix("fsaudit: note: \(option) no-such-user is no user"), "\(tail.errorText)")
      let search = try run(fsauditBinary, ["search", "--audit-log", log, option, "no-such-user"])
      #expect(search.status == 1 && search.errorText.contains("no-such-user is no user of this host"), "\(search.errorText)")
    }
  }
}
