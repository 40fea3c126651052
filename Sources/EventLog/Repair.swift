import AuditWire
import Glibc
import System

/// What the last run left, read from the end of the log when the daemon starts.
package struct Recovery: Equatable, Sendable {
  /// How much of a half-written last line was cut off.
  package var truncatedBytes: Int64 = 0
  /// The last event in the log; nil if there is no log.
  package var lastSerial: UInt32?
  /// The time of the last line.
  package var lastTimeMs: Int64?
  /// Whether the last run ended with its `stop` line; if not, events may be missing that had been read.
  package var wasCleanStop = false
  /// Whether there is any line of an earlier run.
  package var hasHistory: Bool { lastTimeMs != nil }
}

/// Where the last whole line of a log ends. A crash leaves part of a line; a power loss may leave NUL bytes in place of
/// what was not on the disk yet (delayed allocation): a line with a NUL in it is none, JSON escapes them.
func wholeLinesEnd(of file: borrowing Descriptor, size: Int64) throws(SystemError) -> Int64 {
  var lines = BackwardLines(end: size)
  while let line = try lines.next(from: file) {
    if line.isWhole && !line.bytes.contains(0) { return line.end }
    // Nothing of ours is that broken: it is somebody else's file, leave the rest of it alone.
    if size - line.start > 16 << 20 { return line.start }
  }
  return 0
}

/// Cuts off what is behind the last whole line of a segment.
/// - Returns: how much that was.
func cutTornEnd(of path: String) throws(SystemError) -> Int64 {
  let file = try Descriptor.open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  let size = Int64(try file.status().st_size)
  let whole = try wholeLinesEnd(of: file, size: size)
  if whole < size { try file.truncate(to: whole) }
  return size - whole
}

/// The parsed first line of a plain log that is no seal; nil if it is not a line of ours.
func firstLine(of file: borrowing Descriptor) throws(SystemError) -> LogLine? {
  let block = try file.bytes(at: 0, count: 64 << 10)
  let text = block.span.bytes
  var start = 0
  while let end = text.firstIndex(of: UInt8(ascii: "\n"), from: start, before: text.byteCount) {
    let bytes = text.extracting(start..<end)
    start = end + 1
    if SealLine.isSeal(bytes) { continue }
    var line = LogLine()
    return line.parse(bytes) ? line : nil
  }
  return nil
}

/// Reads what the last run left, from the live segment or else from the newest rotated one, without changing anything.
func lastRun(in policy: LogPolicy) -> Recovery {
  var recovery = Recovery()
  var line = LogLine()
  for segment in (try? SegmentSet(directory: policy.directory).segments.reversed()) ?? [] where !segment.isCompressed {
    guard let file = try? Descriptor.open(segment.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), let status = try? file.status() else {
      continue
    }
    var lines = BackwardLines(end: Int64(status.st_size))
    var seen = 0
    // The last event is near the end: after it come at most a few notices.
    while seen < 10_000, let found = try? lines.next(from: file) {
      guard found.isWhole, line.parse(found.bytes.span.bytes), let time = line.timeMs else { continue }
      seen += 1
      if recovery.lastTimeMs == nil && line.dataset != .seal {
        recovery.lastTimeMs = time
        recovery.wasCleanStop = line.dataset == .daemon && line.string("event.action", equals: DaemonAction.stop.rawValue)
      }
      if let serial = line.sequence ?? line.integer("fsaudit.gap.last_serial").flatMap({ UInt32(exactly: $0) }) {
        recovery.lastSerial = serial
        return recovery
      }
    }
  }
  return recovery
}
