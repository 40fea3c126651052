import AuditControl
import EventLog
import Glibc
import System
import TestSupport
import Testing

/// `fsaudit run` with directories of its own, and a tree that its one rule watches. To be used inside ``KernelLab/run(_:)``.
final class TestDaemon {
  /// Holds everything else; removed at the end.
  let home: TemporaryDirectory
  /// What is watched, and a directory beside it that is not.
  let tree: String, outside: String
  let logDirectory: String
  let configuration: String
  private var program: RunningProgram?
  private var settles = 0

  /// - Parameters:
  ///   - log: more lines for the `[log]` section.
  ///   - logDirectory: another place for the log.
  ///   - runtimeDirectory: where it keeps its lock and its record of rules; what `watch` uses is /run/fsaudit.
  ///   - rules: the rules; `TREE` stands for the watched tree. nil for the one that `fsaudit rule` would make of a watch.
  init(log: String = "", logDirectory: String? = nil, rules: String? = nil, source: String = "", runtimeDirectory: String? = nil) throws {
    home = try TemporaryDirectory()
    tree = try home.makeDirectory("tree")
    outside = try home.makeDirectory("outside")
    self.logDirectory = logDirectory ?? home["log"]
    try home.makeDirectory("rules.d")
    configuration = try home.write(
      "fsaudit.toml",
      """
      [source]
      \(source)
      [rules]
      directory = "\(home["rules.d"])"
      [log]
      directory = "\(self.logDirectory)"
      compress = "none"
      \(log)
      [daemon]
      runtime_directory = "\(runtimeDirectory ?? home["run"])"
      state_directory = "\(home["state"])"
      status_interval = "1s"

      """)
    try setRules(rules ?? "-w TREE -p wa -k tree")
  }

  deinit { program = nil }

  /// Replaces the one rule file; the daemon reads it at its start and at SIGHUP.
  func setRules(_ text: String) throws {
    try home.write("rules.d/10-test.rules", text.split(separator: "TREE", omittingEmptySubsequences: false).joined(separator: tree) + "\n")
  }

  /// Starts it and waits until its rules are live.
  func start(environment: [String: String] = [:]) throws {
    let started = try RunningProgram(fsauditBinary, ["run", "--config", configuration], environment: environment)
    program = started
    let isUp = try started.wait(seconds: 20) { try messages().contains("fsaudit: started: ") || !started.isRunning() }
    let said = try messages()
    try #require(isUp && started.isRunning(), "the daemon does not start: \(said)")
  }

  var pid: pid_t { program?.pid ?? 0 }
  func signal(_ number: Int32) { program?.signal(number) }
  var isRunning: Bool { program?.isRunning() ?? false }

  /// What it said on stderr.
  func messages() throws -> String { try program.map { String(decoding: try $0.errors(), as: UTF8.self) } ?? "" }

  /// Ends it in order.
  @discardableResult
  func stop(expecting status: Int32 = 0) throws -> ProgramResult {
    let running = try #require(program, "the daemon was never started")
    running.signal(SIGTERM)
    let result = try running.wait(seconds: 20)
    program = nil
    #expect(result.status == status, "\(result.errorText)")
    return result
  }

  /// Ends it in no order at all.
  func kill9() throws {
    let running = try #require(program, "the daemon was never started")
    running.signal(SIGKILL)
    #expect(try running.wait(seconds: 10).status == 137)
    program = nil
  }

  /// Waits until what happened before is in the log: a change that is made now is. One that the daemon could not write is made again.
  func settle(seconds: Int = 20) throws {
    let running = try #require(program, "the daemon was never started")
    let end = milliseconds(CLOCK_MONOTONIC) + Int64(seconds) * 1000
    var isThere = false
    while !isThere, milliseconds(CLOCK_MONOTONIC) < end {
      settles += 1
      let name = "settled-\(settles)"
      let path = "\(tree)/.\(name)"
      try call("mkdir", path) { mkdir(path, 0o700) }
      try call("rmdir", path) { rmdir(path) }
      isThere = running.wait(seconds: 3) { ((try? logEnd().count(of: "\"action\":\"rmdir\"", and: name + "\"")) ?? 0) > 0 }
    }
    let said = try messages()
    try #require(isThere, "a change does not come into the log: \(said)")
  }

  /// `fsaudit status --json`.
  func status() throws -> LogLine {
    let answer = try run(fsauditBinary, ["status", "--json", "--config", configuration])
    var line = LogLine()
    let object = Array(answer.output.dropLast())
    let isObject = line.parse(object.span.bytes)
    // 1: something is wrong, and the answer says what
    try #require([0, 1].contains(answer.status) && isObject && line.has("pid"), "\(answer.text) \(answer.errorText)")
    return line
  }

  /// Waits until `condition` holds of the status.
  func wait(seconds: Int = 20, until condition: (LogLine) throws -> Bool) throws {
    let running = try #require(program, "the daemon was never started")
    let isSo = try running.wait(seconds: seconds) { try condition(try status()) }
    try #require(isSo, "the status does not become what it should")
  }

  // MARK: The log

  /// The log's segments in their order, the live one last.
  func segments() throws -> [String] {
    let names = try run("ls", ["-1", logDirectory]).text.split(separator: "\n").map(String.init)
    return (names.filter { $0.hasPrefix("events-") }.sorted() + names.filter { $0 == "events.jsonl" }).map { "\(logDirectory)/\($0)" }
  }

  /// The whole log.
  func logBytes() throws -> [UInt8] { try segments().flatMap { try contents(of: $0, limitBytes: 1 << 30) } }

  /// The last megabyte of the log's last two segments.
  private func logEnd() throws -> [UInt8] {
    try segments().suffix(2).flatMap { path -> [UInt8] in
      let file = try Descriptor.open(path, O_RDONLY)
      let size = Int64(try file.status().st_size)
      let start = max(0, size - 1 << 20)
      return try file.bytes(at: start, count: Int(size - start))
    }
  }

  /// How long the log is, all segments together.
  func logSize() throws -> Int {
    var sum = 0
    for path in try segments() { sum += (try? Int(System.status(of: path).st_size)) ?? 0 }
    return sum
  }

  /// The same without what the last segment has behind its last whole line.
  func wholeLinesSize() throws -> Int {
    let end = try logEnd()
    return try logSize() - end.count + (end.lastIndex(of: 10) ?? -1) + 1
  }

  /// The last line that is no seal, parsed.
  func lastLine() throws -> Line {
    let end = try logEnd()
    return try #require(try parse(Array(end[((end.firstIndex(of: 10) ?? -1) + 1)...])).last { $0.dataset != .seal })
  }

  /// The whole log, parsed. For logs of some thousand lines.
  func lines() throws -> [Line] { try parse(try logBytes()) }

  /// The changes that the log tells, without those of ``settle(seconds:)``.
  func changes() throws -> [Line] { try lines().filter { $0.dataset == .file && !$0.isSettling } }

  /// The gaps.
  func gaps() throws -> [Line] { try lines().filter { $0.dataset == .gap } }
}

/// A rule list as the kernel has it now.
func kernelRules() throws -> [[UInt8]] {
  var audit = try KernelAudit()
  return try audit.ruleData()
}

/// The kernel's audit settings and counters now.
func kernelStatus() throws -> KernelStatus {
  var audit = try KernelAudit()
  return try audit.status()
}

/// Waits until `condition` holds; false after `seconds`.
func eventually(seconds: Int = 10, _ condition: () throws -> Bool) rethrows -> Bool {
  let end = milliseconds(CLOCK_MONOTONIC) + Int64(seconds) * 1000
  while try !condition() {
    if milliseconds(CLOCK_MONOTONIC) > end { return false }
    usleep(20_000)
  }
  return true
}
