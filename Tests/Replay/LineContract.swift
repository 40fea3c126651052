import EventLog

/// DESIGN.md's contract for a stretch of the event log, told as what breaks it; nil where nothing does.
package func brokenContract(_ lines: [UInt8]) -> String? {
  if lines.isEmpty { return nil }
  if lines.last != UInt8(ascii: "\n") { return "the last line has no newline" }
  var parsed = LogLine()
  var start = 0
  while start < lines.count {
    guard let end = lines[start...].firstIndex(of: UInt8(ascii: "\n")) else { return "no newline" }
    let line = Array(lines[start..<end])
    if end + 1 - start > NativeEncoder.lineLimitBytes { return "a line of \(end + 1 - start) bytes: \(excerpt(line))" }
    if let bad = line.first(where: { $0 < 0x20 || $0 == 0x7f }) { return "the byte \(bad) in \(excerpt(line))" }
    if String(validating: line, as: UTF8.self) == nil { return "not UTF-8: \(excerpt(line))" }
    if !parsed.parse(line.span.bytes) { return "no JSON object: \(excerpt(line))" }
    if parsed.timeMs == nil || parsed.dataset == nil || parsed.sequence == nil {
      return "time, dataset or serial missing: \(excerpt(line))"
    }
    start = end + 1
  }
  return nil
}

private func excerpt(_ line: [UInt8]) -> String { String(decoding: line.prefix(2000), as: UTF8.self) }
