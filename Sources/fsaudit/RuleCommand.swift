import ArgumentParser
import AuditControl
import Glibc
import System

/// `fsaudit rule`: the kernel's audit rules.
struct RuleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rule",
    abstract: "Add, remove, list, load and check audit rules.",
    discussion: """
      Rules are auditctl's: a line of any audit.rules works after `fsaudit rule add`. fsaudit remembers which rules it added (in the \
      runtime_directory of its settings, /run/fsaudit) and touches no others.
      """,
    subcommands: [RuleAdd.self, RuleRemove.self, RuleList.self, RuleLoad.self, RuleCheckCommand.self])

  /// Opens the rule book of the daemon that has these settings.
  static func book(config: String?) throws -> RuleBook {
    try RuleBook(directory: runtimeDirectory(config: config))
  }
}

/// What `rule add` and `rule remove` have in common: everything after the name belongs to the rule, dashes and all.
struct RuleArguments {
  let rule: [[UInt8]]
  let permissions: Permissions
  /// `--config`
  let config: String?

  /// Takes our own switches off the front.
  init(_ captured: [String], _ command: any ParsableCommand.Type) throws {
    var captured = captured[...]
    var permissions: Permissions = []
    var config: String?
    while let first = captured.first {
      switch first {
      case "--config":
        captured.removeFirst()
        guard let file = captured.first else { throw Failure("--config has no value", advice: "name a settings file", exit: .usage) }
        config = file
      case _ where first.hasPrefix("--config="): config = String(first.dropFirst("--config=".count))
      case "--allow-lock": permissions.insert(.lock)
      case "--allow-panic": permissions.insert(.panic)
      case "--help", "-h": throw CleanExit.helpRequest(command)
      default:
        rule = RawArguments.last(captured.count)
        self.permissions = permissions
        self.config = config
        return
      }
      captured.removeFirst()
    }
    throw Failure("no rule", advice: "give auditctl's arguments, -w /etc -p wa -k etc for example", exit: .usage)
  }
}

struct RuleAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a rule.",
    usage: "fsaudit rule add [--config FILE] [--allow-lock] [--allow-panic] [--when-created] RULE",
    discussion: """
      RULE is auditctl's: -w PATH [-p rwxa] [-k KEY], or -a always,exit [-F FIELD] [-S CALL] [-k KEY], or a setting such as -b 8192.

      A watch (-w) is installed as system call rules that do the same and cost less, for 64-bit and 32-bit programs. Its path is resolved first; \
      with --when-created a path that does not exist yet is waited for (by the daemon, or the next `rule load`).

      --allow-lock permits -e 2 (locked until reboot), --allow-panic permits -f 2. --config names the daemon's settings, where it runs with others \
      than /etc/fsaudit/fsaudit.toml.

        fsaudit rule add -w /etc/ssh -p wa -k ssh
        fsaudit rule add -a always,exit -F arch=b64 -S mount -S umount2 -k mounts

      Exit status: 0 the rule is there (also when fsaudit had added it before), 2 it is malformed, 3 not permitted, 4 the kernel refused it.
      """)

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("auditctl's arguments.", valueName: "RULE"))
  var arguments: [String] = []

  func run() throws {
    let arguments = try RuleArguments(arguments, Self.self)
    let line = try RuleLine(arguments.rule)
    for note in line.notes { complain("fsaudit: note: \(note)") }
    var book = try RuleCommand.book(config: arguments.config)
    let outcome = try book.add(line, permissions: arguments.permissions)
    for rule in outcome.foreign { complain("fsaudit: note: somebody else added this one already, it is left to them: \(rule.description)") }
    if outcome.waits { complain("fsaudit: note: the rule waits for its path") }
  }
}

struct RuleRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove a rule that fsaudit added.",
    usage: "fsaudit rule remove [--config FILE] RULE",
    discussion: """
      RULE is the line that added it, or what `fsaudit rule list` prints; a line that waits for its path is removed in the same way, with or without \
      its --when-created. `-D` removes all rules that fsaudit added, `-D -k KEY` those with this text in a key. \
      --config names the daemon's settings, where it runs with others than /etc/fsaudit/fsaudit.toml.

      Exit status: 0 removed, 2 malformed, 3 not permitted, 4 fsaudit has added no such rule, or the kernel refused.
      """)

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("auditctl's arguments.", valueName: "RULE"))
  var arguments: [String] = []

  func run() throws {
    let arguments = try RuleArguments(arguments, Self.self)
    let line = try RuleLine(arguments.rule, removing: true)
    var book = try RuleCommand.book(config: arguments.config)
    if case .deleteAll(let key)? = line.controls.first, line.controls.count == 1 {
      _ = try book.removeAll(key: key)
      return
    }
    if !line.controls.isEmpty || line.operation == nil {
      throw Failure("\(RuleBook.name(line)): not a rule", advice: "only rules can be removed", exit: .usage)
    }
    _ = try book.remove(line)
  }
}
