import Glibc
import System
import SystemPackage

/// The key that signs one seal. It evolves one way: who has a key can make all later ones and none of the earlier, so
/// who takes over the host today cannot rewrite what was sealed yesterday.
package struct SealKey: Equatable, Sendable {
  private var key: Digest
  /// The seal that it signs.
  package private(set) var number: Int64
  /// Which chain it belongs to: 16 hexadecimal digits that tell nothing of the key.
  package let chain: String

  /// The first key of a chain.
  package init(initial key: Digest) {
    self.key = key
    number = 0
    var hash = SHA256()
    hash.update("fsaudit seal: chain")
    hash.update(key)
    chain = String(hash.finish().hex.prefix(16))
  }

  fileprivate init(_ key: Digest, number: Int64, chain: String) {
    self.key = key
    self.number = number
    self.chain = chain
  }

  static func random() -> SealKey { SealKey(initial: .random()) }

  /// Becomes the next key; the memory of this one is overwritten.
  package mutating func advance() {
    var hash = SHA256()
    hash.update("fsaudit seal: next")
    hash.update(key)
    key = hash.finish()
    number += 1
  }

  /// Becomes the key of a later seal.
  /// - Parameter limit: how many steps, some 100 ns each, that may take: a number in a line may be anybody's.
  /// - Returns: false if it is an earlier one, or too far away.
  mutating func advance(to wanted: Int64, limit: Int64) -> Bool {
    guard wanted >= number, wanted - number <= limit else { return false }
    while number < wanted { advance() }
    return true
  }

  /// The HMAC of a seal's text.
  func code(of text: RawSpan) -> Digest { messageCode(key: key, text) }

  // MARK: as text, to be kept elsewhere

  private static let title = "fsaudit-seal-key-1"

  /// One line, without its end, for a chain's first key: what `fsaudit log key` prints.
  package var text: String { "\(Self.title) \(chain) \(key.hex)" }

  /// From ``text``, with or without white space around it. nil for anything else, also for one with a wrong digit.
  package init?(text: String) {
    let words = text.split { $0.isWhitespace }
    guard words.count == 3, words[0] == Self.title, let key = Digest(hex: String(words[2])) else { return nil }
    self.init(initial: key)
    if words[1] != chain { return nil }
  }

  // MARK: as bytes, in the key file

  /// `fsauditK`, number, chain, key, and the beginning of the SHA-256 of all that.
  fileprivate static let storedBytes = 8 + 8 + 16 + 32 + 16
  private static let mark: StaticString = "fsauditK"

  fileprivate var stored: [UInt8] {
    var writer = JSONWriter()
    writer.raw(Self.mark)
    withUnsafeBytes(of: number.littleEndian) { writer.raw(bytes: $0.bytes) }
    writer.raw(bytes: Array(chain.utf8).span.bytes)
    key.withBytes { writer.raw(bytes: $0) }
    let check = writer.withBytes { SHA256.hash(of: $0) }
    check.withBytes { writer.raw(bytes: $0.extracting(0..<16)) }
    return writer.bytes
  }

  /// nil for anything that ``stored`` did not make, also for half of it.
  fileprivate init?(stored bytes: RawSpan) {
    guard bytes.byteCount == Self.storedBytes, let key = Digest(bytes.extracting(32..<64)) else { return nil }
    let number = Int64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: Int64.self))
    let chain = bytes.extracting(16..<32).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    self.init(key, number: number, chain: chain)
    guard number >= 0, stored.span.bytes.withUnsafeBytes({ own in bytes.withUnsafeBytes { own.elementsEqual($0) } }) else { return nil }
  }
}

/// `seal.key` in the state directory: the key of the next seal, or of one a moment ago, never of a later one than the log has on disk.
///
/// It is overwritten in place, not replaced, so that the old key is gone from the disk (as far as the file system writes in place; a
/// copy-on-write one, a snapshot or a flash chip may keep it). Two slots take turns: whenever the power goes, one of them is whole.
package final class SealKeyFile {
  package static let name = "seal.key"
  /// The chain's first key, there until `fsaudit log key` has handed it over.
  package static let initialName = "seal.initial"
  /// Apart by more than any disk's sector.
  private static let slotBytes = 4096

  private let file: Descriptor
  private let path: String
  /// Where the newest key is.
  private var slot = 0
  private var number: Int64

  private init(_ file: consuming Descriptor, path: String, slot: Int, number: Int64) {
    self.file = file
    self.path = path
    self.slot = slot
    self.number = number
  }

  /// Opens the key file of a state directory; makes one, and the initial key with it, if there is none that can be read.
  package static func open(in directory: String) throws(SystemError) -> (key: SealKey, file: SealKeyFile) {
    let path = directory + "/" + name
    do throws(SystemError) {
      let file = try Descriptor.open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
      if let (key, slot) = try newest(in: file) {
        return (key, SealKeyFile(file, path: path, slot: slot, number: key.number))
      }
    } catch  where error.code == .noSuchFileOrDirectory {
    }
    let key = SealKey.random()
    try replace(directory + "/" + initialName, with: Array((key.text + "\n").utf8))
    var slots = [UInt8](repeating: 0, count: 2 * slotBytes)
    slots.replaceSubrange(0..<SealKey.storedBytes, with: key.stored)
    try replace(path, with: slots)
    try synchronizeDirectory(directory)
    let file = try Descriptor.open(path, O_RDWR | O_NOFOLLOW)
    return (key, SealKeyFile(file, path: path, slot: 0, number: 0))
  }

  /// The key that the file of a state directory holds; nil if it holds none.
  package static func key(in directory: String) throws(SystemError) -> SealKey? {
    try newest(in: try Descriptor.open(directory + "/" + name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))?.key
  }

  /// The same for a verifier, which has to know why there is none.
  package static func kept(in directory: String) -> KeptKey {
    do throws(SystemError) {
      return try key(in: directory).map(KeptKey.key) ?? .missing
    } catch {
      return error.code == .permissionDenied ? .unknown : .missing
    }
  }

  /// The chain's first key, if it is still there.
  package static func initialKey(in directory: String) throws(SystemError) -> SealKey? {
    do throws(SystemError) {
      return SealKey(text: String(decoding: try contents(of: directory + "/" + initialName, limitBytes: 4096), as: UTF8.self))
    } catch  where error.code == .noSuchFileOrDirectory { return nil }
  }

  /// Overwrites the first key and removes it.
  package static func removeInitialKey(in directory: String) throws(SystemError) {
    let path = directory + "/" + initialName
    let file = try Descriptor.open(path, O_WRONLY | O_NOFOLLOW)
    let zeroes = [UInt8](repeating: 0, count: Int(min(4096, try file.status().st_size)))
    try zeroes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
    try file.synchronizeData()
    try removeFile(path)
    try synchronizeDirectory(directory)
  }

  private static func newest(in file: borrowing Descriptor) throws(SystemError) -> (key: SealKey, slot: Int)? {
    var found: (key: SealKey, slot: Int)?
    for slot in 0...1 {
      let bytes = try file.bytes(at: Int64(slot * slotBytes), count: SealKey.storedBytes)
      guard let key = SealKey(stored: bytes.span.bytes), key.number > found?.key.number ?? -1 else { continue }
      found = (key, slot)
    }
    return found
  }

  /// Keeps a newer key and, once it is on the disk, overwrites the older one.
  func store(_ key: SealKey) throws(SystemError) {
    if key.number == number { return }
    let next = 1 - slot
    try write(key.stored, slot: next)
    try file.synchronizeData()
    try write([UInt8](repeating: 0, count: SealKey.storedBytes), slot: slot)
    (slot, number) = (next, key.number)
  }

  private func write(_ bytes: [UInt8], slot: Int) throws(SystemError) {
    let number = file.raw
    let count = try call("pwrite", path) {
      bytes.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, off_t(slot * Self.slotBytes)) }
    }
    if count < bytes.count { throw SystemError("pwrite", path, .noSpace) }
  }

  /// Makes a file that root alone can read, or replaces it: there is the whole of it, or what was there before.
  private static func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
    let temporary = path + ".new"
    try? removeFile(temporary)
    let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    do throws(SystemError) {
      try bytes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try file.writeAll(bytes) }
      try file.synchronizeData()
      try rename(temporary, to: path)
    } catch {
      try? removeFile(temporary)
      throw error
    }
  }
}
