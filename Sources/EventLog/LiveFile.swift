import Glibc
import System
import SystemPackage

/// The open `events.jsonl`. A class so that its owner can drop it at any failure. Used by one thread; another one may force it to the disk.
final class LiveFile {
  let file: Descriptor
  private let path: String
  let device: dev_t
  let inode: ino_t
  /// How long the file is: always whole lines.
  private(set) var bytes: Int64
  /// What was cut off when it was opened.
  let cutBytes: Int64
  /// The time of the first line that is no seal, and its serial (0 if it has none); nil while there is no such line.
  private(set) var firstTimeMs: Int64?
  private(set) var firstSerial: UInt32 = 0
  /// What has been written since it was opened, and of that what is not known to be on the disk.
  private(set) var written = BatchSpan()
  private var unsynced = BatchSpan()
  private var hasUnsynced = false

  /// Opens or makes the file (and its directory) and cuts off what a crash left behind the last whole line.
  init(_ policy: LogPolicy) throws(SystemError) {
    path = policy.livePath
    // O_NONBLOCK: a FIFO that somebody put in its place must not hold us up.
    let flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK
    func open() throws(SystemError) -> Descriptor { try Descriptor.open(policy.livePath, flags, mode: 0o640) }
    let file: Descriptor
    do {
      file = try open()
    } catch  where error.code == .noSuchFileOrDirectory {
      try Self.makeLogDirectory(policy)
      file = try open()
    }
    let status = try file.status()
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("open", path, .invalidArgument) }
    (device, inode) = (status.st_dev, status.st_ino)
    if status.st_size == 0 {
      // The umask may have taken the group's bit. Neither call is worth losing events for.
      try? file.changeMode(to: 0o640)
      if let group = policy.group { try? file.changeOwner(user: nil, group: group) }
    }
    let whole = try wholeLinesEnd(of: file, size: Int64(status.st_size))
    if whole < Int64(status.st_size) { try file.truncate(to: whole) }
    bytes = whole
    cutBytes = Int64(status.st_size) - whole
    if whole > 0, let line = try firstLine(of: file) {
      firstTimeMs = line.timeMs ?? 0
      firstSerial = line.sequence ?? 0
    }
    self.file = file
  }

  private static func makeLogDirectory(_ policy: LogPolicy) throws(SystemError) {
    try makeDirectory(policy.directory, mode: 0o750)
    let directory = try Descriptor.open(policy.directory, O_RDONLY | O_DIRECTORY)
    try? directory.changeMode(to: 0o750)
    if let group = policy.group { try? directory.changeOwner(user: nil, group: group) }
  }

  /// Appends whole lines with one write(2). If only part of them fits, the file is cut back to the last whole line.
  /// - Returns: how many bytes stayed: all of them, or some whole lines.
  func append(_ lines: RawSpan, span: BatchSpan, nowMs: Int64) throws(SystemError) -> Int {
    let kept = try write(lines)
    if kept == 0 { return 0 }
    if firstTimeMs == nil {
      firstTimeMs = span.events > 0 ? span.firstTimeMs : nowMs
      firstSerial = span.firstSerial
    }
    // A part of a batch counts as all of it: the rest follows, or is lost with it.
    written.join(span)
    unsynced.join(span)
    return kept
  }

  /// Appends one line that says nothing of events, so that it neither names nor begins a segment.
  func appendSeal(_ line: RawSpan) throws(SystemError) {
    if try write(line) == 0 { throw SystemError("write", path, .noSpace) }
  }

  private func write(_ lines: RawSpan) throws(SystemError) -> Int {
    let count: Int
    do {
      count = try lines.withUnsafeBytes { bytes throws(SystemError) in try file.write(bytes) }
    } catch { throw SystemError("write", path, error.code) }
    var kept = count
    if count < lines.byteCount {
      // Somebody else may have changed the length: ask, rather than count.
      let end = Int64(try file.status().st_size)
      kept = endOfLastLine(lines.extracting(0..<count))
      try file.truncate(to: max(0, end - Int64(count - kept)))
    }
    bytes += Int64(kept)
    hasUnsynced = hasUnsynced || kept > 0
    return kept
  }

  /// What is not known to be on the disk, for whoever is to force it there; nil if there is nothing.
  func takeUnsynced() -> BatchSpan? {
    guard hasUnsynced else { return nil }
    defer { (unsynced, hasUnsynced) = (BatchSpan(), false) }
    return unsynced
  }

  /// Where the open file is now.
  enum Place { case atItsName, renamed, deleted }

  func place() -> Place {
    if let there = try? status(of: path), there.st_dev == device, there.st_ino == inode { return .atItsName }
    return (try? file.status()).map { $0.st_nlink == 0 ? .deleted : .renamed } ?? .deleted
  }
}

/// The length of `lines` up to and with its last `\n`.
func endOfLastLine(_ lines: RawSpan) -> Int {
  var end = lines.byteCount
  while end > 0, lines.unsafeLoad(fromByteOffset: end - 1, as: UInt8.self) != UInt8(ascii: "\n") { end -= 1 }
  return end
}
