import AuditEvents
import AuditStream
import AuditWire
import EventLog
import FileChanges
import Glibc
import Synchronization
import System

/// What the receiving thread has counted, for others to read at any time.
package struct ReceiverCounters: Sendable, Equatable {
  package var records: UInt64 = 0
  package var events: UInt64 = 0
  package var lines: UInt64 = 0
  package var malformed: UInt64 = 0
  package var foreign: UInt64 = 0
  package var cut: UInt64 = 0
  package var overruns: UInt64 = 0
  package var incomplete: UInt64 = 0
  package var missingSerials: UInt64 = 0
  package var droppedEvents: UInt64 = 0
  package var lastSerial: UInt32 = 0
  package var lastTimeMs: Int64 = 0
  package var replacedBy: UInt32?
  /// CONFIG_CHANGE records: somebody changed rules or settings.
  package var ruleChanges: UInt64 = 0
  /// When a record last said that kernel audit was switched off, milliseconds since 1970.
  package var switchedOffMs: Int64?
  package var mapEntries = 0
  package var mapDirectories = 0
  package var mapBytes = 0
  package var mapEvicted = 0
  package var mapRefused = 0
  package var isWalking = false
  /// The input is at its end: auditd has stopped us.
  package var hasEnded = false
  /// Receiving broke, and why.
  package var fault: String?
  /// Changes with every round: the thread is alive.
  package var heartbeat: UInt64 = 0

  /// A CONFIG_CHANGE record of this host has come.
  mutating func note(_ change: ConfigChange, _ coverage: inout Coverage) {
    ruleChanges &+= 1
    if change.switchesOff { switchedOffMs = milliseconds(CLOCK_REALTIME) }
    for key in change.removedKeys { coverage.retire(key) }
  }
}

/// What other threads tell the receiving thread.
package final class ReceiverMailbox: Sendable {
  package struct Orders: Sendable {
    /// Gaps that were found elsewhere (the kernel's `lost`).
    package var gaps: [Gap] = []
    /// Lines of the daemon's own, to be written in order with the events.
    package var notices: [DaemonNotice] = []
    /// What checks of the baseline counted.
    package var checks: [CheckNotice] = []
    /// The rules have changed: what they cover now.
    package var coverage: Coverage?
    /// All watched trees: walked again when events were lost, because the map has missed them.
    package var roots: [[UInt8]]?
    /// Trees to be walked.
    package var walks: [[UInt8]] = []
    /// Account names may have changed.
    package var forgetNames = false
    /// Unregister, take what is still there, and end.
    package var stop = false
    /// The line behind the last event.
    package var lastNotice: DaemonNotice?
  }

  private let orders = Mutex(Orders())
  package let wakeup: Wakeup
  private let published = Mutex(ReceiverCounters())

  package init() throws(SystemError) { wakeup = try Wakeup() }

  /// Leaves orders and wakes the thread.
  package func post(_ change: (inout Orders) -> Void) {
    orders.withLock { change(&$0) }
    wakeup.signal()
  }

  /// The thread's latest counters; at most a second old.
  package var counters: ReceiverCounters { published.withLock { $0 } }

  func take() -> Orders {
    wakeup.clear()
    return orders.withLock { orders in
      defer { orders = Orders() }
      return orders
    }
  }

  /// The thread has ended because receiving broke.
  func fail(_ reason: String) { published.withLock { $0.fault = reason } }

  func publish(_ counters: ReceiverCounters) { published.withLock { $0 = counters } }
}

/// Where the receiving thread's records come from: the kernel, or auditd, whose plugin we are. Exactly one of them is there.
package struct RecordInput: ~Copyable, Sendable {
  package var kernel: KernelStream?
  package var plugin: PluginStream?

  package init(_ stream: consuming KernelStream) {
    kernel = consume stream
    plugin = nil
  }

  package init(_ stream: consuming PluginStream) {
    kernel = nil
    plugin = consume stream
  }

  var descriptor: Int32 {
    switch kernel {
    case .some(let stream): return stream.descriptor
    case .none: break
    }
    switch plugin {
    case .some(let stream): return stream.descriptor
    case .none: return -1
    }
  }
}

/// The receiving thread: takes records from the kernel, has them turned into lines, and hands those to the writer.
///
/// It never waits for anything but the kernel: a full queue is counted, a slow disk is the writer's affair.
package struct Receiver: ~Copyable {
  private var input: RecordInput
  private var pipeline: Pipeline
  private var feed: BatchFeed
  private let mailbox: ReceiverMailbox
  private let walk: TreeWalk
  private let host: String
  private var serials = SerialWindow()
  private var counters = ReceiverCounters()
  private var nextTick: Int64 = 0
  private var lastOverrunMs: Int64 = 0
  private var lastIncomplete = 0
  private var wasDropped: UInt32 = 0
  private var roots: [[UInt8]] = []
  private var lastNotice: DaemonNotice?
  /// When the trees may be walked again after a loss.
  private var nextWalk: Int64 = 0
  private var hasLost = false
  private var stopDeadline: Int64 = .max
  private var hasEnded = false
  /// Lines of auditd's that are no records.
  private var unreadable: UInt64 = 0

  package init(
    input: consuming RecordInput, pipeline: consuming Pipeline, feed: consuming BatchFeed, mailbox: ReceiverMailbox, walk: TreeWalk,
    host: String
  ) {
    self.input = input
    self.pipeline = pipeline
    self.feed = feed
    self.mailbox = mailbox
    self.walk = walk
    self.host = host
  }

  /// Receives until the mailbox says stop; then gives the registration up, takes what is left, and returns what the last
  /// lines covered.
  package consuming func run() throws(SystemError) {
    let poll = try Poll()
    // a plain file cannot be polled, and need not be: it is always ready
    var isFile = false
    do throws(SystemError) { try poll.add(input.descriptor, tag: 0) } catch {
      guard error.code == .notPermitted else { throw error }
      isFile = true
    }
    try poll.add(mailbox.wakeup.descriptor.raw, tag: 1)
    try poll.add(walk.descriptor, tag: 2)
    var isStopping = false
    while true {
      var hasOrders = false
      var hasWalked = false
      try poll.wait(milliseconds: isStopping || isFile ? 0 : pipeline.assembler.hasOpenEvents ? 100 : 500) { tag, _ in
        if tag == 1 { hasOrders = true }
        if tag == 2 { hasWalked = true }
      }
      if hasOrders { isStopping = obey(mailbox.take()) || isStopping }
      if hasWalked { walk.apply(to: &pipeline.interpreter.map) }
      // what had come by then is taken now: an event that is still open has waited for the kernel, not for us
      let began = milliseconds(CLOCK_MONOTONIC)
      let received = try drain(began)
      pipeline.expire(now: began)
      let now = milliseconds(CLOCK_MONOTONIC)
      // a multicast stream never runs dry on a busy host; auditd asks its plugins to end before it has told them everything
      if isStopping && ((received == 0 && input.plugin == nil) || now > stopDeadline) || hasEnded { break }
      if now >= nextTick {
        tick(now)
        nextTick = now + 1000
      }
      flush()
      // a short rest lets records gather: waking up, and waking the writer, costs as much as dozens of them. The socket's
      // buffer holds a hundred times what can arrive meanwhile
      if received > 0, !isStopping { pause(microseconds: 4000) }
    }
    if hasEnded {
      // the service hears of it, and says in the log's last line that it stops
      counters.hasEnded = true
      publish()
      let patience = milliseconds(CLOCK_MONOTONIC) + 5000
      while !isStopping, milliseconds(CLOCK_MONOTONIC) < patience {
        pause(microseconds: 50_000)
        isStopping = obey(mailbox.take())
      }
    }
    pipeline.finish()
    serials.settle()
    serials.settle()
    account()
    flush()
    if let lastNotice {
      feed.flushGaps(nowMs: milliseconds(CLOCK_REALTIME))
      pipeline.encoder.lines.line(lastNotice, timeMs: milliseconds(CLOCK_REALTIME), host: host)
      flush()
    }
    publish()
  }

  // MARK: -

  /// Takes everything that waits. Returns how many records that were.
  private mutating func drain(_ now: Int64) throws(SystemError) -> Int {
    var total = 0
    while true {
      let outcome = try receive(now)
      total += outcome.records
      note(outcome)
      if pipeline.encoder.lines.count > 1 << 16 { flush() }
      if !pipeline.interpreter.walkRequests.isEmpty { requestWalks() }
      // give orders and walks a turn even when the kernel never runs dry
      if !outcome.isFull || total > 8192 { return total }
    }
  }

  private mutating func receive(_ now: Int64) throws(SystemError) -> ReceiveOutcome {
    let empty = [UInt8]()
    guard input.kernel != nil else { return receiveLines(now) }
    let outcome = try input.kernel?.receive { type, text in
      let type = RecordType(rawValue: type)
      if type == .configChange { counters.note(ConfigChange(text), &pipeline.interpreter.coverage) }
      if pipeline.add(type: type, text: text, node: empty.span.bytes, now: now) {
        serials.arrived(pipeline.assembler.reader.last.serial)
      }
    }
    return outcome ?? ReceiveOutcome()
  }

  /// The same from auditd: lines of its log, EOE included. Its own losses are auditd's to tell, in records of their own.
  private mutating func receiveLines(_ now: Int64) -> ReceiveOutcome {
    var records = 0
    do throws(Failure) {
      let goesOn = try input.plugin?.receive { line in
        guard let prefix = LinePrefix(line) else {
          unreadable &+= 1
          return
        }
        records += 1
        let text = line.extracting(prefix.headerStart..<line.byteCount)
        let node = line.extracting(prefix.node.range)
        if prefix.type == .configChange, ConfigChange.isOwn(node: node, host: Array(host.utf8)) {
          counters.note(ConfigChange(text), &pipeline.interpreter.coverage)
        }
        pipeline.add(type: prefix.type, text: text, node: node, now: now)
      }
      if goesOn == false { hasEnded = true }
    } catch {
      counters.fault = "\(error)"
      hasEnded = true
    }
    return ReceiveOutcome(records: records)
  }

  private mutating func note(_ outcome: ReceiveOutcome) {
    counters.records &+= UInt64(outcome.records)
    counters.foreign &+= UInt64(outcome.foreign)
    counters.cut &+= UInt64(outcome.cut)
    if let pid = outcome.replacedBy { counters.replacedBy = pid }
    guard outcome.overrun else { return }
    hasLost = true
    counters.overruns &+= 1
    let now = milliseconds(CLOCK_REALTIME)
    let drops = input.kernel?.drops() ?? 0
    feed.report(Gap(.overrun, count: UInt64(drops &- wasDropped), sinceMs: lastOverrunMs == 0 ? now : lastOverrunMs, untilMs: now))
    wasDropped = drops
    lastOverrunMs = now
  }

  /// Carries out what other threads asked for. Returns whether to stop.
  private mutating func obey(_ orders: ReceiverMailbox.Orders) -> Bool {
    for gap in orders.gaps {
      feed.report(gap)
      hasLost = hasLost || gap.reason == .kernelLost || gap.reason == .coverage
    }
    if let all = orders.roots { roots = all }
    if let notice = orders.lastNotice { lastNotice = notice }
    if let coverage = orders.coverage { pipeline.interpreter.coverage = coverage }
    if orders.forgetNames { pipeline.encoder.forgetNames() }
    for path in orders.walks { requestWalk(path) }
    for notice in orders.notices {
      feed.flushGaps(nowMs: milliseconds(CLOCK_REALTIME))
      pipeline.encoder.lines.line(notice, timeMs: milliseconds(CLOCK_REALTIME), host: host)
    }
    // before the gaps that are found from now on
    if !orders.notices.isEmpty { flush() }
    for check in orders.checks {
      feed.flushGaps(nowMs: milliseconds(CLOCK_REALTIME))
      pipeline.encoder.lines.line(check, timeMs: milliseconds(CLOCK_REALTIME), host: host)
    }
    if orders.stop {
      input.kernel?.unregister()
      stopDeadline = milliseconds(CLOCK_MONOTONIC) + 1000
    }
    return orders.stop
  }

  private mutating func requestWalk(_ path: [UInt8]) {
    pipeline.interpreter.map.beginWalk()
    walk.request(path)
  }

  /// At once: what is in a directory that came from elsewhere is used right away.
  private mutating func requestWalks() {
    for path in pipeline.interpreter.walkRequests { requestWalk(path) }
    pipeline.interpreter.walkRequests.removeAll()
  }

  /// Once a second: what never came, and the counters.
  private mutating func tick(_ now: Int64) {
    serials.settle()
    account()
    if hasLost, now >= nextWalk, walk.isIdle {
      // what was lost may have moved directories
      for path in roots { requestWalk(path) }
      hasLost = false
      nextWalk = now + 30_000
    }
    publish()
  }

  /// Turns missing serials and incomplete events into gaps.
  private mutating func account() {
    while let gap = serials.nextGap() {
      hasLost = true
      counters.missingSerials &+= UInt64(gap.count)
      feed.report(
        Gap(.serialGap, count: UInt64(gap.count), firstSerial: gap.first, lastSerial: gap.last, untilMs: milliseconds(CLOCK_REALTIME)))
    }
    let incomplete = pipeline.incompleteEvents
    if incomplete > lastIncomplete {
      feed.report(Gap(.incompleteEvent, count: UInt64(incomplete - lastIncomplete), untilMs: milliseconds(CLOCK_REALTIME)))
      counters.incomplete &+= UInt64(incomplete - lastIncomplete)
      lastIncomplete = incomplete
    }
  }

  private mutating func flush() {
    // an event without an end comes behind later ones
    if pipeline.span.events > 0, counters.lastTimeMs == 0 || Int32(bitPattern: pipeline.span.lastSerial &- counters.lastSerial) > 0 {
      counters.lastSerial = pipeline.span.lastSerial
      counters.lastTimeMs = pipeline.span.lastTimeMs
    }
    feed.flush(&pipeline.encoder.lines, &pipeline.span, nowMs: milliseconds(CLOCK_REALTIME))
  }

  private mutating func publish() {
    let assembled = pipeline.assembler.counters
    counters.events = UInt64(assembled.events)
    counters.malformed = UInt64(assembled.malformed) &+ unreadable
    counters.droppedEvents = feed.droppedEvents
    counters.mapEntries = pipeline.interpreter.map.count
    counters.mapDirectories = pipeline.interpreter.map.directoryCount
    counters.mapBytes = pipeline.interpreter.map.footprint
    counters.mapEvicted = pipeline.interpreter.map.evicted
    counters.mapRefused = pipeline.interpreter.map.refused
    counters.isWalking = !walk.isIdle
    counters.heartbeat &+= 1
    mailbox.publish(counters)
  }
}
