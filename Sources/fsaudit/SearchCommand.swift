import ArgumentParser
import Daemon
import EventLog
import Glibc
import LogQuery
import Settings
import System

/// `fsaudit search`: which changes match, in the past.
struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find changes in the log, or in auditd's logs, read as they are.",
    usage: "fsaudit search [--log <dir> ...] [--audit-log <file> ...] [<filters>] [<options>]",
    discussion: """
      Without --log and --audit-log, the log of this host's daemon is searched. Several logs are merged by time, and each line says its host. \
      Values of one filter are alternatives, different filters must all agree. Gaps in the log are shown with every answer about their time.

        fsaudit search --key ssh --since yesterday
        fsaudit search --under /etc --not action=chmod --reverse --limit 10
        fsaudit search --follow-file /srv/report.txt --format json
        fsaudit search --audit-log /var/log/audit/audit.log --path /etc/shadow --format raw
        zcat old.gz | fsaudit search --audit-log - --action delete --count

      --audit-log reads RAW and ENRICHED logs, plain or packed with gzip or zstd. A directory means its audit.log; a file also means what was \
      rotated away from it, FILE.1, FILE.2.gz, FILE-20261120; '-' is stdin. Where the lines of several logs do not say their host, their files' \
      names do.

      Segments of the log that cannot hold the time asked for are not opened; lines may be 10 minutes out of order before one is missed. Each \
      log is shown in its own order, that in which the events ended. A line that could not match is not looked at whole: `fsaudit search \
      --count` without a filter looks at every line.

      \(textLegend)

      Exit status: 0 changes were found, 1 nothing matches, 2 a filter is malformed, 3 a log may not be read, 5 a log cannot be read or some \
      of its lines cannot (stderr names the first): the answer is then what the rest holds; or --verify found the log changed.
      """)

  @OptionGroup
  var logs: LogSources

  @OptionGroup(title: "Filters")
  var filters: FilterOptions

  @Option(
    help: ArgumentHelp(
      """
      The whole life of one file, under a name that it had at some time: through its renames, and through those of the directories above it. \
      Of several files that had the name, the last one, up to --until. Changes under a hard link to it are among them where the kernel told \
      the inode.
      """,
      valueName: "path"))
  var followFile: String?

  @Option(help: ArgumentHelp("At most so many changes.", valueName: "n"))
  var limit: Int?

  @Flag(help: "The newest first.")
  var reverse = false

  @Flag(help: "Only how many match.")
  var count = false

  @Flag(help: "First verify the seals of the daemon's log; what is wrong goes to stderr, as of `fsaudit log verify`.")
  var verify = false

  @Option(help: searchFormatHelp)
  var format = LineFormat.text

  func validate() throws {
    if verify, logs.isOfAuditd { throw ValidationError("--verify: auditd's logs have no seals") }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit) is no number of changes: write 1 or more") }
  }

  func run() throws {
    let isGood = try verify ? verifySeals() : true
    var question = Question()
    question.limit = limit
    question.isReversed = reverse
    question.followedFile = try followedFile()
    question.wantsRecords = format == .raw
    question.isCounting = count
    question.takesBlocks = format == .json && !count
    var printer = MatchPrinter(format, namesHosts: try logs.sources().count > 1)
    let isCounting = count
    if !count { try printer.header() }
    let outcome = try logs.ask(question, filters) { lines throws(SystemError) in
      if !isCounting { try printer.print(lines) }
    }
    try printer.flush()
    if count {
      print(outcome.matched)
      if outcome.gaps > 0 { complain("fsaudit: \(outcome.gaps) gaps lie in this time: there may have been more") }
    }
    if !isGood { throw ExitCode(ExitStatus.inputOutput.rawValue) }
    if outcome.exit != .ok { throw ExitCode(outcome.exit.rawValue) }
  }

  /// Whether all logs are as the daemon wrote them.
  private func verifySeals() throws -> Bool {
    let settings = try Settings.load(from: nil)
    var isGood = true
    for case .log(let directory) in try logs.sources() {
      let text = try SealCheck(directory: directory, settings: settings).run { complain("fsaudit: \(printable($0.description))") }
      for row in text.rows { complain("fsaudit: \(printable(row))") }
      if !text.isGood { isGood = false }
    }
    return isGood
  }

  private func followedFile() throws(Failure) -> [UInt8]? {
    guard let followFile else { return nil }
    var path = RawArguments.values(of: "--follow-file", [followFile])[0]
    while path.last == UInt8(ascii: "/") { path.removeLast() }
    guard path.first == UInt8(ascii: "/") else {
      throw Failure("--follow-file \(printable(followFile)) is no file's path", advice: "write it from / on", exit: .usage)
    }
    return path
  }
}

/// Prints lines that match.
private struct MatchPrinter {
  /// Nil where whole blocks of lines are passed through.
  private let format: LineFormatter?
  private var output = Output()
  private let nowMs = milliseconds(CLOCK_REALTIME)

  init(_ format: LineFormat, namesHosts: Bool) {
    self.format = format == .json || format == .raw ? nil : LineFormatter(format, TextStyle(Terminal(), showsHosts: namesHosts))
  }

  mutating func header() throws(SystemError) { try format?.header { line throws(SystemError) in try output.line(line) } }

  /// - Parameter lines: whole lines; a single one where they are formatted.
  mutating func print(_ lines: RawSpan) throws(SystemError) {
    guard let format else { return try output.lines(lines) }
    try format.format(lines.extracting(droppingLast: 1), nowMs: nowMs) { line throws(SystemError) in try output.line(line) }
  }

  mutating func flush() throws(SystemError) { try output.flush() }
}
