import ArgumentParser
import AuditControl
import Daemon
import EventLog
import Glibc
import System
import SystemPackage

/// `fsaudit watch`: see what happens below a path, now.
struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Show changes below paths as they happen; needs no configuration.",
    discussion: """
      Loads rules for as long as it runs and removes them when it ends, also when its terminal goes away. Works beside auditd \
      and beside the fsaudit daemon. Ends with Ctrl-C.

        sudo fsaudit watch /etc
        sudo fsaudit watch /srv/app /srv/data -p w --format json | jq .file.path

      \(textLegend)
      """)

  @Argument(help: ArgumentHelp("Directories (with everything below them) or files.", valueName: "path"))
  var paths: [String]

  @Option(
    name: [.customShort("p"), .customLong("permissions")],
    help: ArgumentHelp("What to show: w writes, a attributes, r reads, x executions.", valueName: "wa"))
  var permissions = "wa"

  @Option(name: [.customShort("k"), .customLong("key")], help: ArgumentHelp("A rule key for the changes.", valueName: "key"))
  var key: String?

  @Flag(help: "Show changes of time stamps, too (touch -d, cp -p, tar).")
  var times = false

  @Option(help: formatHelp)
  var format = LineFormat.text

  func validate() throws { try format.checkIsOfLines() }

  func run() throws {
    guard let wanted = FilePermissions(letters: permissions) else {
      throw Failure("-p \(printable(permissions)) is no set of permissions", advice: "use letters of r, w, x and a", exit: .usage)
    }
    if key == "" { throw Failure("-k is empty", advice: "give the changes a key, or leave -k out", exit: .usage) }
    // closed (see holdStandardDescriptors): better said now than when something happens
    if fcntl(1, F_GETFL) & O_ACCMODE == O_RDONLY { throw SystemError("write", "stdout", .badFileDescriptor).failure() }
    let format = LineFormatter(format, TextStyle(Terminal(), showsKeys: key != nil))
    var options = Watcher.Options(paths: RawArguments.of(paths), permissions: wanted, key: key, times: times)
    options.runtimeDirectory = try runtimeDirectory()
    try Watcher(options).run(try WatchedLines(format: format))
  }
}

/// Shows the lines on stdout.
private struct WatchedLines: LineSink {
  let format: LineFormatter
  private var output = Output()

  init(format: LineFormatter) throws(SystemError) {
    self.format = format
    try format.header { line throws(SystemError) in try output.line(line) }
  }

  mutating func print(_ bytes: RawSpan) throws(SystemError) {
    try format.format(bytes, nowMs: milliseconds(CLOCK_REALTIME)) { line throws(SystemError) in try output.line(line) }
  }

  mutating func flush() throws(SystemError) { try output.flush() }
}
