import AuditEvents
import AuditWire
import FileChanges

/// Writes events as lines of the event log: DESIGN.md's native shape, Elastic Common Schema with our own fields below
/// `fsaudit`.
///
/// One line a change; one line for an event that changed no file. This is the event path: nothing here allocates once
/// the buffers have their working size.
package struct NativeEncoder: ~Copyable, Sendable {
  /// The lines written since the caller last emptied it (`lines.removeAll()`).
  package var lines: JSONWriter
  /// No line is longer, its newline included (DESIGN.md): log shippers cut at 32 KiB, CloudWatch counts 26 bytes on top.
  package static let lineLimitBytes = 32_000

  let names: NameSources
  private var actors = ActorCache()
  private var commandLines = CommandLineCache()
  private var context = LineContext()
  private var files = FileFactsCache()
  private let heads = EventHeads()
  /// `,"host":{"name":"…"}`.
  private let host: [UInt8]
  var scratch = ByteScratch(capacity: 8192)
  var seenNames: [Slice] = []

  /// - Parameter hostName: what `host.name` says, unless a log line names its own host.
  package init(hostName: String, names: NameSources = NameSources()) {
    self.names = names
    var writer = JSONWriter()
    writer.raw(",\"host\":{\"name\":")
    writer.string(hostName)
    writer.raw("}")
    host = writer.bytes
    lines = JSONWriter(capacityBytes: 1 << 17)
  }

  /// Forgets cached account names: the account database changed.
  package mutating func forgetNames() {
    actors.removeAll()
    context.isValid = false
  }

  /// Appends the event's lines. `interpreter` has just interpreted it. Returns how many lines it made. (`inout`: see ``Interpreter/interpret(_:_:)``.)
  @discardableResult
  package mutating func append(_ event: borrowing Event, _ typed: inout TypedEvent, _ interpreter: inout Interpreter) -> Int {
    let bytes = event.text.storage.span.bytes
    let known = actors.generation
    let actor = actors.find(bytes, typed.actor, hasSyscall: typed.hasSyscall, names: names)
    if actors.generation != known { context.isValid = false }
    if interpreter.changes.isEmpty {
      appendRecords(event, &typed, &interpreter, actor: actor)
      return 1
    }
    let cut = commandLines.generation
    let commandLine = commandLine(bytes, &typed)
    if commandLines.generation != cut { context.isValid = false }
    for index in interpreter.changes.indices {
      let start = lines.count
      change(event, &typed, &interpreter, index, actor, commandLine, textLimit: .max)
      if lines.count &- start > NativeEncoder.lineLimitBytes {
        // only names can be this long: their exact bytes stay, their readable form is cut
        lines.truncate(to: start)
        change(event, &typed, &interpreter, index, actor, commandLine, textLimit: 100)
      }
    }
    return interpreter.changes.count
  }

  private mutating func change(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ interpreter: inout Interpreter, _ index: Int, _ actor: Int,
    _ commandLine: Int, textLimit: Int
  ) {
    let change = interpreter.changes[index]
    let start = lines.count
    lines.raw("{\"@timestamp\":")
    lines.timestamp(milliseconds: event.time)
    lines.raw(heads.json, heads.find(change))
    lines.raw(change.succeeded ? "success\",\"sequence\":" : "failure\",\"sequence\":")
    lines.integer(UInt64(event.serial))
    lines.raw(",\"dataset\":\"fsaudit.file\"},\"file\":{")

    var isWhole = true
    if !change.path.isEmpty {
      lines.raw("\"path\":")
      isWhole = text(interpreter.resolver.paths, change.path, textLimit)
    }
    if !change.identity.isUnknown {
      lines.raw(change.path.isEmpty ? "\"inode\":\"" : ",\"inode\":\"")
      lines.integer(change.identity.inode)
      lines.raw("\"")
      if change.mode == 0 { lines.device(change.identity) }
    }
    if change.mode != 0 {
      let facts = files.find(change)
      if change.path.isEmpty, change.identity.isUnknown {
        // only a log from anybody's hand says a mode and nothing else
        lines.raw(files.json, Slice(start: Int(facts.start) + 1, count: Int(facts.count) - 1))
      } else {
        lines.raw(files.json, facts)
      }
    }

    let isKnown = textLimit == .max && context.matches(event, &typed, actor, commandLine, change.keys)
    if isKnown {
      lines.raw(context.json, context.all)
    } else {
      let middle = lines.count
      process(event, &typed, actor, commandLine, textLimit: textLimit)
      lines.raw("},")
      lines.raw(actors.entries[actor].user)
      tags(&interpreter, change.keys, actor)
      appendHost(event)
      if textLimit == .max { context.remember(event, &typed, actor, commandLine, change.keys, lines, from: middle) }
    }

    lines.raw(",\"fsaudit\":{\"action\":\"")
    lines.raw(change.action.name)
    lines.raw("\"")
    if isKnown, let tail = context.tail(change.action, interpreter.operation.name) {
      lines.raw(context.tails, tail)
    } else {
      let tail = lines.count
      firstKey(&interpreter, change.keys, actor)
      lines.raw(",\"syscall\":\"")
      lines.raw(interpreter.operation.name)
      lines.raw("\"")
      lines.raw(actors.entries[actor].session)
      if isKnown { context.rememberTail(change.action, interpreter.operation.name, lines, from: tail) }
    }
    let isPreviousWhole = previous(change, interpreter.resolver.paths, textLimit)
    let isTargetWhole = details(change, &typed, interpreter.resolver.paths, textLimit)
    if !isWhole || !isPreviousWhole || !isTargetWhole { raw(change, interpreter.resolver.paths) }
    if commandLines.entries[commandLine].isCut { lines.raw(",\"args_cut\":true") }
    completeness(event, &typed)
    if index == 0, !typed.otherRecords.isEmpty { records(event, &typed, others: true, from: start) }
    lines.raw("}}\n")
  }

  /// What the event's lines say of who made the call, as a line of its own: for a filter that asks for nothing else, and may so do without the
  /// lines. Nil where no call was made.
  package mutating func actorLine(_ event: borrowing Event, _ typed: inout TypedEvent, _ interpreter: inout Interpreter) -> [UInt8]? {
    guard typed.hasSyscall || typed.hasUring else { return nil }
    let bytes = event.text.storage.span.bytes
    let actor = actors.find(bytes, typed.actor, hasSyscall: typed.hasSyscall, names: names)
    // what ``append(_:_:_:)`` remembers by the actor's place may be of the one that was there before
    context.isValid = false
    let start = lines.count
    lines.raw("{\"process\":{")
    lines.raw(actors.entries[actor].process)
    lines.raw("},")
    lines.raw(actors.entries[actor].user)
    tags(&interpreter, 0, actor)
    lines.raw(",\"fsaudit\":{\"action\":null")
    lines.raw(actors.entries[actor].session)
    lines.raw("}}")
    defer { lines.truncate(to: start) }
    return lines.withBytes { $0.extracting(droppingFirst: start).array() }
  }

  /// `,"tags":[…]`: every key whose rule covers the path, the kernel's own first.
  mutating func tags(_ interpreter: inout Interpreter, _ keys: Coverage.KeySet, _ actor: Int) {
    let count = interpreter.coverage.count(of: keys)
    var isFirst = true
    var start = 0
    for index in actors.entries[actor].keyEnds.indices {
      let end = Int(actors.entries[actor].keyEnds[index])
      lines.raw(isFirst ? ",\"tags\":[" : ",")
      lines.string(actors.entries[actor].keys, start..<end)
      start = end
      isFirst = false
    }
    for index in 0..<count where !isKernelKey(interpreter.coverage.key(index, of: keys), actor) {
      lines.raw(isFirst ? ",\"tags\":[" : ",")
      let key = interpreter.coverage.key(index, of: keys)
      lines.string(key, 0..<key.count)
      isFirst = false
    }
    if !isFirst { lines.raw("]") }
  }

  /// `,"key":…`: the rule's key as the kernel recorded it, else the first that covers the path.
  mutating func firstKey(_ interpreter: inout Interpreter, _ keys: Coverage.KeySet, _ actor: Int) {
    if !actors.entries[actor].key.isEmpty {
      lines.raw(actors.entries[actor].key)
    } else if interpreter.coverage.count(of: keys) > 0 {
      lines.raw(",\"key\":")
      let key = interpreter.coverage.key(0, of: keys)
      lines.string(key, 0..<key.count)
    }
  }

  /// `,"host":…`.
  mutating func appendHost(_ event: borrowing Event) {
    if event.node.isEmpty {
      lines.raw(host)
    } else {
      lines.raw(",\"host\":{\"name\":")
      // a host name has at most 255 bytes; a log from anybody's hand may say anything
      lines.string(event.text, Int(event.node.start)..<min(event.node.end, Int(event.node.start) + 255))
      lines.raw("}")
    }
  }

  /// `},"process":{…` up to the working directory; the object stays open. Nothing where no process is known.
  mutating func process(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ actor: Int, _ commandLine: Int, textLimit: Int
  ) {
    lines.raw("},\"process\":{")
    lines.raw(actors.entries[actor].process)
    if !commandLines.entries[commandLine].json.isEmpty {
      lines.raw(",\"args\":")
      lines.raw(commandLines.entries[commandLine].json)
    }
    if typed.cwd.isPresent {
      lines.raw(",\"working_directory\":")
      value(typed.cwd, event.text, limit: textLimit)
    }
  }

  /// The JSON of the actor's user; the records' lines need it as well.
  func userJSON(_ actor: Int) -> [UInt8] { actors.entries[actor].user }
  func sessionJSON(_ actor: Int) -> [UInt8] { actors.entries[actor].session }
  mutating func commandLine(_ bytes: RawSpan, _ typed: inout TypedEvent) -> Int {
    commandLines.find(bytes, typed.commandLine, version: typed.commandLineVersion)
  }

  /// What is known to be missing from the event.
  mutating func completeness(_ event: borrowing Event, _ typed: inout TypedEvent) {
    if typed.isIncomplete || event.isLate || event.droppedRecords > 0 {
      lines.raw(",\"incomplete\":true")
    }
  }

  /// A record's value as a JSON string, decoded; at most `limit` bytes of it.
  mutating func value(_ value: Value, _ bytes: ByteScratch, limit: Int) {
    if value.encoding == .hex {
      scratch.truncate(to: 0)
      value.decode(from: bytes.storage.span.bytes, into: &scratch)
      lines.string(scratch, 0..<min(scratch.count, limit))
    } else {
      lines.string(bytes, Int(value.slice.start)..<Int(value.slice.start) + min(Int(value.slice.count), limit))
    }
  }

  // MARK: -

  private func isKernelKey(_ key: [UInt8], _ actor: Int) -> Bool {
    var start = 0
    for index in actors.entries[actor].keyEnds.indices {
      let end = Int(actors.entries[actor].keyEnds[index])
      if actors.entries[actor].keys[start..<end].elementsEqual(key) { return true }
      start = end
    }
    return false
  }

  /// A path as a JSON string of at most `limit` bytes; false where that form does not give every byte back.
  private mutating func text(_ bytes: ByteScratch, _ slice: Slice, _ limit: Int) -> Bool {
    if slice.count <= limit { return lines.string(bytes, slice.range) }
    lines.string(bytes, Int(slice.start)..<Int(slice.start) + limit)
    return false
  }

  /// `,"previous":{…}`; false where the path's readable form does not give every byte back.
  private mutating func previous(_ change: FileChange, _ paths: ByteScratch, _ limit: Int) -> Bool {
    let hasPath = !change.previousPath.isEmpty
    guard hasPath || change.previousMode != nil || change.previousOwner != nil || change.previousGroup != nil else { return true }
    var isWhole = true
    var separator: StaticString = ",\"previous\":{"
    if hasPath {
      lines.raw(separator)
      lines.raw("\"path\":")
      isWhole = text(paths, change.previousPath, limit)
      separator = ","
    }
    if let old = change.previousMode {
      lines.raw(separator)
      lines.raw("\"mode\":\"")
      lines.mode(old)
      lines.raw("\"")
      separator = ","
    }
    if let owner = change.previousOwner {
      lines.raw(separator)
      lines.raw("\"uid\":\"")
      lines.integer(UInt64(owner))
      lines.raw("\"")
      separator = ","
    }
    if let group = change.previousGroup {
      lines.raw(separator)
      lines.raw("\"gid\":\"")
      lines.integer(UInt64(group))
      lines.raw("\"")
    }
    lines.raw("}")
    return isWhole
  }

  /// `,"raw":{…}`: the exact bytes of the names, in hexadecimal, where a readable form lacks some. A path can be longer than
  /// a line may be (the kernel takes 4,096 bytes at a time, but relative to a directory that can be as deep): then its end,
  /// with the name, is kept and the cut is marked.
  private mutating func raw(_ change: FileChange, _ paths: ByteScratch) {
    lines.raw(",\"raw\":{\"path\":")
    var isCut = exact(change.path, paths)
    if !change.previousPath.isEmpty {
      lines.raw(",\"previous_path\":")
      if exact(change.previousPath, paths) { isCut = true }
    }
    if !change.target.isEmpty {
      lines.raw(",\"target_path\":")
      if exact(change.target, paths) { isCut = true }
    }
    lines.raw(isCut ? ",\"cut\":true}" : "}")
  }

  /// Returns whether the beginning had to be left out.
  private mutating func exact(_ path: Slice, _ paths: ByteScratch) -> Bool {
    let limit = 4096
    let count = min(Int(path.count), limit)
    lines.hexString(paths, Slice(start: path.end - count, count: count))
    return path.count > limit
  }

  /// Returns whether the readable forms give every byte back.
  private mutating func details(_ change: FileChange, _ typed: inout TypedEvent, _ paths: ByteScratch, _ limit: Int) -> Bool {
    var isWhole = true
    if !change.target.isEmpty {
      lines.raw(",\"target\":{\"path\":")
      isWhole = text(paths, change.target, limit)
      lines.raw("}")
    }
    if !change.replaced.isUnknown {
      lines.raw(",\"replaced\":{\"path\":")
      _ = text(paths, change.path, limit)
      lines.raw(",\"inode\":\"")
      lines.integer(change.replaced.inode)
      lines.raw("\"}")
    }
    if let flags = change.openFlags {
      lines.raw(",\"open_flags\":\"0")
      octal(flags)
      lines.raw("\"")
    }
    if !change.succeeded {
      let exit = typed.hasUring ? typed.uring.exit : typed.syscall.exit
      lines.raw(",\"errno\":\"")
      if let name = ErrorName.of(exit) { lines.raw(name) } else { lines.integer(exit.magnitude) }
      lines.raw("\"")
    }
    if !(change.confidence == .exact) {
      lines.raw(",\"path_confidence\":\"")
      lines.raw(change.confidence.name)
      lines.raw("\"")
    }
    return isWhole
  }

  private mutating func octal(_ value: UInt64) {
    var shift = 63
    while shift > 0, value >> UInt64(shift) == 0 { shift &-= 3 }
    while shift >= 0 {
      lines.raw(byte: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value >> UInt64(shift) & 7))
      shift &-= 3
    }
  }
}

extension JSONWriter {
  /// ``hexString(_:)`` of a part of a scratch.
  mutating func hexString(_ text: ByteScratch, _ slice: Slice) { hexString(text.storage.span.bytes.extracting(slice.range)) }

  /// ``string(_:)`` of a part of a scratch.
  @discardableResult
  mutating func string(_ text: ByteScratch, _ range: Range<Int>) -> Bool { string(text.storage.span.bytes.extracting(range)) }
}
