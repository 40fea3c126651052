import AuditWire

/// Where a line is: the segment's name and the number in it, from 1; 0 is a segment without lines, and no name a log without segments.
package struct SealPlace: Equatable, Sendable, CustomStringConvertible {
  package var file: String
  package var line: Int

  package var description: String { line == 0 ? file : "\(file):\(line)" }
}

/// What a verifier has read since the last seal, and what the next one says about it.
struct UnsealedLines: ~Copyable {
  private(set) var content = SHA256()
  private(set) var count: Int64 = 0, bytes: Int64 = 0
  /// Of the first lines: where more than this have no seal, no seal has digests for them.
  private var digests: [UInt32] = []
  private static let maximumDigests = 1 << 16
  /// Where the lines of each segment begin: (index, place).
  private var marks: [(index: Int64, place: SealPlace)] = []

  init() {}

  /// A segment begins, with `place` as its first line.
  mutating func enter(_ place: SealPlace) {
    if let last = marks.last, last.index == count { marks.removeLast() }
    // What lies between is named by the segment before; only a log without seals comes to this.
    if marks.count >= 1000 { marks.removeLast() }
    marks.append((count, place))
  }

  /// A whole line, with its `\n`.
  mutating func add(_ line: RawSpan) {
    content.update(line)
    bytes += Int64(line.byteCount)
    count += 1
    if digests.count < Self.maximumDigests { digests.append(sealDigest(of: line.extracting(0..<line.byteCount - 1))) }
  }

  /// A part of a line that is too long.
  mutating func add(part: RawSpan) {
    content.update(part)
    bytes += Int64(part.byteCount)
  }

  /// - Parameter next: where the next line is.
  mutating func removeAll(next: SealPlace) {
    _ = content.finish()
    (count, bytes) = (0, 0)
    digests.removeAll(keepingCapacity: true)
    marks.removeAll(keepingCapacity: true)
    marks.append((0, next))
  }

  /// Where a line is.
  func place(_ index: Int) -> SealPlace {
    guard let mark = marks.last(where: { $0.index <= Int64(index) }) else { return SealPlace(file: "", line: 0) }
    return SealPlace(file: mark.place.file, line: mark.place.line + index - Int(mark.index))
  }

  /// What was done to the lines. Indices are of the lines that are there.
  enum Damage: Equatable {
    case changed([Int])
    case deleted(before: Int, count: Int)
    case inserted(Range<Int>)
    case moved(Range<Int>)
    /// These stand where there were `count` others.
    case replaced(Range<Int>, count: Int)
    /// The digests do not tell.
    case somewhere
  }

  /// Compares the lines with what a seal has of them.
  func damage(against expected: [UInt32]?) -> Damage {
    guard let expected, digests.count == count else { return .somewhere }
    var start = 0
    while start < min(expected.count, digests.count), expected[start] == digests[start] { start += 1 }
    var (end, expectedEnd) = (digests.count, expected.count)
    while end > start, expectedEnd > start, expected[expectedEnd - 1] == digests[end - 1] {
      (end, expectedEnd) = (end - 1, expectedEnd - 1)
    }
    let (there, wanted) = (digests[start..<end], expected[start..<expectedEnd])
    if there.isEmpty { return wanted.isEmpty ? .somewhere : .deleted(before: start, count: wanted.count) }
    if wanted.isEmpty { return .inserted(start..<end) }
    if there.count == wanted.count {
      if there.count > 1 && there.sorted() == wanted.sorted() { return .moved(start..<end) }
      return .changed((start..<end).filter { there[$0] != wanted[$0] })
    }
    return .replaced(start..<end, count: wanted.count)
  }
}
