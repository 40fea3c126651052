import AuditWire
import System

/// A line of text that grows by cells: the bytes, and how many terminal columns the present cell takes. Whatever comes from outside goes through
/// ``name(_:)`` or ``quoted(_:mark:)``, so that it can neither leave its place nor pass for something else.
struct TextCells: ~Copyable {
  private(set) var bytes = ByteBuffer(capacity: 1 << 10)
  /// Of the present cell.
  private(set) var width = 0
  private var lineStart = 0
  private let colour: Bool

  init(colour: Bool) { self.colour = colour }

  mutating func removeAll() { bytes.truncate(to: 0) }

  /// Begins a line or paragraph.
  mutating func beginLine() { (lineStart, width) = (bytes.count, 0) }

  /// Ends the line: without the blanks at its end, and without its `\n`.
  mutating func endLine() {
    let blanks = bytes.withBytes(from: lineStart) { line in
      var count = 0
      while count < line.byteCount, line.byte(line.byteCount - 1 - count) == UInt8(ascii: " ") { count += 1 }
      return count
    }
    bytes.truncate(to: bytes.count - blanks)
  }

  /// Writes a cell, a blank after the one before; one that stays empty leaves nothing.
  @inline(__always)
  mutating func cell(_ body: (inout TextCells) -> Void) {
    let start = bytes.count
    if start > lineStart { bytes.append(UInt8(ascii: " ")) }
    width = 0
    body(&self)
    if width == 0 { bytes.truncate(to: start) }
  }

  /// Writes a piece between the escape sequences of a style, which take no columns.
  mutating func styled(_ style: Style, _ body: (inout TextCells) -> Void) {
    guard colour else { return body(&self) }
    let (start, before) = (bytes.count, width)
    raw("\u{1b}[")
    raw(style.parameter)
    raw("m")
    body(&self)
    if width == before { bytes.truncate(to: start) } else { raw("\u{1b}[0m") }
  }

  /// Blanks up to a width of the present cell; a longer one stays as it is.
  mutating func pad(to wanted: Int) {
    while width < wanted {
      let count = min(wanted - width, 8)
      bytes.append(word: 0x2020_2020_2020_2020, count: count)
      width += count
    }
  }

  /// Our own words; what is not ASCII in them takes one column each.
  @inline(__always)
  mutating func words(_ text: StaticString) {
    raw(text)
    width += text.isASCII ? text.utf8CodeUnitCount : text.withUTF8Buffer { $0.count { $0 & 0xc0 != 0x80 } }
  }

  /// Digits, times: ASCII that is nobody's.
  mutating func ascii(_ text: RawSpan) {
    bytes.append(text)
    width += text.byteCount
  }

  private mutating func raw(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// A name as it came from the kernel: control bytes and terminal hazards as `\xNN` and `\u{…}`, what is not UTF-8 as
  /// `\xNN`, a backslash doubled: two names never look alike, and the bytes can be told from the text.
  mutating func name(_ text: RawSpan) {
    if isPlain(text, least: 0x20, mark: 0) { return ascii(text) }
    escaped(text, quoted: false)
  }

  /// A name among others in a line. One that holds blanks, quotes or what stands between two names is in double quotes, and its own quotes are `\"`:
  /// what is outside of quotes is ours, so a file called `a → /etc/shadow` cannot pass for a rename.
  /// - Parameter mark: another character that has a meaning where the name stands.
  mutating func quoted(_ text: RawSpan, mark: UInt8 = 0) {
    if isPlain(text, least: 0x21, mark: mark), !text.isEmpty { return ascii(text) }
    guard text.isEmpty || needsQuotes(text, mark: mark) else { return escaped(text, quoted: false) }
    words("\"")
    escaped(text, quoted: true)
    words("\"")
  }

  /// The same of a value of a line.
  mutating func name(_ value: JSONValue, _ line: RawSpan) {
    if value.isEscaped { name(line.decoded(value).span.bytes) } else { name(line.extracting(value.range)) }
  }

  mutating func quoted(_ value: JSONValue, _ line: RawSpan, mark: UInt8 = 0) {
    if value.isEscaped { quoted(line.decoded(value).span.bytes, mark: mark) } else { quoted(line.extracting(value.range), mark: mark) }
  }

  private mutating func escaped(_ text: RawSpan, quoted: Bool) {
    var offset = 0
    while offset < text.byteCount {
      let step = utf8Step(text, at: offset)
      let piece = text.extracting(offset..<offset + step.length)
      offset += step.length
      switch step.scalar {
      case nil: for index in 0..<piece.byteCount { hexByte(piece.byte(index)) }
      case 0x5c?: words("\\\\")
      case 0x22? where quoted: words("\\\"")
      case let scalar? where isTerminalHazard(scalar):
        if scalar < 0x80 {
          hexByte(UInt8(truncatingIfNeeded: scalar))
        } else {
          words("\\u{")
          ascii(Array(String(scalar, radix: 16).utf8).span.bytes)
          words("}")
        }
      case let scalar?:
        bytes.append(piece)
        width += Unicode.Scalar(scalar).map(columns) ?? 0
      }
    }
  }

  private mutating func hexByte(_ byte: UInt8) {
    words("\\x")
    for digit in [byte >> 4, byte & 15] { bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit) }
    width += 2
  }

  /// Whether what is written of the name has blanks or marks in it.
  private func needsQuotes(_ text: RawSpan, mark: UInt8) -> Bool {
    var offset = 0
    while offset < text.byteCount {
      let step = utf8Step(text, at: offset)
      offset += step.length
      guard let scalar = step.scalar, !isTerminalHazard(scalar), let known = Unicode.Scalar(scalar) else { continue }
      if known.properties.isWhitespace || known == "\"" || known == "→" || known == "⇄" || scalar == UInt32(mark) { return true }
    }
    return false
  }
}

/// Whether every byte is ASCII from `least` on, and neither a quote nor a backslash nor `mark`; eight at a time.
@inline(__always)
private func isPlain(_ text: RawSpan, least: UInt64, mark: UInt8) -> Bool {
  let ones: UInt64 = 0x0101_0101_0101_0101
  // The top bit of every byte that is special. A borrow can flag others, too, but only where there is one.
  func special(_ word: UInt64) -> UInt64 {
    let flags =
      word | (word &- ones &* least) | ((word ^ ones &* 0x22) &- ones) | ((word ^ ones &* 0x5c) &- ones) | ((word ^ ones &* 0x7f) &- ones)
      | ((word ^ ones &* UInt64(mark)) &- ones)
    return flags & (ones &* 0x80)
  }
  let count = text.byteCount
  if count < 4 {
    for index in 0..<count where special(UInt64(text.byte(index)) | ones &* 0x61 &<< 8) != 0 { return false }
    return true
  }
  if count < 8 {
    // two halves that overlap
    let head = text.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)
    let tail = text.unsafeLoadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
    return special(UInt64(head) | UInt64(tail) &<< 32) == 0
  }
  var at = 0
  while at <= count &- 8 {
    if special(text.word(unchecked: at)) != 0 { return false }
    at &+= 8
  }
  return special(text.word(unchecked: count &- 8)) == 0
}

/// SGR parameters (ECMA-48).
enum Style {
  case dim, red, green, yellow, magenta, cyan, alarm

  var parameter: StaticString {
    switch self {
    case .dim: "2"
    case .red: "31"
    case .green: "32"
    case .yellow: "33"
    case .magenta: "35"
    case .cyan: "36"
    case .alarm: "1;31"
    }
  }
}

/// How many terminal columns a scalar takes: 0 for what combines with the one before, 2 for East Asian wide and
/// full-width forms and for emoji, else 1. wcwidth(3) would answer by the locale, and a daemon's is C.
func columns(of scalar: Unicode.Scalar) -> Int {
  if scalar.value < 0x300 { return 1 }
  switch scalar.properties.generalCategory {
  case .nonspacingMark, .enclosingMark, .format: return 0
  default: break
  }
  if scalar.properties.isEmojiPresentation { return 2 }
  // East_Asian_Width W and F of Unicode 15, neighbouring blocks joined (EastAsianWidth.txt).
  switch scalar.value {
  case 0x1160...0x11ff: return 0  // the vowels and finals of Hangul syllables
  case 0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0xa4cf, 0xa960...0xa97f,
    0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18dff,
    0x1aff0...0x1b2ff, 0x1f200...0x1f2ff, 0x20000...0x3fffd:
    return 2
  default: return 1
  }
}
