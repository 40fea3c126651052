/// Lines whose rules somebody else has removed from the kernel, and since when.
struct MissingRules {
  private var since: [String: Int64] = [:]
  /// In the order in which they were found.
  private(set) var lines: [String] = []

  /// A stretch in which these lines' rules were not there.
  struct Stretch {
    var lines: [String]
    var sinceMs: Int64
  }

  var stretch: Stretch? {
    since.values.min().map { Stretch(lines: lines, sinceMs: $0) }
  }

  /// Takes what is missing now; `seenMs` is when the rules were last looked at.
  /// - Returns: what went missing since, and what is there again.
  mutating func update(_ now: [String], seenMs: Int64) -> (lost: Stretch?, back: Stretch?) {
    let lost = now.filter { since[$0] == nil }
    let back = lines.filter { !now.contains($0) }
    let backSince = back.compactMap { since[$0] }.min()
    for line in lost { since[line] = seenMs }
    for line in back { since[line] = nil }
    lines = lines.filter { since[$0] != nil } + lost
    return (lost.isEmpty ? nil : Stretch(lines: lost, sinceMs: seenMs), backSince.map { Stretch(lines: back, sinceMs: $0) })
  }
}

extension [String] {
  /// The first of them, and how many more there are: for messages that must end somewhere.
  var briefly: String {
    prefix(20).joined(separator: ", ") + (count > 20 ? " and \(count - 20) more" : "")
  }
}
