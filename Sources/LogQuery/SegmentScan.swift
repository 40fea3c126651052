import EventLog
import Glibc
import System

/// The lines of one segment, a block of them at a time, in constant memory.
final class SegmentScan {
  let path: String
  /// Of the line that ``eachLine(_:)`` is at, from 1.
  private(set) var lineNumber = 0
  private let source: LineSource
  private let isLive: Bool
  /// The unfinished line of the last block, and the new block.
  private var buffer: [UInt8] = []
  /// How much of it has been given out.
  private var consumed = 0
  /// Where the last whole line ends.
  private var end = 0
  private var isAtEnd = false
  private var isSkipping = false
  private var tooLong = 0

  init(_ source: LineSource, _ segment: Segment) {
    self.source = source
    path = segment.path
    isLive = segment.isLive
  }

  /// Reads on.
  /// - Returns: false at the end; a last call of ``eachLine(_:)`` is due even then, and after an error, too: for what came before it.
  func readBlock() throws(SystemError) -> Bool {
    buffer.removeSubrange(..<consumed)
    consumed = 0
    let searched = buffer.count
    (end, isAtEnd) = (0, false)
    let result: Result<Bool, SystemError>
    do throws(SystemError) { result = .success(try source.read(into: &buffer)) } catch { result = .failure(error) }
    if let newline = buffer[searched...].lastIndex(of: UInt8(ascii: "\n")) { end = newline + 1 }
    isAtEnd = try !result.get()
    if end == 0, buffer.count > LineReader.maximumLineBytes {
      if !isSkipping {
        tooLong += 1
        lineNumber += 1
      }
      isSkipping = true
      buffer.removeAll(keepingCapacity: true)
    }
    return !isAtEnd
  }

  /// Calls `body` with the block and where each of its lines is. A last line without `\n` is torn; in the live segment it is being written, and
  /// none.
  func eachLine(_ body: (_ block: UnsafeRawBufferPointer, _ line: Range<Int>, _ isTorn: Bool) -> Void) {
    let (count, whole) = (buffer.count, end)
    buffer.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let block = UnsafeRawBufferPointer(rebasing: bytes[..<whole])
      var start = 0
      while start < whole, let newline = memchr(base + start, 0x0a, whole - start) {
        let stop = UnsafeRawPointer(newline) - base
        if isSkipping {
          isSkipping = false
        } else {
          lineNumber += 1
          body(block, start..<stop, false)
        }
        start = stop + 1
      }
      if isAtEnd, whole < count, !isLive, !isSkipping {
        lineNumber += 1
        body(bytes, whole..<count, true)
      }
    }
    consumed = isAtEnd ? count : whole
  }

  /// How many lines were passed over since the last time, because they are longer than any that is read.
  func takeTooLong() -> Int {
    defer { tooLong = 0 }
    return tooLong
  }
}
