import ArgumentParser
import AuditControl
import Glibc
import Settings
import System

struct RuleLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Make the kernel's rules equal to the rule files, by the difference alone.",
    usage: "fsaudit rule load [<path>] [<options>]",
    discussion: """
      Reads the *.rules of a directory in the order of their names, or one file. Nothing is changed before every line has been parsed, and when the kernel \
      refuses a line, what was applied is taken back and the error names the file and line. Rules that fsaudit did not add are never removed; rules from \
      `fsaudit rule add` stay, and come back if somebody removed them. A -D is passed over. After -i or -c in a file, lines that fail are reported and skipped.

      Files without any rule, or a directory without *.rules, would remove all that the last load added: that is refused without --allow-empty. \
      A path that does not exist is always an error.

        fsaudit rule load --dry-run
        fsaudit rule load /etc/audit/rules.d

      Exit status: 0 the rules are loaded, 2 a line is malformed or there is no rule, 3 not permitted, 4 the kernel refused a line, 5 a file \
      cannot be read.
      """)

  @Argument(help: "A directory of *.rules, or a file (default: the settings' rules directory, /etc/fsaudit/rules.d).")
  var path: String?

  @Flag(help: "Say what would change, and change nothing.")
  var dryRun = false

  @Flag(help: "Permit -e 2: rules locked until the next reboot.")
  var allowLock = false

  @Flag(help: "Permit -f 2: the kernel panics when it loses a record.")
  var allowPanic = false

  @Flag(help: "Permit to remove all rules of the last load when there are none to load.")
  var allowEmpty = false

  @Flag(help: "Say nothing but errors.")
  var quiet = false

  @OptionGroup
  var settings: SettingsOption

  func run() throws {
    var lines: [RuleFileLine] = []
    for file in try RuleFile.files(in: path ?? Settings.load(from: settings.config).rules.directory) {
      lines += try RuleFile.read(file, trusted: true)
    }
    var permissions: Permissions = []
    if allowLock { permissions.insert(.lock) }
    if allowPanic { permissions.insert(.panic) }
    var book = try RuleCommand.book(config: settings.config)
    var report = try book.load(lines, permissions: permissions, dryRun: dryRun, allowsEmpty: allowEmpty)
    if !dryRun { report.added += try book.putBack() }
    for failure in report.failures { complain("fsaudit: skipped: \(failure)") }
    if !quiet {
      for note in report.notes { complain("fsaudit: note: \(note)") }
      for (word, rules) in [("add", report.added), ("remove", report.removed), ("move", report.moved)] where dryRun {
        for rule in rules { print("\(word): \(rule.description)") }
      }
      print(
        """
        \(dryRun ? "would be " : "")added \(report.added.count), removed \(report.removed.count), moved \(report.moved.count), \
        unchanged \(report.unchanged)
        """)
    }
    if report.failsAtEnd, !report.failures.isEmpty { throw ExitCode(ExitStatus.kernelRefused.rawValue) }
  }
}

struct RuleCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look for errors and costs in rule files. Needs no root and changes nothing.",
    discussion: """
      Prints what it finds as FILE:LINE: error, warning or note. Several files are taken as one set of rules in this order, so that duplicates and rules that \
      an earlier one leaves nothing to are seen.

        fsaudit rule check
        fsaudit rule check my.rules

      Exit status: 0 nothing but notes, 1 errors or warnings, 5 a file cannot be read.
      """)

  @Argument(help: "Files, or directories of *.rules (default: the settings' rules directory, /etc/fsaudit/rules.d).")
  var paths: [String] = []

  @OptionGroup
  var settings: SettingsOption

  func run() throws {
    var check = RuleCheck()
    for path in try paths.isEmpty ? [Settings.load(from: settings.config).rules.directory] : paths {
      let files = try RuleFile.files(in: path)
      if files.isEmpty { complain("fsaudit: note: \(printable(path)) holds no *.rules") }
      for file in files {
        for line in try RuleFile.read(file, trusted: false) { check.check(line) }
      }
    }
    var output = Output()
    do throws(SystemError) {
      for finding in check.findings { try output.line(finding.description) }
      try output.flush()
    } catch {
      // whoever reads may have had enough: the status is the answer even so
      if error.code != .brokenPipe { throw error }
    }
    if check.findings.contains(where: { $0.severity != .note }) { throw ExitCode(ExitStatus.findings.rawValue) }
  }
}
