import EventLog
import Glibc
import TestSupport
import Testing

/// A line of the log.
struct Line {
  let line: LogLine

  var dataset: Dataset? { line.dataset }
  var action: String { line.string("fsaudit.action") ?? line.string("event.action") ?? "" }
  var path: [UInt8] { line.name("file.path", raw: "fsaudit.raw.path") ?? [] }
  var previous: [UInt8]? { line.name("fsaudit.previous.path", raw: "fsaudit.raw.previous_path") }
  var succeeded: Bool { line.string("event.outcome", equals: "success") }
  var confidence: String? { line.string("fsaudit.path_confidence") }
  var reason: String? { line.string("fsaudit.gap.reason") }
  var count: Int64? { line.integer("fsaudit.gap.count") }
  var json: String { String(decoding: line.bytes, as: UTF8.self) }
  func string(_ path: String) -> String? { line.string(path) }
  func integer(_ path: String) -> Int64? { line.integer(path) }

  var isSettling: Bool { path.contains(Array("/.settled-".utf8)) }

  /// `rename file1 -> file3`: action and paths, relative to `tree`; with the errno's name where it failed.
  func summary(in tree: String) -> String {
    func relative(_ path: [UInt8]) -> String {
      let text = String(decoding: path, as: UTF8.self)
      return text.hasPrefix(tree + "/") ? String(text.dropFirst(tree.utf8.count + 1)) : text
    }
    return action + " " + (previous.map { relative($0) + " -> " } ?? "") + relative(path)
      + (succeeded ? "" : " " + (string("fsaudit.errno") ?? "?"))
  }
}

/// Takes a log apart. A line that is no JSON object, or a last one without its end, fails the test.
func parse(_ bytes: [UInt8]) throws -> [Line] {
  var result: [Line] = []
  var start = 0
  let all = bytes.span.bytes
  while start < bytes.count {
    let rest = bytes.withUnsafeBytes { buffer -> Int? in
      guard let base = buffer.baseAddress, let end = memchr(base + start, 10, buffer.count - start) else { return nil }
      return UnsafeRawPointer(end) - base
    }
    let end = try #require(rest, "the log ends within a line")
    var line = LogLine()
    let isObject = line.parse(all.extracting(start..<end))
    try #require(isObject, "no JSON object: \(String(decoding: bytes[start..<end], as: UTF8.self))")
    result.append(Line(line: line))
    start = end + 1
  }
  return result
}

/// Checks with a program that is not ours that a log is JSON, line by line, and UTF-8. Returns how many lines it has.
@discardableResult
func checkJSON(_ files: [String]) throws -> Int {
  var lines = 0
  for file in files {
    #expect(try run("iconv", ["-f", "UTF-8", "-t", "UTF-8", "-o", "/dev/null", file]).status == 0, "\(file) is not UTF-8")
    // every line is an object of its own: raw input, then parsed
    let answer = try run("jq", ["-Rn", "reduce (inputs | fromjson | if type == \"object\" then 1 else error end) as $n (0; . + $n)", file])
    #expect(answer.status == 0, "\(file): \(answer.errorText)")
    lines += Int(answer.text.split(separator: "\n").first ?? "") ?? 0
  }
  return lines
}

extension [UInt8] {
  /// Whether the bytes occur. Neither may hold a NUL.
  func contains(_ other: [UInt8]) -> Bool { count(of: String(decoding: other, as: UTF8.self), limit: 1) > 0 }

  /// The first `count` lines from an offset on.
  func lines(_ count: Int, from start: Int) -> [UInt8] {
    var end = start
    for _ in 0..<count { end = (self[end...].firstIndex(of: 10) ?? self.count - 1) + 1 }
    return Array(self[start..<end])
  }

  /// The lines in which `text` occurs.
  func lines(with text: String) -> [UInt8] {
    var result: [UInt8] = []
    var start = 0
    while start < count {
      let end = withUnsafeBytes { bytes -> Int in
        guard let base = bytes.baseAddress, let at = memchr(base + start, 10, bytes.count - start) else { return bytes.count }
        return UnsafeRawPointer(at) - base + 1
      }
      // datasets stand near a line's beginning: most lines need not be copied whole
      let head = Array(self[start..<Swift.min(end, start + 400)])
      if head.contains(Array(text.utf8)) { result += self[start..<end] }
      start = end
    }
    return result
  }

  /// How many lines there are.
  func lineCount() -> Int {
    withUnsafeBytes { bytes in
      guard var next = bytes.baseAddress else { return 0 }
      let end = next + bytes.count
      var found = 0
      while next < end, let at = memchr(next, 10, end - next) {
        found += 1
        next = UnsafeRawPointer(at) + 1
      }
      return found
    }
  }

  /// In how many lines `text` occurs, together with `other`. Fast also for a log that is too long to be parsed; it holds no NUL.
  func count(of text: String, and other: String? = nil, limit: Int = .max) -> Int {
    (self + [10, 0]).withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { buffer in
        var found = 0
        guard var next = buffer.baseAddress else { return 0 }
        while found < limit, let at = strstr(next, text), let end = strchr(at, 10) {
          var isWanted = true
          if let other {
            var start = UnsafePointer<CChar>(at)
            while start > next, start[-1] != 10 { start -= 1 }
            isWanted = strstr(start, other).map { $0 < end } ?? false
          }
          found += isWanted ? 1 : 0
          next = UnsafePointer(end + 1)
        }
        return found
      }
    }
  }
}
