import Glibc
import System
import TestSupport
import Testing

/// `fsaudit report` as it is built: against aureport, and in a browser.
@Suite struct ReportTests {
  private let corpus: String = {
    let tests = "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    return tests + "/Corpus/"
  }()
  private static let logs = [
    "debian11-5.10/open.log", "debian12-6.1/programs-enriched.log", "debian12-6.1/rename.log", "debian12-6.18/article.log",
    "debian12-6.18/attributes.log", "debian12-6.18/links.log", "debian12-6.18/mounts.log", "debian12-6.18/open.log",
    "debian12-6.18/programs.log", "debian12-6.18/rename.log", "debian13-6.12/programs-enriched.log",
  ]

  /// Our rows: the names and their counts.
  private func ours(_ kind: String, _ log: String) throws -> [String: Int] {
    let text = try run(fsauditBinary, ["report", kind, "--format", "csv", "--audit-log", log]).text
    var rows: [String: Int] = [:]
    for line in text.split(separator: "\r\n").dropFirst() {
      let fields = line.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false)
      rows[String(fields[4]), default: 0] += Int(fields[0]) ?? 0
    }
    return rows
  }

  /// aureport's.
  private func theirs(_ option: String, _ log: String) throws -> [String: Int] {
    var rows: [String: Int] = [:]
    for line in try run("aureport", [option, "--summary", "-i", "-if", log]).text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1)
      guard words.count == 2, let count = Int(words[0]) else { continue }
      rows[String(words[1].drop { $0 == " " }.prefix { $0 != " " }), default: 0] += count
    }
    return rows
  }

  /// Where aureport is right: by program, by key, by who had logged in.
  @Test(arguments: logs) func countsAreThoseOfAureport(log: String) throws {
    let log = corpus + log
    #expect(try ours("executables", log) == theirs("-x", log))
    var keys = try ours("keys", log)
    keys[""] = nil
    #expect(try keys == theirs("-k", log))
    var users: [String: Int] = [:]
    for (name, count) in try ours("users", log) {
      let fields = name.split(separator: ",")
      users[fields.last == "yes" ? String(fields[0]) : "unset", default: 0] += count
    }
    // the names may be those of another host, which an enriched log holds and aureport shows
    let known = try theirs("-u", log)
    #expect(users["unset"] == known["unset"] && users.values.sorted() == known.values.sorted(), "\(users) \(known)")
  }

  /// By file it is wrong for most changes: it takes the first name that it finds in the records, the directory in which something was created, renamed
  /// or deleted, or a name without its directory. Where it names the file itself, so do we.
  @Test func aureportNamesTheDirectoryAndWeTheFile() throws {
    var (same, directory, relative) = (0, 0, 0)
    for log in Self.logs {
      var paths: [Substring: Substring] = [:]
      for line in try run(fsauditBinary, ["search", "--format", "csv", "--audit-log", corpus + log]).text.split(separator: "\r\n")
        .dropFirst()
      {
        let fields = line.split(separator: ",", maxSplits: 8, omittingEmptySubsequences: false)
        // the kernel follows a link to what it changes, and aureport names the link
        if fields[4] != "mount", !fields[7].isEmpty { paths[fields[3]] = fields[7] }
      }
      for line in try run("aureport", ["-f", "-i", "-if", corpus + log]).text.split(separator: "\n") {
        // 1. 11/21/26 03:43:22 /tmp/corpus/ mkdir yes /tmp/operations unset 2919040
        let words = line.split(separator: " ")
        guard words.count == 9, words[0].hasSuffix("."), let path = paths[words[8]] else { continue }
        let theirs = words[3].count > 1 && words[3].hasSuffix("/") ? words[3].dropLast() : words[3]
        let parent = path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)
        if theirs == path {
          same += 1
        } else if !theirs.hasPrefix("/") {
          relative += 1
        } else if theirs == parent || ["mkdir", "rmdir", "rename", "renameat", "renameat2", "link", "linkat"].contains(words[4]) {
          directory += 1
        } else {
          // the working directory, where the name is relative to another one
          #expect(path.hasPrefix("/"), "\(log): \(line): \(path)")
          directory += 1
        }
      }
    }
    #expect(same > 20 && directory > 20 && relative > 5, "\(same) \(directory) \(relative)")
    // and so its summary of files is one of directories
    let log = corpus + "debian12-6.18/rename.log"
    #expect(try theirs("-f", log)["/tmp/corpus/rename/"] == 21 && ours("files", log)["/tmp/corpus/rename/"] == nil)
    #expect(try ours("files", log)["/tmp/corpus/rename/victim"] == 3)
  }

  /// Filters are search's, and `-` is standard input.
  @Test func filtersChoose() throws {
    let log = corpus + "debian12-6.18/article.log"
    let all = try ours("actions", log)
    let result = try run(
      fsauditBinary, ["report", "actions", "--format", "csv", "--action", "delete", "--audit-log", "-"],
      input: Array(try run("cat", [log]).output))
    #expect(result.text.split(separator: "\r\n").count == 2 && result.text.contains("\(all["delete"] ?? -1),0,"))
  }

  /// Root may write the page where others may put links and files.
  @Test func thePageReplacesWhatIsThere() throws {
    let directory = try TemporaryDirectory()
    let (page, other) = (directory["page.html"], try directory.write("other", "precious"))
    try directory.makeDirectory("log")
    try directory.write("log/events.jsonl", "")
    func report() throws -> ProgramResult { try run(fsauditBinary, ["report", "summary", "--log", directory["log"], "--html", page]) }
    try run("ln", ["-s", other, page])
    let linked = try report()
    #expect(linked.status == 5 && linked.errorText.contains("page.html: not a regular file"), "\(linked.errorText)")
    #expect(try String(decoding: contents(of: other), as: UTF8.self) == "precious")
    try run("rm", [page])
    #expect(try report().errors.isEmpty)
    #expect(try status(of: page).st_mode == S_IFREG | 0o600)
    try run("chmod", ["644", page])
    #expect(try report().errors.isEmpty && status(of: page).st_mode == S_IFREG | 0o644)
    try run("chown", ["65534", page])
    let foreign = try report()
    #expect(foreign.status == 3 && foreign.errorText.contains("page.html: somebody else's file"), "\(foreign.errorText)")
    let refused = try run(fsauditBinary, ["report", "summary", "--log", directory["log"], "--html", "/dev/full"])
    #expect(refused.status == 5 && refused.errorText.contains("/dev/full: not a regular file"), "\(refused.errorText)")
  }

  /// A page in a real browser: its own script runs, in spite of the policy, and nothing that the log holds does.
  @Test func thePageWorksInABrowser() throws {
    let isRequired = getenv("FSAUDIT_REQUIRE_KERNEL").map { String(cString: $0) } == "1"
    guard try run("sh", ["-c", "command -v chromium"]).status == 0 else {
      print("skipped: there is no chromium")
      #expect(!isRequired, "chromium is required here")
      return
    }
    let directory = try TemporaryDirectory()
    try directory.makeDirectory("log")
    let hostile = #"/srv/</td><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"#
    let line =
      #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"dataset":"fsaudit.file"},"file":{"path":"PATH"},"fsaudit":{"action":"create"}}"#
    let lines = [hostile, "/etc/ssh/sshd_config", "/etc/passwd"].map { line.replacing("PATH", with: $0) + "\n" }
    try directory.write("log/events.jsonl", lines.joined())
    let page = directory["page.html"]
    let made = try run(fsauditBinary, ["report", "summary", "--log", directory["log"], "--html", page])
    #expect(made.status == 0 && made.output.isEmpty, "\(made.errorText)")
    func show(_ address: String) throws -> String {
      let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(directory["profile"])", "--dump-dom"]
      return try run("chromium", flags + ["file://\(page)\(address)"]).text
    }
    let plain = try show("")
    #expect(plain.contains("<title>fsaudit report</title>") && !plain.contains("<img"))
    #expect(!plain.contains("<tr hidden") && plain.contains("/etc/passwd"))
    let filtered = try show("#SSHD_config")
    #expect(filtered.contains("1 of "), "the script does not run: is its hash in the policy the right one?")
    #expect(filtered.contains("<tr hidden") && filtered.contains("<tr><td class=\"n\">1</td>"))
  }
}
