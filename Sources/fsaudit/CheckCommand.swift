import ArgumentParser
import Baseline
import EventLog
import Glibc
import Settings
import System

/// `fsaudit check`: what differs from the baseline.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Find what has changed since the baseline.",
    usage: "fsaudit check [--full | --no-full] [--against <generation>] [<options>]",
    discussion: """
      Fast by default: a file is read only where its inode, size, mtime or ctime differ from the baseline, or where the event log tells of a change \
      of it since (trail in [check]; not with --no-explain). The kernel sets the ctime at every change and nobody can choose it, so this is sound \
      unless the clock is set back unseen or the disk is written behind the file system; --full reads everything. So does a check that finds the \
      last full one longer ago than full_every in [check] of \
      \(Settings.defaultPath) (7d; "never" switches that off). Only a full check that could examine everything, with the baseline's own rules and \
      against its newest generation, counts as one, and so does an init or `update --full`; when it was is kept beside the database. \
      --no-full checks fast, even so. The report says which it was, and why.

        fsaudit check
        fsaudit check --full --format json
        fsaudit check --against yesterday
        fsaudit check --public-key /etc/fsaudit/baseline.pub

      Each difference is looked up in the event log, through renames of the file and of the directories above it, and gets a verdict: explained \
      (a chain of changes leads to what is there, with who, what and when), partly (some of what differs), unexplained (the rules covered the path \
      all the time, nothing was lost, and nothing did it: look into these first), or uncovered (the trail cannot know, and why). What dpkg or rpm \
      installed is marked with the package. Root's check of the daemon's own log has the daemon append the counts to it, as a line of the dataset \
      fsaudit.check: `fsaudit search --action check`.

      Exit status: the sum of 1 (added), 2 (removed), 4 (changed or moved) and 8 (something unexplained); 0 nothing differs. 17 usage or a mistake in the configuration, \
      18 input or output failed or something could not be examined (the report is what the rest shows), 21 another run has the database, \
      22 the baseline is not signed with the key of --public-key, 23 it is not what was signed, 24 the database is damaged.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace
  @OptionGroup(title: "Scan") var scan: ScanArguments

  @OptionGroup var signed: SignedOption

  @Flag(inversion: .prefixedNo, help: "Read every file, however untouched it looks (default: as full_every says).")
  var full: Bool?

  @Option(
    help: ArgumentHelp("A generation's number, or the one that was valid at a time (yesterday, 2026-11-20).", valueName: "generation"))
  var against: String?

  @Flag(help: "In the text, one line for all differences that a package of dpkg or rpm accounts for, but for the unexplained.")
  var foldPackages = false

  @Flag(inversion: .prefixedNo, help: "Look into the event log for who caused each difference.")
  var explain = true

  @Option(
    help: ArgumentHelp(
      "The settings: how often a check is full, where the daemon runs and where its log is (default: \(Settings.defaultPath)).",
      valueName: "file"))
  var daemonConfig: String?

  func validate() throws {
    if !explain, place.log != nil { throw ValidationError("--no-explain reads no log: leave --log out") }
  }

  func run() throws {
    do {
      let choice = try Self.choice(against)
      // a mistake in them is not to be found after an hour
      let settings = try settings()
      let key = try signed.load()
      let trail = CheckExplanation(log: place.log ?? settings.log.directory, settings: settings)
      let (outcome, duration) = try place.run(scan, full: full ?? false, fullEvery: full == nil ? settings.check.fullEvery : nil) {
        selection, options, observer throws(Failure) in
        var options = options
        options.publicKey = key
        if explain, settings.check.trail { options.touched = { trail.touchedFiles(since: $0) } }
        return try BaselineRun.check(selection, against: choice, options, observer)
      }
      var annotations: [Annotation] = []
      if explain, let base = outcome.base {
        annotations = try trail.annotations(of: outcome.differences, since: base.createdMs)
      }
      let report = CheckReport(
        outcome, database: place.database, durationMs: duration, annotations: annotations, foldsPackages: foldPackages)
      try place.write(report)
      tellDaemon(report, settings)
      let isAlarming = annotations.contains { $0.verdict == Verdict.unexplained.rawValue }
      throw ExitCode(Self.status(outcome) | (isAlarming && outcome.counts.problems == 0 ? 8 : 0))
    } catch let failure as Failure {
      complain("fsaudit: \(failure)")
      throw ExitCode(Self.status(failure))
    } catch let fault as SystemError {
      complain("fsaudit: \(fault.failure())")
      throw ExitCode(CheckStatus.inputOutput)
    }
  }

  /// Has the daemon, which alone writes the event log, append the counts; a note on stderr where it cannot. Nothing of that changes the answer.
  /// Without root there is no way to it, and with another log than the daemon's it is nothing of its.
  private func tellDaemon(_ report: CheckReport, _ settings: Settings) {
    let isItsLog =
      place.log.map { log in
        let identity = PathIdentity(path: Array(log.utf8))
        return identity != nil && identity == PathIdentity(path: Array(settings.log.directory.utf8))
      } ?? true
    guard geteuid() == 0, isItsLog, let database = place.database.withCString({ realpath($0, nil) }) else { return }
    defer { free(database) }
    let path = UnsafeBufferPointer(start: database, count: strlen(database)).map { UInt8(bitPattern: $0) }
    guard let notice = report.notice(isExplained: explain, database: path) else { return }
    do throws(SystemError) {
      let answer = try LocalSocket.ask("\(settings.daemon.runtimeDirectory)/control", notice.request, seconds: 5)
      if !answer.elementsEqual("noted\n".utf8) {
        complain("fsaudit: note: the daemon did not take the counts for the event log: it may be of an older version, see its journal")
      }
    } catch {
      complain("fsaudit: note: no daemon is there to append the counts to the event log (\(error.code))")
    }
  }

  /// The shipped file is root's alone: who may check without root is not to need it.
  private func settings() throws -> Settings {
    do { return try Settings.load(from: daemonConfig) } catch let failure as Failure {
      if daemonConfig != nil || failure.exit != .notPermitted { throw failure }
      complain("fsaudit: note: \(failure.message): the settings' defaults are taken")
      return Settings()
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
    case .locked, .unsigned, .altered, .database: failure.exit.rawValue
    default: CheckStatus.inputOutput
    }
  }
}

/// How a check ends that has no answer: AIDE's numbers, where 14 to 16 would be sums of the bits.
enum CheckStatus {
  static let usage: Int32 = 17
  static let inputOutput: Int32 = 18
}
