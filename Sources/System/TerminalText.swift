/// Whether a scalar must not reach a terminal as it is: C0 and C1 controls, DEL, and what reorders or breaks the text
/// around it (bidirectional marks, embeddings, overrides and isolates, line and paragraph separators).
/// The one list for messages, the text format and the JSON log (which escapes them, too: people `cat` it).
package func isTerminalHazard(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0..<0x20, 0x7f..<0xa0, 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
  default: false
  }
}
