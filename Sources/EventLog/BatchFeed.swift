/// The producer's end of the queue: hands lines over, and accounts for what the queue refuses.
///
///     feed.report(gap)                                  // whenever one is found
///     feed.flush(&lines, &span, nowMs: …)               // when nothing more is waiting, or the lines are many
package struct BatchFeed: ~Copyable {
  /// How many events the queue has refused so far.
  package private(set) var droppedEvents: UInt64 = 0

  private let queue: BatchQueue
  private let host: String
  /// Reported and not yet handed over.
  private var gaps: [Gap] = []
  private var gapLines = JSONWriter()

  /// - Parameter host: `host.name` of the gap lines.
  package init(_ queue: BatchQueue, host: String) {
    self.queue = queue
    self.host = host
  }

  /// Has a gap written at the next flush. Gaps that say the same, or too many of them, become one.
  package mutating func report(_ gap: Gap) {
    let isCrowded = gaps.count >= 32
    guard let index = gaps.firstIndex(where: { $0.reason == gap.reason && ($0.detail == gap.detail || isCrowded) }) else {
      gaps.append(gap)
      return
    }
    gaps[index].join(gap)
  }

  /// Hands over what has been collected, first the gaps, then the lines, and empties `lines` and `span`. Never waits.
  /// - Returns: false if the queue refused the lines; they are counted, and a gap follows as soon as it takes them again.
  @discardableResult
  package mutating func flush(_ lines: inout JSONWriter, _ span: inout BatchSpan, nowMs: Int64) -> Bool {
    flushGaps(nowMs: nowMs)
    if lines.isEmpty { return true }
    defer {
      span = BatchSpan()
      lines.removeAll()
    }
    if gaps.isEmpty && lines.withBytes({ queue.push($0, span) }) { return true }
    if span.events > 0 {
      droppedEvents += UInt64(span.events)
      let stalledBy = queue.depth.stalledBy
      report(Gap(stalledBy == nil ? .queueFull : .writeFailed, losing: span, detail: stalledBy))
    }
    return false
  }

  /// Hands over the gaps alone.
  package mutating func flushGaps(nowMs: Int64) {
    if gaps.isEmpty { return }
    for gap in gaps { gapLines.line(gap, timeMs: nowMs, host: host) }
    if gapLines.withBytes({ queue.push($0, BatchSpan()) }) { gaps.removeAll(keepingCapacity: true) }
    gapLines.removeAll()
  }
}

extension Gap {
  /// Becomes one gap that says what both say.
  mutating func join(_ other: Gap) {
    count = count.flatMap { mine in other.count.map { mine.addingReportingOverflow($0).partialValue } }
    if let serial = other.firstSerial, firstSerial.map({ Int32(bitPattern: serial &- $0) < 0 }) ?? true { firstSerial = serial }
    if let serial = other.lastSerial, lastSerial.map({ Int32(bitPattern: serial &- $0) > 0 }) ?? true { lastSerial = serial }
    if let time = other.sinceMs { sinceMs = min(sinceMs ?? time, time) }
    if let time = other.untilMs { untilMs = max(untilMs ?? time, time) }
    detail = detail ?? other.detail
  }
}
