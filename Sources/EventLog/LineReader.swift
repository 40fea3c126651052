import CCompression
import Glibc
import System
import SystemPackage

/// The lines of one segment from its beginning, plain or zstd, in constant memory.
package struct LineReader: ~Copyable {
  /// Longer lines are passed over, and counted in ``skippedLines``.
  package static let maximumLineBytes = 1 << 20

  private let source: LineSource
  /// Read and not yet given out: `buffer[start...]`.
  private var buffer: [UInt8] = []
  private var start = 0
  /// How much of `buffer[start...]` is known to hold no `\n`.
  private var searched = 0
  private var skipping = false
  package private(set) var skippedLines = 0

  /// Opens a segment.
  package init(_ segment: Segment) throws(SystemError) { source = try LineSource(segment) }

  init(_ source: LineSource) { self.source = source }

  /// Calls `body` with the next whole line, without its `\n`.
  /// - Returns: false at the end. A last line without a `\n` is being written, or torn: it is none.
  package mutating func next(_ body: (RawSpan) -> Void) throws(SystemError) -> Bool {
    while true {
      if let newline = buffer[(start + searched)...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = start..<newline
        start = newline + 1
        searched = 0
        if skipping {
          skipping = false
          continue
        }
        body(buffer.span.bytes.extracting(line))
        return true
      }
      searched = buffer.count - start
      if searched > Self.maximumLineBytes {
        if !skipping { skippedLines += 1 }
        skipping = true
        buffer.removeAll(keepingCapacity: true)
        (start, searched) = (0, 0)
      }
      if start > 0 {
        buffer.removeSubrange(..<start)
        start = 0
      }
      if try !source.read(into: &buffer) { return false }
    }
  }
}

/// Bytes of a plain or compressed file.
package final class LineSource {
  package let inode: UInt64
  private let file: Descriptor
  private let path: String
  private let decompressor: OpaquePointer?
  private var input: [UInt8] = []
  private var inputStart = 0
  /// Whether the decompressor may hold output for which there was no room.
  private var hasMore = false
  /// Whether a compressed frame is unfinished; an empty file lacks all of it.
  private var insideFrame = true
  private static let blockBytes = 128 << 10

  package init(path: String, isCompressed: Bool) throws(SystemError) {
    self.path = path
    let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    let status = try file.status()
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("open", path, .invalidArgument) }
    inode = UInt64(status.st_ino)
    self.file = file
    decompressor = isCompressed ? ZSTD_createDStream() : nil
    if isCompressed && decompressor == nil { throw SystemError("open", path, .noMemory) }
  }

  /// Opens a segment. One that has been compressed since it was listed is found under its new name.
  package convenience init(_ segment: Segment) throws(SystemError) {
    do throws(SystemError) {
      try self.init(path: segment.path, isCompressed: segment.isCompressed)
    } catch {
      guard error.code == .noSuchFileOrDirectory, !segment.isLive, !segment.isCompressed else { throw error }
      try self.init(path: segment.path + ".zst", isCompressed: true)
    }
  }

  deinit { ZSTD_freeDStream(decompressor) }

  /// Appends what comes next, some 128 KiB.
  /// - Returns: false at the end.
  package func read(into buffer: inout [UInt8]) throws(SystemError) -> Bool {
    guard let decompressor else { return try fill(&buffer) > 0 }
    while true {
      if inputStart == input.count && !hasMore {
        input.removeAll(keepingCapacity: true)
        inputStart = 0
        if try fill(&input) == 0 {
          // zstd says what is missing only through what is not there.
          if insideFrame { throw SystemError("zstd", path, .badMessage) }
          return false
        }
      }
      if try inflate(decompressor, &buffer) > 0 { return true }
    }
  }

  /// One step of decompression; returns how many bytes it gave.
  private func inflate(_ decompressor: OpaquePointer, _ buffer: inout [UInt8]) throws(SystemError) -> Int {
    var result = 0
    let before = buffer.count
    buffer.append(addingCapacity: Self.blockBytes) { span in
      span.withUnsafeMutableBufferPointer { output, count in
        input.withUnsafeBytes { input in
          var out = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
          var rest = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: inputStart)
          result = ZSTD_decompressStream(decompressor, &out, &rest)
          inputStart = rest.pos
          count = out.pos
          hasMore = out.pos == out.size
        }
      }
    }
    if ZSTD_isError(result) != 0 { throw SystemError("zstd", path, .badMessage) }
    insideFrame = result != 0
    return buffer.count - before
  }

  private func fill(_ bytes: inout [UInt8]) throws(SystemError) -> Int {
    let before = bytes.count
    let number = file.raw
    try bytes.append(addingCapacity: Self.blockBytes) { span throws(SystemError) in
      try span.withUnsafeMutableBufferPointer { output, count throws(SystemError) in
        count = try call("read", path) { Glibc.read(number, output.baseAddress, output.count) }
      }
    }
    return bytes.count - before
  }
}
