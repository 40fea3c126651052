import AuditWire

/// Puts records together into events.
///
/// The kernel sends an event's records one by one; those of events on other processors come in between. Records carry
/// the event's serial, and the last one is EOE. When is an event complete without it? auditd's log has no EOE lines, a
/// record may be lost, and some events never had one. So, in this order:
///
/// 1. a type that never has company is complete at once (``RecordType/standsAlone``);
/// 2. EOE completes its event;
/// 3. PROCTITLE does, where `endsAtProctitle` says that the source has no EOE;
/// 4. otherwise the event waits for ``Limits/timeoutMilliseconds``: kernel time in a live stream, the records' own time in a
///    log, where some newer records must have followed as well, so that a step of the clock cannot cut an event in two.
///
/// `items=` is not used: the kernel counts hidden names in it, and a record that never comes would be waited for
/// (AUDIT-FACTS 4). Nothing here reads a clock; the caller passes `now`.
package struct Assembler: Sendable {
  /// Everything that grows is bounded.
  package struct Limits: Sendable {
    package var openEvents = 1024
    package var eventBytes = 1 << 20
    package var openBytes = 8 << 20
    /// auparse waits as long for an EOE (audit-userspace, end_of_event_timeout).
    package var timeoutMilliseconds: Int64 = 2000
    /// Records of other events that must follow before a log's event may time out; 0 for a live stream.
    package var quietRecords = 0
    package init() {}
  }

  /// What was seen that should not have been.
  package struct Counters: Equatable, Sendable {
    package var records = 0
    package var events = 0
    /// Records without a readable `audit(time:serial)`.
    package var malformed = 0
    /// Records that came after their event had been closed (an EOE behind its PROCTITLE is expected and not counted).
    package var late = 0
    package var timedOut = 0
    package var evicted = 0
    /// Records left out of events that had reached their bound.
    package var oversized = 0
  }

  package private(set) var counters = Counters()
  private let limits: Limits
  private let endsAtProctitle: Bool
  private var header = HeaderReader()
  /// The slot of the last record's event while it is open, otherwise -1.
  private var lastSlot = -1

  private var slots: [Event] = []
  private var links: [Link] = []
  private var freeSlots: [Int32] = []
  /// Open events in order of their last record, as a list through ``links``.
  private var oldest: Int32 = -1
  private var newest: Int32 = -1
  private var openCount = 0
  private var openBytes = 0
  /// Serials are consecutive, so the low bits find an open event; a collision means that it is thousands of events old.
  private var slotOfSerial: [Int32]
  /// Complete events that the caller has not taken yet, as a list through ``links``.
  private var firstReady: Int32 = -1
  private var lastReady: Int32 = -1
  /// The last events that were closed, by the low bits of their serial: what comes later is late.
  private var closed: [UInt64]

  private struct Link {
    var before: Int32 = -1
    var after: Int32 = -1
    var lastRecordTime: Int64 = 0
    var lastRecordCount = 0
  }

  /// - Parameter endsAtProctitle: true for sources that do not pass EOE on.
  package init(limits: Limits = Limits(), endsAtProctitle: Bool) {
    self.limits = limits
    self.endsAtProctitle = endsAtProctitle
    slotOfSerial = Array(repeating: -1, count: 4096)
    closed = Array(repeating: .max, count: 256)
  }

  /// Takes one record: its type, and its text from `audit(` on. `node` is the host of a log line, or empty.
  ///
  /// Complete events are then to be taken with ``next(_:)``. Returns the header, nil where there is none (counted).
  @discardableResult
  package mutating func add(type: RecordType, text: RawSpan, node: RawSpan, now: Int64) -> RecordHeader? {
    counters.records &+= 1
    var isSame = false
    guard let found = header.read(text, at: 0, isSame: &isSame) else {
      counters.malformed &+= 1
      return nil
    }
    if type == .endOfEvent {
      finishAtEnd(found)
      return found
    }
    let body = text.extracting(found.bodyStart..<text.byteCount)
    var slot = lastSlot
    // nearly every record belongs to the event of the one before
    let isNext = isSame && slot >= 0 && node.isEmpty
    if !isNext {
      slot = openSlot(for: found, node: node)
      lastSlot = node.isEmpty ? slot : -1
      touch(slot, now)
    }
    if slots[slot].byteCount &+ body.byteCount > limits.eventBytes {
      slots[slot].droppedRecords &+= 1
      counters.oversized &+= 1
    } else {
      slots[slot].append(type, body)
      openBytes &+= body.byteCount
    }
    if endsAtProctitle, type == .proctitle {
      close(slot, .proctitle)
    } else if type.standsAlone, slots[slot].records.count == 1 {
      close(slot, .alone)
    } else if !isNext, openCount > limits.openEvents || openBytes > limits.openBytes, oldest >= 0 {
      counters.evicted &+= 1
      close(Int(oldest), .evicted)
    }
    return found
  }

  /// Closes the events that have waited long enough; call it now and then. `now` as in ``add(type:text:node:now:)``.
  package mutating func expire(now: Int64) {
    while oldest >= 0 {
      let link = links[Int(oldest)]
      guard now &- link.lastRecordTime >= limits.timeoutMilliseconds,
        counters.records &- link.lastRecordCount >= limits.quietRecords
      else { return }
      counters.timedOut &+= 1
      close(Int(oldest), .timeout)
    }
  }

  /// Closes every open event: the input has ended.
  package mutating func finish() {
    while oldest >= 0 { close(Int(oldest), .endOfInput) }
  }

  /// Moves the next complete event into `event` and takes back the memory of the one that was there; false when none is
  /// complete.
  package mutating func next(_ event: inout Event) -> Bool {
    let slot = firstReady
    guard slot >= 0 else { return false }
    firstReady = links[Int(slot)].after
    swap(&slots[Int(slot)], &event)
    freeSlots.append(slot)
    return true
  }

  /// Whether events are waiting for more records.
  package var hasOpenEvents: Bool { oldest >= 0 }

  // MARK: -

  private func key(_ header: RecordHeader) -> UInt64 {
    UInt64(truncatingIfNeeded: header.time) &<< 32 ^ UInt64(header.serial)
  }

  private func matches(_ slot: Int, _ header: RecordHeader) -> Bool {
    slots[slot].serial == header.serial && slots[slot].time == header.time
  }

  private mutating func finishAtEnd(_ header: RecordHeader) {
    let slot = Int(slotOfSerial[Int(header.serial & 4095)])
    if slot >= 0, matches(slot, header) {
      close(slot, .endOfEvent)
    } else if closed[Int(header.serial & 255)] != key(header) {
      // EOE of an event none of whose records arrived
      counters.late &+= 1
    }
  }

  private mutating func openSlot(for header: RecordHeader, node: RawSpan) -> Int {
    let place = Int(header.serial & 4095)
    let there = Int(slotOfSerial[place])
    if there >= 0 {
      if matches(there, header), slots[there].isFrom(node) { return there }
      counters.evicted &+= 1
      close(there, .evicted)
    }
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = Int(free)
    } else {
      slot = slots.count
      slots.append(Event())
      links.append(Link())
    }
    slots[slot].reset(serial: header.serial, time: header.time)
    if !node.isEmpty {
      slots[slot].setNode(node)
    }
    if closed[Int(header.serial & 255)] == key(header) {
      slots[slot].isLate = true
      counters.late &+= 1
    }
    slotOfSerial[place] = Int32(slot)
    openCount &+= 1
    link(slot)
    return slot
  }

  /// The event is the newest again.
  private mutating func touch(_ slot: Int, _ now: Int64) {
    links[slot].lastRecordTime = now
    links[slot].lastRecordCount = counters.records
    if Int(newest) != slot {
      unlink(slot)
      link(slot)
    }
  }

  private mutating func close(_ slot: Int, _ completion: Event.Completion) {
    slots[slot].completion = completion
    if slot == lastSlot { lastSlot = -1 }
    let serial = slots[slot].serial
    slotOfSerial[Int(serial & 4095)] = -1
    closed[Int(serial & 255)] = key(RecordHeader(time: slots[slot].time, serial: serial, bodyStart: 0))
    openCount &-= 1
    openBytes &-= slots[slot].byteCount &- Int(slots[slot].node.count)
    unlink(slot)
    counters.events &+= 1
    links[slot].after = -1
    if firstReady >= 0 { links[Int(lastReady)].after = Int32(slot) } else { firstReady = Int32(slot) }
    lastReady = Int32(slot)
  }

  private mutating func link(_ slot: Int) {
    links[slot].before = newest
    links[slot].after = -1
    if newest >= 0 { links[Int(newest)].after = Int32(slot) } else { oldest = Int32(slot) }
    newest = Int32(slot)
  }

  private mutating func unlink(_ slot: Int) {
    let link = links[slot]
    if link.before >= 0 { links[Int(link.before)].after = link.after } else { oldest = link.after }
    if link.after >= 0 { links[Int(link.after)].before = link.before } else { newest = link.before }
  }
}
