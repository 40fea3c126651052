import AuditWire

/// One record inside an ``Event``: its type, and where its fields are in the event's bytes.
package struct RecordSlice: Sendable, BitwiseCopyable {
  package var type: RecordType
  /// The record's text behind `audit(…): `, with auditd's enrichment where there is one (``FieldCursor`` stops before it).
  package var body: Slice
}

/// All records of one `audit(time:serial)`.
///
/// Events live in the ``Assembler``'s slots and are used again: their arrays keep their capacity, so that a steady
/// stream of events allocates nothing.
package struct Event: Sendable {
  /// How the event came to its end.
  @usableFromInline package enum Completion: UInt8, Sendable {
    /// The kernel's EOE record arrived: every record that was sent has been seen.
    case endOfEvent
    /// The PROCTITLE record, the kernel's last before EOE, where EOE is not written (auditd's log).
    case proctitle
    /// A record of a type that never has company.
    case alone
    /// Nothing more arrived in time.
    case timeout
    /// The assembler needed the slot: its bounds were reached.
    case evicted
    /// The log ended.
    case endOfInput

    /// By number, see ``RecordType``.
    @inlinable @inline(__always)
    package static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
  }

  package var serial: UInt32 = 0
  /// See ``identity(_:_:)``.
  private(set) var identity: UInt32 = 0
  /// Milliseconds since 1970, from the records.
  package var time: Int64 = 0
  /// Every record's fields, back to back.
  package private(set) var text = ByteScratch()
  package private(set) var records = ReusedArray<RecordSlice>()
  /// The host that the log line names (`node=`), in ``text``; empty for the kernel's own stream.
  package var node: Slice = .none
  package var completion: Completion = .endOfEvent
  /// Records that were left out because the event had reached its bound.
  package var droppedRecords = 0
  /// The event had been closed before: this is a part that came late.
  package var isLate = false

  package init() {}

  /// Empties the slot, keeping its memory unless one huge event made it large.
  @inline(__always)
  mutating func reset(serial: UInt32, time: Int64) {
    self.serial = serial
    identity = serial
    self.time = time
    if text.storage.count > 65536 { text.release() } else { text.truncate(to: 0) }
    records.removeAll(keepingUpTo: 512)
    node = .none
    completion = .endOfEvent
    droppedRecords = 0
    isLate = false
  }

  /// What an event is looked up by: the serial, and the host in it (FNV-1a), as several hosts count in the same numbers.
  @inline(__always)
  static func identity(_ serial: UInt32, _ host: RawSpan) -> UInt32 {
    if host.isEmpty { return serial }
    var hash: UInt32 = 0x811c_9dc5
    for index in host.byteOffsets { hash = (hash ^ UInt32(host.unsafeLoad(fromByteOffset: index, as: UInt8.self))) &* 0x0100_0193 }
    return serial ^ hash
  }

  /// Whether the event came from that host. (Not inlined: the caller would copy the event.)
  @inline(never)
  func isFrom(_ host: RawSpan) -> Bool {
    text.storage.span.bytes.extracting(node.range).equals(host)
  }

  /// The host that the records come from, in front of the first one.
  mutating func setNode(_ name: RawSpan) {
    node = place(name)
    identity = Self.identity(serial, name)
  }

  @inline(__always)
  mutating func append(_ type: RecordType, _ body: RawSpan) { records.append(RecordSlice(type: type, body: place(body))) }

  @inline(__always)
  private mutating func place(_ bytes: RawSpan) -> Slice {
    let start = text.count
    text.append(bytes)
    return Slice(start: start, count: bytes.byteCount)
  }
}
