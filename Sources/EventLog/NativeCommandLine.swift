import AuditWire

/// The JSON array of a PROCTITLE record's arguments, kept by the record's bytes.
struct CommandLineCache: ~Copyable, Sendable {
  struct Entry: Sendable {
    var text: [UInt8] = []
    /// `["mv","a","b"]`; empty where there is no command line.
    var json: [UInt8] = []
    /// The kernel's 128 bytes were full (kernel/auditsc.c MAX_PROCTITLE_AUDIT_LEN): the last argument may go on.
    var isCut = false
    var encoding = Value.Encoding.absent
  }

  /// The first entry stands for "no command line" and never changes.
  private(set) var entries = [Entry](repeating: Entry(), count: 129)
  private var last = 1
  private var version = -1
  /// Changes whenever an entry does.
  private(set) var generation = 0
  private var writer = JSONWriter()
  private var decoded = ByteScratch()

  /// - Parameter version: ``TypedEvent/commandLineVersion``.
  mutating func find(_ bytes: RawSpan, _ value: Value, version: Int) -> Int {
    guard value.isPresent else { return 0 }
    if version == self.version { return last }
    self.version = version
    let text = bytes.extracting(value.slice.range)
    let place = 1 + Int(truncatingIfNeeded: text.hash(seed: UInt64(value.encoding.rawValue)) & 127)
    last = place
    if entries[place].encoding == value.encoding, same(text, entries[place].text) { return place }
    generation &+= 1
    fill(place, text, value.encoding)
    return place
  }

  private func same(_ text: RawSpan, _ array: [UInt8]) -> Bool { text.equals(array.span.bytes) }

  private mutating func fill(_ place: Int, _ text: RawSpan, _ encoding: Value.Encoding) {
    decoded.truncate(to: 0)
    // the cursor took a bare word for hexadecimal unseen
    let value =
      encoding == .hex ? Value(bare: text, start: 0, count: text.byteCount) : Value(start: 0, count: text.byteCount, encoding: encoding)
    value.decode(from: text, into: &decoded)
    entries[place].isCut = decoded.count >= 127
    // a log from anybody's hand may hold more than the kernel's 128
    decoded.truncate(to: 1024)
    // NUL separates; the kernel leaves one at the end unless the text was cut
    while decoded.last == 0 { decoded.truncate(to: decoded.count - 1) }
    writer.removeAll()
    writer.raw("[")
    var start = 0
    for index in 0...decoded.count where index == decoded.count || decoded[index] == 0 {
      if start > 0 { writer.raw(",") }
      writer.string(decoded, start..<index)
      start = index + 1
    }
    writer.raw("]")
    writer.copy(to: &entries[place].json)
    entries[place].text.removeAll(keepingCapacity: true)
    entries[place].text.append(text)
    entries[place].encoding = encoding
  }
}
