import AuditEvents
import AuditWire
import EventLog
import FileChanges

/// Of the events of an audit.log those that match, as lines.
///
/// Only those events are encoded and parsed that the filter cannot refuse by their records. The others are still interpreted, because the
/// directory map learns from them where a later one was, unless nobody asks for that.
///
/// The map starts empty and learns from the events, so a path relative to a directory that no event named is marked as a guess.
struct EventSelector: ~Copyable {
  private var selection: Selection
  private let wantsRecords: Bool
  private let inBlocks: Bool
  private var typed = TypedEvent()
  private var interpreter = Interpreter()
  private var encoder: NativeEncoder
  private var actors: ActorVerdicts
  private let names: [FilterCondition]
  private let serials: [FilterCondition]
  private let isRefusing: Bool
  private let needsPaths: Bool
  private var lastTime: Int64 = 0
  /// How many bytes of lines are passed on at a time.
  private static let blockBytes = 1 << 16

  init(_ selection: consuming Selection, wantsRecords: Bool, inBlocks: Bool, names sources: NameSources, hostName: String) {
    let filter = selection.filter
    isRefusing = !selection.needsEveryLine && !filter.wantsEverything
    needsPaths = selection.needsPaths || !wantsRecords && !selection.isCounting
    actors = ActorVerdicts(filter)
    names = filter.conditions.filter { $0.field.kind == .name }
    serials = filter.conditions.filter { $0.field == .serial }
    self.selection = selection
    self.wantsRecords = wantsRecords
    self.inBlocks = inBlocks
    encoder = NativeEncoder(hostName: hostName, names: sources)
  }

  mutating func take(_ event: borrowing Event, _ matches: inout Matches) {
    if isRefusing, !needsPaths, isRefused(event) { return }
    typed.read(event)
    interpreter.interpret(event, &typed)
    // there is nothing to be walked
    if !interpreter.walkRequests.isEmpty { interpreter.walkRequests.removeAll() }
    if isRefusing, !mayMatch(event) { return }
    encoder.append(event, &typed, &interpreter)
    if inBlocks {
      lastTime = event.time
      if encoder.lines.count >= Self.blockBytes { passBlock(to: &matches) }
      return
    }
    judge(event, &matches)
    encoder.lines.removeAll()
  }

  /// Passes on the lines that wait.
  mutating func passBlock(to matches: inout Matches) {
    if encoder.lines.isEmpty { return }
    matches.take(&encoder.lines, timeMs: lastTime)
  }

  private mutating func judge(_ event: borrowing Event, _ matches: inout Matches) {
    let (wantsRecords, time) = (wantsRecords, event.time)
    let isWanted = EventSelector.judge(encoder.lines, &selection) { if !wantsRecords { matches.add($0, timeMs: time, isGap: false) } }
    if wantsRecords, isWanted { matches.add(lines: records(of: event).span.bytes, timeMs: time) }
  }

  private static func judge(_ lines: borrowing JSONWriter, _ selection: inout Selection, _ body: (RawSpan) -> Void) -> Bool {
    lines.withBytes { lines in
      var isWanted = false
      var start = 0
      while let end = lines.firstIndex(of: UInt8(ascii: "\n"), from: start, before: lines.byteCount) {
        let line = lines.extracting(start..<end)
        start = end + 1
        guard selection.verdict(on: line) == .matches else { continue }
        isWanted = true
        body(line)
      }
      return isWanted
    }
  }

  /// Whether the filter refuses the event by its time, its serial or the actor in its SYSCALL record, before anything else of it is read.
  private mutating func isRefused(_ event: borrowing Event) -> Bool {
    if !headMayMatch(event) { return true }
    guard !actors.isEmpty, let actor = EventSelector.actor(of: event) else { return false }
    return actors.verdict(on: event.text.storage.span.bytes.extracting(actor.range)) == false
  }

  /// What ``TypedEvent/actor`` will be; nil where other records than those of a call name somebody, too.
  private static func actor(of event: borrowing Event) -> Slice? {
    var actor: Slice?
    for record in event.records {
      switch record.type.rawValue {
      case RecordType.path.rawValue, RecordType.cwd.rawValue, RecordType.proctitle.rawValue: continue
      case RecordType.syscall.rawValue where actor == nil:
        // the fields in front of ppid have no p
        let text = event.text.storage.span.bytes
        guard let start = text.firstIndex(of: UInt8(ascii: "p"), from: Int(record.body.start), before: record.body.end),
          text.hasPrefix("ppid=", at: start)
        else { return nil }
        actor = Slice(start: start, count: record.body.end - start)
      default: return nil
      }
    }
    return actor
  }

  private func headMayMatch(_ event: borrowing Event) -> Bool {
    if !selection.filter.covers(event.time) { return false }
    if serials.isEmpty { return true }
    let digits = Array("\(event.serial)".utf8)
    return serials.allSatisfy { $0.words.contains(digits) }
  }

  /// Whether the filter may want one of the event's lines. False only where it cannot.
  private mutating func mayMatch(_ event: borrowing Event) -> Bool {
    if !headMayMatch(event) { return false }
    if !names.isEmpty, !namesMayMatch() { return false }
    // other records name somebody, too
    if actors.isEmpty || !typed.hasSyscall && !typed.hasUring || !typed.otherRecords.isEmpty { return true }
    let text = event.text.storage.span.bytes.extracting(typed.actor.range)
    if let known = actors.verdict(on: text) { return known }
    let line = encoder.actorLine(event, &typed, &interpreter)
    return actors.judge(text, line)
  }

  private func namesMayMatch() -> Bool {
    let paths = interpreter.resolver.paths.storage.span.bytes
    for change in interpreter.changes {
      // a line holds these in another form
      if !change.replaced.isUnknown { return true }
      let all = [change.path, change.previousPath, change.target]
      if all.contains(where: { $0.count > 4000 }) { return true }
      if names.allSatisfy({ condition in all.contains { condition.matches(name: paths.extracting($0.range)) } }) { return true }
    }
    return false
  }

  /// The event's records as auditd writes them.
  private func records(of event: borrowing Event) -> [UInt8] {
    let text = event.text.storage.span.bytes
    var result: [UInt8] = []
    for record in event.records {
      if !event.node.isEmpty {
        result += Array("node=".utf8)
        result.append(text.extracting(event.node.range))
        result.append(UInt8(ascii: " "))
      }
      let (seconds, part) = event.time.quotientAndRemainder(dividingBy: 1000)
      let name = record.type.name.map { "\($0)" } ?? "UNKNOWN[\(record.type.rawValue)]"
      result += Array("type=\(name) msg=audit(\(seconds).\(String(part + 1000).dropFirst()):\(event.serial)): ".utf8)
      result.append(text.extracting(record.body.range))
      result.append(UInt8(ascii: "\n"))
    }
    return result
  }
}

/// What the filter says of those who make the calls, by the bytes that the kernel describes them with, as the encoder's own cache has them.
private struct ActorVerdicts {
  private let conditions: [FilterCondition]
  private let exclusions: [FilterCondition]
  private var entries = [(text: [UInt8], mayMatch: Bool)](repeating: ([], true), count: 256)
  private var last = 0
  private var line = LogLine()

  init(_ filter: Filter) {
    conditions = filter.conditions.filter(\.field.isAboutActor)
    exclusions = filter.exclusions.filter(\.field.isAboutActor)
  }

  var isEmpty: Bool { conditions.isEmpty && exclusions.isEmpty }

  /// Nil where it is not known.
  mutating func verdict(on text: RawSpan) -> Bool? {
    // an actor is never empty
    if same(text, entries[last].text) { return entries[last].mayMatch }
    let place = Int(truncatingIfNeeded: text.hash(seed: 1) & 255)
    guard same(text, entries[place].text) else { return nil }
    last = place
    return entries[place].mayMatch
  }

  private func same(_ text: RawSpan, _ array: [UInt8]) -> Bool { text.equals(array.span.bytes) }

  /// Judges an actor by its line, and remembers it.
  mutating func judge(_ text: RawSpan, _ actorLine: [UInt8]?) -> Bool {
    guard let actorLine, line.parse(actorLine.span.bytes) else { return true }
    let mayMatch = conditions.allSatisfy { $0.holds(for: line) } && !exclusions.contains { $0.holds(for: line) }
    last = Int(truncatingIfNeeded: text.hash(seed: 1) & 255)
    entries[last] = (text.array(), mayMatch)
    return mayMatch
  }
}
