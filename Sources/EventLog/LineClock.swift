import AuditWire
import Glibc

/// The times of lines, from their `@timestamp` and into text of the local zone. Lines come in order of time, many in each second, so that both are
/// remembered.
struct LineClock {
  /// What `2026-11-20 23:32:51` needs.
  private struct Second {
    var seconds: Int64 = .min
    var text = InlineArray<19, UInt8>(repeating: 0)
    var year: Int32 = 0, dayOfYear: Int32 = 0
  }

  private let isUTC: Bool
  /// `2026-11-20T23:32:51` as the last timestamp had it, as words that overlap, and its second.
  private var stamp: (UInt64, UInt64, UInt64) = (0, 0, 0)
  private var stampSeconds: Int64 = 0
  private var shown = Second()
  private var now = Second()

  /// - Parameter isUTC: false for the local zone.
  init(isUTC: Bool = false) { self.isUTC = isUTC }

  /// The moment that a timestamp of a line names, milliseconds since 1970; nil if it is none.
  mutating func ms(_ value: JSONValue, _ line: RawSpan) -> Int64? {
    guard value.kind == .string else { return nil }
    let text = line.extracting(value.range)
    // 2026-11-20T23:32:51.738Z
    guard text.byteCount == 24, text.byte(19) == UInt8(ascii: "."), text.byte(23) == UInt8(ascii: "Z") else {
      return instant(isoUTC: text)
    }
    let words = (text.word(0), text.word(8), text.word(11))
    var part: Int64 = 0
    for index in 20..<23 {
      let digit = text.byte(index)
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      part = part * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    if words != stamp {
      guard let ms = instant(isoUTC: text) else { return nil }
      (stamp, stampSeconds) = (words, (ms - part) / 1000)
    }
    return stampSeconds * 1000 + part
  }

  /// Writes a moment as `2026-11-20 23:32:51.738`.
  mutating func full(_ ms: Int64, _ cells: inout TextCells) {
    show(ms)
    cells.ascii(shown.text.span.bytes)
    milliseconds(ms, &cells)
  }

  /// Writes a moment as `2026-11-20 23:32:51`, or only its first `columns` characters.
  mutating func second(_ ms: Int64, columns: Int = 19, _ cells: inout TextCells) {
    show(ms)
    cells.ascii(shown.text.span.bytes.extracting(0..<columns))
  }

  /// Writes a moment as `23:32:51.738` if it is today's, else as `11-20 23:32:51`.
  mutating func short(_ ms: Int64, nowMs: Int64, _ cells: inout TextCells) {
    show(ms)
    fill(&now, nowMs)
    if (shown.year, shown.dayOfYear) == (now.year, now.dayOfYear) {
      cells.ascii(shown.text.span.bytes.extracting(11..<19))
      milliseconds(ms, &cells)
    } else {
      cells.ascii(shown.text.span.bytes.extracting(5..<19))
    }
  }

  private func milliseconds(_ ms: Int64, _ cells: inout TextCells) {
    let part = (ms % 1000 + 1000) % 1000
    let digits: InlineArray<4, UInt8> = [UInt8(ascii: "."), Self.digit(part / 100), Self.digit(part / 10), Self.digit(part)]
    cells.ascii(digits.span.bytes)
  }

  private mutating func show(_ ms: Int64) { fill(&shown, ms) }

  private func fill(_ second: inout Second, _ ms: Int64) {
    let seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0)
    if seconds == second.seconds { return }
    var wanted = time_t(seconds)
    var time = tm()
    if isUTC { gmtime_r(&wanted, &time) } else { localtime_r(&wanted, &time) }
    second.seconds = seconds
    (second.year, second.dayOfYear) = (time.tm_year, time.tm_yday)
    var (at, text) = (0, InlineArray<19, UInt8>(repeating: UInt8(ascii: "-")))
    func put(_ value: Int64, _ width: Int, then mark: UInt8) {
      var divisor: Int64 = 1
      for _ in 1..<width { divisor *= 10 }
      while divisor > 0 {
        text[at] = Self.digit(value / divisor)
        (at, divisor) = (at + 1, divisor / 10)
      }
      if at < 19 { text[at] = mark }
      at += 1
    }
    put(min(max(Int64(time.tm_year) + 1900, 0), 9999), 4, then: UInt8(ascii: "-"))
    put(Int64(time.tm_mon) + 1, 2, then: UInt8(ascii: "-"))
    put(Int64(time.tm_mday), 2, then: UInt8(ascii: " "))
    put(Int64(time.tm_hour), 2, then: UInt8(ascii: ":"))
    put(Int64(time.tm_min), 2, then: UInt8(ascii: ":"))
    put(Int64(time.tm_sec), 2, then: 0)
    second.text = text
  }

  private static func digit(_ value: Int64) -> UInt8 { UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10) }
}
