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
package func instant(isoUTC text: ArraySlice<UInt8>) -> Int64? {
  let text = Array(text)
  let shape = Array("dddd-dd-ddTdd:dd:dd".utf8)
  guard text.count > shape.count, text.last == UInt8(ascii: "Z") else { return nil }
  for (byte, place) in zip(text, shape) {
    guard place == UInt8(ascii: "d") ? isDigit(byte) : byte == place else { return nil }
  }
  func number(_ range: Range<Int>) -> Int64 { text[range].reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) } }
  let (month, day, hour, minute, second) = (number(5..<7), number(8..<10), number(11..<13), number(14..<16), number(17..<19))
  guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61 else { return nil }
  var fraction: Int64 = 0
  let digits = text[shape.count...].dropLast()
  if let dot = digits.first {
    guard dot == UInt8(ascii: "."), digits.count > 1, digits.dropFirst().allSatisfy(isDigit) else { return nil }
    fraction = digits.dropFirst().prefix(3).reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    for _ in min(digits.count, 4)..<4 { fraction *= 10 }
  }
  let days = CivilTime.days(year: number(0..<4), month: month, day: day)
  return (days * 86400 + hour * 3600 + minute * 60 + second) * 1000 + fraction
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
