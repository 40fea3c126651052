import Glibc
import System

/// A point in time as `--since` and `--until` take it:
///
///     now · today · yesterday · 90s 30m 2h 1d 1w (ago) · 23:32 · 23:32:51 · boot
///     recent (10 minutes ago) · week-ago (that day) · this-week (since Sunday) · this-month · this-year: ausearch's words
///     2026-11-20 · 2026-11-20 23:32[:51] (local) · 2026-11-20T23:32:51[.738][Z|+01:00]
package struct TimeExpression: Sendable {
  /// The first and the last millisecond that the expression names: a day has many, an instant one.
  package let firstMs: Int64, lastMs: Int64

  /// - Parameter nowMs: what `now` is, milliseconds since 1970.
  package init(_ text: String, nowMs: Int64) throws(Failure) {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "T" || $0 == "t" }).map(String.init)
    if let ago = Self.relative(text) {
      (firstMs, lastMs) = (nowMs - ago, nowMs - ago)
    } else if text == "now" {
      (firstMs, lastMs) = (nowMs, nowMs)
    } else if text == "boot" {
      let start = nowMs - milliseconds(CLOCK_BOOTTIME)
      (firstMs, lastMs) = (start, start)
    } else if text == "recent" {
      (firstMs, lastMs) = (nowMs - 600_000, nowMs - 600_000)
    } else if let (day, next) = Self.days(of: text, nowMs: nowMs) {
      (firstMs, lastMs) = (Self.midnight(day), Self.midnight(next) - 1)
    } else if words.count == 1, let time = Self.clock(words[0]) {
      let start = Self.local(Self.localDay(ofMs: nowMs), plus: time)
      (firstMs, lastMs) = (start, start + time.precisionMs - 1)
    } else if words.count == 1, let day = Self.date(words[0]) {
      var next = day
      next.tm_mday += 1
      (firstMs, lastMs) = (Self.midnight(day), Self.midnight(next) - 1)
    } else if words.count == 2, let day = Self.date(words[0]), let (clock, offset) = Self.zone(words[1]), let time = Self.clock(clock) {
      var start = Self.local(day, plus: time)
      if let offset {
        let days = CivilTime.days(year: Int64(day.tm_year) + 1900, month: Int64(day.tm_mon) + 1, day: Int64(day.tm_mday))
        start = days * 86_400_000 + time.ms - offset
      }
      (firstMs, lastMs) = (start, start + time.precisionMs - 1)
    } else {
      throw Failure(
        "\(printable(text)) is no time", advice: "write 2h, today, boot, 23:32, 2026-11-20 or 2026-11-20 23:32:51", exit: .usage)
    }
  }

  /// Milliseconds of `2h` and its like.
  private static func relative(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000]
    guard let unit = text.last.flatMap({ units[$0] }), let count = digits(text.dropLast(), upTo: 6) else { return nil }
    return count * unit
  }

  private struct Clock {
    var ms: Int64
    /// How long the moment is that the digits name: a minute, a second or a millisecond.
    var precisionMs: Int64
  }

  private static func clock(_ text: String) -> Clock? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, let hour = digits(parts[0], upTo: 2), hour < 24, let minute = digits(parts[1], upTo: 2),
      minute < 60
    else { return nil }
    var result = Clock(ms: (hour * 60 + minute) * 60_000, precisionMs: 60_000)
    guard parts.count == 3 else { return result }
    let seconds = parts[2].split(separator: ".", omittingEmptySubsequences: false)
    guard seconds.count <= 2, let second = digits(seconds[0], upTo: 2), second < 61 else { return nil }
    result.ms += second * 1000
    result.precisionMs = 1000
    guard seconds.count == 2 else { return result }
    guard digits(seconds[1], upTo: 9) != nil, let part = digits((seconds[1] + "00").prefix(3), upTo: 3) else { return nil }
    result.ms += part
    result.precisionMs = 1
    return result
  }

  private static func date(_ text: String) -> tm? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].count == 4, let year = digits(parts[0], upTo: 4), let month = digits(parts[1], upTo: 2),
      let day = digits(parts[2], upTo: 2), (1...12).contains(month), (1...31).contains(day), year >= 1970
    else { return nil }
    // mktime(3) would make 3 March of 31 February
    guard CivilTime(secondsUTC: CivilTime.days(year: year, month: month, day: day) * 86_400).day == day else { return nil }
    var result = tm()
    (result.tm_year, result.tm_mon, result.tm_mday) = (Int32(year) - 1900, Int32(month) - 1, Int32(day))
    return result
  }

  /// Takes a zone off the end of a time: its offset in milliseconds, nil for local time.
  private static func zone(_ text: String) -> (String, Int64?)? {
    if text.hasSuffix("Z") || text.hasSuffix("z") { return (String(text.dropLast()), 0) }
    guard let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }) else { return (text, nil) }
    let parts = text[text.index(after: sign)...].filter { $0 != ":" }
    guard parts.count == 4, let value = digits(parts[...], upTo: 4), value / 100 < 24, value % 100 < 60 else { return nil }
    let offset = (value / 100 * 60 + value % 100) * 60_000
    return (String(text[..<sign]), text[sign] == "-" ? -offset : offset)
  }

  private static func digits(_ text: Substring, upTo most: Int) -> Int64? {
    guard !text.isEmpty, text.count <= most, text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int64(text)
  }

  /// The local day of a moment, its time of day zero.
  private static func localDay(ofMs ms: Int64) -> tm {
    var day = localTime(ms: ms)
    (day.tm_hour, day.tm_min, day.tm_sec) = (0, 0, 0)
    return day
  }

  /// The first day that a word means and the first one after it; mktime(3) makes days of numbers outside their month.
  private static func days(of word: String, nowMs: Int64) -> (tm, tm)? {
    var day = localDay(ofMs: nowMs)
    var next = day
    switch word {
    case "today": next.tm_mday += 1
    case "yesterday": day.tm_mday -= 1
    case "week-ago":
      day.tm_mday -= 7
      next.tm_mday -= 6
    case "this-week":
      day.tm_mday -= day.tm_wday
      next = day
      next.tm_mday += 7
    case "this-month":
      day.tm_mday = 1
      next = day
      next.tm_mon += 1
    case "this-year":
      (day.tm_mon, day.tm_mday) = (0, 1)
      next = day
      next.tm_year += 1
    default: return nil
    }
    return (day, next)
  }

  private static func midnight(_ day: tm) -> Int64 { local(day, plus: Clock(ms: 0, precisionMs: 0)) }

  /// A local day and time of day, in milliseconds since 1970; mktime(3) knows the zone and its summer time.
  private static func local(_ day: tm, plus time: Clock) -> Int64 {
    var whole = day
    whole.tm_hour = Int32(time.ms / 3_600_000)
    whole.tm_min = Int32(time.ms / 60_000 % 60)
    whole.tm_sec = Int32(time.ms / 1000 % 60)
    whole.tm_isdst = -1
    return Int64(mktime(&whole)) * 1000 + time.ms % 1000
  }
}

/// A moment in the local zone. Milliseconds are cut off.
func localTime(ms: Int64) -> tm {
  var seconds = time_t(ms / 1000 - (ms % 1000 < 0 ? 1 : 0))
  var result = tm()
  localtime_r(&seconds, &result)
  return result
}
