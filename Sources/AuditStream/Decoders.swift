import CCompression

/// A decompressor: takes some input, gives some output, and remembers what is wrong.
protocol Decoder: AnyObject {
  /// `gzip` or `zstd`, for messages.
  static var name: String { get }
  /// Decodes into `output` until that is full or `input` used up, and consumes what it used.
  /// - Returns: the bytes written, which are right even if ``damage`` is set afterwards.
  func decode(_ input: inout InputBuffer, into output: UnsafeMutableRawBufferPointer) -> Int
  /// What is wrong with the input that comes next; nothing more can be decoded.
  var damage: String? { get }
  /// Whether the input may end here.
  var isComplete: Bool { get }
}

/// RFC 1952, several members one after the other, zero padding at the end (as gzip itself reads it).
final class GzipDecoder: Decoder {
  static let name = "gzip"
  private(set) var damage: String?
  private(set) var isComplete = false
  // zlib keeps a pointer back to this structure: it must not move.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  init() {
    stream.initialize(to: z_stream())
    // 15 bits of window, + 16: gzip's own header and checksum.
    if inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) != Z_OK { damage = "zlib cannot start" }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func decode(_ input: inout InputBuffer, into output: UnsafeMutableRawBufferPointer) -> Int {
    var written = 0
    while damage == nil, written < output.count {
      if isComplete {
        input.consume(input.pending.prefix { $0 == 0 }.count)
        guard let first = input.pending.first else { break }
        if first != 0x1f {
          damage = "something else follows the compressed data"
          break
        }
        inflateReset(stream)
        isComplete = false
      }
      let source = input.pending
      if source.isEmpty { break }
      stream.pointee.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_in = UInt32(clamping: source.count)
      stream.pointee.next_out = output.baseAddress.map { ($0 + written).assumingMemoryBound(to: UInt8.self) }
      stream.pointee.avail_out = UInt32(clamping: output.count - written)
      let code = inflate(stream, Z_NO_FLUSH)
      input.consume(source.count - Int(stream.pointee.avail_in))
      written = output.count - Int(stream.pointee.avail_out)
      switch code {
      case Z_OK, Z_BUF_ERROR: break
      case Z_STREAM_END: isComplete = true
      case Z_MEM_ERROR: damage = "not enough memory to decompress it"
      default: damage = stream.pointee.msg.map { String(cString: $0) } ?? "not what gzip writes"
      }
    }
    return written
  }
}

/// RFC 8878, several frames one after the other, skippable ones included.
final class ZstdDecoder: Decoder {
  static let name = "zstd"
  private(set) var damage: String?
  private(set) var isComplete = false
  private let context = ZSTD_createDStream()
  /// What the library wants to see next: the rest of a frame's header, or one block.
  private var wanted = firstBytes
  private var mayHoldOutput = false
  /// Enough to tell a frame's header from another's.
  private static let firstBytes = 5

  init() {
    if context == nil { damage = "not enough memory to decompress it" }
  }

  deinit { ZSTD_freeDStream(context) }

  func decode(_ input: inout InputBuffer, into output: UnsafeMutableRawBufferPointer) -> Int {
    var out = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    while damage == nil, out.pos < out.size, mayHoldOutput || !input.pending.isEmpty {
      // One block a call, and none while older output waits: a call that fails forgets what it wrote.
      let given = mayHoldOutput ? 0 : min(wanted, input.pending.count)
      var source = ZSTD_inBuffer(src: input.pending.baseAddress, size: given, pos: 0)
      let result = ZSTD_decompressStream(context, &out, &source)
      if ZSTD_isError(result) != 0 {
        damage = String(cString: ZSTD_getErrorName(result))
        break
      }
      input.consume(source.pos)
      mayHoldOutput = out.pos == out.size
      if given > 0 || result == 0 { isComplete = result == 0 }
      wanted = result == 0 ? Self.firstBytes : result
    }
    return out.pos
  }
}
