import AuditWire
import FileChanges

/// Lines as the Open Cybersecurity Schema Framework 1.3.0 has them, one JSON object each.
///
/// A file change is File System Activity (class 1001). Everything else is a Base Event (class 0), whose `unmapped` is the native line: a gap with
/// severity 3, Medium, since something may have been missed. `unmapped` of a file change holds what the class has no place for: our `fsaudit` object with
/// the rule key, the modes before and the bytes of names that are not UTF-8, the native `file` object, and the arguments one by one.
///
/// Values are copied as they stand in the line: they are JSON strings already.
struct OCSFFormat: ~Copyable {
  var json = JSONWriter(capacityBytes: 4 << 10)
  private var clock = LineClock()

  mutating func removeAll() { json.removeAll() }

  mutating func add(_ fields: borrowing LineFields, _ line: RawSpan) {
    let ms = clock.ms(fields[.timestamp], line) ?? 0
    if fields.equals(.dataset, "fsaudit.file", line) { change(fields, line, ms) } else { other(fields, line, ms) }
  }

  /// A line that is not JSON: all of it as `raw_data`.
  mutating func addUnreadable(_ line: RawSpan) {
    json.raw(Self.baseEvent)
    json.raw("\"time\":0,\"severity_id\":2,\"severity\":\"Low\",\"message\":\"an unreadable line of the log\",")
    metadata(nil, nil, nil)
    json.raw(",\"raw_data\":")
    json.string(line)
    json.raw("}")
  }

  private static let baseEvent: StaticString =
    "{\"activity_id\":99,\"activity_name\":\"Log\",\"category_uid\":0,\"category_name\":\"Uncategorized\",\"class_uid\":0,\"class_name\":\"Base Event\",\"type_uid\":99,"

  /// What the class calls an action.
  private static func activity(of action: Action?) -> (id: UInt32, name: StaticString) {
    switch action {
    case .create, .mkdir, .link, .symlink, .mknod: (1, "Create")
    case .write, .truncate: (3, "Update")
    case .delete, .rmdir: (4, "Delete")
    case .rename, .exchange: (5, "Rename")
    case .setxattr, .removexattr, .utimes, .chattr: (6, "Set Attributes")
    case .chmod, .chown, .setacl: (7, "Set Security")
    case .mount: (12, "Mount")
    case .umount: (13, "Unmount")
    case .open: (14, "Open")
    case nil: (99, "Other")
    }
  }

  private mutating func change(_ fields: borrowing LineFields, _ line: RawSpan, _ ms: Int64) {
    let action = fields.actionName.flatMap { Action(named: line.extracting($0.range)) }
    let activity = Self.activity(of: action)
    json.raw("{\"activity_id\":")
    json.integer(activity.id)
    json.raw(",\"activity_name\":\"")
    // "Other" wants the source's own word
    if activity.id == 99, let name = fields.actionName { json.raw(bytes: line.extracting(name.range)) } else { json.raw(activity.name) }
    json.raw(
      "\",\"category_uid\":1,\"category_name\":\"System Activity\",\"class_uid\":1001,\"class_name\":\"File System Activity\",\"type_uid\":"
    )
    json.integer(100_100 + activity.id)
    json.raw(",\"type_name\":\"File System Activity: ")
    json.raw(activity.name)
    json.raw("\",\"time\":")
    json.integer(ms)
    let failed = fields.equals(.outcome, "failure", line)
    json.raw(failed ? ",\"severity_id\":2,\"severity\":\"Low\"" : ",\"severity_id\":1,\"severity\":\"Informational\"")
    status(fields, line, failed)
    json.raw(",")
    metadata(fields.text(.dataset), fields.text(.sequence), line)
    device(fields, line)
    json.raw(",\"actor\":{")
    process(fields, line)
    json.raw("}")
    let isRename = activity.id == 5 && fields.text(.previousPath) != nil
    file("file", isRename ? .previousPath : .path, action, fields, line)
    if isRename { file("file_result", .path, action, fields, line) }
    json.raw(",\"unmapped\":{\"fsaudit\":")
    value(fields[.fsaudit], line)
    member(",\"file\":", fields[.file], line)
    member(",\"arguments\":", fields[.arguments], line)
    member(",\"working_directory\":", fields[.workingDirectory], line)
    member(",\"tags\":", fields[.tags], line)
    json.raw("}}")
  }

  private mutating func other(_ fields: borrowing LineFields, _ line: RawSpan, _ ms: Int64) {
    json.raw(Self.baseEvent)
    json.raw("\"time\":")
    json.integer(ms)
    let isGap = fields.equals(.dataset, "fsaudit.gap", line)
    json.raw(isGap ? ",\"severity_id\":3,\"severity\":\"Medium\"" : ",\"severity_id\":1,\"severity\":\"Informational\"")
    status(fields, line, fields.equals(.outcome, "failure", line))
    if let message = fields.text(.message) ?? fields.actionName { member(",\"message\":", message, line) }
    json.raw(",")
    metadata(fields.text(.dataset), fields.text(.sequence), line)
    device(fields, line)
    json.raw(",\"unmapped\":")
    json.raw(bytes: line)
    json.raw("}")
  }

  private mutating func status(_ fields: borrowing LineFields, _ line: RawSpan, _ failed: Bool) {
    if failed {
      json.raw(",\"status_id\":2,\"status\":\"Failure\"")
      if let errno = fields.text(.errno) { member(",\"status_code\":", errno, line) }
    } else if fields.equals(.outcome, "success", line) {
      json.raw(",\"status_id\":1,\"status\":\"Success\"")
    } else {
      json.raw(",\"status_id\":0,\"status\":\"Unknown\"")
    }
  }

  private mutating func metadata(_ dataset: JSONValue?, _ sequence: JSONValue?, _ line: RawSpan?) {
    json.raw("\"metadata\":{\"version\":\"1.3.0\",\"product\":{\"name\":\"fsaudit\",\"vendor_name\":\"fsaudit\"}")
    if let line, let dataset { member(",\"log_name\":", dataset, line) }
    if let line, let sequence, sequence.kind == .number { member(",\"sequence\":", sequence, line) }
    json.raw("}")
  }

  private mutating func device(_ fields: borrowing LineFields, _ line: RawSpan) {
    json.raw(",\"device\":{\"type_id\":0,\"type\":\"Unknown\",\"hostname\":")
    if let host = fields.text(.host) { text(host, line) } else { json.raw("\"\"") }
    json.raw("}")
  }

  /// `actor`: the process with the user whose rights it has, and the user who logged in.
  private mutating func process(_ fields: borrowing LineFields, _ line: RawSpan) {
    var isFirst = true
    if let pid = fields.text(.pid), pid.kind == .number {
      json.raw("\"process\":{\"pid\":")
      json.raw(bytes: line.extracting(pid.range))
      if let name = fields.text(.processName) ?? fields.text(.executable) { member(",\"name\":", name, line) }
      if let executable = fields.text(.executable) {
        json.raw(",\"file\":{\"type_id\":1,\"type\":\"Regular File\",\"name\":\"")
        json.raw(bytes: line.extracting(Self.lastName(executable, line)))
        json.raw("\",\"path\":")
        text(executable, line)
        json.raw("}")
      }
      commandLine(fields[.arguments], line)
      if let parent = fields.text(.parentPid), parent.kind == .number {
        json.raw(",\"parent_process\":{\"pid\":")
        json.raw(bytes: line.extracting(parent.range))
        json.raw("}")
      }
      user(",\"user\":{", fields.text(.effectiveID) ?? fields.text(.userID), fields.text(.effectiveName) ?? fields.text(.userName), line)
      json.raw("}")
      isFirst = false
    }
    let login = fields.loginID(line)
    let (id, name) = login == nil ? (fields.text(.userID), fields.text(.userName)) : (login, fields.text(.auditName))
    if id != nil || name != nil {
      user(isFirst ? "\"user\":{" : ",\"user\":{", id, name, line)
      isFirst = false
    }
    if let session = fields.text(.session) {
      json.raw(isFirst ? "\"session\":{\"uid\":" : ",\"session\":{\"uid\":")
      text(session, line)
      if let terminal = fields.text(.terminal) { member(",\"terminal\":", terminal, line) }
      json.raw("}")
      isFirst = false
    }
    // the kernel itself
    if isFirst { json.raw("\"app_name\":\"kernel\"") }
  }

  private mutating func user(_ opening: StaticString, _ id: JSONValue?, _ name: JSONValue?, _ line: RawSpan) {
    guard id != nil || name != nil else { return }
    json.raw(opening)
    let isRoot = id.map { line.extracting($0.range).equals("0") } ?? false
    json.raw(isRoot ? "\"type_id\":2,\"type\":\"Admin\"" : "\"type_id\":1,\"type\":\"User\"")
    if let id {
      json.raw(",\"uid\":")
      text(id, line)
    }
    if let name { member(",\"name\":", name, line) }
    json.raw("}")
  }

  private mutating func commandLine(_ arguments: JSONValue, _ line: RawSpan) {
    guard arguments.kind == .array else { return }
    json.raw(",\"cmd_line\":\"")
    var items = JSONItems(arguments)
    var isFirst = true
    while let (_, argument) = items.next(line) {
      if !isFirst { json.raw(" ") }
      isFirst = false
      if argument.kind == .string { json.raw(bytes: line.extracting(argument.range)) }
    }
    json.raw("\"")
  }

  private mutating func file(_ name: StaticString, _ path: LineField, _ action: Action?, _ fields: borrowing LineFields, _ line: RawSpan) {
    let types: (id: UInt32, name: StaticString) =
      action == .symlink ? (7, "Symbolic Link") : Self.type(fields, line)
    json.raw(",\"")
    json.raw(name)
    json.raw("\":{\"type_id\":")
    json.integer(types.id)
    json.raw(",\"type\":\"")
    json.raw(types.name)
    json.raw("\",\"name\":\"")
    if let path = fields.text(path) {
      json.raw(bytes: line.extracting(Self.lastName(path, line)))
      json.raw("\",\"path\":")
      text(path, line)
    } else {
      json.raw("(unknown)\"")
    }
    if let inode = fields.text(.inode) { member(",\"uid\":", inode, line) }
    if let owner = fields.text(.uid) {
      json.raw(",\"owner\":{\"uid\":")
      text(owner, line)
      json.raw("}")
    }
    json.raw("}")
  }

  private static func type(_ fields: borrowing LineFields, _ line: RawSpan) -> (UInt32, StaticString) {
    guard let value = fields.text(.fileType) else { return (0, "Unknown") }
    let type = line.extracting(value.range)
    if type.equals("file") { return (1, "Regular File") }
    if type.equals("dir") || type.equals("directory") { return (2, "Folder") }
    if type.equals("char-device") { return (3, "Character Device") }
    if type.equals("block-device") { return (4, "Block Device") }
    if type.equals("socket") { return (5, "Local Socket") }
    if type.equals("fifo") { return (6, "Named Pipe") }
    if type.equals("symlink") { return (7, "Symbolic Link") }
    return (0, "Unknown")
  }

  /// The last name of a path, all of it where there is none.
  private static func lastName(_ path: JSONValue, _ line: RawSpan) -> Range<Int> {
    let range = path.range
    guard let slash = line.lastIndex(of: UInt8(ascii: "/"), before: range.upperBound), slash >= range.lowerBound,
      slash + 1 < range.upperBound
    else { return range }
    return slash + 1..<range.upperBound
  }

  // MARK: values as they stand in the line

  /// A value as a string, also if it is a number.
  private mutating func text(_ value: JSONValue, _ line: RawSpan) {
    json.raw("\"")
    json.raw(bytes: line.extracting(value.range))
    json.raw("\"")
  }

  private mutating func value(_ value: JSONValue, _ line: RawSpan) {
    switch value.kind {
    case .absent: json.raw("null")
    case .string: text(value, line)
    default: json.raw(bytes: line.extracting(value.range))
    }
  }

  /// A member that is there only if its value is.
  private mutating func member(_ name: StaticString, _ value: JSONValue, _ line: RawSpan) {
    guard value.kind != .absent else { return }
    json.raw(name)
    self.value(value, line)
  }
}
