import AuditEvents
import AuditWire
import FileChanges

/// The middle of the last line, from the process to the host: the same for most events of one process.
struct LineContext: Sendable {
  var isValid = false
  var json: [UInt8] = []
  private var actor = 0
  private var commandLine = 0
  private var keys: Coverage.KeySet = 0
  private var directory: [UInt8] = []
  private var encoding = Value.Encoding.absent

  init() {
    json.reserveCapacity(4096)
    directory.reserveCapacity(4096)
  }

  func matches(
    _ event: borrowing Event, _ typed: borrowing TypedEvent, _ actor: Int, _ commandLine: Int, _ keys: Coverage.KeySet
  ) -> Bool {
    guard isValid, actor == self.actor, commandLine == self.commandLine, keys == self.keys, event.node.isEmpty,
      encoding.rawValue == typed.cwd.encoding.rawValue
    else { return false }
    let bytes = event.bytes.span.bytes
    return bytes.extracting(typed.cwd.slice.range).equals(directory.span.bytes)
  }

  mutating func remember(
    _ event: borrowing Event, _ typed: borrowing TypedEvent, _ actor: Int, _ commandLine: Int, _ keys: Coverage.KeySet,
    _ lines: borrowing JSONWriter, from start: Int
  ) {
    isValid = event.node.isEmpty && typed.hasSyscall
    guard isValid else { return }
    (self.actor, self.commandLine, self.keys) = (actor, commandLine, keys)
    directory.removeAll(keepingCapacity: true)
    directory.append(event.bytes, typed.cwd.slice.range)
    encoding = typed.cwd.encoding
    json.removeAll(keepingCapacity: true)
    lines.withBytes(from: start) { json.append($0) }
  }
}
