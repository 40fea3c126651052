/// What a batch of lines covers, for the gap line that has to be written should the batch be lost.
package struct BatchSpan: Equatable, Sendable {
  /// How many events; 0 means that the other fields mean nothing yet.
  package var events = 0
  /// The lowest and the highest serial, by signed wrap-around comparison: serials are 32 bits and wrap.
  package var firstSerial: UInt32 = 0, lastSerial: UInt32 = 0
  /// The earliest and the latest event time, milliseconds since 1970.
  package var firstTimeMs: Int64 = 0, lastTimeMs: Int64 = 0

  package init() {}

  package init(events: Int, firstSerial: UInt32, lastSerial: UInt32, firstTimeMs: Int64, lastTimeMs: Int64) {
    self.events = events
    (self.firstSerial, self.lastSerial) = (firstSerial, lastSerial)
    (self.firstTimeMs, self.lastTimeMs) = (firstTimeMs, lastTimeMs)
  }

  /// Counts one more event.
  package mutating func add(serial: UInt32, timeMs: Int64) {
    join(BatchSpan(events: 1, firstSerial: serial, lastSerial: serial, firstTimeMs: timeMs, lastTimeMs: timeMs))
  }

  /// Becomes the span of both.
  package mutating func join(_ other: BatchSpan) {
    if other.events == 0 { return }
    if events == 0 {
      self = other
      return
    }
    events += other.events
    if Int32(bitPattern: other.firstSerial &- firstSerial) < 0 { firstSerial = other.firstSerial }
    if Int32(bitPattern: other.lastSerial &- lastSerial) > 0 { lastSerial = other.lastSerial }
    firstTimeMs = min(firstTimeMs, other.firstTimeMs)
    lastTimeMs = max(lastTimeMs, other.lastTimeMs)
  }
}

/// Whole lines on their way to the disk.
package struct Batch: Sendable {
  /// Complete lines, each ended by `\n`.
  package var bytes: [UInt8] = []
  package var span = BatchSpan()
  /// How much of `bytes` is on disk already: always whole lines.
  package var writtenBytes = 0

  package init() {}

  package init(bytes: [UInt8], span: BatchSpan) {
    self.bytes = bytes
    self.span = span
  }

  /// Empties the batch and keeps its memory.
  package mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    span = BatchSpan()
    writtenBytes = 0
  }
}
