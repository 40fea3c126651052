import System

/// The lines of a file from its end towards its beginning: how `tail -n` and the repair after a crash read, in a time
/// that does not depend on the file's length.
struct BackwardLines {
  /// Where the bytes in `buffer` begin in the file; everything before it is unread.
  private var start: Int64
  /// Where they end.
  private var end: Int64
  /// Read, but not yet given out.
  private var buffer: [UInt8] = []
  private let blockBytes: Int
  /// Longer lines are passed over.
  static let maximumLineBytes = 1 << 20

  /// - Parameter end: where to begin: the file's length, or any offset behind a `\n`. What follows the last `\n`
  ///   before it is no line and comes first, as `isWhole == false`.
  init(end: Int64, blockBytes: Int = 64 << 10) {
    start = end
    self.end = end
    self.blockBytes = blockBytes
  }

  struct Line {
    let bytes: [UInt8]
    /// Where it is in the file, with its `\n`.
    let start: Int64, end: Int64
    /// Whether a `\n` ends it (which `bytes` does not contain).
    let isWhole: Bool
  }

  private var isFirst = true

  /// The line before the one that came last; nil at the beginning of the file.
  mutating func next(from file: borrowing Descriptor) throws(SystemError) -> Line? {
    while true {
      if isFirst && buffer.last == UInt8(ascii: "\n") { isFirst = false }
      // The buffer ends with the `\n` of the line that is wanted, except if there is none at the end of the file.
      let end = isFirst ? buffer.count : buffer.count - 1
      if let newline = buffer[..<max(0, end)].lastIndex(of: UInt8(ascii: "\n")) {
        return take(from: newline + 1)
      }
      if start == 0 { return buffer.isEmpty ? nil : take(from: 0) }
      if buffer.count > Self.maximumLineBytes {
        // Keep its end only, so that the next `\n` still bounds it; it comes out short and does not parse.
        buffer.removeFirst(buffer.count - 1)
      }
      try readBlock(file)
    }
  }

  private mutating func take(from index: Int) -> Line? {
    var line = Array(buffer[index...])
    let isWhole = line.last == UInt8(ascii: "\n")
    if isWhole { line.removeLast() }
    buffer.removeSubrange(index...)
    isFirst = false
    defer { end = start + Int64(index) }
    return Line(bytes: line, start: start + Int64(index), end: end, isWhole: isWhole)
  }

  private mutating func readBlock(_ file: borrowing Descriptor) throws(SystemError) {
    let wanted = Int(min(Int64(blockBytes), start))
    var block = try file.bytes(at: start - Int64(wanted), count: wanted)
    // Truncated meanwhile: what is missing reads as NULs, which no line holds.
    block.append(contentsOf: repeatElement(0, count: wanted - block.count))
    start -= Int64(wanted)
    buffer.insert(contentsOf: block, at: 0)
  }
}
