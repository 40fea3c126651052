import System

/// Reads a log that is being written, through any number of rotations: every line once, in order.
///
/// It holds the live segment open, so that a rename takes nothing away. When another file has the live name, the writer
/// is done with the old one (it renames, then makes the new one, then writes): what is left of it is read, then the
/// segments that came and went in between, then the new one.
package struct LogFollower {
  private let directory: String
  /// nil while there is no live segment yet.
  private var current: TailedFile?
  /// The rotated segments that are done with, those there still are. Names rather than the newest name: somebody may
  /// have deleted the directory and set back the clock.
  private var done: Set<SegmentName> = []

  private var damaged: [SystemError] = []

  package init(directory: String) { self.directory = directory }

  /// The compressed segments that turned out to be damaged since the last time; what stands before the damage has been given.
  package mutating func takeDamaged() -> [SystemError] {
    defer { damaged.removeAll() }
    return damaged
  }

  /// Whether ``start(last:wants:_:)`` has found a log.
  package var hasSegments: Bool { current != nil || !done.isEmpty }

  private var livePath: String { directory + "/" + SegmentName.live }

  /// Goes to the end of the log, giving `body` the last lines on the way. Call it first, or not at all: without it,
  /// ``poll(_:)`` begins at the beginning of the live segment.
  /// - Parameters:
  ///   - count: how many lines; nil for all there are.
  ///   - wants: which lines count.
  package mutating func start(last count: Int?, wants: (RawSpan) -> Bool, _ body: (RawSpan) -> Void) throws(SystemError) {
    do throws(SystemError) {
      current = try TailedFile(livePath)
    } catch  where error.code == .noSuchFileOrDirectory {
      current = nil
    }
    var older: [Segment]
    do throws(SystemError) {
      older = try SegmentSet(directory: directory).rotated
    } catch  where error.code == .noSuchFileOrDirectory {
      return
    }
    // Rotated since it was opened: the segments from there on come later.
    if let current, let own = older.firstIndex(where: { $0.inode == current.inode }) { older.removeSubrange(own...) }
    done = Self.names(of: older)
    if let count {
      try giveLast(count, older, wants, body)
    } else {
      for segment in older { try read(segment) { if wants($0) { body($0) } } }
      try current?.drain { if wants($0) { body($0) } }
    }
  }

  private mutating func giveLast(_ count: Int, _ older: [Segment], _ wants: (RawSpan) -> Bool, _ body: (RawSpan) -> Void)
    throws(SystemError)
  {
    var lines = try current?.skipToEnd(last: count, wants) ?? []
    for segment in older.reversed() where lines.count < count {
      lines = try lastLines(of: segment, count - lines.count, wants) + lines
    }
    for line in lines { body(line.span.bytes) }
  }

  /// The last wanted lines of a rotated segment. A compressed one has to be read from its beginning.
  private mutating func lastLines(of segment: Segment, _ count: Int, _ wants: (RawSpan) -> Bool) throws(SystemError) -> [[UInt8]] {
    if !segment.isCompressed, let file = try? TailedFile(segment.path) { return try file.skipToEnd(last: count, wants) }
    var lines: [[UInt8]] = []
    try read(segment) { line in
      if wants(line) { lines.append(line.withUnsafeBytes { Array($0) }) }
      // Cut now and then, not at every line.
      if lines.count >= 2 * count + 100 { lines.removeFirst(lines.count - count) }
    }
    return lines.suffix(count)
  }

  /// Gives `body` every line that has come since the last call.
  package mutating func poll(_ body: (RawSpan) -> Void) throws(SystemError) {
    while true {
      try current?.drain(body)
      // Between a rename and the next file there is none, and one that was deleted may never come back: look again later.
      guard let there = try? status(of: livePath) else { return }
      if let current, there.st_dev == current.device, UInt64(there.st_ino) == current.inode { return }
      let next: TailedFile
      do throws(SystemError) {
        next = try TailedFile(livePath)
      } catch  where error.code == .noSuchFileOrDirectory {
        return
      }
      try current?.drain(body)
      try readBetween(next, body)
      current = next
    }
  }

  /// Reads the segments that are newer than the current one and older than `next`.
  private mutating func readBetween(_ next: TailedFile, _ body: (RawSpan) -> Void) throws(SystemError) {
    var rotated = try SegmentSet(directory: directory).rotated
    if let place = rotated.firstIndex(where: { $0.inode == next.inode }) { rotated.removeSubrange(place...) }
    var between = rotated.filter { !Self.names(of: [$0]).isSubset(of: done) }
    done = Self.names(of: rotated)
    if let current, let first = between.first, try isSame(first, current) { between.removeFirst() }
    for segment in between { try read(segment, body) }
  }

  /// The names, whether they are compressed or not.
  private static func names(of segments: [Segment]) -> Set<SegmentName> {
    Set(segments.compactMap(\.name).map { SegmentName(timeMs: $0.timeMs, firstSerial: $0.firstSerial) })
  }

  /// Whether a rotated segment is what was read as the live one; it may have been compressed since.
  private func isSame(_ segment: Segment, _ file: TailedFile) throws(SystemError) -> Bool {
    if segment.inode == file.inode { return true }
    if !segment.isCompressed { return false }
    let own = try file.firstLine()
    var isSame = false
    do throws(SystemError) {
      var reader = try LineReader(segment)
      _ = try reader.next { line in isSame = line.withUnsafeBytes { $0.elementsEqual(own) } }
    } catch  where error.code == .badMessage {
      // it is noted when it is read
    }
    return isSame
  }

  /// All lines of a rotated segment; none if retention has deleted it meanwhile.
  private mutating func read(_ segment: Segment, _ body: (RawSpan) -> Void) throws(SystemError) {
    do throws(SystemError) {
      var reader = try LineReader(segment)
      while try reader.next(body) {}
    } catch  where error.code == .noSuchFileOrDirectory {
    } catch  where error.code == .badMessage {
      damaged.append(error)
    }
  }
}
