/// The producer's end of the queue: collects lines, hands them over, and accounts for what the queue refuses.
///
///     change.encode(into: &feed.lines); feed.wrote(serial: …, timeMs: …)   // per event
///     feed.flush(nowMs: …)                                                 // when nothing more is waiting, or ``isFull``
package struct BatchFeed: ~Copyable {
  /// Where whole lines are written. Gaps are not written here but reported, so that they outlive a refused batch.
  package var lines: JSONWriter
  /// What the lines cover.
  package private(set) var span = BatchSpan()
  /// How many events the queue has refused so far.
  package private(set) var droppedEvents: UInt64 = 0

  private let queue: BatchQueue
  private let host: String
  /// Reported and not yet handed over, one for each reason.
  private var gaps: [Gap] = []
  private var gapLines = JSONWriter()

  /// - Parameter host: `host.name` of the gap lines.
  package init(_ queue: BatchQueue, host: String) {
    self.queue = queue
    self.host = host
    lines = JSONWriter(capacityBytes: queue.bufferBytes)
  }

  /// Whether it is time to flush: a batch of this size is worth a write of its own.
  package var isFull: Bool { lines.bytes.count >= queue.bufferBytes / 2 }

  /// Counts an event whose lines have just been written.
  package mutating func wrote(serial: UInt32, timeMs: Int64) { span.add(serial: serial, timeMs: timeMs) }

  /// Has a gap written at the next flush. Gaps of one reason that cannot be written become one.
  package mutating func report(_ gap: Gap) {
    guard let index = gaps.firstIndex(where: { $0.reason == gap.reason }) else {
      gaps.append(gap)
      return
    }
    gaps[index].join(gap)
  }

  /// Hands over what has been collected: first the gaps, then the lines. Never waits.
  /// - Returns: false if the queue refused the lines; they are counted, and a gap follows as soon as it takes them again.
  @discardableResult
  package mutating func flush(nowMs: Int64) -> Bool {
    defer { span = BatchSpan() }
    if !gaps.isEmpty {
      for gap in gaps { gapLines.line(gap, timeMs: nowMs, host: host) }
      if queue.push(&gapLines.bytes, BatchSpan()) { gaps.removeAll(keepingCapacity: true) }
      gapLines.bytes.removeAll(keepingCapacity: true)
    }
    if gaps.isEmpty && queue.push(&lines.bytes, span) { return true }
    lines.bytes.removeAll(keepingCapacity: true)
    if span.events > 0 {
      droppedEvents += UInt64(span.events)
      let stalledBy = queue.depth.stalledBy
      report(Gap(stalledBy == nil ? .queueFull : .writeFailed, losing: span, detail: stalledBy))
    }
    return false
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
