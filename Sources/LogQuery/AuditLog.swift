import AuditEvents
import AuditStream
import AuditWire
import EventLog
import FileChanges
import System

/// auditd's log of one host as lines of ours: the same assembling, interpreting and encoding as of the live stream, from files.
final class AuditLog: LineStream {
  private var source: LogSource
  private var reader: RecordReader
  private let isReversed: Bool
  private let complain: (String) -> Void
  private var isAtEnd = false

  /// - Parameters:
  ///   - wantsRecords: the kernel's records of the events that match instead of lines.
  ///   - inBlocks: every line is wanted, many at a time.
  init(
    _ files: [String], _ selection: Selection, wantsRecords: Bool, inBlocks: Bool, isReversed: Bool, names: NameSources, hostName: String,
    complain: @escaping (String) -> Void
  ) {
    source = LogSource(files)
    let events = EventSelector(selection, wantsRecords: wantsRecords, inBlocks: inBlocks, names: names, hostName: hostName)
    reader = RecordReader(events)
    self.isReversed = isReversed
    self.complain = complain
  }

  func more(_ matches: inout Matches, _ outcome: inout Outcome) -> Bool {
    if isAtEnd { return false }
    // backwards the whole log has to be read first
    repeat {
      do throws(Failure) {
        isAtEnd = try !Self.readSome(&source, &reader, &matches)
      } catch {
        complain("fsaudit: \(error)")
        outcome.fault = outcome.fault ?? error.exit
      }
    } while isReversed && !isAtEnd
    if isAtEnd { finish(&matches, &outcome) }
    return true
  }

  /// A buffer-full of lines. (Static, so that nothing is looked up through the object for every line.)
  private static func readSome(_ source: inout LogSource, _ reader: inout RecordReader, _ matches: inout Matches) throws(Failure) -> Bool {
    let isMore = try source.read { reader.add($0, &matches) }
    reader.events.passBlock(to: &matches)
    return isMore
  }

  private func finish(_ matches: inout Matches, _ outcome: inout Outcome) {
    reader.finish(&matches)
    outcome.corrupt += source.refused.count
    outcome.tooLong += source.oversized
    for place in source.refused.places { complain("fsaudit: \(place): no record of auditd's, or a damaged one") }
  }
}

/// Lines of an audit.log in, events out.
private struct RecordReader: ~Copyable {
  private var assembler: Assembler
  var events: EventSelector
  private var event = Event()
  /// The records' own clock.
  private var now: Int64 = 0

  init(_ events: consuming EventSelector) {
    var limits = Assembler.Limits()
    limits.quietRecords = 64
    limits.quietRecordsAfterChange = 16
    assembler = Assembler(limits: limits, endsAtProctitle: true)
    self.events = events
  }

  /// Takes one line, without its newline.
  /// - Returns: whether it is a record; an empty line is nothing, which is fine, too.
  mutating func add(_ line: RawSpan, _ matches: inout Matches) -> Bool {
    guard let prefix = LinePrefix(line) else { return line.isEmpty }
    let node = prefix.node.isEmpty ? line.extracting(first: 0) : line.extracting(prefix.node.range)
    let hasHeader = assembler.add(type: prefix.type, text: line.extracting(droppingFirst: prefix.headerStart), node: node, now: now)
    if assembler.hasComplete { drain(&matches) }
    if !hasHeader { return false }
    let time = assembler.reader.last.time
    if time == now { return true }
    now = time
    assembler.expire(now: now)
    if assembler.hasComplete { drain(&matches) }
    return true
  }

  /// The input has ended: what waits is complete.
  mutating func finish(_ matches: inout Matches) {
    assembler.finish()
    drain(&matches)
    events.passBlock(to: &matches)
  }

  private mutating func drain(_ matches: inout Matches) {
    while assembler.hasComplete {
      if assembler.isCurrentNext {
        events.take(assembler.current, &matches)
        assembler.takeCurrent()
      } else if assembler.next(&event) {
        events.take(event, &matches)
      }
    }
  }
}
