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
///    log, where some newer records must have followed as well, so that a step of the clock cannot cut an event in two;
/// 5. a CONFIG_CHANGE waits less. It comes with a SYSCALL only where the caller's system calls are audited, and then directly before it: the
///    kernel writes it when the change is done, and the call returns. The others have no end record and would come behind what happened later.
///
/// `items=` is not used: the kernel counts hidden names in it, and a record that never comes would be waited for
/// (AUDIT-FACTS 4). Nothing here reads a clock; the caller passes `now`.
@usableFromInline package struct Assembler: ~Copyable, Sendable {
  /// Everything that grows is bounded.
  package struct Limits: Sendable {
    package var openEvents = 1024
    package var eventBytes = 1 << 20
    package var openBytes = 8 << 20
    /// auparse waits as long for an EOE (audit-userspace, end_of_event_timeout).
    package var timeoutMilliseconds: Int64 = 2000
    /// The same for an event that ends with a CONFIG_CHANGE so far. Thousands of times what is between that and its SYSCALL.
    package var changeTimeoutMilliseconds: Int64 = 200
    /// Records of other events that must follow before a log's event may time out; 0 for a live stream.
    package var quietRecords = 0
    /// The same for a CONFIG_CHANGE.
    package var quietRecordsAfterChange = 0
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
  /// The header of the last record that had one is in here.
  package private(set) var reader = HeaderReader()

  /// The event of the last record. It is apart from the others because nearly every event is whole before the next one begins.
  package private(set) var current = Event()
  @usableFromInline var state = State.empty
  private var currentLink = Link()

  /// The other events: open ones, in order of their last record, and complete ones that the caller has not taken yet; both are
  /// lists through ``links``.
  private var slots: [Event] = []
  private var links: [Link] = []
  private var freeSlots: [Int32] = []
  private var oldest: Int32 = -1
  private var newest: Int32 = -1
  @usableFromInline var firstReady: Int32 = -1
  private var lastReady: Int32 = -1
  private var openCount = 0
  private var openBytes = 0
  /// How many of the list have ``Link/isChange``: they need not be the oldest to have waited long enough.
  private var openChanges = 0
  /// The first open event of those whose identity has these low bits; ``Link/sibling`` leads to the others, of other hosts mostly.
  private var slotOfIdentity: [Int32]
  /// The last events that were closed, by the low bits of their identity: what comes later is late.
  private var closed: [UInt64]

  /// What ``current`` is.
  @usableFromInline enum State: UInt8, Sendable {
    case empty, open, complete

    /// By number, see ``RecordType``.
    @inlinable @inline(__always)
    static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
  }

  private struct Link {
    var before: Int32 = -1
    var after: Int32 = -1
    var sibling: Int32 = -1
    var lastRecordTime: Int64 = 0
    var lastRecordCount = 0
    var isChange = false
  }

  /// - Parameter endsAtProctitle: true for sources that do not pass EOE on.
  package init(limits: Limits = Limits(), endsAtProctitle: Bool) {
    self.limits = limits
    self.endsAtProctitle = endsAtProctitle
    slotOfIdentity = Array(repeating: -1, count: 4096)
    closed = Array(repeating: .max, count: 256)
  }

  /// Takes one record: its type, and its text from `audit(` on. `node` is the host of a log line, or empty.
  ///
  /// Complete events are then to be taken with ``next(_:)``. Returns false where the record has no header (counted).
  @discardableResult
  package mutating func add(type: RecordType, text: RawSpan, node: RawSpan, now: Int64) -> Bool {
    counters.records &+= 1
    if !reader.read(again: text, at: 0) {
      guard reader.read(new: text, at: 0) else {
        counters.malformed &+= 1
        return false
      }
      if type == .endOfEvent {
        finishAtEnd(reader.last, node)
        return true
      }
      turn(to: reader.last, node)
    } else if type == .endOfEvent {
      // of an event that PROCTITLE has ended already, mostly
      if state == .open || !node.isEmpty { finishAtEnd(reader.last, node) }
      return true
    } else if !(state == .open) || !node.isEmpty || !current.node.isEmpty {
      turn(to: reader.last, node)
    }
    currentLink.lastRecordTime = now
    currentLink.lastRecordCount = counters.records
    currentLink.isChange = type == .configChange
    let body = text.extracting(reader.last.bodyStart..<text.byteCount)
    if current.text.count &+ body.byteCount > limits.eventBytes {
      current.droppedRecords &+= 1
      counters.oversized &+= 1
    } else {
      current.append(type, body)
    }
    if endsAtProctitle, type == .proctitle {
      complete(.proctitle)
    } else if type.standsAlone, current.records.count == 1 {
      complete(.alone)
    }
    return true
  }

  /// Closes the events that have waited long enough; call it now and then. `now` as in ``add(type:text:node:now:)``.
  package mutating func expire(now: Int64) {
    var slot = Int(oldest)
    while slot >= 0 {
      let link = links[slot]
      if hasWaited(link, now) {
        counters.timedOut &+= 1
        close(slot, .timeout)
      } else if openChanges == 0 {
        break
      }
      slot = Int(link.after)
    }
    if state == .open, hasWaited(currentLink, now) {
      counters.timedOut &+= 1
      complete(.timeout)
    }
  }

  /// Closes every open event: the input has ended.
  package mutating func finish() {
    while oldest >= 0 { close(Int(oldest), .endOfInput) }
    if state == .open { complete(.endOfInput) }
  }

  /// Whether ``next(_:)`` has one.
  @inlinable @inline(__always)
  package var hasComplete: Bool { state == .complete || firstReady >= 0 }

  /// Whether it is ``current``, which can be used where it is until ``takeCurrent()``: nearly every event, and moving one costs
  /// as much as copying its records.
  @inlinable @inline(__always)
  package var isCurrentNext: Bool { state == .complete && firstReady < 0 }

  /// ``current`` has been used.
  package mutating func takeCurrent() {
    precondition(state == .complete)
    state = .empty
  }

  /// Moves the next complete event into `event` and takes back the memory of the one that was there; false when none is
  /// complete.
  package mutating func next(_ event: inout Event) -> Bool {
    let slot = firstReady
    if slot >= 0 {
      firstReady = links[Int(slot)].after
      swap(&slots[Int(slot)], &event)
      freeSlots.append(slot)
      return true
    }
    guard state == .complete else { return false }
    swap(&current, &event)
    state = .empty
    return true
  }

  /// Whether events are waiting for more records.
  package var hasOpenEvents: Bool { oldest >= 0 || state == .open }

  // MARK: -

  private func key(_ identity: UInt32, _ time: Int64) -> UInt64 { UInt64(truncatingIfNeeded: time) &<< 32 ^ UInt64(identity) }

  private func hasWaited(_ link: Link, _ now: Int64) -> Bool {
    now &- link.lastRecordTime >= (link.isChange ? limits.changeTimeoutMilliseconds : limits.timeoutMilliseconds)
      && counters.records &- link.lastRecordCount >= (link.isChange ? limits.quietRecordsAfterChange : limits.quietRecords)
  }

  private func isCurrent(_ header: RecordHeader, _ node: RawSpan) -> Bool {
    guard state == .open, current.serial == header.serial, current.time == header.time else { return false }
    if current.node.isEmpty { return node.isEmpty }
    return current.isFrom(node)
  }

  /// The slot of the open event of that header, apart from the current one; -1 for none.
  @inline(__always)
  private func slot(of header: RecordHeader, _ node: RawSpan) -> Int {
    let first = slotOfIdentity[Int(Event.identity(header.serial, node) & 4095)]
    return first < 0 ? -1 : slot(from: Int(first), of: header, node)
  }

  @inline(never)
  private func slot(from first: Int, of header: RecordHeader, _ node: RawSpan) -> Int {
    var slot = first
    while slot >= 0 {
      if slots[slot].serial == header.serial, slots[slot].time == header.time, slots[slot].isFrom(node) { return slot }
      slot = Int(links[slot].sibling)
    }
    return -1
  }

  private mutating func finishAtEnd(_ header: RecordHeader, _ node: RawSpan) {
    if isCurrent(header, node) {
      complete(.endOfEvent)
      return
    }
    let slot = slot(of: header, node)
    if slot >= 0 {
      close(slot, .endOfEvent)
      return
    }
    let identity = Event.identity(header.serial, node)
    // EOE of an event none of whose records arrived
    if closed[Int(identity & 255)] != key(identity, header.time) { counters.late &+= 1 }
  }

  /// Makes the event of that header the current one, whether it is open already or new.
  private mutating func turn(to header: RecordHeader, _ node: RawSpan) {
    if isCurrent(header, node) { return }
    park()
    open(header, node)
    // the current one counts as open as well
    while openCount >= limits.openEvents || openBytes > limits.openBytes, oldest >= 0 {
      counters.evicted &+= 1
      close(Int(oldest), .evicted)
    }
  }

  /// Takes the event of that header from where it is parked, or begins it.
  private mutating func open(_ header: RecordHeader, _ node: RawSpan) {
    let there = slot(of: header, node)
    if there >= 0 {
      unlink(there)
      openBytes &-= slots[there].text.count
      openCount &-= 1
      swap(&slots[there], &current)
      freeSlots.append(Int32(there))
      state = .open
      return
    }
    current.reset(serial: header.serial, time: header.time)
    if !node.isEmpty { current.setNode(node) }
    if closed[Int(current.identity & 255)] == key(current.identity, header.time) {
      current.isLate = true
      counters.late &+= 1
    }
    state = .open
  }

  /// Puts the current event among the others, where it goes on waiting: for more records, or to be taken.
  private mutating func park() {
    if state == .empty { return }
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = Int(free)
    } else {
      slot = slots.count
      slots.append(Event())
      links.append(Link())
    }
    swap(&slots[slot], &current)
    links[slot] = currentLink
    if state == .complete {
      ready(slot)
    } else {
      openCount &+= 1
      openBytes &+= slots[slot].text.count
      link(slot)
    }
    state = .empty
  }

  /// The current event is whole.
  private mutating func complete(_ completion: Event.Completion) {
    current.completion = completion
    closed[Int(current.identity & 255)] = key(current.identity, current.time)
    counters.events &+= 1
    state = .complete
  }

  private mutating func close(_ slot: Int, _ completion: Event.Completion) {
    slots[slot].completion = completion
    let identity = slots[slot].identity
    closed[Int(identity & 255)] = key(identity, slots[slot].time)
    openCount &-= 1
    openBytes &-= slots[slot].text.count
    counters.events &+= 1
    unlink(slot)
    ready(slot)
  }

  private mutating func ready(_ slot: Int) {
    links[slot].after = -1
    if firstReady >= 0 { links[Int(lastReady)].after = Int32(slot) } else { firstReady = Int32(slot) }
    lastReady = Int32(slot)
  }

  private mutating func link(_ slot: Int) {
    if links[slot].isChange { openChanges &+= 1 }
    links[slot].before = newest
    links[slot].after = -1
    if newest >= 0 { links[Int(newest)].after = Int32(slot) } else { oldest = Int32(slot) }
    newest = Int32(slot)
    let place = Int(slots[slot].identity & 4095)
    links[slot].sibling = slotOfIdentity[place]
    slotOfIdentity[place] = Int32(slot)
  }

  private mutating func unlink(_ slot: Int) {
    let link = links[slot]
    if link.isChange { openChanges &-= 1 }
    if link.before >= 0 { links[Int(link.before)].after = link.after } else { oldest = link.after }
    if link.after >= 0 { links[Int(link.after)].before = link.before } else { newest = link.before }
    let place = Int(slots[slot].identity & 4095)
    var elder = Int(slotOfIdentity[place])
    if elder == slot {
      slotOfIdentity[place] = link.sibling
      return
    }
    while links[elder].sibling != Int32(slot) { elder = Int(links[elder].sibling) }
    links[elder].sibling = link.sibling
  }
}
