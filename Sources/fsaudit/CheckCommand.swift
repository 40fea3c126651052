import ArgumentParser
import Baseline
import EventLog
import Glibc
import System

/// `fsaudit check`: what differs from the baseline.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Find what has changed since the baseline.",
    usage: "fsaudit check [--full] [--against <generation>] [<options>]",
    discussion: """
      Fast by default: a file is read only where its inode, size, mtime or ctime differ from the baseline. The kernel sets the ctime at every \
      change and nobody can choose it, so this is sound unless the clock is set back or the disk is written behind the file system; --full \
      reads everything.

        fsaudit check
        fsaudit check --full --format json
        fsaudit check --against yesterday

      Exit status: the sum of 1 (added), 2 (removed) and 4 (changed or moved); 0 nothing differs. 17 usage or a mistake in the configuration, \
      18 input or output failed or something could not be examined (the report is what the rest shows), 21 another run has the database, \
      24 the database is damaged.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace
  @OptionGroup(title: "Scan") var scan: ScanArguments

  @Flag(help: "Read every file, however untouched it looks.")
  var full = false

  @Option(
    help: ArgumentHelp("A generation's number, or the one that was valid at a time (yesterday, 2026-11-20).", valueName: "generation"))
  var against: String?

  func run() throws {
    do {
      let choice = try Self.choice(against)
      let (outcome, duration) = try place.run(scan, full: full) { selection, options, observer throws(Failure) in
        try BaselineRun.check(selection, against: choice, options, observer)
      }
      try place.write(CheckReport(outcome, database: place.database, durationMs: duration))
      throw ExitCode(Self.status(outcome))
    } catch let failure as Failure {
      complain("fsaudit: \(failure)")
      throw ExitCode(Self.status(failure))
    }
  }

  private static func choice(_ text: String?) throws(Failure) -> GenerationChoice {
    guard let text else { return .latest }
    if let number = Int64(text) { return .number(number) }
    return .time(try TimeExpression(text, nowMs: milliseconds(CLOCK_REALTIME)).lastMs)
  }

  private static func status(_ outcome: BaselineOutcome) -> Int32 {
    if outcome.counts.problems > 0 { return CheckStatus.inputOutput }
    return (outcome.count(.added) > 0 ? 1 : 0) | (outcome.count(.removed) > 0 ? 2 : 0)
      | (outcome.count(.changed) + outcome.count(.moved) > 0 ? 4 : 0)
  }

  private static func status(_ failure: Failure) -> Int32 {
    switch failure.exit {
    case .usage: CheckStatus.usage
    case .locked, .database: failure.exit.rawValue
    default: CheckStatus.inputOutput
    }
  }
}

/// How a check ends that has no answer: AIDE's numbers, where 14 to 16 would be sums of the bits.
enum CheckStatus {
  static let usage: Int32 = 17
  static let inputOutput: Int32 = 18
}
