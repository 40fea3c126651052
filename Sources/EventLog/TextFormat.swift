import FileChanges
import Glibc
import System

/// The log for people: one aligned line a change.
///
///     23:32:51.738 rename      /srv/b → /srv/c          alice→root pts0  mv[2334]       srv
///
/// Names are quoted where they could pass for something else (``Cell/quoted(_:mark:)``), and `(path: …)` marks a path that is not certain.
package struct TextFormat: Sendable {
  private let colour: Bool
  private let pathWidth: Int
  private let isShort: Bool
  private let showsKeys: Bool

  /// - Parameters:
  ///   - columns: the terminal's width, which the path column fills; nil for a pipe, which gets the full date.
  ///     Nothing is ever cut: what is too long pushes the rest to the right.
  ///   - showsKeys: false where the rule key is none of the reader's.
  package init(colour: Bool, columns: Int?, showsKeys: Bool = true) {
    self.colour = colour
    self.showsKeys = showsKeys
    isShort = columns != nil
    pathWidth = max(24, (columns ?? 130) - Self.timeWidth(isShort) - Self.actionWidth - Self.whoWidth - Self.processWidth - 12)
  }

  private static func timeWidth(_ isShort: Bool) -> Int { isShort ? 14 : 23 }
  private static let actionWidth = 11, whoWidth = 16, processWidth = 16

  /// The line as text, without a line end.
  /// - Parameter nowMs: what "today" is, milliseconds since 1970.
  package func line(of line: LogLine, nowMs: Int64) -> String {
    var cells = [time(line.timeMs ?? 0, nowMs).styled(.dim, colour)]
    switch line.dataset {
    case .gap: cells += [gap(line, nowMs).styled(.alarm, colour)]
    case .daemon, .seal: cells += [action(line, of: "fsaudit", .cyan), message(line)]
    case .rules: cells += ruleChange(line) + actor(line)
    case .event: cells += [action(line, of: nil, .cyan), message(line).padded(to: pathWidth)] + actor(line)
    case .file, nil: cells += [action(line, of: nil, nil), change(line).padded(to: pathWidth)] + actor(line)
    }
    var text = cells.filter { $0.width > 0 }.map(\.text).joined(separator: " ")
    while text.last == " " { text.removeLast() }
    return text
  }

  /// A line that is not JSON: as it is, made harmless.
  package func unreadable(_ bytes: RawSpan) -> String {
    var text = Cell("unreadable line: ")
    text.add(.name(bytes.withUnsafeBytes { Array($0) }))
    return text.styled(.red, colour).text
  }

  // MARK: the columns

  private func time(_ ms: Int64, _ nowMs: Int64) -> Cell {
    let (time, today) = (localTime(ms: ms), localTime(ms: nowMs))
    let clock = "\(pad(Int64(time.tm_hour), 2)):\(pad(Int64(time.tm_min), 2)):\(pad(Int64(time.tm_sec), 2))"
    let part = "." + pad((ms % 1000 + 1000) % 1000, 3)
    let day = "\(pad(Int64(time.tm_mon) + 1, 2))-\(pad(Int64(time.tm_mday), 2))"
    if !isShort { return Cell("\(pad(Int64(time.tm_year) + 1900, 4))-\(day) \(clock)\(part)") }
    let isToday = (time.tm_year, time.tm_yday) == (today.tm_year, today.tm_yday)
    return Cell(isToday ? clock + part : "\(day) \(clock)").padded(to: Self.timeWidth(true))
  }

  /// The action, after the word for what acts or is acted on.
  private func action(_ line: LogLine, of subject: String?, _ style: Style?) -> Cell {
    let action = line.string("fsaudit.action") ?? line.string("event.action") ?? "?"
    let words = Cell.name((subject.map { $0 + " " } ?? "") + action).padded(to: Self.actionWidth)
    return words.styled(style ?? Self.style(of: action), colour)
  }

  private static func style(of action: String) -> Style {
    switch Action(named: action) {
    case .create, .mkdir, .link, .symlink, .mknod, .mount: .green
    case .delete, .rmdir, .umount: .red
    case .rename, .exchange: .cyan
    case .write, .truncate, .open: .yellow
    case .chmod, .chown, .setxattr, .removexattr, .setacl, .utimes, .chattr, nil: .magenta
    }
  }

  /// What was changed: the errno if it was refused, the path, and for some actions the other one.
  private func change(_ line: LogLine) -> Cell {
    var cell = Cell()
    if line.string("event.outcome", equals: "failure") {
      cell.add(Cell.name(line.string("fsaudit.errno") ?? "failed").styled(.alarm, colour))
      cell.add(" ")
    }
    let isDirectory = ["dir", "directory"].contains(line.string("file.type"))
    let path = name(line, "file.path", "fsaudit.raw.path", isDirectory)
    let previous = name(line, "fsaudit.previous.path", "fsaudit.raw.previous_path", isDirectory)
    let target = name(line, "fsaudit.target.path", "fsaudit.raw.target_path", false)
    if let previous {
      cell.add(previous)
      cell.add(line.string("fsaudit.action", equals: "exchange") ? " ⇄ " : " → ")
    }
    cell.add(path ?? Cell("(unknown path)"))
    if let target {
      cell.add(line.string("fsaudit.action", equals: "symlink") ? " → " : " = ")
      cell.add(target)
    }
    if line.has("fsaudit.replaced") {
      cell.add(" (replaced")
      if let replaced = line.string("fsaudit.replaced.path"), replaced != line.string("file.path") {
        cell.add(" ")
        cell.add(.quoted(replaced))
      }
      cell.add(")")
    }
    for (field, label) in [("mode", ""), ("uid", "owner "), ("gid", "group ")] {
      guard let new = line.string("file." + field) else { continue }
      let old = line.string("fsaudit.previous." + field)
      guard old != nil || field == "mode" && line.string("fsaudit.action", equals: "chmod") else { continue }
      cell.add(" " + label)
      if let old {
        cell.add(.name(old))
        cell.add("→")
      }
      cell.add(.name(new))
    }
    if let confidence = line.string("fsaudit.path_confidence"), confidence != "exact" {
      cell.add(" (path: ")
      cell.add(.name(confidence))
      cell.add(")")
    }
    return cell
  }

  private func name(_ line: LogLine, _ path: String, _ raw: String, _ isDirectory: Bool) -> Cell? {
    guard var bytes = line.name(path, raw: raw) else { return nil }
    if isDirectory && bytes.last != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
    return .quoted(bytes)
  }

  /// Who, through which process, under which keys.
  private func actor(_ line: LogLine) -> [Cell] {
    var who = Cell()
    let real = line.string("user.name") ?? line.string("user.id")
    let isEffective = line.string("user.effective.id") == line.string("user.id")
    let effective = isEffective ? real : line.string("user.effective.name") ?? line.string("user.effective.id") ?? real
    let login = line.auditID.map { line.string("user.audit.name") ?? $0 } ?? real
    if let login { who.add(.quoted(login)) }
    if let effective, effective != login {
      who.add("→")
      who.add(.quoted(effective))
    }
    if let terminal = line.string("fsaudit.tty") {
      who.add(" ")
      who.add(.quoted(terminal))
    } else if let session = line.string("fsaudit.session") {
      who.add(" ses")
      who.add(.name(session))
    }
    var process = Cell()
    if let name = line.string("process.name") ?? line.string("process.executable") { process.add(.quoted(name)) }
    if let pid = line.integer("process.pid") { process.add("[\(pid)]") }
    return [who.padded(to: Self.whoWidth), process.padded(to: Self.processWidth), keys(line)]
  }

  private func keys(_ line: LogLine) -> Cell {
    var cell = Cell()
    guard showsKeys else { return cell }
    for (index, key) in line.strings("tags").enumerated() {
      if index > 0 { cell.add(",") }
      cell.add(.quoted(key, mark: ","))
    }
    return cell.styled(.dim, colour)
  }

  /// What a line says that is no change: its message, a command line, the path that was read, or the fields of its first record.
  private func message(_ line: LogLine) -> Cell {
    var words = Cell()
    if let message = line.string("message") {
      words.add(.name(message))
    } else if !line.string("event.type.0", equals: "start"), let path = object(line) {
      words.add(.quoted(path))
    } else if line.has("process.args.0") {
      words.add(commandLine(line))
    } else {
      // Who did it has columns of its own; the rest says what.
      let known: Set = ["pid", "uid", "auid", "ses", "subj", "type"]
      for (name, value) in line.members("fsaudit.records.0").filter({ !known.contains($0.name) }).prefix(8) {
        words.add(.name((words.width > 0 ? " " : "") + "\(name)="))
        words.add(.quoted(value))
      }
      if words.width == 0 { words.add(.name(line.strings("fsaudit.record_types").joined(separator: " "))) }
    }
    return line.string("event.outcome", equals: "failure") ? words.styled(.red, colour) : words
  }

  /// The path that a call was about, of an event that has PATH records.
  private func object(_ line: LogLine) -> String? {
    var name: String?
    var index = 0
    while let type = line.string("fsaudit.records.\(index).type") {
      if type == "PATH", line.string("fsaudit.records.\(index).nametype", equals: "NORMAL") {
        name = line.string("fsaudit.records.\(index).name") ?? name
      }
      index += 1
    }
    guard let name, !name.hasPrefix("/"), let directory = line.string("process.working_directory") else { return name }
    return directory + (directory.hasSuffix("/") ? "" : "/") + name
  }

  private func commandLine(_ line: LogLine) -> Cell {
    var cell = Cell()
    for (index, argument) in line.strings("process.args").enumerated() {
      if index > 0 { cell.add(" ") }
      cell.add(.quoted(argument))
    }
    return cell
  }

  /// What the kernel says of a rule (CONFIG_CHANGE): it names no more of one that was added than its list and key, so the command line follows.
  private func ruleChange(_ line: LogLine) -> [Cell] {
    let records = (0..<8).lazy.map { "fsaudit.records.\($0)" }
    guard let record = records.first(where: { line.string($0 + ".type", equals: "CONFIG_CHANGE") }) else {
      return [action(line, of: line.has("message") ? "rule" : nil, .cyan), message(line)]
    }
    let session = line.string(record + ".ses") ?? ""
    let operation = line.string(record + ".op") ?? String(session.drop { $0 != "o" }.dropFirst(3))
    let words = ["add_rule": "rule added", "remove_rule": "rule removed", "updated_rules": "rule updated"]
    var cell = Cell()
    for name in ["path", "dir", "key"] {
      guard let value = line.string("\(record).\(name)") else { continue }
      cell.add((cell.width > 0 ? " " : "") + "\(name)=")
      cell.add(.quoted(value))
    }
    if cell.width == 0 { cell.add("no key") }
    if let list = line.integer(record + ".list"), list != 4 {
      cell.add(" list=" + ([0: "user", 1: "task", 5: "exclude", 6: "filesystem", 7: "io_uring"][list] ?? "\(list)"))
    }
    // outside of a system call of somebody's, the kernel itself removed it
    if operation == "remove_rule", line.string(record + ".auid") == nil, line.has(record + ".path") || line.has(record + ".dir") {
      cell.add(" (what it watched is gone)")
    }
    if line.string(record + ".res", equals: "0") { cell.add(Cell(" (refused)").styled(.alarm, colour)) }
    if line.has("process.args.0") {
      cell.add(": ")
      cell.add(commandLine(line))
    }
    return [Cell.name(words[operation] ?? operation).padded(to: Self.actionWidth).styled(.cyan, colour), cell.padded(to: pathWidth)]
  }

  private func gap(_ line: LogLine, _ nowMs: Int64) -> Cell {
    var cell = Cell("GAP".padding(to: Self.actionWidth) + " ")
    cell.add(.name(line.string("message") ?? "events may be missing"))
    let times = ["fsaudit.gap.since", "fsaudit.gap.until"].map { field in
      line.string(field).flatMap { instant(isoUTC: Array($0.utf8)[...]) }.map { clock($0, nowMs) }
    }
    if let since = times[0], let until = times[1] { cell.add(", between \(since) and \(until)") }
    return cell
  }

  /// A time within a sentence.
  private func clock(_ ms: Int64, _ nowMs: Int64) -> String {
    let text = time(ms, nowMs).text
    return text.last == " " ? String(text.prefix { $0 != " " }) : text
  }
}

extension String {
  /// ASCII text with blanks up to a width.
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
