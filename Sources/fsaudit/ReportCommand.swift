import ArgumentParser
import AuditWire
import EventLog
import Glibc
import LogQuery
import System

/// `fsaudit report`: how often what was changed, by whom, with what.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Count changes by file, user, program, rule key and time.",
    discussion: """
      Kinds: files, users, executables, keys, actions, hosts, syscalls, failures (what was refused), timeline (--by hour or day), and summary, \
      which is what one mails every morning: totals, gaps, the busiest of everything. Each row has how often, how many of them were refused, and \
      when first and last. A rename counts for the old and for the new name.

        fsaudit report summary --since yesterday
        fsaudit report files --key efs_changes --top 20
        fsaudit report users --audit-log /var/log/audit/audit.log --action delete
        fsaudit report timeline --by day --since 30d --format csv
        fsaudit report summary --since 1w --html /var/www/changes.html

      The log of the fsaudit daemon is read, or auditd's own logs with --audit-log. Beyond 100,000 names the rest is counted together. \
      A page of --html holds every kind and needs nothing else; what comes behind # in its address goes into the filter box.

      Exit status: 0 something was counted, 1 nothing matches, 2 a filter is malformed, 3 a log may not be read, 5 a log cannot be read or some \
      of its lines cannot: the report is then of the rest.
      """)

  @Argument(help: ArgumentHelp("What to count by: \(ReportKind.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "kind"))
  var kind: ReportKind

  @Option(help: ArgumentHelp("Only the most frequent (default: all; of a summary 10, of a page 100).", valueName: "n"))
  var top: Int?

  @Option(help: "The steps of a timeline: hour or day.")
  var by = ReportStep.hour

  @Option(help: "text, json or csv.")
  var format = ReportFormat.text

  @Option(help: ArgumentHelp("Write a page for a browser to this file, with every kind, instead.", valueName: "file"))
  var html: String?

  @OptionGroup
  var logs: LogSources

  @OptionGroup(title: "Filters")
  var filters: FilterOptions

  func validate() throws {
    if let top, top < 1 { throw ValidationError("--top \(top) is no number of rows: write 1 or more") }
  }

  func run() throws {
    var report = Report(html == nil ? Report.needed(for: kind) : ReportKind.allCases, by: by)
    var question = Question()
    question.takesBlocks = true
    let outcome = try logs.ask(question, filters) { lines throws(SystemError) in
      var start = 0
      while let end = lines.firstIndex(of: UInt8(ascii: "\n"), from: start, before: lines.byteCount) {
        report.add(lines.extracting(start..<end))
        start = end + 1
      }
    }
    report.add(unreadable: outcome.corrupt + outcome.tooLong)
    if let html {
      try write(&report, to: html)
    } else {
      var output = Output()
      let style = TextStyle(Terminal())
      try report.write(kind, format, top: top, style: style, origin: origin) { try output.lines($0) }
      try output.flush()
    }
    if outcome.exit != .ok, outcome.exit != .findings { throw ExitCode(outcome.exit.rawValue) }
    if report.isEmpty { throw ExitCode(ExitStatus.findings.rawValue) }
  }

  private var origin: ReportOrigin { logs.isOfAuditd ? .auditd : .log }

  /// A page tells names of files that not everybody may know: only its owner reads it, unless the file was there before.
  /// There is the whole page, or what was there before. Where others may write, what they put there neither leads the page elsewhere nor
  /// gets it: a link, a device, or a file of somebody else's is refused.
  private func write(_ report: inout Report, to path: String) throws {
    let old = try? status(of: path)
    if let old, old.st_mode & S_IFMT != S_IFREG {
      throw Failure("\(printable(path)): not a regular file", advice: "name the file itself", exit: .inputOutput)
    }
    if let old, old.st_uid != geteuid() {
      throw Failure("\(printable(path)): somebody else's file", advice: "remove it, or name another", exit: .notPermitted)
    }
    let temporary = "\(path).\(getpid()).new"
    let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    do {
      if let old {
        try file.changeOwner(user: nil, group: old.st_gid)
        try file.changeMode(to: old.st_mode & 0o777)
      }
      var output = Output(descriptor: file.raw, name: path)
      try report.writePage(top: top, origin: origin) { try output.lines($0) }
      try output.flush()
      try rename(temporary, to: path)
    } catch {
      try? removeFile(temporary)
      throw error
    }
  }
}

extension ReportKind: ExpressibleByArgument {}
extension ReportStep: ExpressibleByArgument {}
extension ReportFormat: ExpressibleByArgument {}
