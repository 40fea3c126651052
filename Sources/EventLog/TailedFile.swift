import Glibc
import System

/// A plain segment that is read while it grows. It keeps its place behind the last whole line: what follows is being
/// written, and may be taken back.
final class TailedFile {
  private let file: Descriptor
  let device: dev_t
  let inode: UInt64
  /// Behind the last line that was read.
  private(set) var offset: Int64 = 0

  init(_ path: String) throws(SystemError) {
    let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    let status = try file.status()
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("open", path, .invalidArgument) }
    (device, inode) = (status.st_dev, UInt64(status.st_ino))
    self.file = file
  }

  /// Calls `body` with every whole line that has come since the last time.
  func drain(_ body: (RawSpan) -> Void) throws(SystemError) {
    // Shorter than what was read: somebody emptied it (`> events.jsonl`), and it begins again.
    if Int64(try file.status().st_size) < offset { offset = 0 }
    var wanted = 128 << 10
    while true {
      let block = try file.bytes(at: offset, count: wanted)
      let end = endOfLastLine(block.span.bytes)
      if end == 0 {
        guard block.count == wanted else { return }
        if wanted >= LineReader.maximumLineBytes { offset += Int64(wanted) } else { wanted *= 2 }
        continue
      }
      var start = 0
      while let newline = block[start..<end].firstIndex(of: UInt8(ascii: "\n")) {
        body(block.span.bytes.extracting(start..<newline))
        start = newline + 1
      }
      offset += Int64(end)
    }
  }

  /// Moves behind what is there now.
  /// - Returns: the last lines before that which `wants` says yes to, at most `count`, oldest first.
  func skipToEnd(last count: Int, _ wants: (RawSpan) -> Bool) throws(SystemError) -> [[UInt8]] {
    var lines = BackwardLines(end: Int64(try file.status().st_size))
    var found: [[UInt8]] = []
    var isFirst = true
    while isFirst || found.count < count {
      guard let line = try lines.next(from: file) else { break }
      if isFirst { offset = line.isWhole ? line.end : line.start }
      isFirst = false
      if line.isWhole && found.count < count && wants(line.bytes.span.bytes) { found.append(line.bytes) }
    }
    return found.reversed()
  }

  /// The first line's bytes, which tell a segment from every other.
  func firstLine() throws(SystemError) -> [UInt8] {
    let start = try file.bytes(at: 0, count: 64 << 10)
    return Array(start.prefix { $0 != UInt8(ascii: "\n") })
  }
}
