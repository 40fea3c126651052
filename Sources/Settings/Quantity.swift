/// The units of a time, largest first, in milliseconds.
private let timeUnits: [(name: String, size: Int)] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]

/// The units of a size, largest first, in bytes.
private let sizeUnits: [(name: String, size: Int)] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]

/// `90d`, `24h`, `30m`, `1s`, `250ms` or `0s`; nil for anything else.
package func parseDuration(_ text: String) -> Duration? {
  parse(text, timeUnits).map { .milliseconds($0) }
}

/// `100MiB`, `10GiB`: a number of bytes; nil for anything else.
package func parseSize(_ text: String) -> Int? { parse(text, sizeUnits) }

/// The shortest text that ``parseDuration(_:)`` reads as `time`; fractions of a millisecond are dropped.
package func format(_ time: Duration) -> String {
  let (seconds, attoseconds) = time.components
  return format(Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000), timeUnits, zero: "0s")
}

/// The shortest text that ``parseSize(_:)`` reads as `bytes`.
package func format(bytes: Int) -> String { format(bytes, sizeUnits, zero: "0B") }

private func parse(_ text: String, _ units: [(name: String, size: Int)]) -> Int? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let name = text.dropFirst(digits.count)
  guard let count = Int(digits), let unit = units.first(where: { $0.name == name }) else { return nil }
  let (product, overflow) = count.multipliedReportingOverflow(by: unit.size)
  return overflow ? nil : product
}

private func format(_ value: Int, _ units: [(name: String, size: Int)], zero: String) -> String {
  guard value != 0, let unit = units.first(where: { value % $0.size == 0 }) else { return zero }
  return "\(value / unit.size)\(unit.name)"
}
