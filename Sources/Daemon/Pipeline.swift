import AuditEvents
import AuditWire
import EventLog
import FileChanges

/// Records in, lines of the event log out: assemble, read, interpret, encode. One thread's, and without I/O of its own.
package struct Pipeline: ~Copyable, Sendable {
  package var assembler: Assembler
  package var interpreter: Interpreter
  /// Holds the lines until the caller takes them.
  package var encoder: NativeEncoder
  private var event = Event()
  private var typed = TypedEvent()
  /// What the events in `encoder.lines` span; the caller resets it when it takes them.
  package var span = BatchSpan()
  /// Events that are known to lack records (their lines say so themselves).
  package private(set) var incompleteEvents = 0

  package init(assembler: consuming Assembler, interpreter: consuming Interpreter, encoder: consuming NativeEncoder) {
    self.assembler = assembler
    self.interpreter = interpreter
    self.encoder = encoder
  }

  /// Takes a record and encodes every event that is complete now. Returns false where the record has no header; otherwise
  /// the assembler has it.
  @discardableResult
  package mutating func add(type: RecordType, text: RawSpan, node: RawSpan, now: Int64) -> Bool {
    let hasHeader = assembler.add(type: type, text: text, node: node, now: now)
    if assembler.hasComplete { drain() }
    return hasHeader
  }

  /// Closes the events that have waited long enough.
  package mutating func expire(now: Int64) {
    assembler.expire(now: now)
    drain()
  }

  /// Closes every event: the input has ended.
  package mutating func finish() {
    assembler.finish()
    drain()
  }

  private mutating func drain() {
    while assembler.hasComplete {
      if assembler.isCurrentNext {
        Pipeline.encode(assembler.current, &typed, &interpreter, &encoder, &span, &incompleteEvents)
        assembler.takeCurrent()
      } else if assembler.next(&event) {
        Pipeline.encode(event, &typed, &interpreter, &encoder, &span, &incompleteEvents)
      }
    }
  }

  /// Static, because the event may be a part of the assembler, which is a part of this.
  private static func encode(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ interpreter: inout Interpreter, _ encoder: inout NativeEncoder,
    _ span: inout BatchSpan, _ incompleteEvents: inout Int
  ) {
    typed.read(event)
    interpreter.interpret(event, &typed)
    encoder.append(event, &typed, &interpreter)
    span.add(serial: event.serial, timeMs: event.time)
    if typed.isIncomplete { incompleteEvents &+= 1 }
  }
}
