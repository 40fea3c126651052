import AuditEvents
import AuditWire
import EventLog
import FileChanges

/// Lines of auditd's log in, lines of the event log out: the whole pure core, without sockets, clocks and the host.
///
/// Names (accounts, system calls) are not looked up, the map starts empty unless the caller fills it, and the running
/// system is not asked, so the same log gives the same lines everywhere.
package struct Replay: ~Copyable {
  package var assembler: Assembler
  package var interpreter: Interpreter
  package var encoder = NativeEncoder(hostName: "host")
  /// Lines that are none of auditd's, or have no header.
  package private(set) var rejected = 0
  private var event = Event()
  private var typed = TypedEvent()
  /// Called with each event after it was interpreted.
  package var inspect: (borrowing Event, borrowing TypedEvent, borrowing Interpreter) -> Void = { _, _, _ in }

  package init(
    limits: Assembler.Limits = .log, endsAtProctitle: Bool = true, coverage: Coverage = Coverage(),
    map: consuming DirectoryMap = DirectoryMap(),
    lookup: Lookup = .none
  ) {
    assembler = Assembler(limits: limits, endsAtProctitle: endsAtProctitle)
    interpreter = Interpreter(map: map, coverage: coverage, lookup: lookup)
  }

  /// Takes a whole log, or more of one. Events that wait for records go on waiting.
  package mutating func read(_ log: [UInt8]) {
    var start = 0
    while start < log.count {
      let end = log[start...].firstIndex(of: UInt8(ascii: "\n")) ?? log.count
      line(log, start..<end)
      start = end + 1
    }
  }

  private mutating func line(_ log: [UInt8], _ range: Range<Int>) {
    let text = log.span.bytes.extracting(range)
    guard let prefix = LinePrefix(text) else {
      rejected += 1
      return
    }
    let body = text.extracting(prefix.headerStart..<text.byteCount)
    let node = text.extracting(prefix.node.range)
    guard assembler.add(type: prefix.type, text: body, node: node, now: latest) else {
      rejected += 1
      return
    }
    latest = max(latest, assembler.reader.last.time)
    drain()
  }

  /// The records' own clock.
  private var latest: Int64 = 0

  /// Closes the events that have waited long enough by `now`, in milliseconds.
  package mutating func expire(now: Int64) {
    assembler.expire(now: now)
    drain()
  }

  /// Closes every event.
  package mutating func finish() {
    assembler.finish()
    drain()
  }

  private mutating func drain() {
    while assembler.next(&event) {
      typed.read(event)
      interpreter.interpret(event, &typed)
      inspect(event, typed, interpreter)
      encoder.append(event, &typed, &interpreter)
      interpreter.walkRequests.removeAll()
    }
  }

  /// The lines so far; they are gone from the encoder then.
  package mutating func take() -> [UInt8] {
    let bytes = encoder.lines.bytes
    encoder.lines.removeAll()
    return bytes
  }

  /// The event log that belongs to a whole audit.log.
  package static func lines(of log: [UInt8]) -> [UInt8] {
    // the kernel's own stream has EOE records, auditd's log has none
    let hasEnd = String(decoding: log, as: UTF8.self).contains("type=EOE ")
    var replay = Replay(endsAtProctitle: !hasEnd)
    replay.read(log)
    replay.finish()
    return replay.take()
  }
}

extension Assembler.Limits {
  /// What suits a log that is read at once: an event is only over when newer records follow it.
  package static var log: Assembler.Limits {
    var limits = Assembler.Limits()
    limits.quietRecords = 64
    return limits
  }
}
