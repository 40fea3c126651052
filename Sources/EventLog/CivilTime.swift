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
