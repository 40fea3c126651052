import Glibc
import System
import TestSupport
import Testing

/// `fsaudit baseline` and `check` as programs: how they end, and what a kill, a full disk or a damaged database leaves.
@Suite(.serialized) struct BaselineTests {
  private let directory: TemporaryDirectory
  private let tree: String
  private let place: [String]
  private var database: String { directory["baseline.db"] }

  init() throws {
    directory = try TemporaryDirectory()
    tree = try directory.makeDirectory("tree")
    let config = try directory.write("baseline.conf", "\(tree) p+s+m+c+i+n+sha256\n", mode: 0o644)
    place = ["--config", config, "--database", directory["baseline.db"], "--log", directory["log"]]
  }

  private func fill(_ files: Int) throws {
    try run(
      "bash",
      ["-euc", "cd '\(tree)'; for d in $(seq 10); do mkdir d$d; for n in $(seq \(files / 10)); do echo $d $n > d$d/f$n; done; done"])
  }

  private func fsaudit(_ words: [String]) throws -> ProgramResult { try run(fsauditBinary, words + place) }

  @Test func exitStatus() throws {
    try fill(20)
    let missing = try fsaudit(["check"])
    #expect(missing.status == 18 && missing.errorText.contains("fsaudit baseline init"), "\(missing)")
    #expect(try fsaudit(["baseline", "update"]).status == 5)
    #expect(try fsaudit(["baseline", "init"]).status == 0)
    let again = try fsaudit(["baseline", "init"])
    #expect(again.status == 2 && again.errorText.contains("--replace"))
    #expect(try fsaudit(["check"]).status == 0)
    try run("bash", ["-c", "echo > '\(tree)/n'"])
    #expect(try fsaudit(["check"]).status == 1 | 4, "the file, and its directory's times")
    try run("bash", ["-c", "rm '\(tree)/d1/f1'"])
    let report = try fsaudit(["check", "--format", "json"])
    #expect(report.status == 7)
    let counts = try run("jq", ["-c", ".counts, .differences[0].kind"], input: report.output)
    #expect(counts.text.hasPrefix("{\"added\":1,\"removed\":1,\"changed\":2,\"moved\":0}\n"), "\(counts.text)")
    #expect(try fsaudit(["check", "--against", "7"]).status == 17)
    #expect(try fsaudit(["check", "--against", "later"]).status == 17)
    #expect(try fsaudit(["check", "--frob"]).status == 17)
    #expect(try run(fsauditBinary, ["check", "--config", directory["none"], "--database", database]).status == 18)
    let wrong = try directory.write("wrong.conf", "\(tree) p+frob\n")
    let refused = try run(fsauditBinary, ["check", "--config", wrong, "--database", database])
    #expect(refused.status == 17 && refused.errorText.contains("\(wrong):1:"), "\(refused)")
    #expect(try fsaudit(["baseline", "update"]).status == 0)
    #expect(try fsaudit(["check"]).status == 0)
    #expect(try fsaudit(["baseline", "list"]).text.split(separator: "\n").count == 3)
    #expect(try fsaudit(["baseline", "show", tree + "/n"]).text.contains("sha256"))
    #expect(try fsaudit(["baseline", "show", tree + "/none"]).status == 1)
    let export = try fsaudit(["baseline", "export", "--format", "json"])
    let objects = try run("jq", ["-s", "length"], input: export.output)
    #expect(export.status == 0 && objects.text == "31\n", "\(objects.text)")
  }

  /// What is wrong with the log, the settings or stdout changes nothing of what was found, and is said once.
  @Test func whatTheCheckDependsOn() throws {
    try fill(20)
    let settings = ["--daemon-config", try directory.write("fsaudit.toml", "[log]\ndirectory = \"\(directory["log"])\"\n")]
    let own = place.dropLast(2) + settings
    // before the baseline is asked for
    #expect(try fsaudit(["check", "--daemon-config", directory["none"]]).status == 17)
    #expect(try fsaudit(["check", "--no-explain"]).status == 17)
    #expect(try fsaudit(["check", "--diff-size", "5"]).status == 17)
    #expect(try fsaudit(["baseline", "init"]).status == 0)
    try run("bash", ["-c", "echo > '\(tree)/n'"])
    try directory.makeDirectory("log")
    try directory.write("log/events.jsonl", "no line at all\n")
    let result = try run(fsauditBinary, ["check"] + own)
    #expect(result.status == 5 && result.text.contains("[uncovered]"), "\(result)")
    #expect(result.errorText.occurrences(of: "events.jsonl:1:") == 1, "\(result.errorText)")
    #expect(result.errorText.occurrences(of: "1 lines of the log cannot be read") == 1, "\(result.errorText)")
    let words = ([fsauditBinary, "check"] + own).map { "'\($0)'" }.joined(separator: " ")
    #expect(try run("bash", ["-c", words + " | exec 0<&-; exit ${PIPESTATUS[0]}"]).status == 5)
    #expect(try run("bash", ["-c", words + " >/dev/full"]).status == 18)
  }

  /// What the configuration is warned of is told wherever it is used.
  @Test func warnings() throws {
    try fill(20)
    let config = try directory.write("old.conf", "\(tree) p+tiger\n")
    for command in [["baseline", "init"], ["baseline", "update"], ["check"]] {
      let result = try run(fsauditBinary, command + ["--config", config] + place.dropFirst(2))
      #expect(result.status == 0 && result.errorText.contains("warning: \(config):1:"), "\(command): \(result)")
    }
  }

  /// What a configuration holds reaches a file as it is, and a terminal as something to read.
  @Test func importToATerminal() throws {
    let config = try directory.write("aide.conf", "/a\u{1b}c p\n")
    let imported = try run(fsauditBinary, ["baseline", "import-aide", config])
    #expect(imported.status == 0 && imported.text.contains("/a\u{1b}c p"), "\(imported)")
    let shown = try run("script", ["-qec", "\(fsauditBinary) baseline import-aide \(config)", "/dev/null"])
    #expect(shown.status == 0 && shown.text.contains("/a\\x1bc p") && !shown.output.contains(0x1b), "\(shown)")
  }

  @Test func twoRunsAtOnce() throws {
    try fill(20)
    #expect(try fsaudit(["baseline", "init"]).status == 0)
    let lock = try Descriptor.open(database + ".lock", O_RDWR)
    var request = flock()
    request.l_type = Int16(F_WRLCK)
    #expect(fcntl(lock.raw, F_SETLK, &request) == 0)
    for words in [["check"], ["baseline", "update"], ["baseline", "init", "--replace"]] {
      let refused = try fsaudit(words)
      #expect(refused.status == 21 && refused.errorText.contains("process \(getpid()):"), "\(refused)")
    }
  }

  /// Killed at any moment, the baseline is the old one or the new one, whole.
  @Test(arguments: ["init", "update", "check"]) func killed(_ command: String) throws {
    try fill(3000)
    #expect(try fsaudit(["baseline", "init"]).status == 0)
    let words = command == "check" ? ["check", "--full"] : ["baseline", command] + (command == "init" ? ["--replace"] : ["--full"])
    for step in 0..<20 {
      try run("bash", ["-c", "cd '\(tree)/d\(step % 10 + 1)'; for n in f*; do echo \(step) > $n; done"])
      let before = try run("sqlite3", [database, "SELECT max(id) FROM generation"]).text
      let program = try RunningProgram(fsauditBinary, words + place)
      usleep(UInt32.random(in: 1000...250_000))
      program.signal(SIGKILL)
      _ = try program.wait()
      #expect(try run("sqlite3", [database, "PRAGMA integrity_check"]).text == "ok\n")
      let after = try run("sqlite3", [database, "SELECT max(id) FROM generation"]).text
      #expect(after == before || command == "update" && Int(after.dropLast()) == (Int(before.dropLast()) ?? 0) + 1)
      #expect(try run("sqlite3", [database, "SELECT count(*) FROM object WHERE until IS NULL"]).text == "3011\n")
    }
    #expect([0, 4].contains(try fsaudit(["check"]).status))
    #expect(try fsaudit(["baseline", "update"]).status == 0)
    #expect(try fsaudit(["check"]).status == 0)
    if command == "init" { #expect(try fsaudit(["baseline", "init", "--replace"]).status == 0) }
    let left = try directoryEntries(directory.path).filter { $0.hasPrefix("baseline.db") }
    #expect(left.sorted() == ["baseline.db", "baseline.db.lock"])
  }

  @Test func fullDisk() throws {
    let disk = try directory.makeDirectory("disk")
    guard try run("mount", ["-t", "tmpfs", "-o", "size=400k", "tmpfs", disk]).status == 0 else {
      #expect(!KernelLab.isRequired, "nothing can be mounted here")
      return
    }
    defer { _ = try? run("umount", ["-l", disk]) }
    let words = Array(place.prefix(2)) + ["--database", disk + "/b.db"]
    try fill(100)
    #expect(try run(fsauditBinary, ["baseline", "init"] + words).status == 0)
    try run("bash", ["-euc", "cd '\(tree)'; for n in $(seq 4000); do echo $n > new$n; done"])
    for command in [["baseline", "update"], ["baseline", "init", "--replace"]] {
      let refused = try run(fsauditBinary, command + words)
      #expect(refused.status == 5 && refused.errorText.contains("full"), "\(refused)")
    }
    #expect(try directoryEntries(disk).sorted().filter { !$0.hasSuffix("-shm") && !$0.hasSuffix("-wal") } == ["b.db", "b.db.lock"])
    let check = try run(fsauditBinary, ["check"] + words)
    #expect(check.status == 5 && check.text.contains("added     4000"), "\(check.text.prefix(300)) \(check.errorText)")
  }

  @Test func damagedDatabase() throws {
    try fill(1000)
    #expect(try fsaudit(["baseline", "init"]).status == 0)
    let good = try contents(of: database, limitBytes: 10 << 20)
    for step in 0..<12 {
      var bytes = good
      switch step {
      case 0: bytes = []
      case 1: bytes = Array("no database at all, but long enough to be one".utf8)
      case 2: bytes = Array(good.prefix(good.count / 2))
      default: for place in stride(from: step * 700, to: bytes.count, by: 4096) { bytes[place] ^= 0xa5 }
      }
      let file = try Descriptor.open(database, O_WRONLY | O_TRUNC)
      try bytes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
      for words in [["check"], ["baseline", "update"]] {
        let result = try fsaudit(words)
        // a changed byte in a value is a difference, not damage; nothing may crash or hang
        #expect(result.status < 128, "step \(step): \(result)")
        if step < 3 { #expect(result.status == 24 && result.errorText.contains("baseline"), "step \(step): \(result)") }
      }
    }
    #expect(try fsaudit(["baseline", "init", "--replace"]).status == 0)
    #expect(try fsaudit(["check"]).status == 0)
    try run("sqlite3", [directory["other.db"], "CREATE TABLE x(y)"])
    #expect(try run(fsauditBinary, ["baseline", "list", "--database", directory["other.db"]]).status == 24)
    try run("sqlite3", [database, "PRAGMA user_version = 99"])
    let newer = try fsaudit(["check"])
    #expect(newer.status == 24 && newer.errorText.contains("version 99"), "\(newer)")
  }

  /// Without root: what may be read is compared, the rest is reported, and nothing below it counts as removed.
  @Test func whatMayNotBeRead() throws {
    try fill(20)
    try run("mkdir", ["-p", tree + "/d4/below/here"])
    #expect(try fsaudit(["baseline", "init"]).status == 0)
    try run(
      "bash",
      [
        "-euc",
        // d4's entries can be listed and no more
        "cd '\(tree)'; chmod 700 d1; chmod 744 d4; chmod 600 d2/f1; chmod 755 ..; chmod 644 '\(database)'; cp '\(fsauditBinary)' ../fsaudit; cd d3; echo 1 > f1",
      ])
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", directory["fsaudit"]]
    let result = try run("setpriv", nobody + ["check"] + place)
    #expect(result.status == 18, "\(result)")
    #expect(result.errorText.contains("\(tree)/d1: Permission denied") && result.errorText.contains("\(tree)/d2/f1: Permission denied"))
    #expect(result.errorText.contains("\(tree)/d4/below: Permission denied: it could not be examined"))
    #expect(result.text.contains("removed   0") && result.text.contains("\(tree)/d3/f1"), "\(result.text)")
  }
}

extension String {
  /// How often a text is in it.
  fileprivate func occurrences(of text: String) -> Int { ranges(of: text).count }
}
