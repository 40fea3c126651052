import AuditWire
import EventLog

/// Which of the lines that are read are the answer.
struct Selection {
  let filter: Filter
  /// The file whose life is told; nil for none.
  var life: FileLife?
  /// Takes the names that all files ever had; nothing matches meanwhile.
  let history: NameHistory?
  /// Whether nobody looks at the lines that match.
  var isCounting = false
  /// See ``Question/isUnchecked``.
  var isUnchecked = false
  /// See ``Question/isByPlace``.
  var isByPlace = false
  /// The latest time of a line so far.
  var newestMs = Int64.min
  private(set) var line = LogLine()

  init(_ filter: Filter, life: FileLife? = nil, history: NameHistory? = nil) {
    self.filter = filter
    self.life = life
    self.history = history
  }

  /// Whether every line has to be looked at, whatever the filter says.
  var needsEveryLine: Bool { life != nil || history != nil }

  /// Whether the filter asks for more than who made which call when.
  var needsPaths: Bool {
    let known: Set<FilterField> = [.key, .user, .auid, .pid, .ppid, .session, .exe, .comm, .syscall, .result, .host, .serial]
    return needsEveryLine || !(filter.conditions + filter.exclusions).allSatisfy { known.contains($0.field) }
  }

  /// The verdict on a line; nil where it is none.
  mutating func verdict(on bytes: RawSpan) -> Filter.Verdict? {
    guard line.parse(bytes) else { return nil }
    if let history {
      history.add(line)
      return .no
    }
    if life != nil {
      let isOfFile = life?.takes(line) ?? false
      if !isOfFile { return line.dataset == .gap && filter.verdict(on: line) != .no ? .gap : .no }
    }
    return filter.verdict(on: line)
  }
}
