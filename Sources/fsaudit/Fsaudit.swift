import ArgumentParser
import Glibc
import System

/// The root command: a list of subcommands, one file each. Parsing and wiring only.
struct Fsaudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fsaudit",
    abstract: "Which files changed, how, when and who did it — and whether anything was missed.",
    version: version,
    subcommands: [WatchCommand.self, RunCommand.self, RuleCommand.self, TailCommand.self, SearchCommand.self, StatusCommand.self])
}

/// The version that `--version`, the man page and the log's daemon lines carry.
let version = "0.1.0"

@main
enum Main {
  static func main() {
    // A reader that went away is a quiet success (DESIGN.md): writes report EPIPE instead of killing us half-way.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try Fsaudit.parseAsRoot()
      try command.run()
    } catch {
      exit(report(error))
    }
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
      return ExitStatus.usage.rawValue
    }
  }

}
