import EventLog
import Glibc
import System
import TestSupport
import Testing

/// `fsaudit check` and the event log: what it reads because of it, and what it leaves there.
@Suite struct CheckTrailTests {
  private let directory: TemporaryDirectory
  private let tree: String
  private let place: [String]

  init() throws {
    directory = try TemporaryDirectory()
    tree = try directory.makeDirectory("tree")
    try directory.makeDirectory("log")
    try directory.write("log/events.jsonl", "")
    try directory.write("tree/a", "a\n")
    try directory.write("tree/b", "b\n")
    let config = try directory.write("baseline.conf", "\(tree) p+s+m+c+i+n+sha256\n")
    place = ["--config", config, "--database", directory["baseline.db"]]
    #expect(try run(fsauditBinary, ["baseline", "init"] + place).status == 0)
  }

  private func settings(_ check: String) throws -> [String] {
    let text = "[log]\ndirectory = \"\(directory["log"])\"\n[daemon]\nruntime_directory = \"\(directory["run"])\"\n[check]\n\(check)\n"
    return ["--daemon-config", try directory.write("fsaudit\(text.utf8.count).toml", text)]
  }

  /// Who sets the clock back writes a file without another ctime, and the line about that has an older time than the baseline. It stands behind
  /// newer ones.
  @Test func aForgedTimeOfChange() throws {
    try run("sqlite3", [directory["baseline.db"], "UPDATE object SET sha256 = zeroblob(32) WHERE name = 'a'"])
    let inode = try status(of: tree + "/a").st_ino
    let now = milliseconds(CLOCK_REALTIME)
    func line(_ ms: Int64, _ name: String, _ inode: UInt64) -> String {
      """
      {"@timestamp":"\(isoUTC(milliseconds: ms))","event":{"outcome":"success","dataset":"fsaudit.file"},"file":{"path":"\(tree)/\(name)",\
      "inode":"\(inode)","device":"fe:00"},"process":{"executable":"/bin/forger"},"fsaudit":{"action":"open"}}

      """
    }
    // before the baseline, in order
    let before = line(now - 7_200_000, "other", 1) + line(now - 3_600_000, "a", UInt64(inode))
    try directory.write("log/events.jsonl", before)
    let quiet = try run(fsauditBinary, ["check", "--format", "json"] + place + settings(""))
    #expect(quiet.status == 0 && quiet.text.contains(#""whole":true,"files_read":0}"#), "\(quiet.text) \(quiet.errorText)")
    try directory.write("log/events.jsonl", before + line(now + 1000, "other", 1) + line(now - 3_000_000, "a", UInt64(inode)))
    for words in [try settings("trail = false"), try settings("") + ["--no-explain"]] {
      #expect(try run(fsauditBinary, ["check"] + place + words).status == 0, "only the trail tells of it")
    }
    for _ in 0..<2 {
      let found = try run(fsauditBinary, ["check"] + place + settings(""))
      #expect(found.status == 4 && found.text.contains("\(tree)/a  [explained]") && found.text.contains("/bin/forger"), "\(found.text)")
      #expect(found.text.contains("fast: ") && found.text.contains("tells of it (1 files)"), "\(found.text)")
    }
  }

  /// Without a daemon nobody can append to its log: a note, and the same answer. With a log of another host there is nothing to append to.
  @Test func withoutADaemon() throws {
    try directory.write("tree/n", "")
    let result = try run(fsauditBinary, ["check"] + place + settings(""))
    #expect(result.status == 5 && result.text.contains("added     1"))
    #expect(result.errorText.split(separator: "\n").count == 1 && result.errorText.contains("no daemon is there"), "\(result.errorText)")
    let words = ["check", "--log", try directory.makeDirectory("other")] + place + (try settings(""))
    let none = try run(fsauditBinary, words)
    #expect(none.status == 5 && none.errorText.contains("other: no log in this directory"), "\(none.errorText)")
    try directory.write("other/events.jsonl", "")
    let other = try run(fsauditBinary, words)
    #expect(other.status == 5 && other.errorText.isEmpty, "\(other.errorText)")
  }

  /// full_every forces a full check, --no-full does not let it, --full asks for one.
  @Test func fullEvery() throws {
    let week = try settings("full_every = \"7d\"")
    func check(_ words: [String]) throws -> String {
      let result = try run(fsauditBinary, ["check", "--format", "json"] + place + words)
      #expect(result.status == 0, "\(result.errorText)")
      return try run("jq", ["-c", "[.full, .full_reason, .last_full != null]"], input: result.output).text
    }
    #expect(try check(week) == "[false,null,true]\n")
    try directory.write("baseline.db.lock", "")
    #expect(try check(week + ["--no-full"]) == "[false,null,false]\n")
    #expect(try check(try settings("full_every = \"never\"")) == "[false,null,false]\n")
    #expect(try check(week) == "[true,\"due\",false]\n")
    #expect(try check(week) == "[false,null,true]\n")
    #expect(try check(week + ["--full"]) == "[true,\"asked\",true]\n")
    try directory.write("baseline.db.lock", "")
    let text = try run(fsauditBinary, ["check"] + place + week).text
    #expect(text.contains("full: every selected file was read, because check.full_every asks for it"), "\(text)")
  }
}
