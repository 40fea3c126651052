import Glibc
import System
import TestSupport
import Testing

/// The exit status is part of the contract (DESIGN.md, "Commands"): 0 ok, 1 nothing found, 2 usage, 3 not permitted, 4 the kernel refused, 5 I/O.
@Suite struct ExitStatusTests {
  /// How a command is run, beside its words.
  enum Way: Sendable {
    case normally
    /// As a user who may do nothing.
    case unprivileged
    /// With a disk that is full behind stdout.
    case full
    /// With a reader that has gone.
    case gone
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var words: String
    var way: Way
    var status: Int32
    /// What stderr must hold, after `fsaudit: `; nothing where it is empty.
    var says: String
    var testDescription: String { "\(words) \(way)" }

    init(_ words: String, _ status: Int32, _ says: String = "") { self.init(words, .normally, status, says) }

    init(_ words: String, _ way: Way, _ status: Int32, _ says: String = "") {
      (self.words, self.way, self.status, self.says) = (words, way, status, says)
    }
  }

  /// LOG is a log's directory, BAD one with lines that are none, AUDIT a log of auditd's, RULES a rule file, CONF a baseline's configuration, SECRET a file that only root may read,
  /// EMPTY an empty directory, MISSING nothing.
  static let cases = [
    // what was asked for, or nothing to be found
    Case("tail --log LOG", 0), Case("tail --log LOG -n1 --action gap", 0), Case("tail --log EMPTY", 0, "no log in EMPTY yet"),
    Case("tail --log LOG --key none", 0),
    Case("search --audit-log AUDIT", 0), Case("search --audit-log AUDIT --key none", 1), Case("search --audit-log AUDIT", .unprivileged, 0),
    Case("rule check RULES", 1), Case("rule check EMPTY", 0, "EMPTY holds no *.rules"), Case("rule check RULES", .unprivileged, 1),
    Case("search --verify --log LOG", 5, "NOT SEALED"), Case("search --verify --audit-log AUDIT", 2, "no seals"),
    Case("log verify --log LOG", 1), Case("log verify --log EMPTY", 1), Case("log seal --log LOG", 1, "the log has no seal yet"),
    Case("log", 0), Case("help", 0), Case("help rule add", 0), Case("--version", 0), Case("rule", 0),
    Case("report files --audit-log AUDIT", 0), Case("report files --log LOG", 1),
    Case("report summary --log EMPTY", 5, "EMPTY: no log in this directory"),
    Case("report files --audit-log AUDIT --key none", 1), Case("report files --audit-log AUDIT", .unprivileged, 0),
    Case("search --log LOG", 0), Case("search --log LOG --action create", 1),
    Case("search --log EMPTY", 5, "EMPTY: no log in this directory"),
    Case("search --log LOG", .gone, 0),
    Case("baseline path-check f:/etc/x --config CONF", 0), Case("baseline path-check d:/usr --config CONF --format json", 1),
    Case("baseline import-aide CONF", .unprivileged, 0),
    // usage
    Case("search --log LOG --format raw", 2, "does not keep the kernel's records"),
    Case("tail --log LOG --format raw", 2, "search --audit-log"),
    Case("search --log LOG --follow-file relative", 2, "no file's path"), Case("search --log LOG --follow-file //", 2, "no file's path"),
    Case("search --log LOG --follow-file /none/", 1), Case("search --audit-log - --follow-file /a", 2, "give a file"),
    Case("search --audit-log - -", 2, "given twice"),
    Case("frob", 2, "frob"), Case("help frob", 2, "frob is no command"), Case("help rule frob", 2, "frob is no command"),
    Case("tail --frob", 2, "--frob"), Case("tail frob", 2, "frob"), Case("tail -n x", 2, "-n"),
    Case("search --log LOG --limit 0", 2, "--limit"),
    Case("search --audit-log", 2, "--audit-log"), Case("search --audit-log AUDIT --format xml", 2, "xml"), Case("watch", 2, "path"),
    Case("report", 2, "kind"), Case("report frob", 2, "frob"), Case("report files --top 0 --log LOG", 2, "--top 0"),
    Case("report timeline --by week --log LOG", 2, "week"), Case("report files --log LOG --format xml", 2, "xml"),
    Case("rule add", 2, "no rule"), Case("rule add -a frob,exit", 2, "frob,exit"),
    Case("rule add -w relative", 2, "relative: not an absolute path"),
    Case("rule add -e 2", 2, "--allow-lock"), Case("rule add -f 2", 2, "--allow-panic"), Case("rule remove", 2, "no rule"),
    Case("rule remove -b 64", 2, "not a rule"), Case("rule load --frob", 2, "--frob"), Case("run --source frob", 2, "frob is no source"),
    Case("log verify --log LOG --anchor frob", 2, "frob is no seal"), Case("log verify --log LOG --key AUDIT", 2, "AUDIT holds no key"),
    // not permitted
    Case("log verify --log SECRETS", .unprivileged, 3, "SECRETS"), Case("log seal --log SECRETS", .unprivileged, 3, "SECRETS"),
    Case("baseline path-check etc --config CONF", 2, "etc: not absolute"),
    Case("baseline path-check x:/etc --config CONF", 2, "x:/etc: no such kind"),
    Case("baseline path-check /etc --config AUDIT", 2, "AUDIT:1:1: type is no option"),
    Case("baseline import-aide CONF --output RULES", 5, "RULES: File exists"),
    // not permitted
    Case("baseline path-check /etc --config SECRET", .unprivileged, 3, "SECRET: Permission denied"),
    Case("search --audit-log SECRET", .unprivileged, 3, "SECRET: Permission denied"),
    Case("tail --log SECRETS", .unprivileged, 3, "SECRETS/events.jsonl: Permission denied"),
    Case("rule check SECRET", .unprivileged, 3, "SECRET: Permission denied"), Case("rule load SECRET", .unprivileged, 3, "run it as root"),
    Case("search --log SECRETS", .unprivileged, 3, "SECRETS/events.jsonl: Permission denied"),
    Case("rule list", .unprivileged, 3, "not permitted"), Case("rule add -b 8192", .unprivileged, 3, "run it as root"),
    Case("rule remove -w /etc", .unprivileged, 3, "run it as root"), Case("rule load RULES", .unprivileged, 3),
    Case("watch LOG", .unprivileged, 3, "root"),
    Case("run", .unprivileged, 3, "root"),
    Case("report files --audit-log SECRET", .unprivileged, 3, "SECRET: Permission denied"),
    Case("report files --log SECRETS", .unprivileged, 3, "SECRETS/events.jsonl: Permission denied"),
    // input and output
    Case("log verify --log MISSING", 5, "MISSING: No such file"), Case("log verify --log AUDIT", 5, "AUDIT: Not a directory"),
    Case("log verify --log LOG --key MISSING", 5, "MISSING: No such file"), Case("log verify --log LOG", .full, 5, "stdout: No space"),
    Case("log verify --log PACKED", 1),
    Case("report files --log MISSING", 5, "MISSING: No such file"), Case("report files --log AUDIT", 5, "--log takes the log's directory"),
    Case("report files --log BAD", 5, "2 lines could not be read"),
    Case("report files --audit-log MISSING", 5, "MISSING: No such"),
    Case("report files --audit-log AUDIT --html EMPTY", 5, "EMPTY: not a regular file"),
    Case("report files --audit-log AUDIT", .full, 5, "stdout: No space left on device"), Case("report files --audit-log AUDIT", .gone, 0),
    Case("tail --log MISSING", 5, "MISSING: No such file"), Case("tail --log AUDIT", 5, "--log takes the log's directory"),
    Case("tail --log BAD", 5, "2 lines of the log could not be read"),
    Case("tail --log BAD --action gap", 5, "2 lines of the log could not be read"),
    Case("tail --log PACKED", 5, "the segment is damaged: what was read"), Case("search --audit-log MISSING", 5, "MISSING: No such file"),
    Case("search --audit-log EMPTY", 5, "EMPTY: no audit.log"), Case("search --log MISSING", 5, "MISSING: No such file"),
    Case("search --log AUDIT", 5, "--log takes the log's directory"), Case("search --log BAD", 5, "BAD/events.jsonl:1: no line of the log"),
    Case("search --log PACKED", 5, "the segment is damaged"), Case("search --log LOG", .full, 5, "stdout: No space"),
    Case("search --audit-log BAD/events.jsonl", 5, "BAD/events.jsonl:1: no record"),
    Case("search --audit-log AUDIT MISSING", 5, "MISSING: No such file"), Case("rule check MISSING", 5, "MISSING: No such file"),
    Case("rule load MISSING", 5, "MISSING: No such file"), Case("status --config EMPTY", 5, "EMPTY: Is a directory"),
    Case("tail --log LOG", .full, 5, "stdout: No space left on device"), Case("tail --log LOG --format json", .full, 5, "stdout: No space"),
    Case("search --audit-log AUDIT", .full, 5, "stdout: No space left on device"), Case("rule check RULES", .full, 5, "stdout: No space"),
    Case("--help", .full, 5, "stdout: No space"), Case("--version", .full, 5, "stdout: No space"),
    Case("rule", .full, 5, "stdout: No space"),
    Case("tail -n -1 --log LOG", 2, "-n -1 is no number of lines"),
    // what only root can look at is no mistake
    Case("rule check HIDDEN", 0), Case("rule check HIDDEN", .unprivileged, 0),
    Case("baseline path-check /etc --config MISSING", 5, "MISSING: No such file"),
    Case("baseline import-aide EMPTY", 5, "EMPTY: Is a directory"),
    Case("baseline import-aide CONF", .full, 5, "stdout: No space"),
    Case("baseline path-check /etc --config CONF", .full, 5, "stdout: No space"),
    // a reader that has what it wanted
    Case("tail --log LOG", .gone, 0), Case("search --audit-log AUDIT", .gone, 0), Case("rule check RULES", .gone, 1),
    Case("baseline import-aide CONF", .gone, 0),
    Case("--help", .gone, 0),
    Case("rule check --help", .gone, 0),
  ]

  private let directory: TemporaryDirectory
  private let paths: [(word: String, path: String)]

  init() throws {
    directory = try TemporaryDirectory()
    let line = #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"action":"gap","dataset":"fsaudit.gap"},"message":"text"}"# + "\n"
    for (name, text) in [("log", line), ("bad", "no JSON\n" + line + "{\"a\":\n"), ("secrets", line)] {
      try directory.makeDirectory(name)
      try directory.write(name + "/events.jsonl", text, mode: name == "secrets" ? 0o600 : 0o644)
    }
    for name in ["empty", "packed", "run"] { try directory.makeDirectory(name) }
    try directory.write("packed/events-20261120T233251.738Z-0000000001.jsonl.zst", "not zstd")
    let record = "type=USER_LOGIN msg=audit(1700000000.123:10): pid=1 uid=0 auid=0 ses=1 msg='op=login res=success'\n"
    try directory.write("audit.log", record, mode: 0o644)
    try directory.write("secret.rules", record)
    try directory.write("all.rules", "-a always,exit -S open -F path=/etc/passwd\n", mode: 0o644)
    try directory.makeDirectory("private")
    try run("chmod", ["700", directory["private"]])
    try directory.write("hidden.rules", "-w \(directory["private"])/. -p wa -k private\n", mode: 0o644)
    try directory.write("baseline.conf", "/etc p+u\n!/etc/mtab\n", mode: 0o644)
    try run("chmod", ["755", directory.path])
    try run("cp", [fsauditBinary, directory["fsaudit"]])
    let directory = directory
    paths = [
      ("LOG", "log"), ("BAD", "bad"), ("SECRETS", "secrets"), ("SECRET", "secret.rules"), ("EMPTY", "empty"), ("PACKED", "packed"),
      ("AUDIT", "audit.log"), ("RULES", "all.rules"), ("MISSING", "missing"), ("CONF", "baseline.conf"),
      ("HIDDEN", "hidden.rules"),
    ].map { ($0.0, directory[$0.1]) }
  }

  private func named(_ text: String) -> String { paths.reduce(text) { $0.replacing($1.word, with: $1.path) } }

  private func outcome(_ one: Case) throws -> ProgramResult {
    let words = one.words.split(separator: " ").map { named(String($0)) }
    let environment = ["FSAUDIT_RUN_DIRECTORY": directory["run"]]
    switch one.way {
    case .normally: return try run(fsauditBinary, words, environment: environment)
    case .unprivileged:
      let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", directory["fsaudit"]]
      return try run("setpriv", nobody + words, environment: environment)
    case .full:
      let disk = try Descriptor.open("/dev/full", O_WRONLY)
      return try RunningProgram(fsauditBinary, words, output: disk.raw, environment: environment).wait()
    case .gone:
      var ends: [Int32] = [0, 0]
      try call("pipe", "test") { pipe(&ends) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      close(ends[0])
      defer { close(ends[1]) }
      return try RunningProgram(fsauditBinary, words, output: ends[1], environment: environment).wait()
    }
  }

  @Test(arguments: cases) func everyEndHasItsStatus(one: Case) throws {
    let result = try outcome(one)
    #expect(result.status == one.status, "\(result.status) \(result.errorText)")
    if one.says.isEmpty && [0, 1].contains(one.status) {
      #expect(result.errors.isEmpty, "\(result.errorText)")
    } else {
      #expect(result.errorText.hasPrefix("fsaudit: ") && result.errorText.contains(named(one.says)), "\(result.errorText)")
    }
  }

  /// What only a kernel can refuse.
  @Test(.enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) func theKernelsRefusalsAreFour() throws {
    try KernelLab.run { () throws in
      for one in [
        Case("rule add -a always,exit -F arch=b64 -S open -F dir=MISSING", 4, "MISSING"),
        Case("rule remove -a always,exit -F arch=b64 -S open -F uid=4294960000", 4, "fsaudit has added no such rule"),
        Case("rule add -a always,io_uring -S openat -F perm=w", 2, "perm"), Case("rule remove -D", 0), Case("rule load EMPTY", 0),
      ] {
        let result = try outcome(one)
        #expect(result.status == one.status && result.errorText.contains(named(one.says)), "\(one): \(result.status) \(result.errorText)")
      }
    }
  }
}
