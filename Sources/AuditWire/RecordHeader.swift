/// What every record starts with: `audit(1795228434.415:4): `.
package struct RecordHeader: Equatable, Sendable {
  /// Milliseconds since 1970: the kernel's coarse clock at the start of the system call.
  package var time: Int64
  /// The event's number; every record of one event carries the same one. 32 bits, wraps, restarts at boot.
  package var serial: UInt32
  /// Where the fields start.
  package var bodyStart: Int

  package init(time: Int64, serial: UInt32, bodyStart: Int) {
    self.time = time
    self.serial = serial
    self.bodyStart = bodyStart
  }
}

/// Reads headers, and recognises the previous one by its bytes: the records of an event share theirs, so most headers
/// cost four word comparisons instead of a parse.
package struct HeaderReader: Sendable {
  private var last = RecordHeader(time: 0, serial: 0, bodyStart: 0)
  /// The last header's text up to its `)`: `audit(1795228434.415:4)` is 23 to 32 bytes. 0 bytes: none to compare with.
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  private var lastMask: UInt64 = 0
  private var length = 0

  package init() {}

  /// The header at `start`, or nil where none stands. `bodyStart` of the result counts from the span's beginning.
  /// - Parameter isSame: whether it is the previous one again.
  package mutating func read(_ bytes: RawSpan, at start: Int, isSame: inout Bool) -> RecordHeader? {
    if length > 0, bytes.byteCount &- start >= 32, bytes.word(start) == words.0, bytes.word(start &+ 8) == words.1,
      bytes.word(start &+ 16) == words.2, (bytes.word(start &+ 24) ^ words.3) & lastMask == 0
    {
      last.bodyStart = bodyStart(bytes, start &+ length)
      isSame = true
      return last
    }
    isSame = false
    return parse(bytes, at: start)
  }

  private mutating func parse(_ bytes: RawSpan, at start: Int) -> RecordHeader? {
    var cursor = Cursor(at: start)
    guard cursor.skip("audit(", bytes), let seconds = cursor.decimal(bytes), cursor.skip(".", bytes),
      let milliseconds = cursor.decimal(bytes), cursor.skip(":", bytes), let number = cursor.decimal(bytes),
      cursor.skip(")", bytes), let serial = UInt32(exactly: number), milliseconds < 1000, seconds < 1 << 40
    else { return nil }
    let count = cursor.at &- start
    last = RecordHeader(
      time: Int64(seconds) * 1000 + Int64(milliseconds), serial: serial, bodyStart: bodyStart(bytes, cursor.at))
    length = 0
    // shorter ones (serials below 10) are too rare to compare
    if count >= 24, count <= 32 {
      words = (bytes.word(start), bytes.word(start &+ 8), bytes.word(start &+ 16), bytes.word(start &+ 24))
      length = count
      lastMask = count == 32 ? .max : (1 &<< UInt64((count &- 24) &* 8)) &- 1
    }
    return last
  }

  /// Behind `): `; some writers leave out the blank.
  private func bodyStart(_ bytes: RawSpan, _ at: Int) -> Int {
    var at = at
    if bytes.peek(at) == UInt8(ascii: ":") { at &+= 1 }
    if bytes.peek(at) == UInt8(ascii: " ") { at &+= 1 }
    return at
  }
}

/// What stands before the header in a line of auditd's log: `node=web-1 type=SYSCALL msg=`.
package struct LinePrefix: Equatable, Sendable {
  package var type: RecordType
  /// The host's name where auditd writes one (`name_format`), otherwise empty.
  package var node: Slice
  /// Where `audit(` starts.
  package var headerStart: Int

  private init(_ type: RecordType, _ node: Slice, _ headerStart: Int) {
    self.type = type
    self.node = node
    self.headerStart = headerStart
  }

  /// Nil where the line is none of auditd's.
  package init?(_ bytes: RawSpan) {
    var cursor = Cursor()
    node = .none
    if cursor.skip("node=", bytes) {
      guard let blank = bytes.firstIndex(of: UInt8(ascii: " "), from: cursor.at, before: bytes.byteCount) else { return nil }
      node = Slice(start: cursor.at, count: blank - cursor.at)
      cursor.at = blank + 1
    }
    // the records of file events, of which logs consist, by two words
    let second = bytes.word(cursor.at &+ 8)
    switch bytes.word(cursor.at) {
    case Swar.literal("type=PAT") where second & 0xffff_ffff_ffff == Swar.literal("H msg="):
      self = LinePrefix(.path, node, cursor.at &+ 14)
      return
    case Swar.literal("type=SYS") where second == Swar.literal("CALL msg") && bytes.peek(cursor.at &+ 16) == UInt8(ascii: "="):
      self = LinePrefix(.syscall, node, cursor.at &+ 17)
      return
    case Swar.literal("type=CWD") where second & 0xff_ffff_ffff == Swar.literal(" msg="):
      self = LinePrefix(.cwd, node, cursor.at &+ 13)
      return
    case Swar.literal("type=PRO")
    where second == Swar.literal("CTITLE m") && bytes.word(cursor.at &+ 16) & 0xff_ffff == Swar.literal("sg="):
      self = LinePrefix(.proctitle, node, cursor.at &+ 19)
      return
    default: break
    }
    guard cursor.skip("type=", bytes), let type = cursor.typeName(bytes), cursor.skip(" msg", bytes) else { return nil }
    self.type = type
    guard cursor.skip("=", bytes) else { return nil }
    headerStart = cursor.at
  }
}

extension Cursor {
  /// The record type whose name stands here, up to the next blank.
  mutating func typeName(_ bytes: RawSpan) -> RecordType? {
    guard let blank = bytes.firstIndex(of: UInt8(ascii: " "), from: at, before: bytes.byteCount),
      let type = RecordType(name: bytes.extracting(at..<blank))
    else { return nil }
    at = blank
    return type
  }
}

/// The byte with which auditd's ENRICHED format starts the fields that it interpreted itself (libaudit.h
/// AUDIT_INTERP_SEPARATOR). The kernel never writes it and no file name can hold it unescaped: what follows is not ours.
package let enrichmentSeparator: UInt8 = 0x1d
