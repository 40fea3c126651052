import System

/// One line of a configuration, while it is read.
struct ConfigLine {
  let file: String
  let number: Int
  /// Without what ends the line and without blanks at its ends.
  let bytes: ArraySlice<UInt8>
  /// Index into ``bytes`` of the next byte.
  var at: Int
  /// Index of the line's first byte, blanks included.
  private let start: Int

  init(_ line: ArraySlice<UInt8>, file: String, number: Int) {
    self.file = file
    self.number = number
    start = line.startIndex
    var rest = line.drop { isBlank($0) }
    // an escaped blank at the end belongs to a word
    while let last = rest.last, isBlank(last), rest.dropLast().last != UInt8(ascii: "\\") { rest = rest.dropLast() }
    bytes = rest
    at = rest.startIndex
  }

  var place: ConfigPlace { place(at: at) }
  func place(at index: Int) -> ConfigPlace { ConfigPlace(file: file, line: number, column: index - start + 1) }

  /// The line as its reader sees it.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// What is wrong at a byte (where the cursor is, by default), and what would be right.
  func fault(at index: Int? = nil, _ wrong: String, _ right: String) -> Failure {
    Failure("\(place(at: index ?? at).description): \(printable(wrong))", advice: right, exit: .usage)
  }

  var next: UInt8? { at < bytes.endIndex ? bytes[at] : nil }

  /// Whether nothing but a comment is left.
  mutating func isAtEnd() -> Bool {
    skipBlanks()
    return next == nil || next == UInt8(ascii: "#")
  }

  mutating func skipBlanks() { while let byte = next, isBlank(byte) { at += 1 } }

  /// Takes a byte if it is the next one.
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  /// The longest run of letters, digits and `more`; may be empty.
  mutating func name(_ more: String = "_") -> String {
    let first = at
    while let byte = next, isAlphanumeric(byte) || more.utf8.contains(byte) { at += 1 }
    return String(decoding: bytes[first..<at], as: UTF8.self)
  }

  /// What is there, for a message: the rest of the word.
  var found: String {
    guard let byte = next else { return "the end of the line" }
    if isBlank(byte) { return "a blank" }
    return "`" + String(decoding: bytes[at...].prefix { !isBlank($0) }, as: UTF8.self) + "`"
  }

  /// A word up to the next blank, with escapes (`\ `, `\@`, `\\`) and macros resolved. All other backslashes stay.
  /// - Parameter macro: the value of a macro by its name; it is also told, without a name, of an `@@{` that begins none.
  /// - Returns: its bytes, and of each the index in the line.
  mutating func string(_ macro: (String?, Int) -> [UInt8]) throws(Failure) -> (bytes: [UInt8], indices: [Int]) {
    var result: [UInt8] = []
    var indices: [Int] = []
    let first = at
    while let byte = next, !isBlank(byte) {
      let here = at
      var piece = [byte]
      at += 1
      if byte == UInt8(ascii: "\\"), let escaped = next, escaped == byte || escaped == UInt8(ascii: " ") || escaped == UInt8(ascii: "@") {
        piece = [escaped]
        at += 1
      } else if byte == UInt8(ascii: "@"), bytes[at...].starts(with: "@{".utf8) {
        at += 2
        let name = name()
        if !name.isEmpty, take("}") {
          piece = macro(name, here)
        } else {
          // AIDE takes it for text, and Debian's own configuration has such a slip
          at = here + 1
          _ = macro(nil, here)
        }
      }
      result += piece
      indices += [Int](repeating: here, count: piece.count)
      if result.count > Self.longestBytes { throw fault(at: first, "longer than \(Self.longestBytes) bytes", "split it") }
    }
    return (result, indices)
  }

  /// How long a word may become; PCRE2's own bound is of this order, and macros that contain themselves twice grow fast.
  static let longestBytes = 65_536
}

func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") }
