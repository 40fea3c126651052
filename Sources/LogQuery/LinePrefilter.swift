import AuditWire
import EventLog
import System

/// Byte strings one of which every wanted line of our own log holds, because of how its encoder writes: lines without any of them need not be
/// parsed. Looked for in a whole block at a time.
struct LinePrefilter {
  private let needles: [[UInt8]]
  /// Where in the block each of them is next.
  private var next: [Int]

  /// Nil where the filter asks for nothing that has to stand in the line as it is.
  init?(_ filter: Filter) {
    let sets = filter.conditions.compactMap(\.needles).filter { set in set.count <= 4 && set.allSatisfy { $0.count > 1 } }
    guard let best = sets.max(by: { Self.shortest($0) < Self.shortest($1) }) else { return nil }
    // a gap belongs to every answer
    needles = best + [Array("\"fsaudit.gap\"".utf8)]
    next = Array(repeating: -1, count: needles.count)
  }

  private static func shortest(_ set: [[UInt8]]) -> Int { set.map(\.count).min() ?? 0 }

  /// A new block begins.
  mutating func restart() {
    for index in next.indices { next[index] = -1 }
  }

  /// Whether the line at `line` of the block has one. Lines are asked for in their order.
  mutating func occurs(in block: UnsafeRawBufferPointer, line: Range<Int>) -> Bool {
    var found = false
    for index in needles.indices {
      if next[index] < line.lowerBound { next[index] = firstOccurrence(of: needles[index], in: block, from: line.lowerBound) ?? .max }
      if next[index] < line.upperBound { found = true }
    }
    return found
  }
}

extension FilterCondition {
  /// For each wanted value what a line that has it holds; nil where that cannot be said.
  var needles: [[UInt8]]? {
    if wantsUnset { return nil }
    func labelled(_ label: String) -> [[UInt8]] { words.map { Array(label.utf8) + $0 } }
    switch field {
    case .key, .user, .auid, .comm, .action, .syscall, .result, .host:
      return words.map { word in
        let run = longestPlainRun(word)
        return run == word ? [0x22] + word + [0x22] : run
      }
    case .pid: return labelled("\"pid\":") + labelled("\"pid\":\"")
    case .ppid: return labelled("\"parent\":{\"pid\":")
    case .session: return labelled("\"session\":")
    case .serial: return labelled("\"sequence\":")
    case .inode: return labelled("\"inode\":\"")
    case .exe: return globs.map(\.literal)
    // a name that is cut in its readable form is whole in the other one
    case .path, .under: return globs.map(\.literal) + [Array("\"raw\":{".utf8)]
    case .text: return words.map(longestPlainRun) + [Array("\"raw\":{".utf8)]
    }
  }
}
