import ArgumentParser
import Glibc
import Settings

/// `--config`, shared by every command that has to do with the daemon.
struct SettingsOption: ParsableArguments {
  @Option(help: ArgumentHelp("The daemon's settings (default: \(Settings.defaultPath)).", valueName: "file"))
  var config: String?
}

/// Where it is recorded which rules are ours, by the settings; FSAUDIT_RUN_DIRECTORY moves it, for tests.
func runtimeDirectory(config: String? = nil) throws -> String {
  if config == nil, let moved = getenv("FSAUDIT_RUN_DIRECTORY") { return String(cString: moved) }
  return try Settings.load(from: config).daemon.runtimeDirectory
}
