import CCompression
import Glibc
import System
import SystemPackage

/// Compresses a rotated segment: streaming, in constant memory, into a temporary file that gets the segment's mode, owner
/// and times, is forced to the disk and only then takes the name; the plain file goes last. Whatever happens in between,
/// the events are there once or twice, never half.
/// - Returns: the length of the compressed file.
func compress(_ segment: Segment, to name: SegmentName, in directory: String, level: Int32) throws(SystemError) -> Int64 {
  let input = try Descriptor.open(segment.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  let status = try input.status()
  let temporary = directory + "/" + temporaryPrefix + name.fileName
  try? removeFile(temporary)
  let output = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
  do throws(SystemError) {
    let bytes = try copyCompressed(from: input, to: output, level: level, path: segment.path)
    try output.changeOwner(user: status.st_uid, group: status.st_gid)
    try output.changeMode(to: status.st_mode & 0o7777)
    try output.setTimes(access: status.st_atim, modification: status.st_mtim)
    try output.synchronizeData()
    try rename(temporary, to: directory + "/" + name.fileName)
    try synchronizeDirectory(directory)
    try removeFile(segment.path)
    return bytes
  } catch {
    try? removeFile(temporary)
    throw SystemError(error.call, directory + "/" + name.fileName, error.code)
  }
}

/// How the name of an unfinished compressed segment begins; no segment's name does.
let temporaryPrefix = ".unfinished-"

private func copyCompressed(from input: borrowing Descriptor, to output: borrowing Descriptor, level: Int32, path: String)
  throws(SystemError)
  -> Int64
{
  guard let stream = ZSTD_createCStream() else { throw SystemError("zstd", path, .noMemory) }
  defer { ZSTD_freeCStream(stream) }
  // The checksum lets a reader notice a damaged segment; the window bounds memory on both sides (256 KiB: lines repeat within
  // that, and 8 MiB took the daemon's peak from 17 to 25 MB).
  for (parameter, value) in [(ZSTD_c_compressionLevel, level), (ZSTD_c_checksumFlag, 1), (ZSTD_c_windowLog, 18)] {
    if ZSTD_isError(ZSTD_CCtx_setParameter(stream, parameter, value)) != 0 { throw SystemError("zstd", path, .invalidArgument) }
  }
  let block = 128 << 10
  let source = UnsafeMutableRawBufferPointer.allocate(byteCount: block, alignment: 16)
  let target = UnsafeMutableRawBufferPointer.allocate(byteCount: block, alignment: 16)
  defer {
    source.deallocate()
    target.deallocate()
  }
  var total: Int64 = 0
  while true {
    let count = try input.read(into: source)
    var rest = ZSTD_inBuffer(src: source.baseAddress, size: count, pos: 0)
    var remaining = 0
    repeat {
      var out = ZSTD_outBuffer(dst: target.baseAddress, size: block, pos: 0)
      remaining = ZSTD_compressStream2(stream, &out, &rest, count == 0 ? ZSTD_e_end : ZSTD_e_continue)
      if ZSTD_isError(remaining) != 0 { throw SystemError("zstd", path, .ioError) }
      try output.writeAll(UnsafeRawBufferPointer(rebasing: target[..<out.pos]))
      total += Int64(out.pos)
    } while rest.pos < rest.size || (count == 0 && remaining > 0)
    if count == 0 { return total }
  }
}
