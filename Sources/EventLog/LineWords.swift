import AuditWire
import FileChanges

/// What the text formats say of a line, in words that several of them use.
extension TextCells {
  /// The name of a file: its exact bytes, also where they are not UTF-8; a directory's ends with a `/`.
  mutating func path(_ fields: borrowing LineFields, _ line: RawSpan, _ field: LineField, raw: LineField?, isDirectory: Bool = false) {
    guard let value = fields.text(field) else { return }
    var exact: [UInt8]?
    if let raw, fields[raw].kind != .absent { exact = line.hex(fields[raw]) }
    let text = line.extracting(value.range)
    if exact == nil, !isDirectory || text.byteCount > 0 && text.byte(text.byteCount - 1) == UInt8(ascii: "/") { return quoted(value, line) }
    var bytes = exact ?? line.decoded(value)
    if isDirectory && bytes.last != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
    quoted(bytes.span.bytes)
  }

  /// The words of a command line.
  mutating func commandLine(_ fields: borrowing LineFields, _ line: RawSpan) {
    var isFirst = true
    var items = JSONItems(fields[.arguments])
    while let (_, argument) = items.next(line) {
      guard argument.kind == .string else { continue }
      if !isFirst { words(" ") }
      isFirst = false
      quoted(argument, line)
    }
  }

  /// The rule keys, with commas between them.
  mutating func keys(_ fields: borrowing LineFields, _ line: RawSpan) {
    var isFirst = true
    var items = JSONItems(fields[.tags])
    while let (_, key) = items.next(line) {
      guard key.kind == .string else { continue }
      if !isFirst { words(",") }
      isFirst = false
      quoted(key, line, mark: UInt8(ascii: ","))
    }
  }

  /// What a line says that is no change: its message, a command line, the path that was read, or the fields of its first record.
  mutating func message(_ fields: borrowing LineFields, _ line: RawSpan) {
    if let message = fields.text(.message) { return name(message, line) }
    if !fields.isStart(line), let path = object(fields, line) { return quoted(path.span.bytes) }
    if fields.hasArguments(line) { return commandLine(fields, line) }
    let before = width
    var records = JSONItems(fields[.records])
    if let (_, record) = records.next(line), record.kind == .object {
      var members = JSONItems(record)
      var count = 0
      while count < 8, let (key, value) = members.next(line) {
        // who did it has columns of its own; the rest says what
        guard value.kind == .string || value.kind == .number, !Self.isKnown(line.extracting(key.range)) else { continue }
        if width > before { words(" ") }
        name(key, line)
        words("=")
        quoted(value, line)
        count += 1
      }
    }
    if width > before { return }
    var types = JSONItems(fields[.recordTypes])
    while let (_, type) = types.next(line) {
      guard type.kind == .string else { continue }
      if width > before { words(" ") }
      name(type, line)
    }
  }

  private static func isKnown(_ field: RawSpan) -> Bool {
    field.equals("pid") || field.equals("uid") || field.equals("auid") || field.equals("ses") || field.equals("subj")
      || field.equals("type")
  }

  /// The path that a call was about, of an event that has PATH records.
  private func object(_ fields: borrowing LineFields, _ line: RawSpan) -> [UInt8]? {
    var name: [UInt8]?
    var records = JSONItems(fields[.records])
    while let (_, record) = records.next(line), let type = JSONItems.member("type", of: record, line) {
      guard line.extracting(type.range).equals("PATH") else { continue }
      guard let kind = JSONItems.member("nametype", of: record, line), kind.kind == .string, line.extracting(kind.range).equals("NORMAL")
      else { continue }
      name = JSONItems.member("name", of: record, line).map { line.decoded($0) } ?? name
    }
    guard let name, name.first != UInt8(ascii: "/"), let directory = fields.text(.workingDirectory) else { return name }
    let base = line.decoded(directory)
    return base + (base.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + name
  }

  /// What a gap says of itself, and when it was.
  mutating func gap(
    _ fields: borrowing LineFields, _ line: RawSpan, _ clock: inout LineClock,
    _ show: (Int64, inout LineClock, inout TextCells) -> Void
  ) {
    if let message = fields.text(.message) { name(message, line) } else { words("events may be missing") }
    guard let since = clock.ms(fields[.gapSince], line), let until = clock.ms(fields[.gapUntil], line) else { return }
    words(", between ")
    show(since, &clock, &self)
    words(" and ")
    show(until, &clock, &self)
  }
}

extension LineFields {
  /// Whether it is the start of a program.
  func isStart(_ line: RawSpan) -> Bool {
    var types = JSONItems(self[.eventType])
    guard let (_, type) = types.next(line) else { return false }
    return type.kind == .string && line.extracting(type.range).equals("start")
  }

  func hasArguments(_ line: RawSpan) -> Bool {
    var items = JSONItems(self[.arguments])
    return items.next(line) != nil
  }

  /// The action, in our words or in Elastic's.
  var actionName: JSONValue? { text(.action) ?? text(.eventAction) }

  func isDirectory(_ line: RawSpan) -> Bool { equals(.fileType, "dir", line) || equals(.fileType, "directory", line) }

  /// The login uid; nil if there is none (the kernel's 4294967295 is "unset").
  func loginID(_ line: RawSpan) -> JSONValue? {
    guard let value = text(.auditID), !line.extracting(value.range).equals("4294967295") else { return nil }
    return value
  }

  /// The name or number of whoever did it: the login user, or the user of the process where nobody logged in.
  func login(_ line: RawSpan) -> JSONValue? {
    let login: JSONValue? = if let id = loginID(line) { text(.auditName) ?? id } else { nil }
    return login ?? text(.userName) ?? text(.userID)
  }

  /// The name or number of the user with whose rights it was done.
  func effective(_ line: RawSpan) -> JSONValue? {
    let real = text(.userName) ?? text(.userID)
    if Self.same(text(.effectiveID), text(.userID), line) { return real }
    return text(.effectiveName) ?? text(.effectiveID) ?? real
  }

  /// Whether two values are written alike.
  static func same(_ one: JSONValue?, _ other: JSONValue?, _ line: RawSpan) -> Bool {
    guard let one, let other else { return one == nil && other == nil }
    return line.extracting(one.range).equals(line.extracting(other.range))
  }

  /// The CONFIG_CHANGE record of a line about rules: what the kernel says of it.
  func ruleRecord(_ line: RawSpan) -> JSONValue? {
    var records = JSONItems(self[.records])
    while let (_, record) = records.next(line) {
      if let type = JSONItems.member("type", of: record, line), line.extracting(type.range).equals("CONFIG_CHANGE") { return record }
    }
    return nil
  }
}

/// A rule that came or went, from the kernel's record: it names no more of one that was added than its list and key, so the command line follows.
struct RuleChange {
  /// `add_rule`, or what else the kernel calls it.
  private let operation: [UInt8]
  private let record: JSONValue

  init(_ record: JSONValue, _ line: RawSpan) {
    self.record = record
    if let named = JSONItems.member("op", of: record, line) {
      operation = line.decoded(named)
    } else {
      // some kernels forget the blank: ses=4294967295op=remove_rule
      let session = JSONItems.member("ses", of: record, line).map { line.decoded($0) } ?? []
      operation = Array(session.drop { $0 != UInt8(ascii: "o") }.dropFirst(3))
    }
  }

  func action(_ cells: inout TextCells) {
    switch String(decoding: operation, as: UTF8.self) {
    case "add_rule": cells.words("rule added")
    case "remove_rule": cells.words("rule removed")
    case "updated_rules": cells.words("rule updated")
    default: cells.name(operation.span.bytes)
    }
  }

  func words(_ fields: borrowing LineFields, _ line: RawSpan, _ cells: inout TextCells) {
    let before = cells.width
    for name: StaticString in ["path", "dir", "key"] {
      guard let value = JSONItems.member(name, of: record, line) else { continue }
      if cells.width > before { cells.words(" ") }
      cells.words(name)
      cells.words("=")
      cells.quoted(value, line)
    }
    if cells.width == before { cells.words("no key") }
    if let list = JSONItems.member("list", of: record, line), !line.extracting(list.range).equals("4") {
      cells.words(" list=")
      switch String(decoding: line.decoded(list), as: UTF8.self) {
      case "0": cells.words("user")
      case "1": cells.words("task")
      case "5": cells.words("exclude")
      case "6": cells.words("filesystem")
      case "7": cells.words("io_uring")
      default: cells.name(list, line)
      }
    }
    // outside of a system call of somebody's, the kernel itself removed it
    if operation == Array("remove_rule".utf8), JSONItems.member("auid", of: record, line) == nil,
      JSONItems.member("path", of: record, line) ?? JSONItems.member("dir", of: record, line) != nil
    {
      cells.words(" (what it watched is gone)")
    }
    if let result = JSONItems.member("res", of: record, line), result.kind == .string, line.extracting(result.range).equals("0") {
      cells.styled(.alarm) { $0.words(" (refused)") }
    }
    if fields.hasArguments(line) {
      cells.words(": ")
      cells.commandLine(fields, line)
    }
  }
}
