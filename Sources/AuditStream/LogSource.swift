import Glibc
import System
import SystemPackage

/// The lines of audit logs, file after file: plain, gzip or zstd, told apart by their first bytes, not by their names.
///
/// Memory is constant: one buffer for all, and the decompressor's window. What a line says is not looked at, but it is remembered where those are that
/// the reader could not make sense of.
package struct LogSource: ~Copyable {
  private var waiting: ArraySlice<String>
  private var file: LogFile?
  private var buffer = InputBuffer()
  private var splitter = LineSplitter()
  /// Lines of the current file so far.
  private var lineCount = 0
  /// How many lines were refused, and where the first of them are, as `file:line`.
  package private(set) var refused = (count: 0, places: [String]())
  /// So many places are remembered.
  private static let placeLimit = 5

  /// - Parameter paths: in the order to be read, the oldest first; `-` is standard input.
  package init(_ paths: [String]) { waiting = paths[...] }

  /// Lines over 64 KiB so far: they were passed on cut.
  package var oversized: Int { splitter.oversized }

  /// Passes on the lines of the next buffer-full, without their newlines (DOS's, too); a last line without one counts.
  /// - Parameter takes: returns false for a line that it can make nothing of.
  /// - Returns: false when all files are at their end.
  /// - Throws: a ``Failure`` that names the file. All whole lines before the fault have been passed on; the next call goes on with the next file.
  package mutating func read(_ takes: (_ line: RawSpan) -> Bool) throws(Failure) -> Bool {
    var (number, refused) = (lineCount, self.refused)
    defer { (lineCount, self.refused) = (number, refused) }
    do {
      let current: LogFile
      if let file {
        current = file
      } else {
        guard let path = waiting.popFirst() else { return false }
        current = try LogFile(path)
        file = current
        number = 0
      }
      let body = { (line: RawSpan) in
        number += 1
        let end = line.byteCount - 1
        // A carriage return is part of no record: the kernel and auditd write text with control bytes in hexadecimal.
        let isDOS = end >= 0 && line.unsafeLoad(fromByteOffset: end, as: UInt8.self) == UInt8(ascii: "\r")
        if takes(isDOS ? line.extracting(0..<end) : line) { return }
        refused.count += 1
        if refused.count <= Self.placeLimit { refused.places.append("\(printable(current.path)):\(number)") }
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
  /// Its name in messages.
  let path: String
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
    } catch { throw SystemError(error.call, self.path, error.code).failure() }
    if position == 0, path.hasSuffix(".gz") || path.hasSuffix(".zst") {
      throw Failure("\(printable(path)): empty, so no packed file", advice: "it needs a sound copy", exit: .inputOutput)
    }
    let magic = UnsafeRawBufferPointer(input.pending)
    if let format = Self.unreadFormats.first(where: { magic.starts(with: $0.magic) }) {
      let file = path == "-" ? "" : " " + printable(path)
      throw Failure(
        "\(printable(self.path)): packed with \(format.name), which fsaudit does not read",
        advice: "unpack it on the way, \(format.program)\(file) | fsaudit search --audit-log -", exit: .inputOutput)
    }
    decoder = Self.decoder(for: magic)
  }

  /// Formats that would need a library each in a program that runs as root; their own programs unpack them as well.
  private static let unreadFormats: [(name: String, program: String, magic: [UInt8])] = [
    ("xz", "xzcat", [0xfd, 0x37, 0x7a, 0x58]), ("bzip2", "bzcat", [0x42, 0x5a, 0x68]), ("lz4", "lz4cat", [0x04, 0x22, 0x4d, 0x18]),
  ]

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
