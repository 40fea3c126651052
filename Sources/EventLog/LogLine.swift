import AuditWire

/// One parsed line of the log (JSON, RFC 8259), reused from line to line.
///
/// The text may come from anybody's hand: parsing is iterative, bounded in depth and in the number of values, and never
/// traps. It leaves a table of where the values are; strings are decoded only when asked for.
package struct LogLine: Sendable {
  /// The line, and behind it the parser's padding.
  private var text: [UInt8] = []
  /// The first ``count`` tokens are those of the line.
  private var tokens: [Token] = []
  private var count = 0

  /// The line itself, without its `\n`.
  package var bytes: [UInt8] { text.dropLast(JSONParser.padding) }

  /// Deeper nesting, and more values, than any line of ours has.
  package static let maximumDepth = 16, maximumValues = 20_000

  /// What kind of value a path leads to.
  enum Kind: UInt8, BitwiseCopyable { case object, array, string, number, literal }

  /// One value. Offsets are into `bytes`; a string's are inside its quotes.
  struct Token: Sendable, BitwiseCopyable {
    var kind = Kind.literal
    /// A string that has `\` in it.
    var isEscaped = false
    /// The member's name; empty for an element of an array.
    var key: Slice
    var start: Int32, end: Int32 = 0
    /// The token after this value and everything in it.
    var next: Int32

    @inline(__always)
    init(key: Slice, start: Int, next: Int) {
      self.key = key
      self.start = Int32(truncatingIfNeeded: start)
      self.next = Int32(truncatingIfNeeded: next)
    }
  }

  package init() {}

  /// Parses one line; what was parsed before is gone.
  /// - Returns: whether it is one JSON object. If not, every question is answered with nil.
  package mutating func parse(_ line: RawSpan) -> Bool {
    count = 0
    guard line.byteCount < Int(Int32.max) - JSONParser.padding else { return false }
    text.removeAll(keepingCapacity: true)
    line.withUnsafeBytes { text.append(contentsOf: $0) }
    for _ in 0..<JSONParser.padding { text.append(0) }
    // a value and what separates it from the next have at least two bytes
    let most = min(line.byteCount / 2 + 1, Self.maximumValues)
    if tokens.count < most { tokens += repeatElement(Token(key: .none, start: 0, next: 0), count: most - tokens.count) }
    let found = Self.fill(text, &tokens, most: most)
    count = found ?? 0
    return found != nil
  }

  private static func fill(_ text: [UInt8], _ tokens: inout [Token], most: Int) -> Int? {
    tokens.withUnsafeMutableBufferPointer { JSONParser.parse(text.span.bytes, into: UnsafeMutableBufferPointer(rebasing: $0[..<most])) }
  }

  /// Whether there is a value at `path`, member names and array places separated by dots: `process.parent.pid`,
  /// `process.args.0`.
  package func has(_ path: String) -> Bool { find(path) != nil }

  /// The string at `path`; a number's digits, too. nil for anything else.
  package func string(_ path: String) -> String? {
    guard let token = find(path), token.kind == .string || token.kind == .number else { return nil }
    return string(token)
  }

  /// The whole number at `path`, also one that is written as a string (ECS has its ids as strings).
  package func integer(_ path: String) -> Int64? {
    guard let token = find(path), token.kind == .string || token.kind == .number else { return nil }
    return Int64(String(decoding: text[Int(token.start)..<Int(token.end)], as: UTF8.self))
  }

  /// The strings of the array at `path`; its other elements are left out. Empty if there is no such array.
  package func strings(_ path: String) -> [String] {
    guard let index = findIndex(path), tokens[index].kind == .array else { return [] }
    var result: [String] = []
    var child = index + 1
    while child < Int(tokens[index].next) {
      if tokens[child].kind == .string { result.append(string(tokens[child])) }
      child = Int(tokens[child].next)
    }
    return result
  }

  /// The members of the object at `path` that are strings or numbers, in their order. Empty if there is no such object.
  package func members(_ path: String) -> [(name: String, value: String)] {
    guard let index = findIndex(path), tokens[index].kind == .object else { return [] }
    var result: [(name: String, value: String)] = []
    var child = index + 1
    while child < Int(tokens[index].next) {
      let token = tokens[child]
      if token.kind == .string || token.kind == .number {
        let name = String(decoding: unescape(text[token.key.range]), as: UTF8.self)
        result.append((name, string(token)))
      }
      child = Int(token.next)
    }
    return result
  }

  /// The bytes that the hexadecimal string at `path` stands for.
  package func hex(_ path: String) -> [UInt8]? { hex(JSONPath(path)) }

  private func hex(_ path: JSONPath) -> [UInt8]? {
    guard let index = findIndex(path), case let token = tokens[index], token.kind == .string, (token.end - token.start) % 2 == 0 else {
      return nil
    }
    var result: [UInt8] = []
    for index in stride(from: Int(token.start), to: Int(token.end), by: 2) {
      guard let high = hexValue(text[index]), let low = hexValue(text[index + 1]) else { return nil }
      result.append(high << 4 | low)
    }
    return result
  }

  /// Whether the string at `path` is `value`; spares decoding it where that is not needed.
  package func string(_ path: String, equals value: String) -> Bool {
    guard let token = find(path), token.kind == .string else { return false }
    return token.isEscaped ? string(token) == value : text[Int(token.start)..<Int(token.end)].elementsEqual(value.utf8)
  }

  /// The exact bytes of a name: what `fsaudit.raw` keeps if it is not UTF-8, else the readable form's.
  /// - Parameters:
  ///   - path: of the readable form, `file.path`.
  ///   - raw: of the hexadecimal form, `fsaudit.raw.path`.
  package func name(_ path: String, raw: String) -> [UInt8]? { hex(raw) ?? string(path).map { Array($0.utf8) } }

  /// `@timestamp` in milliseconds since 1970.
  package var timeMs: Int64? {
    guard let index = findIndex(Self.timePath), case let token = tokens[index], token.kind == .string else { return nil }
    return instant(isoUTC: text.span.bytes.extracting(Int(token.start)..<Int(token.end)))
  }

  private static let timePath: JSONPath = "@timestamp"

  /// Whether ``dataset`` is ``Dataset/gap``.
  var isGap: Bool { contains(at: Self.datasetPath) { $0.equals("fsaudit.gap") } }

  private static let datasetPath: JSONPath = "event.dataset"

  package var dataset: Dataset? { string("event.dataset").flatMap(Dataset.init) }

  /// `event.sequence`, the kernel's serial.
  package var sequence: UInt32? { integer("event.sequence").flatMap { UInt32(exactly: $0) } }

  /// The login uid's digits; nil if there is none (the kernel's 4294967295 is "unset").
  package var auditID: String? { string("user.audit.id").flatMap { $0 == "4294967295" ? nil : $0 } }

  /// Whether one of the strings and numbers at `path` fulfils `test`: the value itself, or those of its elements if it is an array. Nothing is
  /// copied, unless it has escapes.
  package func contains(at path: JSONPath, _ test: (RawSpan) -> Bool) -> Bool {
    guard let index = findIndex(path) else { return false }
    if tokens[index].kind != .array { return holds(tokens[index], test) }
    var child = index + 1
    while child < Int(tokens[index].next) {
      let element: Int? =
        if let member = path.member { isOfCall(child) ? nil : findIndex([member], from: child) } else { child }
      if let element, holds(tokens[element], test) { return true }
      child = Int(tokens[child].next)
    }
    return false
  }

  /// Whether an element of `fsaudit.records` is of a system call: who made it, and under which key, is what the line says itself. Whatever else
  /// of that stands in such a record is nothing that the kernel writes.
  private func isOfCall(_ index: Int) -> Bool {
    guard let type = findIndex([Array("type".utf8)], from: index) else { return false }
    return holds(tokens[type]) { text in
      text.equals("SYSCALL") || text.equals("URINGOP") || text.equals("PATH") || text.equals("CWD") || text.equals("PROCTITLE")
    }
  }

  /// The same of every string and number in the line.
  func containsAnywhere(_ test: (RawSpan) -> Bool) -> Bool { tokens[..<count].contains { holds($0, test) } }

  /// Whether the exact bytes of a name, as in ``name(_:raw:)``, fulfil `test`.
  package func name(_ path: JSONPath, raw: JSONPath, _ test: (RawSpan) -> Bool) -> Bool {
    if let exact = hex(raw) { return test(exact.span.bytes) }
    return contains(at: path, test)
  }

  private func holds(_ token: Token, _ test: (RawSpan) -> Bool) -> Bool {
    guard token.kind == .string || token.kind == .number else { return false }
    let range = Int(token.start)..<Int(token.end)
    return token.isEscaped ? test(unescape(text[range]).span.bytes) : test(text.span.bytes.extracting(range))
  }

  private func find(_ path: String) -> Token? { findIndex(path).map { tokens[$0] } }

  private func findIndex(_ path: String) -> Int? { findIndex(JSONPath(path)) }

  /// The first value at the path: of members of one name, the first counts.
  private func findIndex(_ path: JSONPath) -> Int? { count == 0 ? nil : findIndex(path.names, from: 0) }

  private func findIndex(_ names: [[UInt8]], from start: Int) -> Int? {
    let line = text.span.bytes
    var index = start
    for name in names {
      let end = Int(tokens[index].next)
      var child = index + 1
      switch tokens[index].kind {
      case .object:
        while child < end, !line.extracting(tokens[child].key.range).equals(name.span.bytes) { child = Int(tokens[child].next) }
      case .array:
        guard var place = Int(String(decoding: name, as: UTF8.self)), place >= 0 else { return nil }
        while child < end, place > 0 { (child, place) = (Int(tokens[child].next), place - 1) }
      default: return nil
      }
      guard child < end else { return nil }
      index = child
    }
    return index
  }

  private func string(_ token: Token) -> String {
    let range = Int(token.start)..<Int(token.end)
    return String(decoding: token.isEscaped ? unescape(text[range]) : Array(text[range]), as: UTF8.self)
  }
}

/// Where a value is: member names and array places, `process.parent.pid`, taken apart once for many lines. `fsaudit.records.*.key` is the
/// member of every element of the array that is no record of a system call.
package struct JSONPath: Sendable, ExpressibleByStringLiteral {
  let names: [[UInt8]]
  /// What stands behind the `*`.
  let member: [UInt8]?

  package init(_ text: String) {
    let all = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) }
    let isOfElements = all.count > 2 && all[all.count - 2] == Array("*".utf8)
    names = isOfElements ? Array(all.dropLast(2)) : all
    member = isOfElements ? all.last : nil
  }

  package init(stringLiteral text: String) { self.init(text) }
}

/// The value of a hexadecimal digit.
func hexValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
