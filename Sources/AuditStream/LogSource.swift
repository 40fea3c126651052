import Glibc
import System
import SystemPackage

/// The lines of audit logs, file after file: plain, gzip or zstd, told apart by their first bytes, not by their names.
///
/// Memory is constant: one buffer for all, and the decompressor's window. What a line says is not looked at.
package struct LogSource: ~Copyable {
  private var waiting: ArraySlice<String>
  private var file: LogFile?
  private var buffer = InputBuffer()
  private var splitter = LineSplitter()

  /// - Parameter paths: in the order to be read, the oldest first; `-` is standard input.
  package init(_ paths: [String]) { waiting = paths[...] }

  /// Lines over 64 KiB so far: they were passed on cut.
  package var oversized: Int { splitter.oversized }

  /// Passes on the lines of the next buffer-full, without their newlines; a last line without one counts.
  /// - Returns: false when all files are at their end.
  /// - Throws: a ``Failure`` that names the file. All whole lines before the fault have been passed on; the next call goes on with the next file.
  package mutating func read(_ body: (_ line: RawSpan) -> Void) throws(Failure) -> Bool {
    do {
      let current: LogFile
      if let file {
        current = file
      } else {
        guard let path = waiting.popFirst() else { return false }
        current = try LogFile(path)
        file = current
      }
      let count = try current.read(into: buffer.room())
      buffer.fill(count)
      if count > 0 {
        splitter.split(&buffer, body)
      } else {
        splitter.finish(&buffer, body)
        file = nil
      }
      return true
    } catch {
      file = nil
      // A line that damage has cut short could be taken for another one.
      splitter.drop(&buffer)
      throw error
    }
  }
}

/// One file, decompressed.
private final class LogFile {
  private let path: String
  private let descriptor: Descriptor
  private let decoder: (any Decoder)?
  /// Compressed bytes; of a plain file only the first few, which told what it is.
  private var input = InputBuffer()
  /// Compressed bytes read so far.
  private var position = 0

  init(_ path: String) throws(Failure) {
    self.path = path == "-" ? "standard input" : path
    do {
      // A duplicate: closing it leaves standard input open.
      descriptor =
        path == "-"
        ? Descriptor(adopting: try call("dup", "standard input") { fcntl(0, F_DUPFD_CLOEXEC, 3) })
        : try Descriptor.open(path, O_RDONLY | O_NOCTTY)
      while position < 4 {
        let count = try descriptor.readWaiting(into: UnsafeMutableRawBufferPointer(rebasing: input.room().prefix(4 - position)))
        if count == 0 { break }
        input.fill(count)
        position += count
      }
      decoder = Self.decoder(for: UnsafeRawBufferPointer(input.pending))
    } catch { throw SystemError(error.call, self.path, error.code).failure() }
  }

  private static func decoder(for magic: UnsafeRawBufferPointer) -> (any Decoder)? {
    if magic.starts(with: [0x1f, 0x8b]) { return GzipDecoder() }
    if magic.count < 4 { return nil }
    switch magic.loadUnaligned(as: UInt32.self).littleEndian {
    // A frame, or a skippable one in front of it (RFC 8878, 3.1).
    case 0xfd2f_b528, 0x184d_2a50...0x184d_2a5f: return ZstdDecoder()
    default: return nil
    }
  }

  /// Reads or decodes some bytes; 0 at the end.
  func read(into room: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    guard let decoder else { return try readPlain(into: room) }
    while true {
      if let damage = decoder.damage {
        throw failure("damaged \(type(of: decoder).name) data near byte \(position - input.pending.count) (\(damage))")
      }
      let count = decoder.decode(&input, into: room)
      if count > 0 { return count }
      if decoder.damage != nil { continue }
      let more = try readFile(into: input.room())
      if more == 0 {
        if decoder.isComplete { return 0 }
        throw failure("the \(type(of: decoder).name) data breaks off at byte \(position)")
      }
      position += more
      input.fill(more)
    }
  }

  private func readPlain(into room: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    let first = UnsafeRawBufferPointer(input.pending)
    if first.isEmpty { return try readFile(into: room) }
    room.copyMemory(from: first)
    input.consume(first.count)
    return first.count
  }

  private func readFile(into room: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    do { return try descriptor.readWaiting(into: room) } catch { throw SystemError(error.call, path, error.code).failure() }
  }

  private func failure(_ what: String) -> Failure {
    Failure("\(printable(path)): \(what)", advice: "everything before it was read; the rest needs a sound copy", exit: .inputOutput)
  }
}

extension Descriptor {
  /// read(2) that waits also where somebody has made the descriptor non-blocking (a shared standard input).
  fileprivate borrowing func readWaiting(into room: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    while true {
      do { return try read(into: room) } catch {
        if error.code != .wouldBlock && error.code != .resourceTemporarilyUnavailable { throw error }
        _ = try hasInput(within: -1)
      }
    }
  }
}
