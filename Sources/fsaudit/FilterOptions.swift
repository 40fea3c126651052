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

  @Option(help: ArgumentHelp("Changes of this directory and everything below it, with no character taken as a pattern.", valueName: "dir"))
  var under: [String] = []

  @Option(help: ArgumentHelp("Changes by this user, name or number: real, effective or login user.", valueName: "user"))
  var user: [String] = []

  @Option(help: ArgumentHelp("Changes in a session of this login user, name or number; 'unset' for none.", valueName: "user"))
  var auid: [String] = []

  @Option(help: ArgumentHelp("Changes by this process.", valueName: "pid"))
  var pid: [String] = []

  @Option(help: ArgumentHelp("Changes by children of this process.", valueName: "pid"))
  var ppid: [String] = []

  @Option(help: ArgumentHelp("Changes in this login session; 'unset' for none.", valueName: "number"))
  var session: [String] = []

  @Option(help: ArgumentHelp("Changes by this program: a path, a pattern or a bare name.", valueName: "glob"))
  var exe: [String] = []

  @Option(help: ArgumentHelp("Changes by a process of this name, at most 15 bytes as the kernel has it.", valueName: "name"))
  var comm: [String] = []

  @Option(
    help: ArgumentHelp(
      "Changes of this kind: \(Filter.actionNames.joined(separator: ", ")). Other lines: \(Filter.otherActionNames.joined(separator: ", ")), a system call, or a record type such as config-change.",
      valueName: "action"))
  var action: [String] = []

  @Option(help: ArgumentHelp("Changes by this system call, such as renameat2.", valueName: "name"))
  var syscall: [String] = []

  @Option(help: ArgumentHelp("'success', 'failure', or an errno name such as EACCES.", valueName: "result"))
  var result: [String] = []

  @Option(help: ArgumentHelp("Changes on this host.", valueName: "name"))
  var host: [String] = []

  @Option(
    help: ArgumentHelp(
      "From this time on: 2h (ago), today, yesterday, boot, 23:32, 2026-11-20, '2026-11-20 23:32:51', ISO 8601, or ausearch's words recent, this-week, week-ago, this-month, this-year.",
      valueName: "time"))
  var since: String?

  @Option(help: ArgumentHelp("Up to and with this time; a day is meant to its end.", valueName: "time"))
  var until: String?

  @Option(help: ArgumentHelp("The event with this serial number, the last number in 'audit(…:…)'.", valueName: "number"))
  var serial: [String] = []

  @Option(help: ArgumentHelp("Changes of the file with this inode.", valueName: "number"))
  var inode: [String] = []

  @Option(help: ArgumentHelp("Lines that have this text in one of their values.", valueName: "text"))
  var text: [String] = []

  @Option(
    name: .customLong("not"),
    help: ArgumentHelp("Without what this filter would find: user=root, path='*.swp', action=chmod,chown.", valueName: "filter=value"))
  var exclusions: [String] = []

  private var given: [(field: FilterField, texts: [String])] {
    [
      (.key, key), (.path, path), (.under, under), (.user, user), (.auid, auid), (.pid, pid), (.ppid, ppid), (.session, session),
      (.exe, exe),
      (.comm, comm), (.action, action), (.syscall, syscall), (.result, result), (.host, host), (.serial, serial), (.inode, inode),
      (.text, text),
    ]
  }

  /// The filter that the options describe. Comma-separated values are alternatives, like repeated options.
  /// - Throws: for a value that no line can match.
  func filter(nowMs: Int64 = milliseconds(CLOCK_REALTIME)) throws(Failure) -> Filter {
    var filter = Filter()
    for (field, texts) in given where !texts.isEmpty {
      let option = "--\(field.rawValue)"
      filter.conditions.append(try FilterValues(option, RawArguments.values(of: option, texts)).condition(field))
    }
    for text in RawArguments.values(of: "--not", exclusions) { filter.exclusions.append(try exclusion(text)) }
    if let since { filter.sinceMs = try time("--since", since, nowMs).firstMs }
    if let until { filter.untilMs = try time("--until", until, nowMs).lastMs }
    if let first = filter.sinceMs, let last = filter.untilMs, first > last {
      throw Failure("--since is later than --until", advice: "exchange them", exit: .usage)
    }
    return filter
  }

  private func exclusion(_ text: [UInt8]) throws(Failure) -> FilterCondition {
    let parts = text.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let field = FilterField(rawValue: String(decoding: parts[0], as: UTF8.self)) else {
      throw Failure(
        "--not \(printable(String(decoding: text, as: UTF8.self))) is no filter",
        advice: "write --not user=root, with one of \(FilterField.allCases.map(\.rawValue).joined(separator: ", "))", exit: .usage)
    }
    return try FilterValues("--not \(field.rawValue)", [Array(parts[1])]).condition(field)
  }

  private func time(_ option: String, _ text: String, _ nowMs: Int64) throws(Failure) -> TimeExpression {
    do { return try TimeExpression(text, nowMs: nowMs) } catch {
      throw Failure("\(option): \(error.message)", advice: error.advice, exit: error.exit)
    }
  }
}

/// How the text format is to be read, for the help of every command that prints it.
let textLegend = """
  In text, a name that holds blanks, quotes or arrows is in double quotes; \\xNN is a byte that cannot be shown. (path: …) behind a name says that \
  it is not certain: cwd-guess takes the working directory for want of better, inode is one of several names, descriptor was looked up \
  afterwards, learnt comes from an earlier event and may have moved since, as-named is what the process called it, parent-only is the directory of a name that the kernel did not record, unknown is where nothing tells it.
  """

/// `--log`, shared by every command that reads the log.
struct LogOptions: ParsableArguments {
  @Option(name: .customLong("log"), help: ArgumentHelp("The directory of the log.", valueName: "dir"))
  var directory = LogPolicy().directory
}
