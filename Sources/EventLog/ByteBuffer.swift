import AuditWire

/// Bytes that only grow until they are taken: the event path's output.
///
/// Why not an Array: its append checks uniqueness, goes through the generic collection protocols and costs a hundred
/// instructions for ten bytes, which was a third of all that an event costs. This is the one place of the project that
/// manages memory itself; ``append(_:)`` and ``reserve(_:)`` hold the whole argument for its safety: what is
/// written lies between `count` and `capacity`, and `reserve` makes that room first.
package struct ByteBuffer: ~Copyable, @unchecked Sendable {
  private var base: UnsafeMutableRawPointer
  package private(set) var count = 0
  private var capacity: Int

  package init(capacity: Int = 256) {
    self.capacity = max(capacity, 16)
    base = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit { base.deallocate() }

  /// Makes room for `extra` more bytes.
  @inline(__always)
  private mutating func reserve(_ extra: Int) {
    if extra > capacity &- count { grow(extra) }
  }

  @inline(never)
  private mutating func grow(_ extra: Int) {
    let wanted = max(capacity * 2, count + extra)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
    larger.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = larger
    capacity = wanted
  }

  @inline(__always)
  package mutating func append(_ byte: UInt8) {
    reserve(1)
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count &+= 1
  }

  /// The first `count` (1…8) bytes of `word`, the lowest one first.
  @inline(__always)
  package mutating func append(word: UInt64, count length: Int) {
    reserve(8)
    (base + count).storeBytes(of: word.littleEndian, as: UInt64.self)
    count &+= min(max(length, 0), 8)
  }

  /// Room for `extra` bytes behind what is there, to be written before ``endAppend(_:)`` says how many were.
  @inline(__always)
  mutating func beginAppend(_ extra: Int) -> UnsafeMutableRawPointer {
    reserve(extra)
    return base + count
  }

  @inline(__always)
  mutating func endAppend(_ length: Int) {
    precondition(length >= 0 && length <= capacity &- count)
    count &+= length
  }

  @inline(__always)
  package mutating func append(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }

  @inline(__always)
  package mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    let length = bytes.count
    reserve(length)
    let target = base + count
    count &+= length
    if length > 16 {
      target.copyMemory(from: source, byteCount: length)
    } else if length >= 8 {
      // two words that overlap: most pieces are short, and a call costs more than they do
      let tail = source.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
      target.storeBytes(of: source.loadUnaligned(as: UInt64.self), as: UInt64.self)
      target.storeBytes(of: tail, toByteOffset: length &- 8, as: UInt64.self)
    } else if length >= 4 {
      let tail = source.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self)
      target.storeBytes(of: source.loadUnaligned(as: UInt32.self), as: UInt32.self)
      target.storeBytes(of: tail, toByteOffset: length &- 4, as: UInt32.self)
    } else {
      for at in 0..<length { target.storeBytes(of: source.load(fromByteOffset: at, as: UInt8.self), toByteOffset: at, as: UInt8.self) }
    }
  }

  /// A part of another buffer. (Arrays hold their bytes by reference: lending one while this grows costs a retain and a release.)
  @inline(__always)
  mutating func append(_ other: borrowing ByteBuffer, _ slice: Slice) {
    precondition(slice.start >= 0 && slice.count >= 0 && slice.end <= other.count)
    append(contentsOf: UnsafeRawBufferPointer(start: other.base + Int(slice.start), count: Int(slice.count)))
  }

  /// Forgets what lies behind `length` bytes. A length beyond the end is the end.
  package mutating func truncate(to length: Int) { count = max(0, min(count, length)) }

  /// Lends the bytes from `start` on.
  package func withBytes<Result: ~Copyable, Fault: Error>(
    from start: Int = 0, _ body: (RawSpan) throws(Fault) -> Result
  ) throws(Fault) -> Result {
    let start = max(0, min(start, count))
    return try body(RawSpan(_unsafeStart: base + start, byteCount: count - start))
  }
}
