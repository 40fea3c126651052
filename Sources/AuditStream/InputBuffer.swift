import Glibc

/// Bytes between the one who reads them and the one who takes them apart; allocated once.
struct InputBuffer: ~Copyable, @unchecked Sendable {  // unchecked: the memory has one owner, this value
  static let capacityBytes = 256 << 10
  private let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: capacityBytes, alignment: 64)
  private var start = 0
  private var end = 0

  deinit { storage.deallocate() }

  /// What was filled and not yet consumed. Valid until the next ``room()``.
  var pending: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: storage[start..<end]) }

  /// Where the next bytes go: never empty as long as the taker leaves less than the capacity. Moves what is pending to the front.
  mutating func room() -> UnsafeMutableRawBufferPointer {
    if start > 0 {
      storage.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[start..<end]))
      end -= start
      start = 0
    }
    return UnsafeMutableRawBufferPointer(rebasing: storage[end...])
  }

  /// That many bytes of the room hold data now.
  mutating func fill(_ count: Int) {
    precondition(count >= 0 && end + count <= storage.count)
    end += count
  }

  /// That many pending bytes are done with.
  mutating func consume(_ count: Int) {
    precondition(count >= 0 && start + count <= end)
    start += count
  }
}

/// Takes lines from a buffer, the same ones however the bytes arrive.
struct LineSplitter: Sendable {
  /// A longer line is cut here. auditd's longest has MAX_AUDIT_MESSAGE_LENGTH (8970) bytes and as much again of interpretations.
  static let limitBytes = 64 << 10
  /// Lines that were cut.
  private(set) var oversized = 0
  /// So many bytes at the front of what is pending hold no newline.
  private var scanned = 0
  /// In the rest of a line that was cut.
  private var isSkipping = false

  /// Passes on the whole lines, without their newline, and leaves the last, unfinished one pending.
  mutating func split(_ buffer: inout InputBuffer, _ body: (_ line: RawSpan) -> Void) {
    let bytes = UnsafeRawBufferPointer(buffer.pending)
    guard let base = bytes.baseAddress else { return }
    var line = 0
    var next = scanned
    while next < bytes.count, let newline = memchr(base + next, 0x0a, bytes.count - next) {
      let end = UnsafeRawPointer(newline) - base
      pass(UnsafeRawBufferPointer(start: base + line, count: end - line), body)
      isSkipping = false
      line = end + 1
      next = line
    }
    if isSkipping || bytes.count - line > Self.limitBytes {
      pass(UnsafeRawBufferPointer(rebasing: bytes[line...]), body)
      isSkipping = true
      line = bytes.count
    }
    scanned = bytes.count - line
    buffer.consume(line)
  }

  /// The input has ended: passes on a last line that has no newline.
  mutating func finish(_ buffer: inout InputBuffer, _ body: (_ line: RawSpan) -> Void) {
    let bytes = UnsafeRawBufferPointer(buffer.pending)
    if !bytes.isEmpty { pass(bytes, body) }
    drop(&buffer)
  }

  /// Forgets an unfinished line.
  mutating func drop(_ buffer: inout InputBuffer) {
    buffer.consume(buffer.pending.count)
    scanned = 0
    isSkipping = false
  }

  @inline(__always)
  private mutating func pass(_ line: UnsafeRawBufferPointer, _ body: (RawSpan) -> Void) {
    if isSkipping { return }
    if line.count <= Self.limitBytes { return body(line.bytes) }
    oversized += 1
    body(UnsafeRawBufferPointer(rebasing: line.prefix(Self.limitBytes)).bytes)
  }
}
