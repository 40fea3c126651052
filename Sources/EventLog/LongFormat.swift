import AuditWire
import FileChanges

/// The log for people who want all of it: a paragraph a line, in sentences.
///
///     On 2026-11-20 at 23:32:51.738, on web-1, alice (uid 1000), acting as root, renamed /srv/b to /srv/c. The program was /usr/bin/mv (process
///     2334, started by 2281), run as: mv /srv/b /srv/c, in /root, on pts0 in session 3. The system call rename succeeded. The rule key is srv.
///     The path is certain. Event 6.
struct LongFormat: ~Copyable {
  var cells: TextCells
  private let showsKeys: Bool
  private var clock: LineClock

  init(_ style: TextStyle) {
    cells = TextCells(colour: style.colour)
    showsKeys = style.showsKeys
    clock = LineClock(isUTC: style.isUTC)
  }

  /// Writes the line as a paragraph, with an empty line behind it (whose `\n` is the caller's).
  mutating func add(_ fields: borrowing LineFields, _ line: RawSpan) {
    cells.beginLine()
    heading(fields, line)
    if fields.equals(.dataset, "fsaudit.gap", line) {
      gap(fields, line)
    } else if fields.equals(.dataset, "fsaudit.daemon", line) || fields.equals(.dataset, "fsaudit.seal", line) {
      cells.words("the daemon reports: ")
      cells.message(fields, line)
      cells.words(".")
      outcome(fields, line)
    } else if fields.equals(.dataset, "fsaudit.check", line) {
      cells.words("the baseline was compared: ")
      cells.message(fields, line)
      cells.words(".")
      outcome(fields, line)
    } else if fields.equals(.dataset, "fsaudit.event", line) {
      cells.words("the event ")
      actionWord(fields, line)
      cells.words(": ")
      cells.message(fields, line)
      cells.words(".")
      actor(fields, line)
    } else if fields.equals(.dataset, "fsaudit.rules", line) {
      rule(fields, line)
      actor(fields, line)
    } else {
      change(fields, line)
    }
    if let serial = fields.text(.sequence) {
      cells.words(" Event ")
      cells.name(serial, line)
      cells.words(".")
    }
    cells.words("\n")
  }

  private mutating func heading(_ fields: borrowing LineFields, _ line: RawSpan) {
    if let ms = clock.ms(fields[.timestamp], line) {
      cells.words("On ")
      clock.full(ms, &cells)
    } else {
      cells.words("At an unknown time")
    }
    if let host = fields.text(.host) {
      cells.words(", on ")
      cells.quoted(host, line)
    }
    cells.words(", ")
  }

  private mutating func gap(_ fields: borrowing LineFields, _ line: RawSpan) {
    var clock = self.clock
    cells.styled(.alarm) { cells in
      cells.words("GAP: ")
      cells.gap(fields, line, &clock) { ms, clock, cells in clock.full(ms, &cells) }
      cells.words(".")
    }
    self.clock = clock
  }

  private mutating func rule(_ fields: borrowing LineFields, _ line: RawSpan) {
    guard let record = fields.ruleRecord(line) else {
      cells.words("the rules: ")
      cells.message(fields, line)
      return cells.words(".")
    }
    let rule = RuleChange(record, line)
    rule.action(&cells)
    cells.words(": ")
    rule.words(fields, line, &cells)
    cells.words(".")
  }

  private mutating func actionWord(_ fields: borrowing LineFields, _ line: RawSpan) {
    if let action = fields.actionName { cells.name(action, line) } else { cells.words("?") }
  }

  // MARK: a file change

  private mutating func change(_ fields: borrowing LineFields, _ line: RawSpan) {
    if who(fields, line) { cells.words(",") }
    let failed = fields.equals(.outcome, "failure", line)
    what(fields, line, failed)
    if failed {
      cells.words(", and ")
      cells.styled(.alarm) { cells in
        cells.words("failed")
        if let errno = fields.text(.errno) {
          cells.words(": ")
          cells.name(errno, line)
        }
      }
    }
    cells.words(".")
    if fields[.replaced].kind != .absent {
      cells.words(" What was there before is gone")
      if let replaced = fields.text(.replacedPath), !LineFields.same(replaced, fields.text(.path), line) {
        cells.words(": ")
        cells.quoted(replaced, line)
      }
      cells.words(".")
    }
    program(fields, line)
    outcome(fields, line)
    keys(fields, line, isRule: true)
    cells.certainty(fields, line)
  }

  /// - Returns: whether it ends with an aside, which a comma closes if the sentence goes on.
  private mutating func who(_ fields: borrowing LineFields, _ line: RawSpan) -> Bool {
    guard let login = fields.login(line) else {
      cells.words("somebody")
      return false
    }
    let id = fields.loginID(line) ?? fields.text(.userID)
    let isNumber = LineFields.same(id, login, line)
    if isNumber { cells.words("uid ") }
    cells.quoted(login, line)
    if let id, !isNumber {
      cells.words(" (uid ")
      cells.name(id, line)
      cells.words(")")
    }
    guard let effective = fields.effective(line), !LineFields.same(effective, login, line) else { return false }
    cells.words(", acting as ")
    cells.quoted(effective, line)
    return true
  }

  /// What was done to what. The words of one row: done, attempted.
  private mutating func what(_ fields: borrowing LineFields, _ line: RawSpan, _ failed: Bool) {
    let action = fields.actionName.flatMap { Action(named: line.extracting($0.range)) }
    cells.words(failed ? " tried to " : " ")
    guard let action else {
      cells.words(failed ? "do " : "did ")
      actionWord(fields, line)
      cells.words(" to ")
      return cells.file(.path, .rawPath, fields, line)
    }
    let verb = Self.verb(of: action)
    cells.words(failed ? verb.attempted : verb.done)
    cells.words(" ")
    switch action {
    case .rename, .exchange:
      cells.file(.previousPath, .rawPrevious, fields, line)
      cells.words(action == .rename ? " to " : " with ")
      cells.file(.path, .rawPath, fields, line)
    case .link, .symlink:
      cells.file(.path, .rawPath, fields, line)
      cells.words(action == .link ? " as another name of " : " as a symbolic link to ")
      if fields.text(.targetPath) != nil {
        cells.path(fields, line, .targetPath, raw: .rawTarget)
      } else {
        cells.words("an unknown file")
      }
    default: cells.file(.path, .rawPath, fields, line)
    }
    if action == .chmod { cells.newValue("", .mode, .previousMode, isShownAlone: true, fields, line) }
    if action == .chown {
      cells.newValue(", the owner", .uid, .previousUID, isShownAlone: false, fields, line)
      cells.newValue(", the group", .gid, .previousGID, isShownAlone: false, fields, line)
    }
    if action == .open { cells.words(" for writing") }
  }

  private static func verb(of action: Action) -> (done: StaticString, attempted: StaticString) {
    switch action {
    case .create: ("created", "create")
    case .delete: ("deleted", "delete")
    case .rename: ("renamed", "rename")
    case .exchange: ("exchanged", "exchange")
    case .write: ("wrote to", "write to")
    case .truncate: ("emptied or cut", "empty or cut")
    case .chmod: ("changed the mode of", "change the mode of")
    case .chown: ("changed the owner of", "change the owner of")
    case .setxattr: ("set an extended attribute of", "set an extended attribute of")
    case .removexattr: ("removed an extended attribute of", "remove an extended attribute of")
    case .setacl: ("set the access list of", "set the access list of")
    case .utimes: ("set the times of", "set the times of")
    case .link, .symlink: ("made", "make")
    case .mkdir: ("made the directory", "make the directory")
    case .rmdir: ("removed the directory", "remove the directory")
    case .mknod: ("made the special file", "make the special file")
    case .mount: ("mounted something on", "mount something on")
    case .umount: ("unmounted", "unmount")
    case .chattr: ("changed the flags of", "change the flags of")
    case .open: ("opened", "open")
    }
  }

  // MARK: how, and under which rule

  /// Who and how, of a line that is no file change.
  private mutating func actor(_ fields: borrowing LineFields, _ line: RawSpan) {
    if fields.login(line) != nil {
      cells.words(" It was ")
      _ = who(fields, line)
      cells.words(".")
    }
    program(fields, line)
    outcome(fields, line)
    keys(fields, line, isRule: false)
  }

  private mutating func program(_ fields: borrowing LineFields, _ line: RawSpan) {
    guard let name = fields.text(.executable) ?? fields.text(.processName) else { return }
    cells.words(" The program was ")
    cells.quoted(name, line)
    if let pid = fields.text(.pid) {
      cells.words(" (process ")
      cells.name(pid, line)
      if let parent = fields.text(.parentPid) {
        cells.words(", started by ")
        cells.name(parent, line)
      }
      cells.words(")")
    }
    if fields.hasArguments(line) {
      cells.words(", run as: ")
      cells.commandLine(fields, line)
    }
    if let directory = fields.text(.workingDirectory) {
      cells.words(", in ")
      cells.quoted(directory, line)
    }
    if let terminal = fields.text(.terminal) {
      cells.words(", on ")
      cells.quoted(terminal, line)
    }
    if let session = fields.text(.session) {
      cells.words(", in session ")
      cells.name(session, line)
    }
    cells.words(".")
  }

  private mutating func outcome(_ fields: borrowing LineFields, _ line: RawSpan) {
    guard let outcome = fields.text(.outcome) else { return }
    let text = line.extracting(outcome.range)
    if let call = fields.text(.syscall) {
      cells.words(" The system call ")
      cells.name(call, line)
    } else {
      cells.words(" It")
    }
    if text.equals("success") {
      cells.words(" succeeded.")
    } else if text.equals("failure") {
      cells.words(" failed.")
    } else {
      cells.words(" has no known result.")
    }
  }

  /// - Parameter isRule: a rule has shown the line, with or without a key.
  private mutating func keys(_ fields: borrowing LineFields, _ line: RawSpan, isRule: Bool) {
    guard showsKeys else { return }
    var items = JSONItems(fields[.tags])
    guard items.next(line) != nil else { return isRule ? cells.words(" The rule has no key.") : () }
    cells.words(items.next(line) == nil ? " The rule key is " : " The rule keys are ")
    cells.keys(fields, line)
    cells.words(".")
  }
}

extension TextCells {
  fileprivate mutating func file(_ field: LineField, _ raw: LineField, _ fields: borrowing LineFields, _ line: RawSpan) {
    if fields.text(field) != nil {
      path(fields, line, field, raw: raw, isDirectory: fields.isDirectory(line))
    } else {
      words("a file with an unknown path")
      if let inode = fields.text(.inode) {
        words(" (inode ")
        name(inode, line)
        words(")")
      }
    }
  }

  fileprivate mutating func newValue(
    _ label: StaticString, _ new: LineField, _ old: LineField, isShownAlone: Bool, _ fields: borrowing LineFields, _ line: RawSpan
  ) {
    guard let new = fields.text(new) else { return }
    let old = fields.text(old)
    guard old != nil || isShownAlone else { return }
    words(label)
    if let old {
      words(" from ")
      name(old, line)
    }
    words(" to ")
    name(new, line)
  }

  /// How far the path can be trusted.
  fileprivate mutating func certainty(_ fields: borrowing LineFields, _ line: RawSpan) {
    guard fields.text(.path) != nil else { return }
    guard let mark = fields.text(.confidence), !line.extracting(mark.range).equals("exact") else { return words(" The path is certain.") }
    words(" The path is not certain (")
    name(mark, line)
    let text = line.extracting(mark.range)
    if text.equals("cwd-guess") {
      words("): it is below the working directory for want of better.")
    } else if text.equals("inode") {
      words("): it is one of several names of the file.")
    } else if text.equals("descriptor") {
      words("): it was looked up afterwards.")
    } else if text.equals("learnt") {
      words("): it comes from an earlier event and may have moved since.")
    } else if text.equals("as-named") {
      words("): it is what the process called the file.")
    } else if text.equals("parent-only") {
      words("): it is the directory of a name that the kernel did not record.")
    } else {
      words(").")
    }
  }
}
