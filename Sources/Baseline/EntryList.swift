import CLinux
import Glibc

/// One entry of a directory: where its name is among the names.
struct DirectoryEntry {
  var offset: Int
  var count: Int
  /// DT_ of readdir(3).
  var type: UInt8
  /// The name is not UTF-8.
  var isBlob: Bool

  @inline(__always)
  func name(_ names: UnsafePointer<UInt8>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: names + offset, count: count) }
}

/// The entries of a directory, without `.` and `..`.
struct EntryList {
  private(set) var entries: [DirectoryEntry] = []
  /// All names, each with a 0 behind.
  private var names: [UInt8] = []

  mutating func add(_ name: [UInt8], type: UInt8) {
    entries.append(DirectoryEntry(offset: names.count, count: name.count - 1, type: type, isBlob: false))
    names += name
  }

  /// Starts anew, keeping the memory of an ordinary directory.
  mutating func removeAll() {
    entries.removeAll(keepingCapacity: entries.count < 1 << 16)
    names.removeAll(keepingCapacity: names.count < 1 << 20)
  }

  @inline(__always)
  mutating func add(_ entry: linux_entry) {
    guard let name = entry.name, entry.length > 0 else { return }
    let count = Int(entry.length)
    if name[0] == 46, count == 1 || count == 2 && name[1] == 46 { return }
    let bytes = UnsafeRawBufferPointer(start: name, count: count + 1)
    let offset = names.count
    names.append(contentsOf: bytes)
    entries.append(
      DirectoryEntry(offset: offset, count: count, type: entry.type, isBlob: !isUTF8(UnsafeRawBufferPointer(rebasing: bytes[..<count]))))
  }

  /// In the store's order.
  mutating func sort() {
    names.withUnsafeBufferPointer { names in
      guard let base = names.baseAddress else { return }
      entries.sort { compareNames($0.name(base), $0.isBlob, $1.name(base), $1.isBlob) < 0 }
    }
  }

  /// Lends the bytes that the entries' offsets point into.
  func withNames<Fault: Error>(_ body: (UnsafePointer<UInt8>) throws(Fault) -> Void) throws(Fault) {
    try names.withUnsafeBufferPointer { names throws(Fault) in
      if let base = names.baseAddress { try body(base) }
    }
  }
}

/// SQLite's order: texts before blobs, each by their bytes. Negative where the first comes first.
@inline(__always)
func compareNames(_ a: UnsafeRawBufferPointer, _ aIsBlob: Bool, _ b: UnsafeRawBufferPointer, _ bIsBlob: Bool) -> Int32 {
  if aIsBlob != bIsBlob { return aIsBlob ? 1 : -1 }
  if let left = a.baseAddress, let right = b.baseAddress {
    let order = memcmp(left, right, min(a.count, b.count))
    if order != 0 { return order }
  }
  return Int32(clamping: a.count - b.count)
}

/// Ids of directories, a bit each, as far as they are those of a store that we wrote.
struct DirectorySet {
  private var words: [UInt64] = []
  private var others: Set<Int64> = []
  private static let bits: Range<Int64> = 0..<(1 << 26)

  mutating func insert(_ id: Int64) {
    guard Self.bits.contains(id) else {
      others.insert(id)
      return
    }
    let word = Int(id >> 6)
    if word >= words.count { words.append(contentsOf: repeatElement(0, count: word + 1 - words.count + words.count / 2)) }
    words[word] |= 1 << UInt64(id & 63)
  }

  func contains(_ id: Int64) -> Bool {
    guard Self.bits.contains(id) else { return others.contains(id) }
    guard id >> 6 < words.count else { return false }
    return words[Int(id >> 6)] & 1 << UInt64(id & 63) != 0
  }
}

/// A directory whose subdirectories are still to be visited.
struct ScanLevel {
  /// -1 while it is closed.
  private(set) var descriptor: Int32
  let directory: ScannedDirectory
  /// Whether a rule selects the directory itself, rather than something below it.
  let isSelected: Bool
  private var status = linux_status()
  /// The subdirectories to enter: a ``Child``, the name, a 0. And where the next one begins.
  private var children: [UInt8] = []
  private var next = 0

  /// What is remembered of a subdirectory.
  struct Child: OptionSet {
    let rawValue: UInt8
    /// A rule selects it.
    static let selected = Child(rawValue: 1)
    /// Everybody may enter it.
    static let open = Child(rawValue: 2)
  }

  /// How many levels keep their descriptor.
  static let openLimit = 100

  init(descriptor: Int32, directory: ScannedDirectory, isSelected: Bool) {
    (self.descriptor, self.directory, self.isSelected) = (descriptor, directory, isSelected)
  }

  var hasChildren: Bool { !children.isEmpty }

  mutating func noteIdentity() { _ = linux_status_of(descriptor, "", &status) }

  /// The name of the next subdirectory, with a 0 behind.
  mutating func nextChild() -> (name: [UInt8], child: Child)? {
    guard next < children.count, let end = children[(next + 1)...].firstIndex(of: 0) else { return nil }
    defer { next = end + 1 }
    return (Array(children[(next + 1)...end]), Child(rawValue: children[next]))
  }

  mutating func dropChildren() { next = children.count }

  /// Notes a subdirectory to be entered. False where that would leave the file system that it must stay in.
  mutating func addChild(_ name: UnsafeRawBufferPointer, _ child: linux_status, isSelected: Bool, _ options: ScanOptions) -> Bool {
    if options.oneFileSystem, isSelected, self.isSelected, child.device != status.device { return false }
    let isOpen = directory.isOpen && child.mode & 1 != 0
    children.append((isSelected ? Child.selected.rawValue : 0) | (isOpen ? Child.open.rawValue : 0))
    children.append(contentsOf: name)
    children.append(0)
    return true
  }

  /// Closes the descriptor until ``resume(from:)``.
  mutating func suspend() {
    noteIdentity()
    close(descriptor)
    descriptor = -1
  }

  /// Opens it again, as the parent of a directory in it. False where that is another one by now.
  mutating func resume(from child: Int32) -> Bool {
    if descriptor != -1 { return true }
    descriptor = openForReading(child, "..", O_DIRECTORY)
    var now = linux_status()
    if descriptor >= 0, linux_status_of(descriptor, "", &now) == 0, now.inode == status.inode, now.device == status.device { return true }
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    return false
  }
}

/// openat(2) for reading, of a file or directory that is itself there (no link), without touching its access time where that is allowed.
/// - Returns: -1 and errno where it fails.
func openForReading(_ directory: Int32, _ name: UnsafePointer<CChar>?, _ more: Int32 = 0) -> Int32 {
  let noAccessTime: Int32 = 0o1000000
  let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | more
  while true {
    var descriptor = linux_openat(directory, name, flags | noAccessTime, 0)
    // for the owner and root alone
    if descriptor < 0, errno == EPERM { descriptor = linux_openat(directory, name, flags, 0) }
    if descriptor >= 0 || errno != EINTR { return descriptor }
  }
}
