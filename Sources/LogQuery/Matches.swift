import AuditWire
import EventLog
import System

/// Lines that match, on their way from a source to whoever asked: all that is kept of a log.
struct Matches {
  struct Item {
    var timeMs: Int64
    /// Where it begins in the bytes, and where it ends, with its `\n`.
    var start: Int
    var end: Int
    var isGap: Bool
  }

  private var bytes: [UInt8] = []
  /// Lines that are passed on as one; the item of block n begins at -1 - n.
  private var blocks: [Block] = []
  private var usedBlocks = 0
  private var items: [Item] = []
  private var first = 0
  /// How many of them are no gaps; gaps take no place of an answer.
  private var answers = 0
  /// Whether the newest come first.
  let isReversed: Bool
  /// The most that will be asked for.
  private let limit: Int

  init(isReversed: Bool, limit: Int?) {
    self.isReversed = isReversed
    self.limit = limit ?? .max
  }

  var isEmpty: Bool { first == items.count }

  /// The one whose turn it is.
  var next: Item? { isEmpty ? nil : isReversed ? items[items.count - 1] : items[first] }

  /// Lends it to `body`.
  func withNext(_ body: (_ lines: RawSpan) throws(SystemError) -> Void) throws(SystemError) {
    guard let next else { return }
    if next.start < 0 {
      try blocks[-1 - next.start].lines.withBytes { lines throws(SystemError) in try body(lines) }
    } else {
      try body(bytes.span.bytes.extracting(next.start..<next.end))
    }
  }

  /// Its turn is over.
  mutating func removeNext() {
    if next?.isGap == false { answers -= 1 }
    if isReversed { items.removeLast() } else { first += 1 }
    if isEmpty { clear() }
  }

  private mutating func clear() {
    items.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    first = 0
    usedBlocks = 0
  }

  /// Adds a line without its `\n`.
  mutating func add(_ line: RawSpan, timeMs: Int64, isGap: Bool) {
    let start = bytes.count
    bytes.append(line)
    bytes.append(UInt8(ascii: "\n"))
    note(from: start, timeMs: timeMs, isGap: isGap)
  }

  /// Takes whole lines as one, and leaves an empty writer. Nothing is copied.
  mutating func take(_ lines: inout JSONWriter, timeMs: Int64) {
    if !isReversed {
      if usedBlocks == blocks.count { blocks.append(Block()) }
      swap(&blocks[usedBlocks].lines, &lines)
      items.append(Item(timeMs: timeMs, start: -1 - usedBlocks, end: 0, isGap: false))
      usedBlocks += 1
    } else {
      lines.withBytes { add(lines: $0, timeMs: timeMs) }
    }
    lines.removeAll()
  }

  /// Adds whole lines as one.
  mutating func add(lines: RawSpan, timeMs: Int64) {
    let start = bytes.count
    bytes.append(lines)
    note(from: start, timeMs: timeMs, isGap: false)
  }

  private mutating func note(from start: Int, timeMs: Int64, isGap: Bool) {
    items.append(Item(timeMs: timeMs, start: start, end: bytes.count, isGap: isGap))
    if !isGap { answers += 1 }
    // of those in front nobody will ask for more than the limit
    if isReversed, answers / 2 >= limit, answers > 1000 { keepLast(limit) }
  }

  private mutating func keepLast(_ wanted: Int) {
    var (place, found) = (items.count, 0)
    while found < wanted, place > 0 {
      place -= 1
      if !items[place].isGap { found += 1 }
    }
    guard place < items.count else { return }
    answers = found
    let offset = items[place].start
    items.removeFirst(place)
    bytes.removeFirst(offset)
    for index in items.indices {
      items[index].start -= offset
      items[index].end -= offset
    }
  }
}

/// What cannot be copied, for a struct that is never copied where it holds anything.
private final class Block {
  var lines = JSONWriter()
}
