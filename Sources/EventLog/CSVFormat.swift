import AuditWire

/// Lines as RFC 4180: CRLF line ends (the `\n` is the caller's), a header, `"` around what holds a comma, a quote or a line end.
///
/// Also quoted is what begins with `=`, `+`, `-`, `@`, a tab or a carriage return: a spreadsheet may take it for a formula. The data itself is left
/// as it is, so import it as text.
struct CSVFormat: ~Copyable {
  private(set) var bytes = ByteBuffer(capacity: 1 << 10)
  private var isFirst = true
  private var field: CSVField

  init(isTerminal: Bool) { field = CSVField(isTerminal: isTerminal) }

  /// The columns: a name, and where its value comes from.
  private static let columns: [(name: StaticString, field: LineField)] = [
    ("time", .timestamp), ("host", .host), ("dataset", .dataset), ("serial", .sequence), ("action", .action), ("outcome", .outcome),
    ("errno", .errno), ("path", .path), ("previous_path", .previousPath), ("target_path", .targetPath), ("replaced_path", .replacedPath),
    ("path_confidence", .confidence), ("file_type", .fileType), ("inode", .inode), ("device", .device), ("mode", .mode), ("uid", .uid),
    ("gid", .gid), ("previous_mode", .previousMode), ("previous_uid", .previousUID), ("previous_gid", .previousGID), ("login_id", .auditID),
    ("login_name", .auditName), ("user_id", .userID), ("user_name", .userName), ("effective_id", .effectiveID),
    ("effective_name", .effectiveName), ("session", .session), ("terminal", .terminal), ("pid", .pid), ("parent_pid", .parentPid),
    ("process", .processName), ("executable", .executable), ("arguments", .arguments), ("working_directory", .workingDirectory),
    ("syscall", .syscall), ("keys", .tags), ("message", .message), ("raw_path", .rawPath), ("raw_previous_path", .rawPrevious),
    ("raw_target_path", .rawTarget), ("records", .records),
  ]

  mutating func begin() {
    bytes.truncate(to: 0)
    isFirst = true
  }

  mutating func addHeader() {
    for column in Self.columns {
      separate()
      bytes.append(contentsOf: UnsafeRawBufferPointer(start: column.name.utf8Start, count: column.name.utf8CodeUnitCount))
    }
    bytes.append(UInt8(ascii: "\r"))
  }

  mutating func add(_ fields: borrowing LineFields, _ line: RawSpan) {
    for column in Self.columns {
      separate()
      let value = column.field == .action ? fields.actionName ?? JSONValue() : fields[column.field]
      switch value.kind {
      case .absent, .literal: break
      case .string, .number: if value.isEscaped { put(line.decoded(value)) } else { put(line.extracting(value.range)) }
      case .array where column.field == .tags: keys(value, line)
      // arguments and records as the log has them, which tells them apart whatever is in them
      case .array, .object: put(line.extracting(value.range))
      }
    }
    bytes.append(UInt8(ascii: "\r"))
  }

  /// A line that is not JSON: all of it as the message.
  mutating func addUnreadable(_ line: RawSpan) {
    let dataset = Array("unreadable".utf8)
    for column in Self.columns {
      separate()
      if column.field == .dataset { put(dataset) }
      if column.field == .message { put(line) }
    }
    bytes.append(UInt8(ascii: "\r"))
  }

  /// One key as it is; of several, commas between them, and `\` before commas and backslashes of their own.
  private mutating func keys(_ tags: JSONValue, _ line: RawSpan) {
    var all: [[UInt8]] = []
    var items = JSONItems(tags)
    while let (_, key) = items.next(line) {
      if key.kind == .string { all.append(line.decoded(key)) }
    }
    if all.count == 1 { return put(all[0]) }
    let joined = all.map { key in key.flatMap { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\\") ? [UInt8(ascii: "\\"), $0] : [$0] } }
      .joined(separator: [UInt8(ascii: ",")])
    put(Array(joined))
  }

  private mutating func separate() {
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    isFirst = false
  }

  private mutating func put(_ text: [UInt8]) { put(text.span.bytes) }

  private mutating func put(_ text: RawSpan) { field.put(text, to: &bytes) }
}

/// A field of CSV.
struct CSVField: ~Copyable {
  /// Only where a terminal would obey what names hold: elsewhere the data stays as it is.
  private let isTerminal: Bool
  private var cells = TextCells(colour: false)

  init(isTerminal: Bool) { self.isTerminal = isTerminal }

  mutating func put(_ text: RawSpan, to bytes: inout ByteBuffer) {
    guard isTerminal else { return Self.put(text, to: &bytes) }
    cells.removeAll()
    cells.name(text)
    cells.bytes.withBytes { Self.put($0, to: &bytes) }
  }

  private static func put(_ text: RawSpan, to bytes: inout ByteBuffer) {
    guard needsQuotes(text) else { return bytes.append(text) }
    bytes.append(UInt8(ascii: "\""))
    var start = 0
    while let quote = text.firstIndex(of: UInt8(ascii: "\""), from: start, before: text.byteCount) {
      bytes.append(text.extracting(start..<quote + 1))
      bytes.append(UInt8(ascii: "\""))
      start = quote + 1
    }
    bytes.append(text.extracting(start..<text.byteCount))
    bytes.append(UInt8(ascii: "\""))
  }

  /// Whether a field must be in quotes.
  private static func needsQuotes(_ text: RawSpan) -> Bool {
    // an empty text, unlike an absent one, is ""
    guard !text.isEmpty else { return true }
    switch text.byte(0) {
    case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 0x09, 0x20: return true
    default: break
    }
    for index in 0..<text.byteCount {
      let byte = text.byte(index)
      if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == 0x0a || byte == 0x0d { return true }
    }
    return text.byte(text.byteCount - 1) == 0x20
  }
}
