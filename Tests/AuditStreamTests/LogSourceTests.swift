import AuditStream
import CCompression
import Glibc
import System
import TestSupport
import Testing

/// All lines of some files, whatever way LogSource reads them, and the faults on the way.
func lines(_ paths: [String]) -> (lines: [[UInt8]], faults: [Failure], oversized: Int) {
  var source = LogSource(paths)
  var lines: [[UInt8]] = []
  var faults: [Failure] = []
  while true {
    do throws(Failure) {
      let more = try source.read { line in
        lines.append(line.withUnsafeBytes(Array.init))
        return true
      }
      if !more { return (lines, faults, source.oversized) }
    } catch { faults.append(error) }
  }
}

/// What a reader with all the memory in the world makes of the same bytes.
func expectedLines(_ bytes: [UInt8]) -> [[UInt8]] {
  var parts = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map(Array.init)
  if parts.last == [] { parts.removeLast() }
  return parts
}

/// One frame, with a checksum, as the zstd command makes it.
func zstd(_ bytes: [UInt8]) -> [UInt8] {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  var out = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
  let size = ZSTD_compress2(context, &out, out.count, bytes, bytes.count)
  return Array(out[..<size])
}

func gzip(_ bytes: [UInt8]) throws -> [UInt8] { try run("gzip", ["-c"], input: bytes).output }

extension TemporaryDirectory {
  func write(_ name: String, bytes: [UInt8]) throws -> String {
    let file = try Descriptor.open(self[name], O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    try bytes.withUnsafeBytes { try file.writeAll($0) }
    return self[name]
  }
}

/// About `count` bytes of lines of different lengths that do not compress to nothing.
func sampleLog(_ count: Int) -> [UInt8] {
  var random = SplitMix(state: 7)
  var log: [UInt8] = []
  var serial = 0
  while log.count < count {
    serial += 1
    log += "type=PATH msg=audit(1700000000.123:\(serial)): item=0 name=".utf8
    for _ in 0..<(random.next() % 200) { log.append(UInt8(0x30 + random.next() % 70)) }
    log.append(0x0a)
  }
  return log
}

/// A generator that gives the same numbers on every run.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

@Suite struct LogSourceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: ["", "\n", "a", "a\n", "\n\n", "a\n\nb", "abc\ndef\n", "abcd", "abc\nno newline at the end"])
  func smallFilesKeepEveryLine(text: String) throws {
    let result = lines([try directory.write("log", text)])
    #expect(result.lines == expectedLines(Array(text.utf8)))
    #expect(result.faults.isEmpty)
  }

  @Test func compressionIsSeenFromTheContentAndSeveralFilesAreReadInOrder() throws {
    let log = sampleLog(1_500_000)
    let path = try [
      directory.write("1.zst", bytes: log), directory.write("2.log", bytes: gzip(log)), directory.write("3.gz", bytes: zstd(log)),
    ]
    let result = lines(path)
    #expect(result.faults.isEmpty)
    #expect(result.lines == expectedLines(log) + expectedLines(log) + expectedLines(log))
  }

  @Test func membersAndFramesFollowOneAnother() throws {
    let log = sampleLog(300_000)
    let half = log.count / 2
    let gzipped = try gzip(Array(log[..<half])) + gzip([]) + gzip(Array(log[half...])) + [0, 0, 0]
    // A skippable frame larger than any buffer (RFC 8878, 3.1.2).
    let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0x10, 0] + [UInt8](repeating: 7, count: 1 << 20)
    let zstandard = skippable + zstd(Array(log[..<half])) + zstd([]) + skippable + zstd(Array(log[half...]))
    for path in try [directory.write("gz", bytes: gzipped), directory.write("zst", bytes: zstandard)] {
      let result = lines([path])
      #expect(result.faults.isEmpty)
      #expect(result.lines == expectedLines(log))
    }
  }

  @Test func aLastLineWithoutNewlineIsNotJoinedWithTheNextFile() throws {
    #expect(
      try lines([directory.write("1", "a\nb"), directory.write("2", "c\n")]).lines.map { String(decoding: $0, as: UTF8.self) } == [
        "a", "b", "c",
      ])
  }

  @Test func overlongLinesAreCutAndCounted() throws {
    let limit = 64 << 10
    let short = [UInt8](repeating: 0x61, count: limit)
    let long = [UInt8](repeating: 0x62, count: limit + 1)
    let huge = [UInt8](repeating: 0x63, count: 3 << 20)
    let result = lines([try directory.write("log", bytes: short + [10] + long + [10] + huge + [10] + Array("end\n".utf8) + long)])
    #expect(result.oversized == 3)
    #expect(result.lines == [short, Array(long[..<limit]), Array(huge[..<limit]), Array("end".utf8), Array(long[..<limit])])
  }

  @Test func truncatedDataGivesWhatItHoldsThenNamesFileAndByte() throws {
    let log = sampleLog(400_000)
    let whole = expectedLines(log)
    for (name, compressed) in try [("gz", gzip(log)), ("zst", zstd(log))] {
      for size in [5, 100, compressed.count / 3, compressed.count / 2, compressed.count - 1] {
        let path = try directory.write("cut.\(name)", bytes: Array(compressed[..<size]))
        let result = lines([path, try directory.write("next", "next\n")])
        #expect(result.faults.count == 1)
        #expect(result.faults.first?.message.hasPrefix("\(path): the ") == true)
        #expect(result.faults.first?.message.hasSuffix("data breaks off at byte \(size)") == true)
        // The next file is read all the same.
        #expect(result.lines.last == Array("next".utf8))
        #expect(result.lines.dropLast().elementsEqual(whole.prefix(result.lines.count - 1)))
        if size > compressed.count / 3 { #expect(result.lines.count > whole.count / 4) }
      }
    }
  }

  @Test func anEmptyFileIsPackedByNothing() throws {
    for name in ["audit.log.1.gz", "audit.log.1.zst"] {
      let result = lines([try directory.write(name, ""), try directory.write("audit.log", "next\n")])
      #expect(result.faults.map(\.exit) == [.inputOutput] && result.faults[0].message.hasPrefix(directory[name]))
      #expect(result.lines == [Array("next".utf8)])
    }
    #expect(lines([try directory.write("plain", ""), try directory.write("sound.gz", bytes: gzip([]))]).faults.isEmpty)
  }

  @Test func damagedDataGivesWhatCameBefore() throws {
    let log = sampleLog(2_000_000)
    let whole = expectedLines(log)
    for (name, compressed) in try [("gzip", gzip(log)), ("zstd", zstd(log))] {
      var damaged = compressed
      let middle = damaged.count / 2
      for index in middle..<(middle + 64) { damaged[index] = 0xff }
      let result = lines([try directory.write("damaged", bytes: damaged)])
      #expect(result.faults.first?.message.contains("damaged \(name) data near byte ") == true)
      // The checksums come at the end: lines may be wrong before the decoder notices.
      #expect(result.lines.count > whole.count / 3)
      #expect(result.lines.prefix(whole.count / 3).elementsEqual(whole.prefix(whole.count / 3)))
    }
    let trailing = lines([try directory.write("trailing", bytes: gzip(Array("a\n".utf8)) + [1, 2, 3])])
    #expect(trailing.lines == [[0x61]])
    #expect(trailing.faults.first?.message.contains("something else follows") == true)
  }

  @Test func filesThatCannotBeReadAreNamed() {
    let missing = lines([directory["missing"]])
    #expect(missing.faults.first?.message.contains(directory["missing"]) == true)
    #expect(missing.faults.first?.exit == .inputOutput)
    #expect(lines([directory.path]).faults.first?.message.contains(directory.path) == true)
  }

  @Test func refusedLinesAreCountedAndTheFirstOnesPlaced() throws {
    let paths = try [directory.write("1", "a\nbad\n\nbad"), directory.write("2", "bad\r\nb\r\n" + String(repeating: "bad\n", count: 9))]
    var source = LogSource(paths)
    var read: [String] = []
    while try source.read({ line in
      read.append(String(decoding: line.withUnsafeBytes(Array.init), as: UTF8.self))
      return read.last != "bad"
    }) {}
    #expect(source.refused.count == 12)
    #expect(source.refused.places == [(0, 2), (0, 4), (1, 1), (1, 3), (1, 4)].map { "\(paths[$0.0]):\($0.1)" })
    #expect(read[..<6] == ["a", "bad", "", "bad", "bad", "b"])
  }

  @Test(
    arguments: [("xz", "xzcat", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), ("bzip2", "bzcat", [0x42, 0x5a, 0x68, 0x39])]
      as [(String, String, [UInt8])])
  func whatIsPackedOtherwiseIsNamed(format: String, program: String, magic: [UInt8]) throws {
    let path = try directory.write("packed", bytes: magic)
    let fault = try #require(lines([path]).faults.first)
    #expect(fault.exit == .inputOutput && fault.message == "\(path): packed with \(format), which fsaudit does not read")
    #expect(fault.advice.hasSuffix("\(program) \(path) | fsaudit search --audit-log -"))
  }

  /// Whatever the bytes are, plain or behind a compressor's magic, reading ends and never traps.
  @Test func randomBytesTerminate() throws {
    var random = SplitMix(state: 42)
    let log = sampleLog(5_000)
    let seeds: [[UInt8]] = try [gzip(log), zstd(log), log, [0x1f, 0x8b], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x2a, 0x4d, 0x18]]
    for _ in 0..<300 {
      var bytes = seeds[Int(random.next() % UInt64(seeds.count))]
      for _ in 0..<(random.next() % 8) where !bytes.isEmpty {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.next() % 2 == 0 { bytes += (0..<(random.next() % 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
      let result = lines([try directory.write("random", bytes: bytes)])
      #expect(result.faults.count <= 1)
    }
  }
}
