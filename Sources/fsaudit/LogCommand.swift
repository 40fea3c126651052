import ArgumentParser
import EventLog
import Glibc
import Settings
import System

/// `fsaudit log`: what proves that the log is as it was written.
struct LogCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Prove that nobody has changed the log.",
    discussion: """
      The daemon writes seals into its log: lines that hold a hash of everything since the seal before, chained, and signed with a key that \
      is replaced after each. Take the first key away from the host, once, and now and then a seal:

        fsaudit log key > /media/usb/web-1.key
        fsaudit log seal
        fsaudit log verify --key /media/usb/web-1.key
      """,
    subcommands: [LogVerifyCommand.self, LogSealCommand.self, LogKeyCommand.self])
}

/// Which log, and whose settings say where it and its key are.
struct SealedLogOptions: ParsableArguments {
  @Option(name: .customLong("log"), help: ArgumentHelp("The directory of the log (default: what the settings say).", valueName: "dir"))
  var directory: String?

  @OptionGroup
  var daemon: SettingsOption

  func settings() throws -> Settings { try Settings.load(from: daemon.config) }

  /// The log's directory, which is there.
  func directory(_ settings: Settings) throws -> String {
    let path = directory ?? settings.log.directory
    do {
      _ = try directoryEntries(path)
    } catch {
      throw error.failure(advice: error.code == .permissionDenied ? "ask as root" : "name the log's directory with --log")
    }
    return path
  }
}

/// `fsaudit log seal`: the newest seal, to be kept elsewhere.
struct LogSealCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal",
    abstract: "Print the newest seal, to keep it elsewhere.",
    discussion: """
      One word. Kept where an intruder does not come to, it proves later that the log up to it is as it is now, whoever has been root since \
      and whatever became of the keys:

        fsaudit log seal >> /mnt/elsewhere/web-1.seals
        fsaudit log verify --anchor "$(tail -n 1 /mnt/elsewhere/web-1.seals)"

      Exit status: 0 it was printed, 1 the log has no seal, 3 the log may not be read, 5 it cannot be read.
      """)

  @OptionGroup
  var log: SealedLogOptions

  func run() throws {
    guard let newest = try SealedLog(directory: log.directory(log.settings())).newest() else {
      complain("fsaudit: the log has no seal yet: the daemon writes one when it starts (`enabled` of [seal] in the settings)")
      throw ExitCode(ExitStatus.findings.rawValue)
    }
    print(newest.anchor.text)
  }
}

/// `fsaudit log key`: the first key of the chain, handed over.
struct LogKeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key",
    abstract: "Print the seal's first key, and remove it from this host.",
    discussion: """
      The first key makes all others, so it proves everything since the chain began, and whoever has it can forge everything. The daemon makes it at \
      its first start and leaves it in its state directory until this command has printed it: keep it elsewhere, and do so before \
      anybody else comes to this host. What it was before that, nobody can prove. It is printed once.

      Exit status: 0 it was printed, 1 it is not here (any more), 3 not permitted, 5 it could not be written to stdout (it stays then).
      """)

  @Flag(help: "Leave it on this host, too: for a look, or where `log verify` is to find it by itself.")
  var keep = false

  @OptionGroup
  var settings: SettingsOption

  func run() throws {
    let directory = try Settings.load(from: settings.config).daemon.stateDirectory
    guard let key = try SealKeyFile.initialKey(in: directory) else {
      complain("fsaudit: \(directory) has no first key: it was taken already, or the daemon has not started yet")
      throw ExitCode(ExitStatus.findings.rawValue)
    }
    var output = Output()
    try output.line(Array(key.text.utf8).span.bytes)
    try output.flush()
    if keep { return }
    try SealKeyFile.removeInitialKey(in: directory)
    complain("fsaudit: it is gone from this host: keep what was printed elsewhere, for `fsaudit log verify --key FILE`")
  }
}
