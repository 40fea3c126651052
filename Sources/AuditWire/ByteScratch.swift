/// Bytes that are filled, read and forgotten again and again: an array that stays at its largest size, and how much of it counts.
///
/// Array's own append goes through the generic collection protocols, and its removeAll through the replacement of ranges; on
/// the event path that is more than the copying.
@usableFromInline package struct ByteScratch: Sendable {
  /// The first ``count`` bytes are what there is; behind them lies what is left over from before. To be lent as a span, which
  /// this struct cannot do itself without an experimental compiler flag: `scratch.storage.span.bytes`.
  @usableFromInline package internal(set) var storage: [UInt8]
  @usableFromInline package internal(set) var count = 0

  package init(capacity: Int = 0) { storage = Array(repeating: 0, count: capacity) }

  /// - Parameter bytes: what there is at first.
  package init(_ bytes: [UInt8]) {
    storage = bytes
    count = bytes.count
  }

  @inlinable package var isEmpty: Bool { count == 0 }
  @inlinable package var last: UInt8? { count == 0 ? nil : storage[count &- 1] }

  /// A copy, for rare paths and tests.
  package var array: [UInt8] { Array(storage[0..<count]) }

  /// Forgets what lies behind `length` bytes, and keeps the memory.
  @inlinable @inline(__always)
  package mutating func truncate(to length: Int) { count = max(0, min(count, length)) }

  /// Gives the memory back as well.
  package mutating func release() {
    storage = []
    count = 0
  }

  @inlinable @inline(__always)
  package mutating func append(_ byte: UInt8) {
    if count == storage.count { grow(1) }
    storage[count] = byte
    count &+= 1
  }

  @inlinable @inline(__always)
  package mutating func append(_ text: RawSpan) {
    let length = text.byteCount
    if length > storage.count &- count { grow(length) }
    let start = count
    storage.withUnsafeMutableBytes { target in
      text.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[start..<start &+ length]).copyMemory(from: $0) }
    }
    count &+= length
  }

  /// Appends a part of another one. (A span of one stored property cannot be lent while another one is changed, so code that
  /// copies between its own buffers passes the buffer.)
  @inlinable @inline(__always)
  package mutating func append(_ other: ByteScratch, _ range: Range<Int>) { append(other.storage.span.bytes.extracting(range)) }

  /// Room for `length` more bytes, which count from now on and are to be written through ``subscript(_:)``.
  @inlinable package mutating func extend(by length: Int) {
    if length > storage.count &- count { grow(length) }
    count &+= max(0, length)
  }

  /// Puts a part of `text` over the bytes from `start` on; traps outside the storage.
  @inlinable @inline(__always)
  package mutating func overwrite(from start: Int, with text: [UInt8], _ range: Range<Int>) {
    storage.withUnsafeMutableBytes { target in
      text.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(rebasing: target[start..<start &+ range.count]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[range]))
      }
    }
  }

  /// The byte at `index`; traps outside the storage.
  @inlinable package subscript(index: Int) -> UInt8 {
    get { storage[index] }
    set { storage[index] = newValue }
  }

  @usableFromInline @inline(never)
  mutating func grow(_ length: Int) {
    storage.append(contentsOf: repeatElement(0, count: max(length, storage.count, 256)))
  }
}
