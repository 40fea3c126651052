import ArgumentParser
import Daemon
import Settings
import System

/// `fsaudit run`: the daemon in the foreground.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the daemon: read the kernel's audit stream and write the event log.",
    discussion: """
      Stays in the foreground; systemd runs it so. SIGHUP loads the rules again and reopens the log, SIGUSR1 rotates it, \
      SIGTERM writes what is there and ends.

      With a mistake in a rule file, the rules that are in the kernel stay, and the journal, the log and `fsaudit status` tell of it. At a start \
      without such rules (after a boot) the daemon does not start: it would see nothing.

      Exit status: 0 it was ended, 2 the command line, the settings or a rule file is wrong, 3 not permitted, 4 the kernel refused a rule or \
      another daemon runs, 5 the log cannot be written or receiving failed.
      """)

  @OptionGroup
  var settings: SettingsOption

  @Option(help: ArgumentHelp("Where records come from, instead of what the settings say.", valueName: "auto|unicast|multicast|plugin"))
  var source: String?

  func run() throws {
    let kind = source.flatMap { Settings.Source.Kind(rawValue: $0) }
    if let source, kind == nil {
      throw Failure("--source \(printable(source)) is no source", advice: "use auto, unicast, multicast or plugin", exit: .usage)
    }
    try Service(settingsPath: settings.config, source: kind, version: version).run()
  }
}
