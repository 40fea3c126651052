/// One `name=value` of a record.
package struct Field: Equatable, Sendable {
  package var name: Slice
  package var value: Value
}

/// Walks any record's fields, in whatever order they come: the fall-back where the kernel's fixed order is not met, and
/// the only reader for the records of user space.
///
/// Rules, all from what the kernel and libaudit write (AUDIT-FACTS 5):
/// - fields are separated by blanks; a few writers put a comma behind the value, which is not part of it;
/// - `msg='op=… res=success'` wraps more fields: the wrapper is stepped over and they are walked in turn;
/// - a word without `=` is skipped (older records have such prose);
/// - everything behind ``enrichmentSeparator`` is auditd's own interpretation and is not walked;
/// - `ses=4294967295op=remove_rule` lacks its blank in the kernel (audit_watch.c): a `ses` value ends at its last digit.
package struct FieldCursor {
  package var at: Int
  private let end: Int
  /// A word that is no field was stepped over.
  package private(set) var passedWords = false

  /// Walks the fields from `start`, a header's `bodyStart`.
  package init(_ bytes: RawSpan, start: Int = 0) {
    at = start
    end = bytes.firstIndex(of: enrichmentSeparator, from: min(start, bytes.byteCount), before: bytes.byteCount) ?? bytes.byteCount
  }

  /// Walks what is behind ``enrichmentSeparator``.
  /// - Parameter separator: where that is.
  package init(_ bytes: RawSpan, after separator: Int) {
    at = min(separator, bytes.byteCount &- 1) &+ 1
    end = bytes.byteCount
  }

  /// The next field, nil at the end.
  package mutating func next(_ bytes: RawSpan) -> Field? {
    while at < end {
      let first = bytes.byte(at)
      if first == UInt8(ascii: " ") || first == UInt8(ascii: ",") || first == UInt8(ascii: "'") {
        at &+= 1
        continue
      }
      let start = at
      while at < end, bytes.byte(at) != UInt8(ascii: "="), bytes.byte(at) != UInt8(ascii: " ") { at &+= 1 }
      guard at < end, bytes.byte(at) == UInt8(ascii: "=") else {
        passedWords = true
        continue
      }
      let name = Slice(start: start, count: at &- start)
      at &+= 1
      if at < end, bytes.byte(at) == UInt8(ascii: "'"), bytes.extracting(name.range).equals("msg") { continue }
      return Field(name: name, value: value(bytes, of: name))
    }
    return nil
  }

  private mutating func value(_ bytes: RawSpan, of name: Slice) -> Value {
    let start = at
    if at < end, bytes.byte(at) == UInt8(ascii: "\"") {
      if let quote = bytes.firstIndex(of: UInt8(ascii: "\""), from: at &+ 1, before: end) {
        at = quote &+ 1
        return Value(start: start &+ 1, count: quote &- start &- 1, encoding: .quoted)
      }
    }
    if at < end, bytes.byte(at) == UInt8(ascii: "'") {
      if let quote = bytes.firstIndex(of: UInt8(ascii: "'"), from: at &+ 1, before: end) {
        at = quote &+ 1
        return Value(start: start &+ 1, count: quote &- start &- 1, encoding: .bare)
      }
    }
    if bytes.extracting(name.range).equals("ses") {
      while at < end, bytes.byte(at) &- 0x30 <= 9 { at &+= 1 }
      if at > start { return Value(start: start, count: at &- start, encoding: .bare) }
    }
    while at < end, bytes.byte(at) != UInt8(ascii: " ") { at &+= 1 }
    var stop = at
    while stop > start, bytes.byte(stop &- 1) == UInt8(ascii: ",") || bytes.byte(stop &- 1) == UInt8(ascii: "'") { stop &-= 1 }
    return Value(bare: bytes, start: start, count: stop &- start)
  }
}
