/// A value in a settings file.
enum TOMLValue: Equatable {
  case string(String)
  case number(Int)
  case flag(Bool)

  var string: String? { if case .string(let text) = self { text } else { nil } }
  var number: Int? { if case .number(let number) = self { number } else { nil } }
  var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
}

/// What a line of a settings file holds, besides blanks and comments.
enum TOMLItem: Equatable {
  /// `[table]`
  case table(String, line: Int)
  /// `key = value`; `table` is empty above the first header.
  case entry(table: String, key: String, TOMLValue, line: Int)
}

/// What is wrong with the text of a settings file, on which line, and what would be right.
struct TOMLError: Error {
  let line: Int
  let wrong: String
  let right: String
}

/// Reads the part of TOML (toml.io, version 1.0) that settings need: comments, `[table]`, bare and dotted keys, one-line
/// strings of both kinds, decimal integers, true and false. Whatever else TOML has is refused by name, never read as something
/// different, so every file that this reads means the same to every TOML program.
///
/// Own code because of what the packaged parsers do: TOMLKit 0.6 (toml++ 2) aborts the process on `[{a`, which would end the
/// daemon when a slip of the pen is reloaded; it frees nothing, does not say where a value stands, and imports Foundation.
struct TOMLReader {
  private let bytes: [UInt8]
  private var at = 0
  private var line = 1
  private var table = ""
  /// Where each table and each `table.key` was first given.
  private var seen: [String: Int] = [:]

  /// - Parameter bytes: UTF-8, which the caller has checked.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
  }

  /// The next item; nil at the end.
  mutating func next() throws(TOMLError) -> TOMLItem? {
    while true {
      skipBlanks()
      switch peek {
      case nil: return nil
      case UInt8(ascii: "["): return try readHeader()
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): try endLine()
      default: return try readEntry()
      }
    }
  }

  private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

  private func error(_ wrong: String, _ right: String) -> TOMLError { TOMLError(line: line, wrong: wrong, right: right) }

  private mutating func skipBlanks() {
    while let byte = peek, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { at += 1 }
  }

  /// A comment or nothing, and the end of the line.
  private mutating func endLine() throws(TOMLError) {
    skipBlanks()
    if peek == UInt8(ascii: "#") {
      while let byte = peek, byte != UInt8(ascii: "\n"), !(byte == UInt8(ascii: "\r") && isLineEnd(at)) {
        if isControl(byte) { throw error("a control character in a comment", "remove it") }
        at += 1
      }
    }
    guard let byte = peek else { return }
    guard isLineEnd(at) else { throw error("text behind the end of the line's setting", "begin a comment with #") }
    at += byte == UInt8(ascii: "\r") ? 2 : 1
    line += 1
  }

  /// Whether `\n` or `\r\n` stands at `index`.
  private func isLineEnd(_ index: Int) -> Bool {
    if bytes[index] == UInt8(ascii: "\n") { return true }
    return bytes[index] == UInt8(ascii: "\r") && index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "\n")
  }

  private func isControl(_ byte: UInt8) -> Bool { byte < 0x20 && byte != UInt8(ascii: "\t") || byte == 0x7f }

  // MARK: Tables and keys

  private mutating func readHeader() throws(TOMLError) -> TOMLItem {
    at += 1
    if peek == UInt8(ascii: "[") { throw error("an array of tables", "no setting is one; write [table]") }
    skipBlanks()
    let path = try readKey()
    guard peek == UInt8(ascii: "]") else { throw error("a table's name without ]", "write [table]") }
    at += 1
    table = path.joined(separator: ".")
    try note(table, "[\(table)]")
    let place = line
    try endLine()
    return .table(table, line: place)
  }

  private mutating func readEntry() throws(TOMLError) -> TOMLItem {
    var path = try readKey()
    guard peek == UInt8(ascii: "=") else { throw error("a key without =", "write key = value") }
    at += 1
    skipBlanks()
    let value = try readValue()
    let key = path.removeLast()
    let owner = ([table] + path).filter { !$0.isEmpty }.joined(separator: ".")
    try note(owner + "." + key, key)
    // A dotted key makes its table, which then cannot have a header any more.
    if seen[owner] == nil { seen[owner] = line }
    let place = line
    try endLine()
    return .entry(table: owner, key: key, value, line: place)
  }

  /// Refuses what was there before.
  private mutating func note(_ path: String, _ name: String) throws(TOMLError) {
    if let before = seen[path] { throw error("\(name) stands on line \(before) already", "remove one of them") }
    seen[path] = line
  }

  /// `a` or `a.b`, and the blanks behind it.
  private mutating func readKey() throws(TOMLError) -> [String] {
    var parts: [String] = []
    while true {
      let start = at
      while let byte = peek, isKey(byte) { at += 1 }
      if start == at { throw error("not a setting", "write key = value; keys are letters, digits, _ and - without quotes") }
      parts.append(String(decoding: bytes[start..<at], as: UTF8.self))
      skipBlanks()
      guard peek == UInt8(ascii: ".") else { return parts }
      at += 1
      skipBlanks()
    }
  }

  private func isKey(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  // MARK: Values

  private mutating func readValue() throws(TOMLError) -> TOMLValue {
    switch peek {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try readString())
    case UInt8(ascii: "["), UInt8(ascii: "{"): throw error("a list or an inline table", "no setting is one; write one value")
    default: break
    }
    let start = at
    while let byte = peek, isKey(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") { at += 1 }
    let word = String(decoding: bytes[start..<at], as: UTF8.self)
    if word == "true" || word == "false" { return .flag(word == "true") }
    if let number = integer(word) { return .number(number) }
    throw error(
      word.isEmpty ? "no value" : "the value \(word) is not a whole number, true or false", "put text, times and sizes in quotes")
  }

  /// A decimal integer as TOML has it: no leading zero, `_` only between digits.
  private func integer(_ word: String) -> Int? {
    let digits = word.drop { $0 == "+" || $0 == "-" }
    guard word.count - digits.count <= 1, digits == "0" || digits.first != "0",
      digits.split(separator: "_", omittingEmptySubsequences: false).allSatisfy({
        !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber }
      })
    else { return nil }
    return Int(word.filter { $0 != "_" })
  }

  private mutating func readString() throws(TOMLError) -> String {
    let quote = bytes[at]
    at += 1
    if at + 1 < bytes.count, bytes[at] == quote, bytes[at + 1] == quote {
      throw error("a text of several lines", "no setting is one; use one pair of quotes")
    }
    var text: [UInt8] = []
    while let byte = peek, byte != quote {
      if isControl(byte) { throw error("a text that does not end on its line, or has a control character", "close the quotes") }
      at += 1
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        text.append(contentsOf: String(try readEscape()).utf8)
      } else {
        text.append(byte)
      }
    }
    guard peek != nil else { throw error("a text that does not end", "close the quotes") }
    at += 1
    return String(decoding: text, as: UTF8.self)
  }

  /// What follows a backslash. NUL is refused: no path, name or size has one, and C would end the text there.
  private mutating func readEscape() throws(TOMLError) -> Unicode.Scalar {
    let letter = peek ?? 0
    at += 1
    switch letter {
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "u"), UInt8(ascii: "U"):
      let count = letter == UInt8(ascii: "u") ? 4 : 8
      let digits = bytes[at...].prefix(count)
      at += digits.count
      let isHex = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
      if digits.count == count, isHex, let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16), value != 0,
        let scalar = Unicode.Scalar(value)
      {
        return scalar
      }
    default: break
    }
    throw error("a backslash that means nothing", "write \\\\ for a backslash, or use single quotes")
  }
}
