import ArgumentParser
import EventLog
import Glibc
import System

/// FILTERS: which lines of the log are wanted. Shared by every command that reads the log.
struct FilterOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Changes under this rule key.", valueName: "key"))
  var key: [String] = []

  @Option(
    help: ArgumentHelp(
      "Changes of this path: a directory with everything below it, or a pattern ('*' within a name, '**' across names, '*.conf' anywhere). Paths are absolute.",
      valueName: "glob"))
  var path: [String] = []

  @Option(help: ArgumentHelp("Changes by this user, name or number: real, effective or login user.", valueName: "user"))
  var user: [String] = []

  @Option(help: ArgumentHelp("Changes in a session of this login user, name or number; 'unset' for none.", valueName: "user"))
  var auid: [String] = []

  @Option(help: ArgumentHelp("Changes by this process.", valueName: "pid"))
  var pid: [Int64] = []

  @Option(help: ArgumentHelp("Changes by this program: a path, a pattern or a bare name.", valueName: "glob"))
  var exe: [String] = []

  @Option(
    help: ArgumentHelp(
      "Changes of this kind: \(Filter.actionNames.joined(separator: ", ")). Other lines: \(Filter.otherActionNames.joined(separator: ", ")), a system call, or a record type such as config-change.",
      valueName: "action"))
  var action: [String] = []

  @Option(help: ArgumentHelp("'success', 'failure', or an errno name such as EACCES.", valueName: "result"))
  var result: [String] = []

  @Option(
    help: ArgumentHelp(
      "From this time on: 2h (ago), today, yesterday, 23:32, 2026-11-20, '2026-11-20 23:32:51', or ISO 8601.", valueName: "time"))
  var since: String?

  @Option(help: ArgumentHelp("Up to and with this time; a day is meant to its end.", valueName: "time"))
  var until: String?

  /// The filter that the options describe. Comma-separated values are alternatives, like repeated options.
  /// - Throws: for a value that no line can match.
  func filter(_ names: UserNames, nowMs: Int64 = milliseconds(CLOCK_REALTIME)) throws(Failure) -> Filter {
    var filter = Filter()
    filter.keys = try FilterValues("--key", key).words()
    filter.paths = try FilterValues("--path", path).globs()
    filter.users = try FilterValues("--user", user).users(names)
    filter.auditUsers = try FilterValues("--auid", auid).loginUsers(names)
    filter.processes = try FilterValues.processes(pid)
    filter.executables = try FilterValues("--exe", exe).globs()
    filter.actions = try FilterValues("--action", action).actions()
    filter.results = try FilterValues("--result", result).results()
    if let since { filter.sinceMs = try TimeExpression(since, nowMs: nowMs).firstMs }
    if let until { filter.untilMs = try TimeExpression(until, nowMs: nowMs).lastMs }
    if let first = filter.sinceMs, let last = filter.untilMs, first > last {
      throw Failure("--since is later than --until", advice: "exchange them", exit: .usage)
    }
    return filter
  }
}

extension LineFormat: ExpressibleByArgument {}

/// How the text format is to be read, for the help of every command that prints it.
let textLegend = """
  In text, a name that holds blanks, quotes or arrows is in double quotes; \\xNN is a byte that cannot be shown. (path: …) behind a name says that \
  it is not certain: cwd-guess takes the working directory for want of better, inode is one of several names, descriptor was looked up \
  afterwards, learnt comes from an earlier event and may have moved since, as-named is what the process called it, parent-only is the directory of a name that the kernel did not record.
  """

/// `--log`, shared by every command that reads the log.
struct LogOptions: ParsableArguments {
  @Option(name: .customLong("log"), help: ArgumentHelp("The directory of the log.", valueName: "dir"))
  var directory = LogPolicy().directory
}
