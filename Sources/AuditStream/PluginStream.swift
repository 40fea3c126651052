import Glibc
import System
import SystemPackage

/// What auditd hands to a plugin (`type = always`) on its standard input: lines (`format = string`), or framed records (`format = binary`).
/// Which of the two is seen from the first byte.
package struct PluginStream: ~Copyable, Sendable {
  private enum Format { case unknown, lines, frames }

  private let input: Descriptor
  private var format = Format.unknown
  private var buffer = InputBuffer()
  private var lines = LineSplitter()
  private var frames = FrameSplitter()

  /// Reads standard input.
  package static func standardInput() throws(Failure) -> PluginStream {
    do {
      return PluginStream(Descriptor(adopting: try call("dup", "standard input") { fcntl(0, F_DUPFD_CLOEXEC, 3) }))
    } catch { throw error.failure() }
  }

  /// Reads a pipe or a socket.
  package init(_ input: consuming Descriptor) { self.input = input }

  /// The descriptor, to wait for with `Poll`.
  package var descriptor: Int32 { input.raw }

  /// Lines over 64 KiB so far: they were passed on cut.
  package var oversized: Int { lines.oversized }

  /// Passes on what has arrived, as audit.log lines without their newline, and does not wait.
  ///
  /// A frame of auditd's unformatted kind (`log_format = RAW`) becomes a line with the record type as a number: `type=1300 msg=audit(…`.
  /// - Returns: false at the end of the input: auditd has stopped us.
  /// - Throws: a ``Failure`` if reading fails or the frames make no sense.
  package mutating func receive(_ body: (_ line: RawSpan) -> Void) throws(Failure) -> Bool {
    let count: Int
    do {
      // Not O_NONBLOCK: that would be set for everybody who shares the open file.
      if try !input.hasInput(within: 0) { return true }
      count = try input.read(into: buffer.room())
    } catch {
      if error.code == .wouldBlock || error.code == .resourceTemporarilyUnavailable { return true }
      throw SystemError(error.call, "auditd's stream", error.code).failure()
    }
    buffer.fill(count)
    // A frame starts with its version as a little-endian word, 0 or 1; a line with `type=` or `node=`.
    if format == .unknown, let first = buffer.pending.first { format = first <= 1 ? .frames : .lines }
    if format == .frames {
      try frames.split(&buffer, body)
    } else {
      lines.split(&buffer, body)
      if count == 0 { lines.finish(&buffer, body) }
    }
    return count > 0
  }
}

/// Takes auditd's binary frames apart: struct audit_dispatcher_header (libaudit.h: version, header length, type, size), then the record.
///
/// auditd 3 and 4 write the record's whole buffer, MAX_AUDIT_MESSAGE_LENGTH bytes with old text behind the record (audisp/audispd.c
/// write_to_plugin), and not `size` bytes as the header says. Both are understood: the first record shows which it is.
struct FrameSplitter: Sendable {
  static let headerBytes = 16
  /// MAX_AUDIT_MESSAGE_LENGTH of libaudit.h.
  static let recordBytes = 8970

  private var isPadded: Bool?
  /// Bytes of padding behind the last record, if records are padded.
  private var padding = 0
  private var position = 0

  /// Passes on the whole records as lines and leaves the last, unfinished one pending.
  mutating func split(_ buffer: inout InputBuffer, _ body: (_ line: RawSpan) -> Void) throws(Failure) {
    while true {
      if isPadded == true {
        let skipped = min(padding, buffer.pending.count)
        consume(skipped, of: &buffer)
        padding -= skipped
      }
      let bytes = buffer.pending
      if bytes.count < Self.headerBytes { return }
      func word(_ index: Int) -> UInt32 { bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self) }
      let version = word(0)
      let size = Int(word(3))
      let isHeader = version <= 1 && word(1) == Self.headerBytes && word(2) <= UInt16.max && size <= Self.recordBytes
      if !isHeader && position > 0 && isPadded == nil {
        isPadded = true
        continue
      }
      guard isHeader else {
        throw Failure(
          "auditd's binary stream makes no sense at byte \(position)", advice: "use format = string in the plugin's configuration",
          exit: .inputOutput)
      }
      if bytes.count < Self.headerBytes + size { return }
      if position > 0 && isPadded == nil { isPadded = false }
      pass(bytes, type: UInt16(truncatingIfNeeded: word(2)), size: size, isFormatted: version == 1, body)
      consume(Self.headerBytes + size, of: &buffer)
      padding = Self.recordBytes - size
    }
  }

  private func pass(
    _ frame: UnsafeMutableRawBufferPointer, type: UInt16, size: Int, isFormatted: Bool, _ body: (RawSpan) -> Void
  ) {
    var start = Self.headerBytes
    var end = start + size
    while end > start, frame[end - 1] == 0 || frame[end - 1] == UInt8(ascii: "\n") { end -= 1 }
    if !isFormatted {
      // "type=65535 msg=" is 15 bytes: it takes the header's place.
      func prepend(_ byte: UInt8) {
        start -= 1
        frame[start] = byte
      }
      for byte in " msg=".utf8.reversed() { prepend(byte) }
      var rest = type
      repeat {
        prepend(UInt8(ascii: "0") + UInt8(rest % 10))
        rest /= 10
      } while rest > 0
      for byte in "type=".utf8.reversed() { prepend(byte) }
    }
    body(UnsafeRawBufferPointer(rebasing: frame[start..<end]).bytes)
  }

  private mutating func consume(_ count: Int, of buffer: inout InputBuffer) {
    buffer.consume(count)
    position += count
  }
}
