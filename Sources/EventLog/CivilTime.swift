import AuditWire

/// A moment in the proleptic Gregorian calendar, UTC. All fields are Int64 because they only ever become digits.
struct CivilTime: Equatable {
  let year, month, day, hour, minute, second: Int64

  /// 9999-12-31T23:59:59.999Z, the last moment that four digits of year can show.
  static let lastMillisecond: Int64 = 253_402_300_799_999

  /// - Parameter secondsUTC: since 1970-01-01T00:00:00Z.
  init(secondsUTC: Int64) {
    let seconds = secondsUTC % 86400 < 0 ? secondsUTC % 86400 + 86400 : secondsUTC % 86400
    let days = (secondsUTC - seconds) / 86400
    (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    // Count in years that begin in March, so that the leap day is the last of its year, and in eras of 400 years, which
    // all have the same length.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Days from 1970-01-01 to a date; the month is 1 to 12, the day may lie outside its month.
  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}

/// The moment that an ISO 8601 time in UTC names, `2026-11-20T23:32:51.738Z` with or without the fraction, in
/// milliseconds since 1970; nil if it is none.
package func instant(isoUTC text: RawSpan) -> Int64? {
  guard text.byteCount >= 20, text.byte(text.byteCount &- 1) == UInt8(ascii: "Z"), text.byte(4) == UInt8(ascii: "-"),
    text.byte(7) == UInt8(ascii: "-"), text.byte(10) == UInt8(ascii: "T"), text.byte(13) == UInt8(ascii: ":"),
    text.byte(16) == UInt8(ascii: ":"), let year = number(text, 0, 4), let month = number(text, 5, 2), let day = number(text, 8, 2),
    let hour = number(text, 11, 2), let minute = number(text, 14, 2), let second = number(text, 17, 2)
  else { return nil }
  guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61 else { return nil }
  var fraction: Int64 = 0
  let end = text.byteCount &- 1
  if end > 19 {
    guard text.byte(19) == UInt8(ascii: "."), end > 20 else { return nil }
    for at in 20..<max(end, 23) {
      let digit = at < end ? text.byte(at) &- 0x30 : 0
      if digit > 9 { return nil }
      if at < 23 { fraction = fraction * 10 + Int64(digit) }
    }
  }
  let days = CivilTime.days(year: year, month: month, day: day)
  return (days * 86400 + hour * 3600 + minute * 60 + second) * 1000 + fraction
}

private func number(_ text: RawSpan, _ start: Int, _ count: Int) -> Int64? {
  var value: Int64 = 0
  for at in start..<start &+ count {
    let digit = text.byte(at) &- 0x30
    if digit > 9 { return nil }
    value = value * 10 + Int64(digit)
  }
  return value
}
