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

        fsaudit tail -f
        fsaudit tail -n 50 --under /etc
        fsaudit tail --since 1h --result failure --format long

      Exit status: 0 also where nothing matches, 2 a filter is malformed, 3 the log may not be read, 5 it is not there, or some of it cannot be \
      read (a line without a filter is shown as it is, and stderr tells how many there were).
      """)

  @Flag(name: .shortAndLong, help: "Go on with what is added, until interrupted.")
  var follow = false

  @Option(
    name: [.customShort("n", allowingJoined: true), .customLong("lines")], parsing: .unconditional,
    help: ArgumentHelp("How many lines to begin with (default: 10).", valueName: "n"))
  var lines: Int?

  @OptionGroup(title: "Filters")
  var filters: FilterOptions

  @Option(help: formatHelp)
  var format = LineFormat.text

  @OptionGroup
  var log: LogOptions

  func validate() throws {
    try format.checkIsOfLines()
    if let lines, lines < 0 { throw ValidationError("-n \(lines) is no number of lines: write 0 or more") }
  }

  func run() throws {
    let filter = try filters.filter()
    // Ctrl-C is how one leaves `tail -f`: not an error. Blocked from here on, and read below.
    let signals = try Signals([SIGINT, SIGTERM])
    var follower = LogFollower(directory: log.directory)
    var printer = LinePrinter(filter: filter, format: format)
    if !follow, (try? status(of: log.directory)) == nil {
      throw SystemError("lstat", log.directory, .noSuchFileOrDirectory).failure(advice: "start `fsaudit run`, or name the log with --log")
    }
    var isDamaged = false
    let count = lines ?? (filter.sinceMs == nil ? 10 : nil)
    do throws(SystemError) {
      try follower.start(last: count) {
        printer.wants($0)
      } _: {
        printer.print($0)
      }
      try printer.flush()
      isDamaged = say(follower.takeDamaged())
      if !follower.hasSegments {
        complain("fsaudit: note: there is no log in \(printable(log.directory)) yet\(follow ? ": waiting for it" : "")")
      }
      if follow {
        let waiter = try LogWaiter(directory: log.directory, signals: signals.descriptor.raw)
        repeat {
          try follower.poll { if printer.wants($0) { printer.print($0) } }
          try printer.flush()
          if say(follower.takeDamaged()) { isDamaged = true }
        } while try waiter.wait()
      }
    } catch {
      if error.code == .notDirectory { throw error.failure(advice: "--log takes the log's directory") }
      throw error
    }
    if printer.unreadable > 0 {
      complain("fsaudit: \(printer.unreadable) lines of the log could not be read: the answer may lack what they held")
    }
    if isDamaged || printer.unreadable > 0 { throw ExitCode(ExitStatus.inputOutput.rawValue) }
  }

  /// - Returns: whether there are any.
  private func say(_ damaged: [SystemError]) -> Bool {
    for error in damaged {
      complain("fsaudit: \(error.failure(advice: "the segment is damaged: what was read before it is shown"))")
    }
    return !damaged.isEmpty
  }
}

/// Prints the lines that the filter wants.
private struct LinePrinter {
  private let filter: Filter
  private let format: LineFormatter
  /// Lines that are no JSON.
  private(set) var unreadable = 0
  private var line = LogLine()
  private var output = Output()
  /// Printing happens inside the reader, which does not know of it; ``flush()`` reports.
  private var fault: SystemError?

  init(filter: Filter, format: LineFormat) {
    self.filter = filter
    self.format = LineFormatter(format, TextStyle(Terminal()))
    do throws(SystemError) {
      try self.format.header { line throws(SystemError) in try output.line(line) }
    } catch {
      fault = error
    }
  }

  mutating func wants(_ bytes: RawSpan) -> Bool {
    if line.parse(bytes) { return filter.verdict(on: line) != .no }
    unreadable += 1
    return filter.wantsEverything
  }

  /// Prints a line that is wanted.
  mutating func print(_ bytes: RawSpan) {
    do throws(SystemError) {
      // as the parser has said: the formats believe that it is JSON
      if unreadable > 0, !line.parse(bytes) {
        try format.unreadable(bytes) { line throws(SystemError) in try output.line(line) }
      } else {
        try format.format(bytes, nowMs: milliseconds(CLOCK_REALTIME)) { line throws(SystemError) in try output.line(line) }
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
