/// The name of a rotated segment, `events-20261120T233251.738Z-0000000006.jsonl` or the same with `.zst`.
///
/// The time is that of the first line, except that the writer makes it later than the previous segment's: names in
/// ASCII order are segments in the order they were written, and no two are alike.
package struct SegmentName: Hashable, Sendable, Comparable {
  /// Milliseconds since 1970.
  package let timeMs: Int64
  /// The serial of the first event in the segment; 0 if it has none.
  package let firstSerial: UInt32
  package let isCompressed: Bool

  /// The segment that is being written.
  package static let live = "events.jsonl"

  package init(timeMs: Int64, firstSerial: UInt32, isCompressed: Bool = false) {
    self.timeMs = timeMs
    self.firstSerial = firstSerial
    self.isCompressed = isCompressed
  }

  /// The same segment, compressed.
  package var compressed: SegmentName { SegmentName(timeMs: timeMs, firstSerial: firstSerial, isCompressed: true) }

  /// nil unless `fileName` is exactly what ``fileName`` makes: everything else in the directory is left alone.
  package init?(fileName: String) {
    let bytes = Array(fileName.utf8)
    guard bytes.count >= 44, bytes.count <= 48 else { return nil }
    func number(_ range: Range<Int>) -> Int64? { Int64(String(decoding: bytes[range], as: UTF8.self)) }
    guard let date = number(7..<15), let time = number(16..<22), let part = number(23..<26), let serial = number(28..<38),
      let serial = UInt32(exactly: serial)
    else { return nil }
    let days = CivilTime.days(year: date / 10000, month: date / 100 % 100, day: date % 100)
    timeMs = (days * 86400 + time / 10000 * 3600 + time / 100 % 100 * 60 + time % 100) * 1000 + part
    firstSerial = serial
    isCompressed = fileName.hasSuffix(".zst")
    // The digits were read at their places; that everything else is in its place, the way back shows.
    guard self.fileName == fileName else { return nil }
  }

  package var fileName: String {
    let clamped = min(max(timeMs, 0), CivilTime.lastMillisecond)
    let time = CivilTime(secondsUTC: clamped / 1000)
    let date = pad(time.year, 4) + pad(time.month, 2) + pad(time.day, 2)
    let clock = pad(time.hour, 2) + pad(time.minute, 2) + pad(time.second, 2)
    return "events-\(date)T\(clock).\(pad(clamped % 1000, 3))Z-\(pad(Int64(firstSerial), 10)).jsonl" + (isCompressed ? ".zst" : "")
  }

  package static func < (left: SegmentName, right: SegmentName) -> Bool {
    (left.timeMs, left.firstSerial) < (right.timeMs, right.firstSerial)
  }
}

/// A number with leading zeros.
func pad(_ value: Int64, _ width: Int) -> String {
  let digits = String(value)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
