import CLinux
import Glibc

/// Whether a scalar must not reach a terminal as it is: C0 and C1 controls, DEL, and what reorders or breaks the text
/// around it (bidirectional marks, embeddings, overrides and isolates, line and paragraph separators), and what cannot be seen (Unicode's
/// Default_Ignorable_Code_Point, and the blank pattern of Braille): two names must not look the same. None is above U+FFFF,
/// which one escape of JSON takes.
/// The one list for messages, the text format and the JSON log (which escapes them, too: people `cat` it).
package func isTerminalHazard(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e: true
  case 0xad, 0x034f, 0x061c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b...0x180f, 0x200b...0x200f, 0x2060...0x206f, 0x2800, 0x3164: true
  case 0xfe00...0xfe0f, 0xfeff, 0xffa0, 0xfff0...0xfffb: true
  default: false
  }
}

/// What stdout is, for output that people read.
package struct Terminal: Sendable {
  /// Whether it is one.
  package let isTerminal: Bool
  /// Whether colours are wanted: a terminal that knows them, and no NO_COLOR (no-color.org).
  package let hasColour: Bool
  /// The width in columns; nil if stdout is no terminal, or one that does not say.
  package let columns: Int?

  package init(descriptor: Int32 = 1) {
    func setting(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
    isTerminal = isatty(descriptor) == 1
    hasColour = isTerminal && setting("NO_COLOR").isEmpty && setting("TERM") != "dumb"
    let width = isTerminal ? Int(linux_terminal_columns(descriptor)) : 0
    columns = width > 0 ? width : nil
  }
}
