import Glibc
import System
import SystemPackage

/// A copy of what was received, as an audit.log of lines `type=NUMBER msg=audit(…`: test corpora made from live streams.
package struct Recording: ~Copyable {
  private let file: Descriptor
  private var lines: [UInt8] = []

  /// Appends to `path`, which only its owner may read.
  package init(_ path: String) throws(SystemError) {
    file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
  }

  /// Notes one record; ``flush()`` writes it.
  package mutating func append(_ type: UInt16, _ payload: RawSpan) {
    lines.append(contentsOf: "type=\(type) msg=".utf8)
    let start = lines.count
    payload.withUnsafeBytes { lines.append(contentsOf: $0) }
    // As auditd does (format_raw): a program's record must not start a line.
    for index in start..<lines.count where lines[index] == UInt8(ascii: "\n") { lines[index] = UInt8(ascii: " ") }
    lines.append(UInt8(ascii: "\n"))
  }

  /// Writes what was noted. Call it once a batch.
  package mutating func flush() throws(SystemError) {
    try lines.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
    lines.removeAll(keepingCapacity: true)
  }
}
