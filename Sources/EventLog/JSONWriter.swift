import AuditWire
import System

/// Writes JSON into one reused byte buffer. The caller writes the punctuation (``raw(_:)``); this writes the values.
///
/// It is on the event path: no String, no Array, no allocation once `bytes` has reached its working size.
package struct JSONWriter: ~Copyable, Sendable {
  private var buffer: ByteBuffer

  /// How many bytes have been written since ``removeAll()``.
  package var count: Int { buffer.count }
  package var isEmpty: Bool { buffer.count == 0 }
  /// A copy of what has been written; the event path lends it instead (``withBytes(from:_:)``).
  package var bytes: [UInt8] { buffer.withBytes { span in span.withUnsafeBytes { Array($0) } } }

  /// The time and the second that `timeText` shows: events come in order of time, several in each tick of the kernel's clock.
  private var shownTime: Int64 = .min
  private var second: Int64 = .min
  /// `"2026-11-20T23:32:51.738Z"`.
  private var timeText = InlineArray<26, UInt8>(repeating: 0)

  package init(capacityBytes: Int = 256) { buffer = ByteBuffer(capacity: capacityBytes) }

  /// Starts anew, keeping the memory.
  package mutating func removeAll() { buffer.truncate(to: 0) }

  /// Takes back what was written behind `count` bytes: a line that became too long.
  package mutating func truncate(to count: Int) { buffer.truncate(to: count) }

  /// Lends what has been written, from `start` on.
  package func withBytes<Result: ~Copyable, Fault: Error>(
    from start: Int = 0, _ body: (RawSpan) throws(Fault) -> Result
  ) throws(Fault) -> Result {
    try buffer.withBytes(from: start, body)
  }

  /// One byte that is JSON already.
  @inline(__always)
  package mutating func raw(byte: UInt8) { buffer.append(byte) }

  /// Literal JSON: keys, punctuation, constants.
  @inline(__always)
  package mutating func raw(_ text: StaticString) {
    buffer.append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Bytes that are JSON already.
  @inline(__always)
  package mutating func raw(bytes span: RawSpan) {
    buffer.append(span)
  }

  /// A part of a buffer, JSON already.
  @inline(__always)
  mutating func raw(_ other: borrowing ByteBuffer, _ slice: Slice) { buffer.append(other, slice) }

  /// Appends what has been written from `start` on to `other`; returns where it is there.
  func copy(from start: Int, to other: inout ByteBuffer) -> Slice {
    let slice = Slice(start: other.count, count: count - start)
    buffer.withBytes(from: start) { other.append($0) }
    return slice
  }

  /// A JSON string: quoted and escaped; what is not UTF-8 becomes U+FFFD.
  /// - Returns: whether every byte survived, that is, whether the text was UTF-8.
  @discardableResult
  @inline(__always)
  package mutating func string(_ text: RawSpan) -> Bool {
    buffer.append(UInt8(ascii: "\""))
    let whole = escaped(text)
    buffer.append(UInt8(ascii: "\""))
    return whole
  }

  /// The same of a String, which is always UTF-8. Not for the event path: a bridged or short String is copied first.
  package mutating func string(_ text: String) {
    var text = text
    buffer.append(UInt8(ascii: "\""))
    text.withUTF8 { _ = escaped($0.span.bytes) }
    buffer.append(UInt8(ascii: "\""))
  }

  /// The inside of a JSON string, for one that is put together from pieces (each whole UTF-8 sequences).
  /// - Returns: whether every byte survived.
  @discardableResult
  package mutating func escaped(_ text: RawSpan) -> Bool {
    // nearly every text goes as it is; copying eight bytes and looking at them costs less than doing one after the other
    let plain = buffer.appendPlain(text)
    if plain == text.byteCount { return true }
    var whole = true
    var written = plain
    var index = plain
    while true {
      index = indexOfSpecial(text, from: index)
      guard index < text.byteCount else { break }
      let step = utf8Step(text, at: index)
      if let scalar = step.scalar, scalar >= 0x80, !isTerminalHazard(scalar) {
        index += step.length
        continue
      }
      raw(bytes: text.extracting(written..<index))
      index += step.length
      written = index
      if let scalar = step.scalar {
        escape(scalar)
      } else {
        whole = false
        raw("\u{fffd}")
      }
    }
    raw(bytes: text.extracting(written..<text.byteCount))
    return whole
  }

  /// A scalar that JSON or a terminal does not take as it is; all of them are below U+FFFF.
  private mutating func escape(_ scalar: UInt32) {
    switch scalar {
    case 0x22: raw("\\\"")
    case 0x5c: raw("\\\\")
    case 0x08: raw("\\b")
    case 0x09: raw("\\t")
    case 0x0a: raw("\\n")
    case 0x0c: raw("\\f")
    case 0x0d: raw("\\r")
    default:
      raw("\\u")
      hexByte(UInt8(truncatingIfNeeded: scalar >> 8))
      hexByte(UInt8(truncatingIfNeeded: scalar))
    }
  }

  /// A decimal number.
  package mutating func integer(_ value: UInt64) {
    if value < 10 { return raw(byte: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
    if value < 100_000_000 {
      let digits = eightDigits(value)
      let zeroes = digits.trailingZeroBitCount / 8
      buffer.append(word: (digits | 0x3030_3030_3030_3030) &>> UInt64(zeroes &* 8), count: 8 &- zeroes)
    } else {
      integer(value / 100_000_000)
      buffer.append(word: eightDigits(value % 100_000_000) | 0x3030_3030_3030_3030, count: 8)
    }
  }

  /// The digits of a number below 10^8, the first one in the lowest byte: split into halves, those into pairs, those into
  /// digits, each step at once for all (division by multiplication with the reciprocal; exact in these ranges).
  private func eightDigits(_ value: UInt64) -> UInt64 {
    var parts = value / 10000 | (value % 10000) &<< 32
    let hundreds = (parts &* 10486) &>> 20 & 0x0000_007f_0000_007f
    parts = hundreds | (parts &- hundreds &* 100) &<< 16
    let tens = (parts &* 103) &>> 10 & 0x000f_000f_000f_000f
    return tens | (parts &- tens &* 10) &<< 8
  }

  /// A decimal number of any other width.
  @inline(__always)
  package mutating func integer(_ value: some FixedWidthInteger) {
    if value < 0 { buffer.append(UInt8(ascii: "-")) }
    integer(UInt64(truncatingIfNeeded: value.magnitude))
  }

  /// Two lower-case hexadecimal digits.
  package mutating func hexByte(_ byte: UInt8) {
    buffer.append(Self.hexDigit(byte >> 4))
    buffer.append(Self.hexDigit(byte & 15))
  }

  /// A JSON string of lower-case hexadecimal digits, two a byte: the lossless form of what is not UTF-8.
  package mutating func hexString(_ span: RawSpan) {
    buffer.append(UInt8(ascii: "\""))
    for index in 0..<span.byteCount { hexByte(span.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
    buffer.append(UInt8(ascii: "\""))
  }

  /// A JSON string holding the time as ISO 8601 in UTC with milliseconds, `"2026-11-20T23:32:51.738Z"`.
  /// - Parameter milliseconds: since 1970; what lies outside the years 1970 to 9999 is drawn to the nearer end.
  package mutating func timestamp(milliseconds: Int64) {
    if milliseconds != shownTime { show(milliseconds) }
    let text = timeText
    raw(bytes: text.span.bytes)
  }

  /// Fills the memo of ``timestamp(milliseconds:)``.
  private mutating func show(_ milliseconds: Int64) {
    shownTime = milliseconds
    let milliseconds = min(max(milliseconds, 0), CivilTime.lastMillisecond)
    let (wanted, part) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    if wanted != second { show(second: wanted) }
    timeText[21] = Self.digit(part / 100)
    timeText[22] = Self.digit(part / 10)
    timeText[23] = Self.digit(part)
  }

  private mutating func show(second wanted: Int64) {
    let time = CivilTime(secondsUTC: wanted)
    timeText = [
      UInt8(ascii: "\""),
      Self.digit(time.year / 1000), Self.digit(time.year / 100), Self.digit(time.year / 10), Self.digit(time.year), UInt8(ascii: "-"),
      Self.digit(time.month / 10), Self.digit(time.month), UInt8(ascii: "-"),
      Self.digit(time.day / 10), Self.digit(time.day), UInt8(ascii: "T"),
      Self.digit(time.hour / 10), Self.digit(time.hour), UInt8(ascii: ":"),
      Self.digit(time.minute / 10), Self.digit(time.minute), UInt8(ascii: ":"),
      Self.digit(time.second / 10), Self.digit(time.second), UInt8(ascii: "."), 0, 0, 0, UInt8(ascii: "Z"), UInt8(ascii: "\""),
    ]
    second = wanted
  }

  private static func digit(_ value: Int64) -> UInt8 { UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10) }

  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value }
}

extension ByteBuffer {
  /// Appends the bytes up to the first that cannot be copied into a JSON string unseen; returns how many those are.
  @inline(__always)
  mutating func appendPlain(_ text: RawSpan) -> Int {
    let count = text.byteCount
    let room = beginAppend(count)
    var index = 0
    while index <= count &- 8 {
      let word = text.word(unchecked: index)
      room.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
      let special = specialBytes(word)
      if special != 0 {
        index &+= special.trailingZeroBitCount / 8
        endAppend(index)
        return index
      }
      index &+= 8
    }
    if index < count, count >= 8 {
      // the last eight bytes, some of them for the second time
      let word = text.word(unchecked: count &- 8)
      room.storeBytes(of: word.littleEndian, toByteOffset: count &- 8, as: UInt64.self)
      let special = specialBytes(word)
      index = special == 0 ? count : count &- 8 &+ special.trailingZeroBitCount / 8
    }
    while index < count {
      let byte = text.byte(index)
      if byte < 0x20 || byte >= 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
      room.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
      index &+= 1
    }
    endAppend(index)
    return index
  }
}

/// The top bit of every byte that cannot be copied into a JSON string unseen: a control byte, `"`, `\`, DEL or anything over
/// 0x7f. A subtraction may borrow out of a byte that is special, so higher bytes can be flagged wrongly, but the lowest
/// flagged one never is.
@inline(__always)
private func specialBytes(_ word: UInt64) -> UInt64 {
  let ones: UInt64 = 0x0101_0101_0101_0101
  let flags =
    word | (word &- ones &* 0x20) | ((word ^ ones &* 0x22) &- ones) | ((word ^ ones &* 0x5c) &- ones) | ((word ^ ones &* 0x7f) &- ones)
  return flags & (ones &* 0x80)
}

/// The first byte at or after `start` that cannot be copied into a JSON string unseen: a control byte, `"`, `\`, DEL or
/// anything over 0x7f; the span's end if there is none. Eight bytes at a time.
@inline(__always)
func indexOfSpecial(_ text: RawSpan, from start: Int) -> Int {
  let count = text.byteCount
  var index = start
  while count - index >= 8 {
    let special = specialBytes(UInt64(littleEndian: text.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)))
    if special != 0 { return index + special.trailingZeroBitCount / 8 }
    index += 8
  }
  while index < count {
    let byte = text.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    if byte < 0x20 || byte >= 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return index }
    index += 1
  }
  return count
}
