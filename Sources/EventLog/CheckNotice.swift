/// What one `fsaudit check` counted, on its way into the log: as the check asks the daemon to note it, and as the line has it.
///
/// The request is one text: `check full explained 3 1200` (generation, milliseconds), the counts in the order of ``groups``, and the database's
/// path, which takes all that is left. It holds nothing else that could be chosen freely.
package struct CheckNotice: Equatable, Sendable {
  /// The process that checked, as the kernel says; it is no part of the request.
  package var pid: Int32 = 0
  package var isFull: Bool
  /// Whether the trail was asked who caused the differences.
  package var isExplained: Bool
  /// What was compared with.
  package var generation: Int64
  package var durationMs: Int64
  /// The counts of each of ``groups``.
  package var counts: [[Int64]]
  /// An absolute path, of any bytes but NUL.
  package var database: [UInt8]

  /// The members of `fsaudit.check` that hold counts, and what they count: as in the report of the check.
  static let groups: [(name: StaticString, members: [String])] = [
    ("counts", ["added", "removed", "changed", "moved"]), ("verdicts", ["explained", "partly", "unexplained", "uncovered"]),
    ("examined", ["objects", "bytes", "files_read", "bytes_read", "problems", "busy"]),
  ]
  /// What every program can read as a JSON number, and more than any count is.
  private static let largest: Int64 = 1 << 53
  private static let pathLimitBytes = 4096
  /// Longer than any request is.
  package static let limitBytes = 8192

  package init(
    isFull: Bool, isExplained: Bool, generation: Int64, durationMs: Int64, counts: [[Int64]], database: [UInt8]
  ) {
    (self.isFull, self.isExplained, self.generation, self.durationMs) = (isFull, isExplained, generation, durationMs)
    (self.counts, self.database) = (counts, database)
  }

  /// What the check sends.
  package var request: [UInt8] {
    let numbers = ([generation, durationMs] + counts.joined()).map { String($0) }.joined(separator: " ")
    return Array("check \(isFull ? "full" : "fast") \(isExplained ? "explained" : "unexplained") \(numbers) ".utf8) + database
  }

  /// Nil unless every part of it is what it should be: it comes from another process.
  package init?(request: [UInt8]) {
    let numberCount = 2 + Self.groups.reduce(0) { $0 + $1.members.count }
    let words = request.split(separator: UInt8(ascii: " "), maxSplits: 3 + numberCount, omittingEmptySubsequences: false)
    guard request.count <= Self.limitBytes, words.count == 4 + numberCount, words[0].elementsEqual("check".utf8),
      let isFull = Self.choice(words[1], "full", "fast"), let isExplained = Self.choice(words[2], "explained", "unexplained"),
      let path = words.last, path.first == UInt8(ascii: "/"), path.count <= Self.pathLimitBytes, !path.contains(0)
    else { return nil }
    var numbers: [Int64] = []
    for word in words[3..<3 + numberCount] {
      guard word.count <= 16, !word.isEmpty, word.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
        let number = Int64(String(decoding: word, as: UTF8.self)), number <= Self.largest
      else { return nil }
      numbers.append(number)
    }
    var rest = numbers[2...]
    counts = Self.groups.map { group in
      defer { rest = rest.dropFirst(group.members.count) }
      return Array(rest.prefix(group.members.count))
    }
    (self.isFull, self.isExplained, generation, durationMs) = (isFull, isExplained, numbers[0], numbers[1])
    database = Array(path)
  }

  private static func choice(_ word: some Collection<UInt8>, _ yes: String, _ no: String) -> Bool? {
    word.elementsEqual(yes.utf8) ? true : word.elementsEqual(no.utf8) ? false : nil
  }

  private func text(_ group: Int) -> String {
    zip(Self.groups[group].members, counts[group]).map { "\($1) \($0)" }.joined(separator: ", ")
  }

  /// Objects that could not be examined.
  private var problems: Int64 { counts[2][4] }

  /// One sentence for people.
  var message: String {
    "\(isFull ? "full" : "fast") check against generation \(generation): \(text(0))" + (isExplained ? "; \(text(1))" : "")
      + (problems > 0 ? "; \(problems) could not be examined" : "")
  }

  /// Whether everything could be examined.
  fileprivate var isWhole: Bool { problems == 0 }
}

extension JSONWriter {
  /// Appends the line of a check, with its `\n`.
  package mutating func line(_ check: CheckNotice, timeMs: Int64, host: String) {
    open(timeMs: timeMs, kind: "event", category: "host", type: "info", dataset: .check)
    action("check", outcome: check.isWhole ? "success" : "failure", sequence: nil)
    close(message: check.message, host: host)
    raw(",\"process\":{\"pid\":")
    integer(check.pid)
    raw(",\"name\":\"fsaudit\"},\"fsaudit\":{\"check\":{\"generation\":")
    integer(check.generation)
    member("full", check.isFull)
    member("duration_ms", check.durationMs)
    for (group, numbers) in zip(CheckNotice.groups, check.counts) where check.isExplained || group.name.description != "verdicts" {
      member(group.name, Array(zip(group.members, numbers)))
    }
    raw(",\"database\":")
    if !string(check.database.span.bytes) {
      raw(",\"database_bytes\":")
      hexString(check.database.span.bytes)
    }
    raw("}}}\n")
  }
}
