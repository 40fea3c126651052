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

/// Knows lines of our own log by their rule key without taking them apart, where nothing else is asked for.
///
/// They have it in `,"tags":["srv","etc"]`. That stands for nothing else, because a quote inside a string has a backslash before it.
struct KeyMatch {
  private let keys: [[UInt8]]
  private static let label = Array(",\"tags\":[".utf8)

  /// Nil where the filter asks for more, or for a key that is written otherwise.
  init?(_ filter: Filter) {
    guard filter.exclusions.isEmpty, filter.conditions.count == 1, let condition = filter.conditions.first, condition.field == .key,
      !condition.wantsUnset, condition.words.allSatisfy({ longestPlainRun($0) == $0 })
    else { return nil }
    keys = condition.words
  }

  /// Whether a line certainly has one of the keys; false says nothing.
  func holds(in line: UnsafeRawBufferPointer) -> Bool {
    guard let label = firstOccurrence(of: Self.label, in: line, from: 0) else { return false }
    var at = label + Self.label.count
    while at < line.count, line[at] == UInt8(ascii: "\"") {
      let start = at + 1
      guard let end = line[start...].firstIndex(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }),
        line[end] == UInt8(ascii: "\"")
      else { return false }
      if keys.contains(where: { $0.count == end - start && $0.elementsEqual(line[start..<end]) }) { return true }
      guard end + 1 < line.count, line[end + 1] == UInt8(ascii: ",") else { return false }
      at = end + 2
    }
    return false
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
