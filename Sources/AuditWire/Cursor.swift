/// A position in one record's bytes, for reading what the kernel writes in the order in which it writes it.
///
/// Every step that does not find what it expects returns false or nil and leaves the position alone, so the caller can
/// fall back to ``FieldCursor``. No step reads outside the bytes.
/// The bytes come with every call rather than being kept: a stored span needs an experimental compiler flag.
@usableFromInline package struct Cursor {
  @usableFromInline package var at: Int

  @inlinable package init(at: Int = 0) { self.at = at }

  /// Steps over `text` (at most eight bytes) if it stands here.
  @inlinable @inline(__always)
  package mutating func skip(_ text: StaticString, _ bytes: RawSpan) -> Bool {
    let count = text.utf8CodeUnitCount
    let mask: UInt64 = count >= 8 ? ~0 : (1 &<< UInt64(count &* 8)) &- 1
    guard (bytes.word(at) ^ Swar.literal(text)) & mask == 0 else { return false }
    at &+= count
    return true
  }

  /// An unsigned decimal number; nil where none stands or it does not fit into 64 bits.
  @inlinable @inline(__always)
  package mutating func decimal(_ bytes: RawSpan) -> UInt64? {
    let word = bytes.word(at)
    let count = Swar.digitCount(word)
    // up to eight digits in one go: most ids, sizes and inodes
    if count == 8, bytes.peek(at &+ 8) &- 0x30 <= 9 { return longDecimal(bytes) }
    if count == 0 { return nil }
    at &+= count
    return Swar.decimal(word, count)
  }

  @usableFromInline
  mutating func longDecimal(_ bytes: RawSpan) -> UInt64? {
    var value = Swar.decimal(bytes.word(at), 8)
    var here = at &+ 8
    while case let digit = bytes.peek(here) &- 0x30, digit <= 9 {
      let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = product.addingReportingOverflow(UInt64(digit))
      if tooLarge || overflow { return nil }
      value = sum
      here &+= 1
    }
    at = here
    return value
  }

  /// A decimal number with an optional minus sign.
  @inlinable @inline(__always)
  package mutating func signed(_ bytes: RawSpan) -> Int64? {
    let start = at
    let negative = bytes.peek(at) == UInt8(ascii: "-")
    if negative { at &+= 1 }
    guard let magnitude = decimal(bytes), let value = Int64(exactly: magnitude) else {
      at = start
      return nil
    }
    return negative ? -value : value
  }

  /// A hexadecimal number of at most 16 digits, either case.
  @inlinable @inline(__always)
  package mutating func hexadecimal(_ bytes: RawSpan) -> UInt64? {
    let word = bytes.word(at)
    let count = Swar.hexCount(word)
    if count == 8 { return longHexadecimal(bytes) }
    if count == 0 { return nil }
    at &+= count
    return Swar.hexadecimal(word, count)
  }

  /// Eight digits and more: an address.
  @usableFromInline
  mutating func longHexadecimal(_ bytes: RawSpan) -> UInt64? {
    let high = Swar.hexadecimal(bytes.word(at))
    let word = bytes.word(at &+ 8)
    let count = Swar.hexCount(word)
    if count == 8, hexDigit(bytes.peek(at &+ 16)) <= 15 { return nil }
    at &+= 8 &+ count
    return count == 0 ? high : high &<< UInt64(count &* 4) | Swar.hexadecimal(word, count)
  }

  /// An octal number of at most 21 digits.
  @inlinable package mutating func octal(_ bytes: RawSpan) -> UInt64? {
    var value: UInt64 = 0
    var here = at
    while case let digit = bytes.peek(here) &- 0x30, digit <= 7 {
      value = value &<< 3 | UInt64(digit)
      here &+= 1
    }
    guard here > at, here &- at <= 21 else { return nil }
    at = here
    return value
  }

  /// A value as the kernel prints one: `"quoted"`, hexadecimal, `(null)` or a bare word up to the next blank.
  @inlinable @inline(__always)
  package mutating func value(_ bytes: RawSpan) -> Value {
    let word = bytes.word(at)
    if word & 0xff == 0x22 {
      let start = at &+ 1
      if let quote = bytes.firstIndex(of: 0x22, from: start, before: bytes.byteCount) {
        at = quote &+ 1
        return Value(start: start, count: quote &- start, encoding: .quoted)
      }
    }
    return bareValue(bytes)
  }

  /// Everything up to the record's end, or auditd's enrichment: for a field that is always the last. A word without quotes is
  /// taken for hexadecimal unseen; whoever decodes it looks.
  package mutating func lastValue(_ bytes: RawSpan) -> Value {
    if bytes.peek(at) == 0x22 || bytes.peek(at) == 0x28 { return value(bytes) }
    let end = bytes.firstIndex(of: enrichmentSeparator, from: min(at, bytes.byteCount), before: bytes.byteCount) ?? bytes.byteCount
    defer { at = end }
    return Value(start: at, count: end &- at, encoding: .hex)
  }

  @usableFromInline
  mutating func bareValue(_ bytes: RawSpan) -> Value {
    let start = at
    // a control byte ends a word as well: auditd puts its enrichment behind one
    while at < bytes.byteCount, bytes.byte(at) > 0x20 { at &+= 1 }
    return Value(bare: bytes, start: start, count: at &- start)
  }
}

/// The value of a hexadecimal digit, 255 for any other byte.
@inlinable @inline(__always)
package func hexDigit(_ byte: UInt8) -> UInt8 {
  let decimal = byte &- 0x30
  if decimal <= 9 { return decimal }
  let letter = (byte | 0x20) &- 0x61
  return letter <= 5 ? letter &+ 10 : 255
}
