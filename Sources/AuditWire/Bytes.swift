// Bytes of records, read by index. Nothing here stores a span: records and fields are offsets into a buffer that the
// caller owns and lends for the duration of a call, so the event path needs neither String nor Array.

/// A run of bytes in a buffer that somebody else owns: 8 bytes, no lifetime.
@usableFromInline package struct Slice: Equatable, Sendable, BitwiseCopyable {
  @usableFromInline package var start: Int32
  @usableFromInline package var count: Int32

  @inlinable package init(start: Int, count: Int) {
    self.start = Int32(truncatingIfNeeded: start)
    self.count = Int32(truncatingIfNeeded: count)
  }

  /// Nothing at all, which is not the same as an empty value: see ``Value``.
  @inlinable package static var none: Slice { Slice(start: 0, count: 0) }

  @inlinable package var isEmpty: Bool { count == 0 }
  /// The first index behind the run.
  @inlinable package var end: Int { Int(start) + Int(count) }
  @inlinable package var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

extension RawSpan {
  /// The byte at `index`; traps outside the span, like any subscript.
  @inlinable @inline(__always)
  package func byte(_ index: Int) -> UInt8 { unsafeLoad(fromByteOffset: index, as: UInt8.self) }

  /// The byte at `index`, 0 at and behind the end: for look-ahead on hostile input.
  @inlinable @inline(__always)
  package func peek(_ index: Int) -> UInt8 {
    UInt(bitPattern: index) < UInt(bitPattern: byteCount) ? unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self) : 0
  }

  /// Eight bytes from `index`, the first one lowest; those behind the end read as 0.
  @inlinable @inline(__always)
  package func word(_ index: Int) -> UInt64 {
    // the sign of both at once, for index >= 0 and index + 8 <= byteCount: this is the most frequent load of all
    if index | (byteCount &- 8 &- index) >= 0 {
      return word(unchecked: index)
    }
    return wordAtEnd(index)
  }

  /// ``word(_:)`` for a caller that has checked that eight bytes stand at `index`.
  @inlinable @inline(__always)
  package func word(unchecked index: Int) -> UInt64 {
    assert(index >= 0 && index <= byteCount - 8)
    return UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
  }

  @usableFromInline @inline(never)
  package func wordAtEnd(_ index: Int) -> UInt64 {
    var result: UInt64 = 0
    var at = byteCount
    while at > max(0, index) {
      at &-= 1
      result = result &<< 8 | UInt64(byte(at))
    }
    return result
  }

  /// Whether both hold the same bytes, eight at a time.
  @inlinable package func equals(_ other: RawSpan) -> Bool {
    let count = byteCount
    guard count == other.byteCount else { return false }
    if count < 8 { return word(0) == other.word(0) }
    // every load below ends at `count`, which both have
    if count < 32 {
      var at = 0
      while at < count &- 8 {
        if word(unchecked: at) != other.word(unchecked: at) { return false }
        at &+= 8
      }
      return word(unchecked: count &- 8) == other.word(unchecked: count &- 8)
    }
    // nearly everything that is compared is the same, so the first difference is not looked for
    var difference = block(count &- 32) ^ other.block(count &- 32)
    var at = 0
    while at < count &- 32 {
      difference |= block(at) ^ other.block(at)
      at &+= 32
    }
    return difference.x | difference.y | difference.z | difference.w == 0
  }

  /// 32 bytes; the caller has checked that they stand at `index`.
  @inlinable @inline(__always)
  func block(_ index: Int) -> SIMD4<UInt64> {
    assert(index >= 0 && index <= byteCount - 32)
    return unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: SIMD4<UInt64>.self)
  }

  /// Whether the bytes are those of `text`.
  @inlinable package func equals(_ text: StaticString) -> Bool {
    guard byteCount == text.utf8CodeUnitCount else { return false }
    return hasPrefix(text, at: 0)
  }

  /// Whether `text` stands at `index`.
  @inlinable package func hasPrefix(_ text: StaticString, at index: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard index >= 0, index <= byteCount &- count else { return false }
    for offset in 0..<count where byte(index &+ offset) != text.utf8Start[offset] { return false }
    return true
  }

  /// The index of the first `wanted` at or behind `from` and before `end`, or nil; eight bytes at a time.
  @inlinable package func firstIndex(of wanted: UInt8, from: Int, before end: Int) -> Int? {
    precondition(from >= 0 && end <= byteCount)
    let pattern = Swar.spread(wanted)
    var at = from
    // whole words as long as the span has them, also beyond `end`: a hit there is none
    let last = min(end, byteCount &- 7)
    while at < last {
      let hits = Swar.zeroBytes(word(unchecked: at) ^ pattern)
      if hits != 0 {
        let index = at &+ hits.trailingZeroBitCount / 8
        return index < end ? index : nil
      }
      at &+= 8
    }
    while at < end {
      if byte(at) == wanted { return at }
      at &+= 1
    }
    return nil
  }

  /// The index of the last `wanted` before `end`, or nil; eight bytes at a time.
  @inlinable package func lastIndex(of wanted: UInt8, before end: Int) -> Int? {
    precondition(end <= byteCount)
    let pattern = Swar.spread(wanted)
    var at = end
    while at >= 8 {
      let word = word(unchecked: at &- 8) ^ pattern
      // exact for every byte, unlike `Swar.zeroBytes`: the highest hit is asked for
      let hits = ~((word & Swar.spread(0x7f)) &+ Swar.spread(0x7f) | word | Swar.spread(0x7f))
      if hits != 0 { return at &- 1 &- hits.leadingZeroBitCount / 8 }
      at &-= 8
    }
    while at > 0 {
      at &-= 1
      if byte(at) == wanted { return at }
    }
    return nil
  }

  /// A hash of the length, the first 32 bytes, eight in the middle and the last 16: for caches whose hits are confirmed byte by byte, so that a
  /// collision costs time and never correctness.
  @inlinable package func hash(seed: UInt64) -> UInt64 {
    let count = byteCount
    var state = seed ^ UInt64(truncatingIfNeeded: count) ^ word(0)
    if count > 8 {
      state = state &* 0xff51_afd7_ed55_8ccd &+ word(8)
      state = state &* 0xff51_afd7_ed55_8ccd &+ word(16)
      state = state &* 0xff51_afd7_ed55_8ccd &+ word(24)
      state = state &* 0xff51_afd7_ed55_8ccd &+ word(count / 2)
      state = state &* 0xff51_afd7_ed55_8ccd &+ word(max(0, count &- 16))
      state = state &* 0xff51_afd7_ed55_8ccd &+ word(max(0, count &- 8))
    }
    return Swar.fold(state)
  }

  /// A copy of the bytes; for rare paths and tests.
  @inlinable package func array() -> [UInt8] { withUnsafeBytes { Array($0) } }

  /// The bytes as text, damaged UTF-8 repaired; for rare paths and tests.
  @inlinable package func text() -> String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}

/// Arithmetic on eight bytes at once ("SIMD within a register").
@usableFromInline package enum Swar {
  @inlinable @inline(__always)
  package static func spread(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

  /// The high bit of every byte that is 0 (bytes behind the first hit may be false hits; the lowest is right).
  @inlinable @inline(__always)
  package static func zeroBytes(_ word: UInt64) -> UInt64 { (word &- spread(1)) & ~word & spread(0x80) }

  /// How many of the word's low bytes are decimal digits, counted up to the first that is none; at most 8.
  @inlinable @inline(__always)
  package static func digitCount(_ word: UInt64) -> Int {
    // a byte is a digit if its high half is 3 and adding 6 does not carry it to 4
    let high = (word & spread(0xf0)) ^ spread(0x30)
    let carried = (((word & spread(0x7f)) &+ spread(6)) & spread(0xf0)) ^ spread(0x30)
    let wrong = high | carried
    return wrong == 0 ? 8 : wrong.trailingZeroBitCount / 8
  }

  /// How many of the word's low bytes are hexadecimal digits of either case, counted up to the first that is none; at most 8.
  @inlinable @inline(__always)
  package static func hexCount(_ word: UInt64) -> Int {
    let low = word & spread(0x7f)
    let top = spread(0x80)
    // the high bit of a byte says: at least that value
    let isDigit = (low &+ spread(0x80 - 0x30)) & ~(low &+ spread(0x80 - 0x3a))
    let folded = low | spread(0x20)
    let isLetter = (folded &+ spread(0x80 - 0x61)) & ~(folded &+ spread(0x80 - 0x67))
    let wrong = (~(isDigit | isLetter) | word) & top
    return wrong == 0 ? 8 : wrong.trailingZeroBitCount / 8
  }

  /// The number that the word's first `count` (1…8) bytes, all hexadecimal digits, spell.
  @inlinable @inline(__always)
  package static func hexadecimal(_ word: UInt64, _ count: Int) -> UInt64 {
    hexadecimal(word &<< UInt64(64 &- count &* 8))
  }

  /// The number that the word's eight bytes, all hexadecimal digits or, in front, 0, spell.
  @inlinable @inline(__always)
  package static func hexadecimal(_ word: UInt64) -> UInt64 {
    var value = (word & spread(0x0f)) &+ (word &>> 6 & spread(1)) &* 9
    // join neighbours, the earlier one on top: pairs, fours, all
    value = (value &<< 4 | value &>> 8) & 0x00ff_00ff_00ff_00ff
    value = (value &<< 8 | value &>> 16) & 0x0000_ffff_0000_ffff
    return (value &<< 16 | value &>> 32) & 0xffff_ffff
  }

  /// The number that the word's first `count` (1…8) bytes, all digits, spell.
  @inlinable @inline(__always)
  package static func decimal(_ word: UInt64, _ count: Int) -> UInt64 {
    // drop the rest, so that leading zeroes fill up; then add neighbours: pairs, fours, all
    var value = (word &- spread(0x30)) &<< UInt64(64 &- count &* 8)
    value = value &* 10 &+ value &>> 8
    let low = (value & 0x0000_00ff_0000_00ff) &* 0x000f_4240_0000_0064
    let high = (value &>> 16 & 0x0000_00ff_0000_00ff) &* 0x0000_2710_0000_0001
    return (low &+ high) &>> 32
  }

  @inlinable @inline(__always)
  package static func fold(_ word: UInt64) -> UInt64 {
    let product = word.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return product.high ^ product.low
  }

  /// `text`'s first bytes as ``RawSpan/word(_:)`` would read them; at most eight. Folds to a constant.
  @inlinable @inline(__always)
  package static func literal(_ text: StaticString) -> UInt64 {
    var result: UInt64 = 0
    var at = text.utf8CodeUnitCount
    while at > 0 {
      at &-= 1
      result = result &<< 8 | UInt64(text.utf8Start[at])
    }
    return result
  }
}

/// Lends an array's bytes.
extension Array where Element == UInt8 {
  /// Appends a run of bytes; no allocation while the capacity suffices.
  @inlinable @inline(__always)
  package mutating func append(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }

  /// Appends a part of another array. (A span of one stored property cannot be lent while another one is changed, so
  /// code that copies between its own buffers passes the array.)
  @inlinable @inline(__always)
  package mutating func append(_ other: [UInt8], _ range: Range<Int>) {
    append(other.span.bytes.extracting(range))
  }
}
