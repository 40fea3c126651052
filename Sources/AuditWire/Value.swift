/// A field's value: where its bytes are and how the kernel wrote them.
///
/// The kernel prints an untrusted string (`name`, `cwd`, `comm`, `exe`, `key`, …) in quotes when every byte is in
/// 0x21…0x7e and none is a quote, otherwise in upper-case hexadecimal without quotes; a NULL pointer is `(null)` without
/// quotes (kernel/audit.c audit_log_n_untrustedstring). So the quotes alone tell a file called `DEADBEEF` from four
/// bytes in hexadecimal.
@usableFromInline package struct Value: Equatable, Sendable, BitwiseCopyable {
  @usableFromInline package enum Encoding: UInt8, Sendable, BitwiseCopyable {
    /// The field is not there at all.
    case absent
    /// `(null)`: the kernel had no string.
    case null
    case quoted
    /// An even number of hexadecimal digits; which bare words mean bytes depends on the field.
    case hex
    /// Any other word.
    case bare
  }

  @usableFromInline package var slice: Slice
  @usableFromInline package var encoding: Encoding

  @inlinable @inline(__always)
  package init(start: Int, count: Int, encoding: Encoding) {
    slice = Slice(start: start, count: count)
    self.encoding = encoding
  }

  @inlinable package static var absent: Value { Value(start: 0, count: 0, encoding: .absent) }

  /// Classifies the unquoted word at `start`.
  @inlinable @inline(__always)
  package init(bare bytes: RawSpan, start: Int, count: Int) {
    slice = Slice(start: start, count: count)
    encoding = Value.bareEncoding(bytes, start: start, count: count)
  }

  @inlinable static func bareEncoding(_ bytes: RawSpan, start: Int, count: Int) -> Encoding {
    if count == 6, bytes.hasPrefix("(null)", at: start) { return .null }
    if count == 0 || count & 1 != 0 { return .bare }
    for index in start..<start &+ count where hexDigit(bytes.byte(index)) > 15 { return .bare }
    return .hex
  }

  /// Whether there is a string: neither absent nor `(null)`.
  @inlinable package var isPresent: Bool { encoding.rawValue > Encoding.null.rawValue }

  /// Appends the bytes that the value stands for. Nothing for an absent one or `(null)`.
  @inlinable package func decode(from bytes: RawSpan, into output: inout ByteScratch) {
    switch encoding {
    case .absent, .null: return
    case .quoted, .bare: output.append(bytes.extracting(slice.range))
    case .hex:
      var at = Int(slice.start)
      let end = slice.end
      while at < end {
        output.append(hexDigit(bytes.byte(at)) &<< 4 | hexDigit(bytes.byte(at &+ 1)) & 15)
        at &+= 2
      }
    }
  }
}
