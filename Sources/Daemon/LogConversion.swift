import AuditEvents
import AuditStream
import AuditWire
import EventLog
import FileChanges
import System

/// auditd's own log as lines of ours: the same assembling, interpreting and encoding as of the live stream, from files.
///
/// The directory map starts empty and learns from the events, so a path relative to a directory that no event named is
/// marked as a guess.
package struct LogConversion: ~Copyable {
  private var pipeline: Pipeline
  private var now: Int64 = 0

  package init(hostName: String, names: NameSources = NameSources()) {
    var limits = Assembler.Limits()
    limits.quietRecords = 64
    pipeline = Pipeline(
      assembler: Assembler(limits: limits, endsAtProctitle: true), interpreter: Interpreter(),
      encoder: NativeEncoder(hostName: hostName, names: names))
  }

  /// Takes one line of an audit.log, without its newline.
  /// - Returns: whether it is a record; an empty line is nothing, which is fine, too.
  package mutating func add(_ line: RawSpan) -> Bool {
    guard let prefix = LinePrefix(line) else { return line.isEmpty }
    let node = prefix.node.isEmpty ? line.extracting(first: 0) : line.extracting(prefix.node.range)
    let hasHeader = pipeline.add(type: prefix.type, text: line.extracting(droppingFirst: prefix.headerStart), node: node, now: now)
    if !hasHeader { return false }
    let time = pipeline.assembler.reader.last.time
    if time == now { return true }
    now = time
    pipeline.expire(now: now)
    // there is nothing to be walked
    pipeline.interpreter.walkRequests.removeAll()
    return true
  }

  /// The input has ended: what waits is complete.
  package mutating func finish() { pipeline.finish() }

  /// What was seen that should not have been.
  package var counters: Assembler.Counters { pipeline.assembler.counters }

  /// Passes on the lines made so far (each ended by `\n`) and forgets them, once there are `atLeast` bytes of them.
  package mutating func take(atLeast: Int, _ body: (RawSpan) throws(SystemError) -> Void) throws(SystemError) {
    if pipeline.encoder.lines.isEmpty || pipeline.encoder.lines.count < atLeast { return }
    try pipeline.encoder.lines.withBytes(body)
    pipeline.encoder.lines.removeAll()
  }
}
