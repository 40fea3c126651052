import ArgumentParser
import Baseline
import EventLog
import Glibc
import System

/// `fsaudit baseline`: what the selected files are like, to compare with.
struct BaselineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "baseline",
    abstract: "Keep what files are like, to find later what has changed.",
    discussion: """
      A baseline is a database of the selected files: owner, mode, times, hashes, as the rules of the configuration ask (AIDE's language). \
      `fsaudit check` compares with it. What reads or writes the database takes --config, --database and --log, \
      also where it has no use for one.

        fsaudit baseline init
        fsaudit check
        fsaudit baseline update
      """,
    subcommands: [
      BaselineInit.self, BaselineUpdate.self, BaselineList.self, BaselineShow.self, BaselineExport.self,
      BaselineSign.self, BaselineVerify.self, BaselinePathCheck.self, BaselineImport.self,
    ])
}

struct BaselineInit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make the first baseline.",
    usage: "fsaudit baseline init [<options>]",
    discussion: """
      Reads and hashes every selected file, on all processors. The database appears when it is whole: a run that is killed, or a full disk, \
      leaves what was there before.

        fsaudit baseline init --config /etc/fsaudit/baseline.conf
        fsaudit baseline init --config my.conf --database ./my.db

      Exit status: 0 done, 2 usage or a mistake in the configuration, 3 not permitted, 5 input or output failed, or something could not be \
      examined (the baseline is made even so), 21 another run has the database.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace
  @OptionGroup(title: "Scan") var scan: ScanArguments

  @Flag(help: "Take the place of a baseline that is there, with all its generations.")
  var replace = false

  func run() throws {
    let (outcome, duration) = try place.run(scan, full: true, allProcessors: true) { selection, options, observer throws(Failure) in
      var options = options
      options.replaces = replace
      return try BaselineRun.initialize(selection, options, observer)
    }
    try place.write(CheckReport(outcome, database: place.database, durationMs: duration))
    if outcome.counts.problems > 0 { throw ExitCode(ExitStatus.inputOutput.rawValue) }
  }
}

struct BaselineUpdate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "update",
    abstract: "Compare, and make what is there now the new baseline.",
    usage: "fsaudit baseline update [<options>]",
    discussion: """
      Adds a generation in one transaction and prints what changed since the last one. Older generations stay for comparison \
      (`fsaudit check --against`), each at the cost of what has changed; beyond --keep-count or --keep-days the oldest go.

        fsaudit baseline update
        fsaudit baseline update --keep-days 90

      Exit status: 0 done, with or without differences; 22 the last generation is not signed with the key of \
      --public-key, 23 it is not what was signed; otherwise as `fsaudit baseline init`.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace
  @OptionGroup(title: "Scan") var scan: ScanArguments

  @OptionGroup var signed: SignedOption

  @Flag(help: "Read every file, however untouched it looks.")
  var full = false

  @Option(help: ArgumentHelp("Generations that are kept.", valueName: "count"))
  var keepCount = 100

  @Option(help: ArgumentHelp("Days that they are kept; the newest always stays.", valueName: "days"))
  var keepDays = 30

  func validate() throws {
    if keepCount < 1 || !(0...36500).contains(keepDays) { throw ValidationError("--keep-count is at least 1, --keep-days 0 to 36500") }
  }

  func run() throws {
    let key = try signed.load()
    let (outcome, duration) = try place.run(scan, full: full) { selection, options, observer throws(Failure) in
      var options = options
      options.publicKey = key
      options.keepCount = keepCount
      options.keepMs = Int64(keepDays) * 86_400_000
      return try BaselineRun.update(selection, options, observer)
    }
    try place.write(CheckReport(outcome, database: place.database, durationMs: duration))
    if outcome.isUnsigned, let id = outcome.written?.id {
      complain("fsaudit: note: generation \(id) is not signed yet, as the last one was: see `fsaudit baseline sign`")
    }
    if outcome.counts.problems > 0 { throw ExitCode(ExitStatus.inputOutput.rawValue) }
  }
}
