import ArgumentParser
import AuditStream
import AuditWire
import Daemon
import EventLog
import Glibc
import System

/// `fsaudit search`: which changes match, in the past.
struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find changes in auditd's logs, read as they are.",
    usage: "fsaudit search --audit-log <file> ... [<filters>] [--format <format>]",
    discussion: """
      Reads RAW and ENRICHED logs, plain or packed with gzip or zstd, in the order given; '-' is stdin. Values of one filter are \
      alternatives, different filters must all agree. The log of the fsaudit daemon is read with `fsaudit tail --since`.

        fsaudit search --audit-log /var/log/audit/audit.log --key ssh --since yesterday
        zcat old.gz | fsaudit search --audit-log - --path /etc/shadow --format json

      \(textLegend)

      Exit status: 0 changes were found, 1 nothing matches, 2 a filter is malformed, 3 a log may not be read, 5 a log cannot be read or some \
      of its lines are no records (stderr names the first): the answer is then what the rest holds.
      """)

  @Option(name: .customLong("audit-log"), parsing: .upToNextOption, help: ArgumentHelp("Logs of auditd.", valueName: "file"))
  var auditLog: [String]

  @OptionGroup(title: "Filters")
  var filters: FilterOptions

  @Option(help: formatHelp)
  var format = LineFormat.text

  func run() throws {
    let filter = try filters.filter(.ofThisHost)
    let isWhole = format == .json && filter.wantsEverything
    var source = LogSource(auditLog)
    var conversion = LogConversion(hostName: hostName(), names: LiveSources.names(Accounts()))
    var printer = MatchPrinter(filter: filter, format: LineFormatter(format, TextStyle(Terminal())))
    try printer.header()
    var fault: Failure?
    var output: SystemError?
    repeat {
      do throws(Failure) {
        // a buffer-full of lines at a time
        while try source.read({ conversion.add($0) }), output == nil {
          do throws(SystemError) {
            try conversion.take(atLeast: 1 << 16) { bytes throws(SystemError) in try printer.print(bytes, isWhole: isWhole) }
          } catch { output = error }
        }
        break
      } catch {
        complain("fsaudit: \(error)")
        fault = error
      }
    } while output == nil
    conversion.finish()
    if output == nil { try conversion.take(atLeast: 1) { bytes throws(SystemError) in try printer.print(bytes, isWhole: isWhole) } }
    if let output { throw output }
    try printer.flush()
    for place in source.refused.places { complain("fsaudit: \(place): no record of auditd's, or a damaged one") }
    if source.refused.count > 0 { complain("fsaudit: \(source.refused.count) lines could not be read: the answer may lack what they held") }
    if source.oversized > 0 {
      complain("fsaudit: \(source.oversized) lines were too long and were cut: the answer may lack what they held")
    }
    if let fault { throw ExitCode(fault.exit.rawValue) }
    if source.refused.count + source.oversized > 0 { throw ExitCode(ExitStatus.inputOutput.rawValue) }
    if printer.matches == 0 { throw ExitCode(ExitStatus.findings.rawValue) }
  }
}

/// Prints those of a run of lines that the filter wants.
private struct MatchPrinter {
  let filter: Filter
  let format: LineFormatter
  private(set) var matches = 0
  private var line = LogLine()
  private var output = Output()

  init(filter: Filter, format: LineFormatter) {
    self.filter = filter
    self.format = format
  }

  mutating func header() throws(SystemError) { try format.header { line throws(SystemError) in try output.line(line) } }

  /// - Parameter isWhole: every line is wanted as it is.
  mutating func print(_ lines: RawSpan, isWhole: Bool) throws(SystemError) {
    if isWhole {
      matches += 1
      try output.lines(lines)
      return
    }
    let nowMs = milliseconds(CLOCK_REALTIME)
    var start = 0
    while let end = lines.firstIndex(of: UInt8(ascii: "\n"), from: start, before: lines.byteCount) {
      let bytes = lines.extracting(start..<end)
      start = end + 1
      guard filter.wantsEverything || line.parse(bytes) && filter.verdict(on: line) == .matches else { continue }
      matches += 1
      try format.format(bytes, nowMs: nowMs) { line throws(SystemError) in try output.line(line) }
    }
  }

  mutating func flush() throws(SystemError) { try output.flush() }
}
