import System

/// A piece of a text line: what is written and how many terminal columns it takes. Whatever comes from outside goes
/// through ``name(_:)``, so that it can neither leave its place nor pass for something else.
struct Cell {
  private(set) var text = ""
  private(set) var width = 0

  init() {}

  /// Our own words.
  init(_ text: String) { add(text) }

  /// A name as it came from the kernel: control bytes and terminal hazards as `\xNN` and `\u{…}`, what is not UTF-8 as
  /// `\xNN`, a backslash doubled: two names never look alike, and the bytes can be told from the text.
  static func name(_ bytes: [UInt8]) -> Cell {
    var cell = Cell()
    var offset = 0
    while offset < bytes.count {
      let step = utf8Step(bytes.span.bytes, at: offset)
      switch step.scalar {
      case nil: for byte in bytes[offset..<offset + step.length] { cell.add("\\x" + hexDigits(UInt32(byte))) }
      case 0x5c?: cell.add("\\\\")
      case let scalar? where isTerminalHazard(scalar):
        cell.add(scalar < 0x80 ? "\\x" + hexDigits(scalar) : "\\u{" + String(scalar, radix: 16) + "}")
      case let scalar?: if let scalar = Unicode.Scalar(scalar) { cell.add(scalar) }
      }
      offset += step.length
    }
    return cell
  }

  static func name(_ text: String) -> Cell { name(Array(text.utf8)) }

  /// A name among others in a line. One that holds blanks, quotes or what stands between two names is in double quotes, and its own quotes are `\"`:
  /// what is outside of quotes is ours, so a file called `a → /etc/shadow` cannot pass for a rename.
  /// - Parameter mark: another scalar that has a meaning where the name stands.
  static func quoted(_ bytes: [UInt8], mark: Unicode.Scalar? = nil) -> Cell {
    let plain = name(bytes)
    let scalars = plain.text.unicodeScalars
    let needsQuotes = scalars.contains { scalar in
      scalar.properties.isWhitespace || scalar == "\"" || scalar == "→" || scalar == "⇄" || scalar == mark
    }
    guard needsQuotes || bytes.isEmpty else { return plain }
    var cell = Cell("\"")
    for scalar in scalars {
      if scalar == "\"" { cell.add("\\") }
      cell.add(scalar)
    }
    cell.add("\"")
    return cell
  }

  static func quoted(_ text: String, mark: Unicode.Scalar? = nil) -> Cell { quoted(Array(text.utf8), mark: mark) }

  private static func hexDigits(_ value: UInt32) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }

  mutating func add(_ words: String) { for scalar in words.unicodeScalars { add(scalar) } }

  mutating func add(_ scalar: Unicode.Scalar) {
    text.unicodeScalars.append(scalar)
    width += columns(of: scalar)
  }

  mutating func add(_ other: Cell) {
    text += other.text
    width += other.width
  }

  /// The same with the escape sequences of a style around it, which take no columns.
  func styled(_ style: Style, _ isWanted: Bool) -> Cell {
    guard isWanted, !text.isEmpty else { return self }
    var cell = self
    cell.text = "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m"
    return cell
  }

  /// The same with blanks up to a width; longer ones stay as they are.
  func padded(to width: Int) -> Cell {
    var cell = self
    cell.text += String(repeating: " ", count: max(0, width - self.width))
    cell.width = max(self.width, width)
    return cell
  }
}

/// SGR parameters (ECMA-48).
enum Style: String {
  case dim = "2"
  case red = "31"
  case green = "32"
  case yellow = "33"
  case magenta = "35"
  case cyan = "36"
  case alarm = "1;31"
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
