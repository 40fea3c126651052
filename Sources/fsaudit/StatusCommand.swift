import ArgumentParser
import AuditControl
import Daemon
import EventLog
import Settings
import System

/// `fsaudit status`: what the daemon is doing, and what was lost.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show what the daemon reads, counts and has lost.",
    discussion: """
      Exit status: 0 all is well; 1 no daemon runs (the kernel's own counters are shown even so, to root), or one that is blind or cannot \
      write: no rule that records anything, rules that somebody removed, rules.d that cannot be loaded, kernel audit switched off, records that go \
      to somebody else, a log that cannot be written; 5 it does not answer. What is wrong stands first, as FAULT.
      """)

  @Flag(help: "The daemon's answer as it is: one JSON object.")
  var json = false

  @OptionGroup
  var settings: SettingsOption

  func run() throws {
    let settings = try Settings.load(from: self.settings.config)
    let answer: [UInt8]
    do {
      answer = try LocalSocket.ask("\(settings.daemon.runtimeDirectory)/control", seconds: 5)
    } catch  where error.code == .timedOut {
      throw Failure(
        "the daemon has not answered for 5 s", advice: "it is stopped or stuck: see `systemctl status fsaudit`, and restart it",
        exit: .inputOutput)
    } catch  where [.noSuchFileOrDirectory, .connectionRefused].contains(error.code) {
      try reportKernel()
      throw ExitCode(ExitStatus.findings.rawValue)
    } catch {
      throw error.failure()
    }
    var line = LogLine()
    guard line.parse(answer.span.bytes.extracting(0..<max(0, answer.count - 1))) else {
      throw Failure("the daemon's answer cannot be read", advice: "is it another version? restart it", exit: .inputOutput)
    }
    let hasFirstKey = (try? System.status(of: settings.daemon.stateDirectory + "/" + SealKeyFile.initialName)) != nil
    let status = StatusText(line, hasFirstKey: hasFirstKey)
    if json {
      var output = Output()
      try output.line(answer.span.bytes.extracting(0..<max(0, answer.count - 1)))
      try output.flush()
    } else {
      print(status.text)
    }
    if !status.faults.isEmpty { throw ExitCode(ExitStatus.findings.rawValue) }
  }

  /// Without a daemon: what the kernel says.
  private func reportKernel() throws {
    if json {
      print("{\"running\":false}")
      return
    }
    print("fsaudit is not running: start it with `systemctl start fsaudit`")
    guard var audit = try? KernelAudit(), let status = try? audit.status() else { return }
    let daemon = RegisteredDaemon(status).map { "pid \($0.pid) (\($0.name ?? "gone"))" } ?? "nobody"
    print(
      "kernel: audit \(status.enabled == 0 ? "off" : "on"), records go to \(daemon), \(status.lost) lost since boot, backlog \(status.backlog) of \(status.backlogLimit)"
    )
  }
}

/// The status as a person reads it.
private struct StatusText {
  private let line: LogLine
  /// Whether the seal's first key is still on this host.
  private let hasFirstKey: Bool

  init(_ line: LogLine, hasFirstKey: Bool) {
    self.line = line
    self.hasFirstKey = hasFirstKey
  }

  private func number(_ path: String) -> Int64 { line.integer(path) ?? 0 }

  /// What keeps the daemon from seeing or writing what it should, the worst first.
  var faults: [String] {
    var faults: [String] = []
    if line.integer("kernel.enabled") == 0 {
      faults.append("kernel audit is off, nothing is recorded: switch it on with `fsaudit rule add -e 1`")
    }
    if line.string("source", equals: "unicast"), line.integer("kernel.pid") != line.integer("pid") {
      faults.append("the kernel sends its records to somebody else (pid \(number("kernel.pid"))): restart fsaudit to read them beside it")
    }
    if line.integer("rules.recording") == 0 {
      faults.append("no rule in the kernel records anything: put some into rules.d, then `systemctl reload fsaudit`")
    }
    if let fault = line.string("rules_fault") { faults.append("rules.d is not loaded: \(fault)") }
    if let missing = line.string("missing_rules") {
      faults.append("somebody removed \(missing): bring them back with `systemctl reload fsaudit`")
    }
    if let fault = line.string("log.seal.fault") { faults.append("the log is not sealed: \(fault)") }
    if let cause = line.string("stalled_by") { faults.append("nothing can be written: \(cause)") }
    return faults
  }

  var text: String {
    let enabled = ["off", "on", "on, locked until reboot"][min(2, max(0, Int(number("kernel.enabled"))))]
    var rows =
      faults.map { ("FAULT", $0) } + [
        ("daemon", "running, pid \(number("pid")), version \(line.string("version") ?? "?"), since \(line.string("started") ?? "?")"),
        ("source", "\(line.string("source") ?? "?"); kernel audit is \(enabled), registered pid \(number("kernel.pid"))"),
        ("rules", "\(number("rules.total")) in the kernel, \(number("rules.ours")) ours"),
        (
          "events",
          "\(number("received.events")) in \(number("received.records")) records; \(number("received.events_per_second"))/s over the last minute"
        ),
        ("last event", "serial \(number("last_event.sequence")), \(line.string("last_event.time") ?? "none yet")"),
        (
          "lost",
          "kernel \(number("kernel.lost")) records since boot; \(number("received.overruns")) overruns, \(number("received.missing_serials")) missing serials, \(number("received.incomplete_events")) incomplete, \(number("received.dropped_events")) dropped"
        ),
        (
          "backlog",
          "\(number("kernel.backlog")) of \(number("kernel.backlog_limit")) records in the kernel; \(number("queue.bytes")) of \(number("queue.limit_bytes")) bytes waiting for the disk"
        ),
        (
          "log",
          "\(line.string("log.directory") ?? "?"): \(number("log.written.segments")) segments, the live one \(number("log.written.segment_bytes")) bytes, \(number("log.written.rotations")) rotations"
        ),
        (
          "directories",
          "\(number("directory_map.directories")) known (\(number("directory_map.entries")) objects, \(number("directory_map.bytes") >> 20) MiB)\(number("directory_map.walking") != 0 ? ", walking" : "")"
        ),
      ]
    if let seal = line.integer("log.seal.number"), seal >= 0 {
      let key = hasFirstKey ? "; its first key is still on this host: `fsaudit log key`" : ""
      rows.append(("seal", "number \(seal), \(line.string("log.seal.time") ?? "?")\(key)"))
    }
    return rows.map { name, value in name + String(repeating: " ", count: 13 - name.count) + printable(value) }.joined(separator: "\n")
  }
}
