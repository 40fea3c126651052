import ArgumentParser
import Baseline
import Daemon
import Glibc
import System
import SystemPackage

/// How a command answers.
enum AnswerFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

/// Where the baseline is and what it is of: the same for every command about it.
struct BaselinePlace: ParsableArguments {
  @OptionGroup var config: BaselineConfigOption

  @Option(help: ArgumentHelp("The baseline's database.", valueName: "file"))
  var database = "/var/lib/fsaudit/baseline.db"

  @Option(help: ArgumentHelp("The event log's directory, for `check` (default: as the daemon's settings say).", valueName: "directory"))
  var log: String?

  @Option(help: "text or json.")
  var format = AnswerFormat.text
}

/// How the trees are walked and read.
struct ScanArguments: ParsableArguments {
  @Flag(help: "Do not enter file systems that are mounted below a selected directory.")
  var oneFileSystem = false

  @Option(
    help: ArgumentHelp("Threads that read and hash (default: one fewer than there are processors; init uses all).", valueName: "count"))
  var threads: Int?

  @Flag(help: "Read at idle I/O priority and give way to everybody.")
  var idle = false

  @Flag(
    help: ArgumentHelp(
      "Keep the contents of small texts, and show what has changed in them.",
      discussion: "Never of a file that not everybody may read, or whose name says that it holds a secret (shadow, *.key, .ssh …)."))
  var diff = false

  @Option(help: ArgumentHelp("The longest text that --diff keeps (default: \(Self.usualDiffSize)).", valueName: "bytes"))
  var diffSize: Int?

  static let usualDiffSize = 65536

  func validate() throws {
    if let diffSize, !(1...(64 << 20)).contains(diffSize) { throw ValidationError("--diff-size takes 1 to 67108864") }
    if diffSize != nil, !diff { throw ValidationError("--diff-size is about --diff: give that, too") }
    if let threads, !(1...256).contains(threads) { throw ValidationError("--threads takes 1 to 256") }
  }
}

extension BaselinePlace {
  /// Loads the selection, and runs `body` with what a run needs; progress goes to stderr where that is a terminal.
  func run(
    _ arguments: ScanArguments, full: Bool, fullEvery: Duration? = nil, allProcessors: Bool = false,
    _ body: (SelectionConfig, BaselineOptions, ScanObserver) throws(Failure) -> BaselineOutcome
  ) throws(Failure) -> (outcome: BaselineOutcome, durationMs: Int64) {
    let started = milliseconds(CLOCK_MONOTONIC)
    var options = BaselineOptions(database: database)
    options.scan.isFull = full
    options.fullEveryMs = fullEvery.map { $0.components.seconds * 1000 }
    options.scan.oneFileSystem = arguments.oneFileSystem
    let processors = availableProcessors()
    options.scan.workers = arguments.threads ?? (allProcessors ? processors : max(1, processors - 1))
    options.scan.diffBytes = arguments.diff ? arguments.diffSize ?? ScanArguments.usualDiffSize : 0
    options.host = hostName()
    options.program = version
    options.nowMs = milliseconds(CLOCK_REALTIME)
    if arguments.idle { giveWay() }
    let meter = ProgressMeter(database: database)
    let outcome = try body(try config.load(), options, ScanObserver(problem: meter.say, progress: meter.show))
    meter.clear()
    meter.finish()
    return (outcome, milliseconds(CLOCK_MONOTONIC) - started)
  }

  /// Writes the report in the wanted format. A reader who goes away has seen enough: how the command ends is another matter.
  func write(_ report: CheckReport) throws(SystemError) {
    var output = Output()
    do throws(SystemError) {
      switch format {
      case .text: try report.write(text: &output)
      case .json: try report.write(json: &output)
      }
      try output.flush()
    } catch  where error.code == .brokenPipe {}
  }
}

/// Shows on stderr how far a scan is, and what it could not examine.
final class ProgressMeter {
  private let isTerminal = isatty(2) == 1
  private let startedMs = milliseconds(CLOCK_MONOTONIC)
  private var shownMs: Int64 = 0
  /// What the last generation held: what there will be to do, about.
  private let expected: Generation?
  private var hasLine = false
  private var problems = 0
  private static let problemLimit = 100

  init(database: String) { expected = isTerminal ? Generation.latest(in: database) : nil }

  func show(_ counts: ScanCounts) {
    guard isTerminal else { return }
    let now = milliseconds(CLOCK_MONOTONIC)
    guard now - shownMs >= 200, now - startedMs >= 500 else { return }
    shownMs = now
    let elapsed = max(1, now - startedMs)
    var text = "\(counts.objects) objects, \(counts.objects * 1000 / elapsed)/s, read \(counts.bytesRead >> 20) MiB"
    if counts.bytesRead > 0 { text += ", \((counts.bytesRead >> 10) * 1000 / elapsed >> 10) MiB/s" }
    if let expected, expected.files > 0 {
      let part = Double(counts.objects) / Double(expected.files)
      let width = 20
      let filled = min(width, Int(part * Double(width)))
      let bar = "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled) + "] "
      let left = part > 0.01 && part < 1 ? Int64(Double(elapsed) / part - Double(elapsed)) / 1000 : 0
      text = bar + text + (left > 0 ? ", \(left / 60)m\(left % 60)s left" : "")
    }
    hasLine = true
    draw("\r\u{1b}[K" + text)
  }

  func say(_ problem: ScanProblem) {
    problems += 1
    if problems > Self.problemLimit { return }
    clear()
    complain("fsaudit: \(shown(problem.path)): \(problem.text)")
  }

  /// Takes the progress line away.
  func clear() {
    if hasLine { draw("\r\u{1b}[K") }
    hasLine = false
  }

  func finish() {
    if problems > Self.problemLimit { complain("fsaudit: and \(problems - Self.problemLimit) more like these") }
  }

  private func draw(_ text: String) {
    var text = text
    text.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
  }
}
