import AuditWire
import Glibc
import System
import SystemPackage

/// When a seal is due.
package struct SealPolicy: Equatable, Sendable {
  /// How long a line may wait for its seal.
  package var everyMs: Int64 = 10_000
  /// How many lines a seal covers, about.
  package var lines = 1000

  package init() {}
}

/// The writer's part of the seal: it hashes what is appended to the log, and writes the seals.
///
/// What it knows of the log it can read back from the file. That is how the tail that a killed daemon left is sealed by the next one,
/// and how lines are not forgotten that stayed after a write that failed. Used by the writer's thread alone.
package final class Sealer {
  private let policy: SealPolicy
  private let host: String
  private var key: SealKey
  private let keyFile: SealKeyFile
  /// The number of the key that is on the disk, or on its way there; nil if it did not get there.
  private var storedNumber: Int64?

  /// Of what came after the last seal.
  private var content = SHA256()
  private var lines: Int64 = 0, bytes: Int64 = 0
  private var digests: [UInt32] = []
  /// When the first of it came, CLOCK_MONOTONIC.
  private var sinceMs: Int64?
  /// The hash of the last seal line.
  private var previous = Digest()
  /// Whether the last seal that was read is the one before the key's.
  private var continues = false
  /// Why the next seal is written although nothing may wait for it: the first of this run.
  private var owed: SealReason?

  /// Up to where the log has been hashed; nil until it has been looked at.
  private var position: (device: dev_t, inode: ino_t, offset: Int64)?
  private var text = JSONWriter(capacityBytes: 8 << 10)
  private var parser = LogLine()

  /// - Parameter stateDirectory: where the key is, and where the first one is made.
  package init(_ policy: SealPolicy, stateDirectory: String, host: String) throws(SystemError) {
    self.policy = policy
    self.host = host
    (key, keyFile) = try SealKeyFile.open(in: stateDirectory)
    storedNumber = key.number
    digests.reserveCapacity(Seal.maximumDigests)
  }

  // MARK: what is sealed

  /// Takes note of the live segment that was opened: finds its place in it, and reads what it does not know.
  func opened(_ file: LiveFile, in policy: LogPolicy) {
    defer { position = (file.device, file.inode, file.bytes) }
    guard let position else {
      // The first seal of a chain covers nothing: what was there before it may be anybody's, and much.
      let isOld = resume(file, in: policy) || key.number > 0
      owed = continues ? .start : isOld ? .cut : .first
      return
    }
    let isSame = position.device == file.device && position.inode == file.inode
    read(file.file, from: isSame ? position.offset : 0)
  }

  /// Adds lines that were appended to the live segment.
  func add(_ text: RawSpan, monotonicMs: Int64) {
    if text.isEmpty { return }
    position?.offset += Int64(text.byteCount)
    sinceMs = sinceMs ?? monotonicMs
    hash(text)
  }

  private func hash(_ text: RawSpan) {
    content.update(text)
    bytes += Int64(text.byteCount)
    var start = 0
    while let end = text.firstIndex(of: UInt8(ascii: "\n"), from: start, before: text.byteCount) {
      lines += 1
      if digests.count <= Seal.maximumDigests { digests.append(sealDigest(of: text.extracting(start..<end))) }
      start = end + 1
    }
  }

  private func forget() {
    _ = content.finish()
    (lines, bytes, sinceMs) = (0, 0, nil)
    digests.removeAll(keepingCapacity: true)
  }

  // MARK: the seal

  /// The seal that is to be written now, if one is.
  func due(monotonicMs: Int64) -> SealReason? {
    if let owed { return owed }
    guard let sinceMs else { return nil }
    return lines >= policy.lines || monotonicMs - sinceMs >= policy.everyMs ? .due : nil
  }

  /// Whether anything waits for a seal.
  var isPending: Bool { lines > 0 || owed != nil }

  /// Writes a seal behind what is there, and goes on to the next key.
  /// - Returns: its number.
  func seal(_ file: LiveFile, _ reason: SealReason, nowMs: Int64) throws(SystemError) -> Int64 {
    var seal = Seal()
    (seal.reason, seal.number) = (owed ?? reason, key.number)
    (seal.lines, seal.bytes, seal.offset) = (lines, bytes, file.bytes)
    // If the seal cannot be written, the hashing goes on.
    seal.content = content.peek()
    seal.previous = previous
    text.removeAll()
    text.line(seal, digests: digests.span, key: key, timeMs: nowMs, host: host)
    try text.withBytes { bytes throws(SystemError) in try file.appendSeal(bytes) }
    previous = text.withBytes { SHA256.hash(of: $0) }
    position?.offset += Int64(text.count)
    owed = nil
    forget()
    key.advance()
    return seal.number
  }

  /// The key that is to be on the disk once what was sealed with the older ones is; nil if it is.
  func takeKeyToStore() -> (SealKeyFile, SealKey)? {
    if storedNumber == key.number { return nil }
    storedNumber = key.number
    return (keyFile, key)
  }

  /// The key that was taken is not on the disk.
  func keyIsNotStored() { storedNumber = nil }

  // MARK: what an earlier run left

  /// Finds the last seal, and reads what comes behind it.
  /// - Returns: whether there is one of this chain.
  private func resume(_ live: LiveFile, in policy: LogPolicy) -> Bool {
    // The newest segment ends with a seal, so further back there is none only if somebody took it away.
    let older = (try? SegmentSet(directory: policy.directory).rotated.filter { !$0.isCompressed }.suffix(2)) ?? []
    if let place = lastSeal(in: live.file, end: live.bytes) {
      read(live.file, from: place)
      return true
    }
    for (index, segment) in older.enumerated().reversed() {
      guard let file = try? Descriptor.open(segment.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else { continue }
      guard let place = lastSeal(in: file, end: segment.bytes) else { continue }
      read(file, from: place)
      for later in older[(older.startIndex + index + 1)...] {
        if let file = try? Descriptor.open(later.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) { read(file, from: 0) }
      }
      read(live.file, from: 0)
      return true
    }
    return false
  }

  /// Where the last seal line of this chain begins.
  private func lastSeal(in file: borrowing Descriptor, end: Int64) -> Int64? {
    var lines = BackwardLines(end: end)
    while let line = try? lines.next(from: file) {
      if line.isWhole, let seal = SealLine(line.bytes.span.bytes, &parser), seal.chain == key.chain { return line.start }
    }
    return nil
  }

  /// Hashes a file's whole lines from `start` on. What cannot be read is left out, and found by whoever verifies.
  private func read(_ file: borrowing Descriptor, from start: Int64) {
    var (offset, wanted) = (start, 128 << 10)
    while let block = try? file.bytes(at: offset, count: wanted), !block.isEmpty {
      let end = endOfLastLine(block.span.bytes)
      if end == 0 {
        // No line of ours is that long; repair leaves such a file to whom it belongs.
        if block.count < wanted || wanted > 16 << 20 { return }
        wanted *= 2
        continue
      }
      var from = 0
      let text = block.span.bytes
      while let newline = text.firstIndex(of: UInt8(ascii: "\n"), from: from, before: end) {
        if !adopt(text.extracting(from..<newline)) { hash(text.extracting(from..<newline + 1)) }
        from = newline + 1
      }
      offset += Int64(end)
    }
    if lines > 0 { sinceMs = sinceMs ?? milliseconds(CLOCK_MONOTONIC) }
  }

  /// Takes a line for the last seal if it is one of this chain: the one before the key, or one that the key can be brought to.
  private func adopt(_ line: RawSpan) -> Bool {
    guard SealLine.isSeal(line), let seal = SealLine(line, &parser), seal.chain == key.chain else { return false }
    let number = seal.seal.number
    if number >= key.number {
      // Written, and then the process was killed before the key was stored.
      var later = key
      guard later.advance(to: number, limit: 1_000_000), seal.isSigned(by: later, line) else { return false }
      later.advance()
      key = later
    }
    previous = seal.hash
    continues = number == key.number - 1
    forget()
    return true
  }
}
