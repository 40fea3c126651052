/// What every record starts with: `audit(1795228434.415:4): `.
@usableFromInline package struct RecordHeader: Equatable, Sendable {
  /// Milliseconds since 1970: the kernel's coarse clock at the start of the system call.
  @usableFromInline package var time: Int64
  /// The event's number; every record of one event carries the same one. 32 bits, wraps, restarts at boot.
  @usableFromInline package var serial: UInt32
  /// Where the fields start.
  @usableFromInline package var bodyStart: Int

  package init(time: Int64, serial: UInt32, bodyStart: Int) {
    self.time = time
    self.serial = serial
    self.bodyStart = bodyStart
  }
}

/// Reads headers, and recognises the previous one by its bytes: the records of an event share theirs, so most headers
/// cost four word comparisons instead of a parse. The next event tends to be of the same second, which is recognised, too.
@usableFromInline package struct HeaderReader: Sendable {
  /// The header that was read last.
  @usableFromInline package internal(set) var last = RecordHeader(time: 0, serial: 0, bodyStart: 0)
  /// The last header's text up to its `)`: `audit(1795228434.415:4)` is 23 to 32 bytes. The fourth word ends where the text does.
  @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  /// 0 bytes: none to compare with.
  @usableFromInline var length = 0
  /// The last header's second, in milliseconds; -1 unless it was written in ten digits, as today's are.
  private var second: Int64 = -1

  package init() {}

  /// The header at `start`, or nil where none stands. `bodyStart` of the result counts from the span's beginning.
  /// - Parameter isSame: whether it is the previous one again.
  package mutating func read(_ bytes: RawSpan, at start: Int, isSame: inout Bool) -> RecordHeader? {
    isSame = read(again: bytes, at: start)
    return isSame || read(new: bytes, at: start) ? last : nil
  }

  /// Whether the previous header stands at `start` again; ``last`` then says where its body is.
  @inlinable @inline(__always)
  package mutating func read(again bytes: RawSpan, at start: Int) -> Bool {
    let end = start &+ length
    guard length > 0, start >= 0, end <= bytes.byteCount &- 2 else { return false }
    // a text of 23 bytes ends before its third word does, which reads one byte of what follows then: its last word covers the rest
    let middle = length < 24 ? 0 : bytes.word(unchecked: start &+ 16) ^ words.2
    let different =
      (bytes.word(unchecked: start) ^ words.0) | (bytes.word(unchecked: start &+ 8) ^ words.1) | middle
      | (bytes.word(unchecked: end &- 8) ^ words.3)
    // in the kernel's own form; any other is read anew
    if different != 0 || bytes.peek(end) != UInt8(ascii: ":") || bytes.peek(end &+ 1) != UInt8(ascii: " ") { return false }
    last.bodyStart = end &+ 2
    return true
  }

  /// Reads any header at `start` into ``last``; false, and nothing changed, where none stands.
  package mutating func read(new bytes: RawSpan, at start: Int) -> Bool {
    var cursor = Cursor(at: start)
    // `audit(1795228434`, then `.415:`
    let rest = bytes.word(start &+ 16)
    if second >= 0, bytes.word(start) == words.0, bytes.word(start &+ 8) == words.1, rest & 0xff_0000_00ff == 0x3a_0000_002e,
      Swar.digitCount(rest >> 8) == 3
    {
      cursor.at = start &+ 21
      guard let number = cursor.decimal(bytes), cursor.skip(")", bytes), let serial = UInt32(exactly: number) else { return false }
      let end = cursor.at
      last = RecordHeader(time: second &+ Int64(Swar.decimal(rest >> 8, 3)), serial: serial, bodyStart: bodyStart(bytes, end))
      // the first two words are the same
      words.2 = rest
      words.3 = bytes.word(unchecked: end &- 8)
      length = end &- start <= 32 ? end &- start : 0
      return true
    }
    guard cursor.skip("audit(", bytes), let seconds = cursor.decimal(bytes), cursor.skip(".", bytes),
      let milliseconds = cursor.decimal(bytes), cursor.skip(":", bytes), let number = cursor.decimal(bytes),
      cursor.skip(")", bytes), let serial = UInt32(exactly: number), milliseconds < 1000, seconds < 1 << 40
    else { return false }
    second = bytes.peek(start &+ 16) == UInt8(ascii: ".") ? Int64(seconds) * 1000 : -1
    note(bytes, start, cursor.at, Int64(seconds) * 1000 + Int64(milliseconds), serial)
    return true
  }

  private mutating func note(_ bytes: RawSpan, _ start: Int, _ end: Int, _ time: Int64, _ serial: UInt32) {
    last = RecordHeader(time: time, serial: serial, bodyStart: bodyStart(bytes, end))
    words = (bytes.word(start), bytes.word(start &+ 8), bytes.word(start &+ 16), bytes.word(end &- 8))
    length = end &- start
    if length < 23 || length > 32 { length = 0 }
  }

  /// Behind `): `; some writers leave out the blank.
  private func bodyStart(_ bytes: RawSpan, _ at: Int) -> Int {
    if bytes.word(at) & 0xffff == 0x203a { return at &+ 2 }
    return bytes.peek(at) == UInt8(ascii: ":") || bytes.peek(at) == UInt8(ascii: " ") ? at &+ 1 : at
  }
}

/// What stands before the header in a line of auditd's log: `node=web-1 type=SYSCALL msg=`.
@usableFromInline package struct LinePrefix: Equatable, Sendable {
  @usableFromInline package var type: RecordType
  /// The host's name where auditd writes one (`name_format`), otherwise empty.
  @usableFromInline package var node: Slice
  /// Where `audit(` starts.
  @usableFromInline package var headerStart: Int

  @inlinable @inline(__always)
  init(_ type: RecordType, _ node: Slice, _ headerStart: Int) {
    self.type = type
    self.node = node
    self.headerStart = headerStart
  }

  /// Nil where the line is none of auditd's.
  @inlinable @inline(__always)
  package init?(_ bytes: RawSpan) {
    // the records of file events, of which logs consist, by two or three words
    let second = bytes.word(8)
    switch bytes.word(0) {
    case Swar.literal("type=PAT") where second == Swar.literal("H msg=au"):
      self.init(.path, .none, 14)
    case Swar.literal("type=SYS") where second == Swar.literal("CALL msg") && bytes.word(16) == Swar.literal("=audit(1"):
      self.init(.syscall, .none, 17)
    case Swar.literal("type=CWD") where second == Swar.literal(" msg=aud"):
      self.init(.cwd, .none, 13)
    case Swar.literal("type=EOE") where second == Swar.literal(" msg=aud"):
      self.init(.endOfEvent, .none, 13)
    case Swar.literal("type=PRO") where second == Swar.literal("CTITLE m") && bytes.word(16) == Swar.literal("sg=audit"):
      self.init(.proctitle, .none, 19)
    default:
      self.init(any: bytes)
    }
  }

  @usableFromInline @inline(never)
  init?(any bytes: RawSpan) {
    var cursor = Cursor()
    node = .none
    if cursor.skip("node=", bytes) {
      guard let blank = bytes.firstIndex(of: UInt8(ascii: " "), from: cursor.at, before: bytes.byteCount) else { return nil }
      node = Slice(start: cursor.at, count: blank - cursor.at)
      cursor.at = blank + 1
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
