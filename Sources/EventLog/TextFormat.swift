import AuditWire
import FileChanges

/// The log for people: one aligned line a change.
///
///     23:32:51.738 rename      /srv/b → /srv/c          alice→root pts0  mv[2334]       srv
///
/// Names are quoted where they could pass for something else (``TextCells/quoted(_:mark:)``), and `(path: …)` marks a path that is not certain.
struct TextFormat: ~Copyable {
  var cells: TextCells
  private let colour: Bool
  private let pathWidth: Int
  private let isShort: Bool
  private let showsKeys: Bool
  private let showsHosts: Bool
  private var clock: LineClock

  init(_ style: TextStyle) {
    cells = TextCells(colour: style.colour)
    colour = style.colour
    showsKeys = style.showsKeys
    showsHosts = style.showsHosts
    isShort = style.columns != nil
    clock = LineClock(isUTC: style.isUTC)
    pathWidth = max(24, (style.columns ?? 130) - Self.timeWidth(isShort) - Self.actionWidth - Self.whoWidth - Self.processWidth - 12)
  }

  private static func timeWidth(_ isShort: Bool) -> Int { isShort ? 14 : 23 }
  private static let hostWidth = 12, actionWidth = 11, whoWidth = 16, processWidth = 16

  /// Writes the line as text, without a line end.
  /// - Parameter nowMs: what "today" is, milliseconds since 1970.
  mutating func add(_ fields: borrowing LineFields, _ line: RawSpan, nowMs: Int64) {
    let ms = clock.ms(fields[.timestamp], line) ?? 0
    let dataset = fields[.dataset]
    cells.beginLine()
    if showsHosts { host(fields, line) }
    time(ms, nowMs)
    if fields.equals(.dataset, "fsaudit.file", line) || dataset.kind != .string {
      change(fields, line)
    } else if fields.equals(.dataset, "fsaudit.event", line) {
      action(fields, line, of: nil, .cyan)
      message(fields, line, isPadded: true)
      actor(fields, line)
    } else if fields.equals(.dataset, "fsaudit.gap", line) {
      gap(fields, line, nowMs)
    } else if fields.equals(.dataset, "fsaudit.daemon", line) || fields.equals(.dataset, "fsaudit.check", line)
      || fields.equals(.dataset, "fsaudit.seal", line)
    {
      action(fields, line, of: "fsaudit ", .cyan)
      message(fields, line, isPadded: false)
    } else if fields.equals(.dataset, "fsaudit.rules", line) {
      rule(fields, line)
      actor(fields, line)
    } else {
      change(fields, line)
    }
    cells.endLine()
  }

  // MARK: the columns

  private mutating func host(_ fields: borrowing LineFields, _ line: RawSpan) {
    let name = fields.text(.host)
    cells.cell { cells in
      if let name { cells.quoted(name, line) } else { cells.words("-") }
      cells.pad(to: Self.hostWidth)
    }
  }

  private mutating func time(_ ms: Int64, _ nowMs: Int64) {
    var clock = self.clock
    let isShort = isShort
    cells.cell { cells in
      cells.styled(.dim) { cells in
        if isShort {
          clock.short(ms, nowMs: nowMs, &cells)
          cells.pad(to: Self.timeWidth(true))
        } else {
          clock.full(ms, &cells)
        }
      }
    }
    self.clock = clock
  }

  /// The action, after the word for what acts or is acted on.
  private mutating func action(_ fields: borrowing LineFields, _ line: RawSpan, of subject: StaticString?, _ style: Style?) {
    let action = fields.actionName
    let style = style ?? (colour ? Self.style(of: action.flatMap { Action(named: line.extracting($0.range)) }) : .dim)
    cells.cell { cells in
      cells.styled(style) { cells in
        if let subject { cells.words(subject) }
        if let action { cells.name(action, line) } else { cells.words("?") }
        cells.pad(to: Self.actionWidth)
      }
    }
  }

  private static func style(of action: Action?) -> Style {
    switch action {
    case .create, .mkdir, .link, .symlink, .mknod, .mount: .green
    case .delete, .rmdir, .umount: .red
    case .rename, .exchange: .cyan
    case .write, .truncate, .open: .yellow
    case .chmod, .chown, .setxattr, .removexattr, .setacl, .utimes, .chattr, nil: .magenta
    }
  }

  private mutating func change(_ fields: borrowing LineFields, _ line: RawSpan) {
    action(fields, line, of: nil, nil)
    let width = pathWidth
    cells.cell { cells in
      if fields.equals(.outcome, "failure", line) {
        cells.styled(.alarm) { cells in
          if let errno = fields.text(.errno) { cells.name(errno, line) } else { cells.words("failed") }
        }
        cells.words(" ")
      }
      cells.objects(fields, line)
      cells.newValues(fields, line)
      if let confidence = fields.text(.confidence), !line.extracting(confidence.range).equals("exact") {
        cells.words(" (path: ")
        cells.name(confidence, line)
        cells.words(")")
      }
      cells.pad(to: width)
    }
    actor(fields, line)
  }

  /// Who, through which process, under which keys.
  private mutating func actor(_ fields: borrowing LineFields, _ line: RawSpan) {
    cells.cell { cells in
      let login = fields.login(line)
      let effective = fields.effective(line)
      if let login { cells.quoted(login, line) }
      if let effective, !LineFields.same(effective, login, line) {
        cells.words("→")
        cells.quoted(effective, line)
      }
      if let terminal = fields.text(.terminal) {
        cells.words(" ")
        cells.quoted(terminal, line)
      } else if let session = fields.text(.session) {
        cells.words(" ses")
        cells.name(session, line)
      }
      cells.pad(to: Self.whoWidth)
    }
    cells.cell { cells in
      if let name = fields.text(.processName) ?? fields.text(.executable) { cells.quoted(name, line) }
      if let pid = fields.text(.pid) {
        cells.words("[")
        cells.name(pid, line)
        cells.words("]")
      }
      cells.pad(to: Self.processWidth)
    }
    if showsKeys {
      cells.cell { cells in cells.styled(.dim) { $0.keys(fields, line) } }
    }
  }

  private mutating func message(_ fields: borrowing LineFields, _ line: RawSpan, isPadded: Bool) {
    let width = pathWidth
    cells.cell { cells in
      if fields.equals(.outcome, "failure", line) {
        cells.styled(.red) { $0.message(fields, line) }
      } else {
        cells.message(fields, line)
      }
      if isPadded { cells.pad(to: width) }
    }
  }

  private mutating func rule(_ fields: borrowing LineFields, _ line: RawSpan) {
    guard let record = fields.ruleRecord(line) else {
      action(fields, line, of: fields[.message].kind != .absent ? "rule " : nil, .cyan)
      return message(fields, line, isPadded: false)
    }
    let rule = RuleChange(record, line)
    let width = pathWidth
    cells.cell { cells in
      cells.styled(.cyan) { cells in
        rule.action(&cells)
        cells.pad(to: Self.actionWidth)
      }
    }
    cells.cell { cells in
      rule.words(fields, line, &cells)
      cells.pad(to: width)
    }
  }

  private mutating func gap(_ fields: borrowing LineFields, _ line: RawSpan, _ nowMs: Int64) {
    var clock = self.clock
    let isShort = isShort
    cells.cell { cells in
      cells.styled(.alarm) { cells in
        cells.words("GAP")
        cells.pad(to: Self.actionWidth)
        cells.words(" ")
        cells.gap(fields, line, &clock) { ms, clock, cells in
          if isShort { clock.short(ms, nowMs: nowMs, &cells) } else { clock.full(ms, &cells) }
        }
      }
    }
    self.clock = clock
  }
}

extension TextCells {
  /// What was changed: the path, and for some actions the other one.
  fileprivate mutating func objects(_ fields: borrowing LineFields, _ line: RawSpan) {
    let isDirectory = fields.isDirectory(line)
    if fields.text(.previousPath) != nil {
      path(fields, line, .previousPath, raw: .rawPrevious, isDirectory: isDirectory)
      if fields.equals(.action, "exchange", line) { words(" ⇄ ") } else { words(" → ") }
    }
    if fields.text(.path) != nil { path(fields, line, .path, raw: .rawPath, isDirectory: isDirectory) } else { words("(unknown path)") }
    if fields.text(.targetPath) != nil {
      if fields.equals(.action, "symlink", line) { words(" → ") } else { words(" = ") }
      path(fields, line, .targetPath, raw: .rawTarget)
    }
    if fields[.replaced].kind != .absent {
      words(" (replaced")
      if let replaced = fields.text(.replacedPath), !LineFields.same(replaced, fields.text(.path), line) {
        words(" ")
        quoted(replaced, line)
      }
      words(")")
    }
  }

  /// The mode and the owners, where they are what was changed.
  fileprivate mutating func newValues(_ fields: borrowing LineFields, _ line: RawSpan) {
    func change(_ label: StaticString, _ new: LineField, _ old: LineField, isShownAlone: Bool, _ cells: inout TextCells) {
      guard let new = fields.text(new) else { return }
      let old = fields.text(old)
      guard old != nil || isShownAlone else { return }
      cells.words(label)
      if let old {
        cells.name(old, line)
        cells.words("→")
      }
      cells.name(new, line)
    }
    change(" ", .mode, .previousMode, isShownAlone: fields.equals(.action, "chmod", line), &self)
    change(" owner ", .uid, .previousUID, isShownAlone: false, &self)
    change(" group ", .gid, .previousGID, isShownAlone: false, &self)
  }
}
