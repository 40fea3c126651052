import ArgumentParser
import Daemon
import Settings

/// `fsaudit run`: the daemon in the foreground.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the daemon: read the kernel's audit stream and write the event log.",
    discussion: """
      Stays in the foreground; systemd runs it so. SIGHUP loads the rules again and reopens the log, SIGUSR1 rotates it, \
      SIGTERM writes what is there and ends.
      """)

  @Option(help: ArgumentHelp("The settings (default: /etc/fsaudit/fsaudit.toml).", valueName: "file"))
  var config: String?

  func run() throws {
    try Service(Settings.load(from: config), settingsPath: config, version: version).run()
  }
}
