import Glibc
import System

@testable import EventLog

/// A directory of its own for one test, removed with everything in it.
final class Scratch {
  let path: String

  init(in parent: String = "/tmp") {
    var template = Array("\(parent)/fsaudit-log-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } } ?? "/nonexistent"
  }

  deinit { Self.remove(path) }

  /// Removes a tree; the scratch directory itself or something in it.
  static func remove(_ path: String) {
    for name in (try? directoryEntries(path)) ?? [] { remove(path + "/" + name) }
    if unlink(path) != 0 { rmdir(path) }
  }

  func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let file = try Descriptor.open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
    try bytes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
  }

  func read(_ name: String) throws -> String {
    String(decoding: try contents(of: path + "/" + name, limitBytes: 1 << 30), as: UTF8.self)
  }

  var names: [String] { ((try? directoryEntries(path)) ?? []).sorted() }
}

/// A change's line with the serial, padded to some length, and its `\n`.
func changeLine(_ serial: UInt32, timeMs: Int64 = 1_795_217_571_738, padding: Int = 0) -> [UInt8] {
  var writer = JSONWriter()
  writer.raw("{\"@timestamp\":")
  writer.timestamp(milliseconds: timeMs)
  writer.raw(",\"event\":{\"kind\":\"event\",\"action\":\"created\",\"outcome\":\"success\",\"dataset\":\"fsaudit.file\",\"sequence\":")
  writer.integer(serial)
  writer.raw("},\"file\":{\"path\":\"/srv/")
  for _ in 0..<padding { writer.raw("x") }
  writer.raw("\"},\"fsaudit\":{\"action\":\"create\"}}\n")
  return writer.bytes
}

/// A batch of changes with consecutive serials.
func changes(_ serials: ClosedRange<UInt32>, timeMs: Int64 = 1_795_217_571_738, padding: Int = 0) -> Batch {
  var batch = Batch()
  for serial in serials {
    batch.bytes += changeLine(serial, timeMs: timeMs, padding: padding)
    batch.span.add(serial: serial, timeMs: timeMs)
  }
  return batch
}

/// Every line of the log, oldest first: the serial of a change, the dataset and action of anything else, "?" for what
/// cannot be read.
func summary(of directory: String) throws -> [String] {
  var result: [String] = []
  for segment in try SegmentSet(directory: directory).segments {
    var reader = try LineReader(segment)
    while try reader.next({ result.append(summary(of: $0)) }) {}
  }
  return result
}

func summary(of bytes: RawSpan) -> String {
  var line = LogLine()
  guard line.parse(bytes) else { return "?" }
  return line.sequence.map { "\($0)" } ?? "\(line.dataset?.rawValue ?? "?") \(line.string("event.action") ?? "?")"
}

/// The line as parsed; every question to it is answered with nil if it cannot be.
func parsed(_ text: some StringProtocol) -> LogLine {
  var line = LogLine()
  _ = line.parse(Array(text.utf8).span.bytes)
  return line
}
