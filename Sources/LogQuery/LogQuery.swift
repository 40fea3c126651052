import AuditWire
import EventLog
import System

/// A question to logs.
package struct Question: Sendable {
  package var filter = Filter()
  /// The most lines that are wanted.
  package var limit: Int?
  /// Whether the newest come first.
  package var isReversed = false
  /// The file whose life is asked for, under a name that it had at some time.
  package var followedFile: [UInt8]?
  /// Whether the kernel's records are wanted instead of lines: of auditd's logs alone.
  package var wantsRecords = false
  /// Whether only the number of matches is wanted: what is passed on may lack paths.
  package var isCounting = false
  /// Whether many lines may be passed on as one, uncounted, where all are wanted.
  package var takesBlocks = false
  /// Whether the asker takes the lines of our own log apart anyway: those that look whole are passed on unread, the log's seals too.
  package var isUnchecked = false
  /// Whether with ``isUnchecked`` a time since which lines are wanted is one of the log, not of the clock: a line with an earlier time than some line
  /// before it is wanted, too. Who sets the clock back does not get out of sight.
  package var isByPlace = false

  package init() {}
}

/// Somewhere that lines come from, a part at a time.
protocol LineStream: AnyObject {
  /// Adds the matches of the next part, which may be none.
  /// - Returns: false at the end.
  func more(_ matches: inout Matches, _ outcome: inout Outcome) -> Bool
}

/// Asks one or several logs: the lines that match, by time. Each log is read once and never kept; several are merged, each in its own order,
/// which is the order of the events' ends.
package struct LogQuery {
  private let sources: [Source]
  private let question: Question
  private let names: NameSources
  private let hostName: String
  private let complain: (String) -> Void

  /// - Parameters:
  ///   - names: for auditd's logs, which hold numbers.
  ///   - hostName: what `host.name` says in lines of a log of auditd's that does not say it; with several such logs, their paths say it.
  ///   - complain: is told what cannot be read, a line at a time.
  package init(
    _ sources: [Source], _ question: Question, names: NameSources, hostName: String, complain: @escaping (String) -> Void
  ) {
    self.sources = sources
    self.question = question
    self.names = names
    self.hostName = hostName
    self.complain = complain
  }

  /// Passes on what matches: whole lines with their `\n`, one at a time.
  /// - Throws: what `body` throws, and usage errors for what cannot be asked of these sources.
  package func run(_ body: (_ lines: RawSpan) throws(SystemError) -> Void) throws -> Outcome {
    try check()
    var outcome = Outcome()
    var streams: [any LineStream] = []
    for source in sources {
      let life = question.followedFile.map { path in
        let history = NameHistory(of: path)
        let stream = stream(source, Selection(Filter(), history: history))
        var (nothing, unheard) = (Matches(isReversed: false, limit: nil), Outcome())
        while stream.more(&nothing, &unheard) {}
        let (since, until) = (question.filter.sinceMs ?? .min, question.filter.untilMs ?? .max)
        if let others = history.others(sinceMs: since, untilMs: until) { note(others) }
        return history.life(untilMs: until)
      }
      var selection = Selection(question.filter, life: life)
      selection.isCounting = question.isCounting
      selection.isUnchecked = question.isUnchecked
      selection.isByPlace = question.isByPlace
      streams.append(stream(source, selection))
    }
    var queues = streams.map { _ in Matches(isReversed: question.isReversed, limit: question.limit) }
    var hasEnded = streams.map { _ in false }
    var passed = 0
    while passed < question.limit ?? .max {
      var earliest: (place: Int, item: Matches.Item)?
      for place in streams.indices {
        while queues[place].isEmpty, !hasEnded[place] { hasEnded[place] = !streams[place].more(&queues[place], &outcome) }
        guard let item = queues[place].next else { continue }
        if let best = earliest, question.isReversed ? item.timeMs <= best.item.timeMs : item.timeMs >= best.item.timeMs { continue }
        earliest = (place, item)
      }
      guard let (place, item) = earliest else { break }
      try queues[place].withNext(body)
      queues[place].removeNext()
      if item.isGap { outcome.gaps += 1 } else { outcome.matched += 1 }
      // a gap is no answer, so it takes no place of one
      if !item.isGap { passed += 1 }
    }
    return outcome
  }

  private func note(_ others: NameHistory.Others) {
    let count = others.count < NameHistory.Others.limit ? "\(others.count)" : "\(others.count) or more"
    var time = JSONWriter()
    time.timestamp(milliseconds: others.untilMs)
    let until = String(decoding: time.bytes, as: UTF8.self).filter { $0 != "\"" }
    complain("fsaudit: note: \(count) other file\(others.count > 1 ? "s" : "") had this name before: --until \(until)")
  }

  private func check() throws(Failure) {
    for source in sources {
      switch source {
      case .log where question.wantsRecords:
        throw Failure(
          "fsaudit's own log does not keep the kernel's records",
          advice: "--format json has all that it keeps; --audit-log has the records",
          exit: .usage)
      case .audit(files: ["-"]) where question.followedFile != nil:
        throw Failure("--follow-file reads a log twice, standard input cannot be", advice: "give a file", exit: .usage)
      default: break
      }
    }
  }

  private func stream(_ source: Source, _ selection: Selection) -> any LineStream {
    let isQuiet = selection.history != nil
    let say: (String) -> Void = isQuiet ? { _ in } : complain
    switch source {
    case .log(let directory): return OwnLog(directory, selection, isReversed: question.isReversed && !isQuiet, complain: say)
    case .audit(let files):
      let isOnly = sources.count == 1
      return AuditLog(
        files, selection, wantsRecords: question.wantsRecords,
        inBlocks: isOnly && question.takesBlocks && question.limit == nil && !question.isReversed && question.filter.wantsEverything
          && !selection.needsEveryLine && !question.wantsRecords,
        isReversed: question.isReversed && !isQuiet, names: names, hostName: isOnly ? hostName : files.last ?? hostName, complain: say)
    }
  }
}
