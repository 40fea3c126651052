/// Members of the small objects that reports, the status and notices consist of. Rare: these may allocate.
extension JSONWriter {
  /// `,"name":"value"`; nothing for nil.
  package mutating func member(_ name: StaticString, _ value: String?) {
    guard let value else { return }
    key(name)
    string(value)
  }

  /// `,"name":123`; nothing for nil.
  package mutating func member(_ name: StaticString, _ value: Int64?) {
    guard let value else { return }
    key(name)
    integer(value)
  }

  /// `,"name":true`.
  package mutating func member(_ name: StaticString, _ value: Bool) {
    key(name)
    raw(value ? "true" : "false")
  }

  /// `,"name":["value",…]`.
  package mutating func member(_ name: StaticString, _ values: [String]) {
    key(name)
    raw("[")
    for (index, value) in values.enumerated() {
      if index > 0 { raw(",") }
      string(value)
    }
    raw("]")
  }

  /// `,"name":{"one":1,…}`.
  package mutating func member(_ name: StaticString, _ numbers: [(String, Int64)]) {
    key(name)
    raw("{")
    for (index, number) in numbers.enumerated() {
      if index > 0 { raw(",") }
      string(number.0)
      raw(":")
      integer(number.1)
    }
    raw("}")
  }

  private mutating func key(_ name: StaticString) {
    raw(",\"")
    raw(name)
    raw("\":")
  }
}

/// A moment as the log writes it, in UTC: `2026-11-20T23:32:51.738Z`.
package func isoUTC(milliseconds: Int64) -> String {
  var writer = JSONWriter()
  writer.timestamp(milliseconds: milliseconds)
  return String(decoding: writer.bytes.dropFirst().dropLast(), as: UTF8.self)
}
