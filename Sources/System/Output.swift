import Glibc

/// Lines on their way to stdout, collected so that many cost one write(2). Nothing is written before ``flush()``.
package struct Output: Sendable {
  private var bytes: [UInt8] = []
  private let descriptor: Int32
  private let name: String
  private static let enoughBytes = 64 << 10

  /// - Parameter name: what errors call it.
  package init(descriptor: Int32 = 1, name: String = "stdout") { (self.descriptor, self.name) = (descriptor, name) }

  /// Adds a line, which must not contain a `\n` of its own.
  package mutating func line(_ text: String) throws(SystemError) {
    bytes.append(contentsOf: text.utf8)
    try end()
  }

  /// The same of bytes.
  package mutating func line(_ text: RawSpan) throws(SystemError) {
    text.withUnsafeBytes { bytes.append(contentsOf: $0) }
    try end()
  }

  /// Whole lines, each with its `\n`; many at once are not copied.
  package mutating func lines(_ text: RawSpan) throws(SystemError) {
    if text.byteCount < Self.enoughBytes / 2 {
      text.withUnsafeBytes { bytes.append(contentsOf: $0) }
      if bytes.count >= Self.enoughBytes { try flush() }
      return
    }
    try flush()
    try write(text)
  }

  private mutating func end() throws(SystemError) {
    bytes.append(UInt8(ascii: "\n"))
    if bytes.count >= Self.enoughBytes { try flush() }
  }

  /// Writes what has been collected. EPIPE, thrown like any other error, ends a command quietly.
  package mutating func flush() throws(SystemError) {
    try write(bytes.span.bytes)
    bytes.removeAll(keepingCapacity: true)
  }

  private func write(_ text: RawSpan) throws(SystemError) {
    var written = 0
    while written < text.byteCount {
      written += try call("write", name) {
        text.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written) }
      }
    }
  }
}
