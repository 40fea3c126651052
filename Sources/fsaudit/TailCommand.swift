import ArgumentParser
import EventLog
import Glibc
import System
import SystemPackage

/// `fsaudit tail`: the end of the log, and what is added to it.
struct TailCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tail",
    abstract: "Show the last changes, and follow the log through its rotations.",
    discussion: """
      Values of one filter are alternatives, different filters must all agree. Gaps are always shown: they say where the \
      answer may be incomplete. With --since and no -n, everything since then is shown.

      \(textLegend)
      """)

  @Flag(name: .shortAndLong, help: "Go on with what is added, until interrupted.")
  var follow = false

  @Option(
    name: [.customShort("n"), .customLong("lines")], help: ArgumentHelp("How many lines to begin with (default: 10).", valueName: "n"))
  var lines: Int?

  @OptionGroup(title: "Filters")
  var filters: FilterOptions

  @Option(help: "text or json, the lines as they are in the log.")
  var format = LineFormat.text

  @OptionGroup
  var log: LogOptions

  func validate() throws {
    if let lines, lines < 0 { throw ValidationError("-n \(lines) is no number of lines: write 0 or more") }
  }

  func run() throws {
    let filter = try filters.filter(.ofTheLog)
    // Ctrl-C is how one leaves `tail -f`: not an error. Blocked from here on, and read below.
    let signals = try Signals([SIGINT, SIGTERM])
    var follower = LogFollower(directory: log.directory)
    var printer = LinePrinter(filter: filter, format: format)
    var line = LogLine()
    if !follow, (try? status(of: log.directory)) == nil {
      throw SystemError("lstat", log.directory, .noSuchFileOrDirectory).failure(advice: "start `fsaudit run`, or name the log with --log")
    }
    let count = lines ?? (filter.sinceMs == nil ? 10 : nil)
    try follower.start(last: count) {
      line.parse($0) ? filter.verdict(on: line) != .no : filter.wantsEverything
    } _: {
      printer.print($0)
    }
    try printer.flush()
    guard follow else { return }
    let waiter = try LogWaiter(directory: log.directory, signals: signals.descriptor.raw)
    repeat {
      try follower.poll { printer.print($0) }
      try printer.flush()
    } while try waiter.wait()
  }
}

/// Prints the lines that the filter wants.
private struct LinePrinter {
  private let filter: Filter
  private let format: LineFormat
  private let text: TextFormat
  private var line = LogLine()
  private var output = Output()
  /// Printing happens inside the reader, which does not know of it; ``flush()`` reports.
  private var fault: SystemError?

  init(filter: Filter, format: LineFormat) {
    self.filter = filter
    self.format = format
    let terminal = Terminal()
    text = TextFormat(colour: terminal.hasColour, columns: terminal.columns)
  }

  mutating func print(_ bytes: RawSpan) {
    do throws(SystemError) {
      guard line.parse(bytes) else {
        if filter.wantsEverything { try format == .json ? output.line(bytes) : output.line(text.unreadable(bytes)) }
        return
      }
      if filter.verdict(on: line) == .no { return }
      switch format {
      case .json: try output.line(bytes)
      case .text: try output.line(text.line(of: line, nowMs: milliseconds(CLOCK_REALTIME)))
      }
    } catch {
      fault = fault ?? error
    }
  }

  mutating func flush() throws(SystemError) {
    if let fault { throw fault }
    try output.flush()
  }
}
