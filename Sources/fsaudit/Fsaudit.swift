import ArgumentParser
import Glibc
import System
import SystemPackage

/// The root command: a list of subcommands, one file each. Parsing and wiring only.
struct Fsaudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fsaudit",
    abstract: "Which files changed, how, when and who did it — and whether anything was missed.",
    version: version,
    subcommands: [
      WatchCommand.self, RunCommand.self, RuleCommand.self, TailCommand.self, SearchCommand.self, ReportCommand.self, LogCommand.self,
      BaselineCommand.self, CheckCommand.self, StatusCommand.self,
    ])
}

/// The version that `--version`, the man page and the log's daemon lines carry.
let version = "0.1.0"

@main
enum Main {
  static func main() {
    holdStandardDescriptors()
    // A reader that went away is a quiet success (DESIGN.md): writes report EPIPE instead of killing us half-way.
    signal(SIGPIPE, SIG_IGN)
    var status = ExitStatus.ok.rawValue
    keepHelpReadable()
    do {
      try checkHelpTopic(CommandLine.arguments.dropFirst())
      var command = try Fsaudit.parseAsRoot()
      try command.run()
    } catch { status = report(error) }
    exit(flushed(status))
  }

  /// Writes what `print` has collected. An answer that could not be written is no success.
  private static func flushed(_ status: Int32) -> Int32 {
    // nil: every stream
    guard fflush(nil) != 0, errno != EPIPE else { return status }
    complain("fsaudit: stdout: \(Errno(rawValue: errno)): give it somewhere to write to")
    return [ExitStatus.ok.rawValue, ExitStatus.findings.rawValue].contains(status) ? ExitStatus.inputOutput.rawValue : status
  }

  /// `fsaudit help frob`: ArgumentParser answers with the help of what it does know, as a success.
  private static func checkHelpTopic(_ arguments: ArraySlice<String>) throws(Failure) {
    guard arguments.first == "help" else { return }
    var command: any ParsableCommand.Type = Fsaudit.self
    for word in arguments.dropFirst() where !word.hasPrefix("-") {
      guard let next = command.configuration.subcommands.first(where: { $0.configuration.commandName == word }) else {
        throw Failure("\(printable(word)) is no command", advice: "`fsaudit help` lists them", exit: .usage)
      }
      command = next
    }
  }

  /// ArgumentParser gives the text of an option what is left of the width behind its 26 columns of names: in a narrower terminal nothing (in a
  /// debug build it traps). It asks COLUMNS before the terminal, so a floor there reaches it; the rest wraps at the terminal's edge.
  private static func keepHelpReadable() {
    let floor = 50
    let given = getenv("COLUMNS").flatMap { Int(String(cString: $0)) }
    if let width = given ?? Terminal().columns, width < floor { setenv("COLUMNS", "\(floor)", 1) }
  }

  /// Says what went wrong on stderr, in one form for every command, and returns the exit status that goes with it.
  private static func report(_ error: any Error) -> Int32 {
    switch error {
    case let failure as Failure:
      complain("fsaudit: \(failure)")
      return failure.exit.rawValue
    case let fault as SystemError where fault.code.rawValue == EPIPE:
      return ExitStatus.ok.rawValue
    case let fault as SystemError:
      let failure = fault.failure()
      complain("fsaudit: \(failure)")
      return failure.exit.rawValue
    case let code as ExitCode:
      return code.rawValue
    default:
      let text = Fsaudit.fullMessage(for: error)
      // ArgumentParser throws its help and version texts, too: those are answers, not errors.
      if Fsaudit.exitCode(for: error) == .success {
        print(text)
        return ExitStatus.ok.rawValue
      }
      complain(text.hasPrefix("Error: ") ? "fsaudit: " + text.dropFirst("Error: ".count) : text)
      // 2 is an answer of check's
      return CommandLine.arguments.dropFirst().first == CheckCommand.configuration.commandName
        ? CheckStatus.usage : ExitStatus.usage.rawValue
    }
  }

}
