import CLinux
import Glibc
import System
import SystemPackage

/// How a scan is done.
package struct ScanOptions: Sendable {
  /// Every file is read, however untouched it looks.
  package var isFull = false
  /// Below a selected directory, stay on its file system.
  package var oneFileSystem = false
  /// Texts up to this length are kept (init, update) and differences shown (update, check); 0: neither.
  package var diffBytes = 0
  /// Files that are read even where nothing else says that they have changed.
  var touched: TouchedFiles?
  /// Threads that read and hash.
  package var workers = 1

  package init() {}
}

/// Something that could not be examined.
package struct ScanProblem: Sendable {
  package var path: [UInt8]
  /// What is wrong, and with which call.
  package var text: String
  /// The file only changed while it was read: nothing is wrong with the scan.
  package var isBusy: Bool
}

/// What a scan has done so far.
package struct ScanCounts: Sendable {
  /// Selected objects that were met, and the bytes of the files among them.
  package var objects: Int64 = 0
  package var bytes: Int64 = 0
  /// Files that were read, and how many bytes.
  package var filesRead: Int64 = 0
  package var bytesRead: Int64 = 0
  /// Files that were read because of the trail alone.
  package var filesTouched: Int64 = 0
  /// Files that have another content although nothing else tells.
  package var hidden = 0
  /// Things that could not be examined, without the busy ones.
  package var problems = 0
  package var busy = 0
}

/// One directory whose rows and entries belong together.
final class ScannedDirectory {
  let path: [UInt8]
  /// In the store; nil where it has no rows (yet).
  var id: Int64?
  /// Whether everybody may reach what is in it: enter it, and all directories above.
  let isOpen: Bool
  init(_ path: [UInt8], _ id: Int64?, isOpen: Bool = false) { (self.path, self.id, self.isOpen) = (path, id, isOpen) }

  /// The path of an entry.
  func path(of name: some Collection<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(path.count + 1 + name.count)
    result += path
    if !path.isEmpty, path.last != UInt8(ascii: "/") { result.append(UInt8(ascii: "/")) }
    result += name
    return result
  }
}

/// Walks the selected trees and compares them with a generation of the baseline; for an init or update it writes the next one.
///
/// Directories are read whole, sorted as the store sorts, and merged with their rows. On an unchanged tree each file costs a statx and the
/// step to its row: no String, no Array, no rule is looked at, because the row holds what the rules decided.
package final class Scan {
  var selector: Selector
  private let rootPrefix: [UInt8]
  /// The type of each mounted file system, by mount id; empty where no rule asks.
  let mountTypes: [UInt64: String]
  let store: Store
  let options: ScanOptions
  /// What is compared with; nil for the first.
  let base: Int64?
  /// What is written; nil for a check.
  let next: Int64?
  /// Whether the rules are still those of the base.
  let isSameSelection: Bool
  /// Called for each problem, as it is met.
  let report: (ScanProblem) -> Void
  /// Called now and then.
  let progress: (ScanCounts) -> Void

  package internal(set) var counts = ScanCounts()
  package internal(set) var differences: [Difference] = []

  var levels: [ScanLevel] = []
  var visited = DirectorySet()
  /// Directories that could not be entered: what the baseline has below them is not gone.
  var skipped: Set<[UInt8]> = []
  private let touched: Set<UInt64>
  let pool: HashPool
  /// Files that are being read, by the slot of their job; and the slots that are free.
  var pending: [PendingFile?] = []
  var freeSlots: [Int] = []
  var attributes = AttributeReader()
  /// Rows are being read: what is to be written waits here.
  var isReadingRows = false
  var writes: [PendingWrite] = []
  private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  /// Memory for the next directory's entries.
  private var spareListing = EntryList()
  private var untilProgress = 0

  package init(
    _ selection: SelectionConfig, _ store: Store, base: Int64?, next: Int64?, isSameSelection: Bool, _ options: ScanOptions,
    report: @escaping (ScanProblem) -> Void, progress: @escaping (ScanCounts) -> Void
  ) {
    selector = Selector(selection)
    rootPrefix = selection.rootPrefix
    mountTypes = selection.asksForFileSystem ? System.mountTypes() : [:]
    self.store = store
    (self.base, self.next, self.isSameSelection, self.options) = (base, next, isSameSelection, options)
    touched = options.isFull ? [] : options.touched?.inodes ?? []
    (self.report, self.progress) = (report, progress)
    pool = HashPool(workers: options.workers)
    pending = Array(repeating: nil, count: pool.limit)
    freeSlots = Array(pending.indices)
  }

  deinit {
    block.deallocate()
    for level in levels where level.descriptor >= 0 { close(level.descriptor) }
  }

  /// Walks from the root directory on, or from what `root_prefix` puts in its place.
  package func run() throws(Failure) {
    if rootPrefix.isEmpty {
      var listing = EntryList()
      listing.add([UInt8(ascii: "/"), 0], type: UInt8(DT_DIR))
      var level = ScanLevel(descriptor: AT_FDCWD, directory: ScannedDirectory([], try store.directory([]), isOpen: true), isSelected: false)
      try merge(listing, &level)
      levels = [level]
    } else {
      // who may reach it through the directories above is not known, so no text below is kept
      try enter(
        openForReading(AT_FDCWD, rootPrefix.map { CChar(bitPattern: $0) } + [0], O_DIRECTORY), [UInt8(ascii: "/")],
        [])
    }
    while !levels.isEmpty { try step() }
    while pool.pending > 0 { try settle() }
    try removeUnvisited()
    try pairMoves()
  }

  /// Enters the next directory, or leaves one.
  private func step() throws(Failure) {
    let depth = levels.count - 1
    guard let (name, child) = levels[depth].nextChild() else { return leave() }
    let parent = levels[depth].directory
    let path = parent.path(of: name.dropLast())
    guard path.count <= 16 << 10 else { return skip(path, ENAMETOOLONG) }
    try enter(
      name.withUnsafeBytes { openForReading(levels[depth].descriptor, $0.assumingMemoryBound(to: CChar.self).baseAddress, O_DIRECTORY) },
      path, child)
  }

  /// Compares an opened directory and makes it the deepest level; the descriptor is -1, and errno says why, where it could not be opened.
  private func enter(_ descriptor: Int32, _ path: [UInt8], _ child: ScanLevel.Child) throws(Failure) {
    if descriptor < 0 {
      // gone, or something else by now: its rows are no longer true
      return [ENOENT, ENOTDIR, ELOOP].contains(errno) && !levels.isEmpty ? () : skip(path, errno)
    }
    var level = ScanLevel(
      descriptor: descriptor, directory: ScannedDirectory(path, try store.directory(path), isOpen: child.contains(.open)),
      isSelected: child.contains(.selected))
    if options.oneFileSystem { level.noteIdentity() }
    guard let listing = list(descriptor) else {
      skip(path, errno)
      close(descriptor)
      return
    }
    do throws(Failure) { try merge(listing, &level) } catch {
      close(descriptor)
      throw error
    }
    spareListing = listing
    guard level.hasChildren else {
      close(descriptor)
      return
    }
    // A tree may be deeper than there are descriptors: those far above are opened again on the way back.
    if levels.count > ScanLevel.openLimit { levels[levels.count - 1].suspend() }
    levels.append(level)
  }

  private func leave() {
    let left = levels.removeLast()
    if let above = levels.indices.last, !levels[above].resume(from: left.descriptor) {
      skip(levels[above].directory.path, ESTALE)
      levels[above].dropChildren()
    }
    if left.descriptor >= 0 { close(left.descriptor) }
  }

  /// What cannot be looked into, and may be a directory: what is below stays as it was.
  func skip(
    _ path: [UInt8], _ code: Int32, _ text: String = "the directory could not be read; nothing below it was examined"
  ) {
    skipped.insert(path)
    fault(path, code, text)
  }

  func fault(_ path: [UInt8], _ code: Int32, _ text: String) {
    counts.problems += 1
    report(ScanProblem(path: path, text: "\(Errno(rawValue: code)): \(text)", isBusy: false))
  }

  /// The entries of a directory; nil and errno where it cannot be read to its end.
  private func list(_ descriptor: Int32) -> EntryList? {
    var listing = EntryList()
    swap(&listing, &spareListing)
    listing.removeAll()
    var entry = linux_entry()
    while true {
      let count = linux_entries(descriptor, block.baseAddress, UInt32(block.count))
      if count < 0 { return nil }
      if count == 0 { break }
      var offset = linux_next_entry(block.baseAddress, 0, count, &entry)
      while offset > 0 {
        listing.add(entry)
        offset = linux_next_entry(block.baseAddress, offset, count, &entry)
      }
    }
    listing.sort()
    return listing
  }

  /// Compares a directory's entries with its rows; both come in the same order.
  private func merge(_ listing: EntryList, _ level: inout ScanLevel) throws(Failure) {
    if let id = level.directory.id { visited.insert(id) }
    try listing.withNames { (names: UnsafePointer<UInt8>) throws(Failure) in
      guard let base, let id = level.directory.id else {
        for entry in listing.entries { try meet(names, entry, &level) }
        return
      }
      isReadingRows = true
      defer { isReadingRows = false }
      var rows = store.rows(id, base)
      try rows.advance()
      for entry in listing.entries {
        let name = entry.name(names)
        var order: Int32 = -1
        while rows.isValid {
          order = compareNames(rows.name, rows.isBlob, name, entry.isBlob)
          if order >= 0 { break }
          try lose(Array(rows.name), level.directory)
          try rows.advance()
        }
        if rows.isValid, order == 0 {
          try meet(names, entry, &rows, &level)
          try rows.advance()
        } else {
          try meet(names, entry, &level)
        }
      }
      while rows.isValid {
        try lose(Array(rows.name), level.directory)
        try rows.advance()
      }
    }
    if !writes.isEmpty { try applyWrites() }
  }

  /// An entry that the baseline knows.
  @inline(__always)
  private func meet(_ names: UnsafePointer<UInt8>, _ entry: DirectoryEntry, _ row: inout RowCursor, _ level: inout ScanLevel)
    throws(Failure)
  {
    var status = linux_status()
    let name = UnsafeRawPointer(names + entry.offset).assumingMemoryBound(to: CChar.self)
    guard linux_status_of(level.descriptor, name, &status) == 0 else { return try miss(entry.name(names), level.directory) }
    var isSame = row.isSameState(as: status)
    if isSame, !touched.isEmpty, status.mode & 0o170000 == 0o100000, touched.contains(status.inode) {
      isSame = false
      counts.filesTouched += 1
    }
    if isSame, isSameSelection, !options.isFull, row.special.isEmpty || isSameAccess(row, status) {
      count(status)
      if row.descends { descend(entry.name(names), status, isSelected: true, &level) }
      return
    }
    try examine(entry.name(names), name, status, isSame: isSame, &level)
  }

  /// Notes a subdirectory to be entered.
  func descend(_ name: UnsafeRawBufferPointer, _ status: linux_status, isSelected: Bool, _ level: inout ScanLevel) {
    if !level.addChild(name, status, isSelected: isSelected, options) { skipped.insert(level.directory.path(of: name)) }
  }

  /// Counts a selected object.
  @inline(__always)
  func count(_ status: linux_status) {
    counts.objects += 1
    if status.mode & 0o170000 == 0o100000 { counts.bytes &+= Int64(truncatingIfNeeded: status.size) }
    untilProgress -= 1
    if untilProgress < 0 {
      untilProgress = 1000
      progress(counts)
    }
  }

  /// What can change without a new ctime, where a rule asks for it: blocks when delayed allocation ends, the access time.
  private func isSameAccess(_ row: borrowing RowCursor, _ status: linux_status) -> Bool {
    (!row.special.contains(.blocks) || row.blocks == status.blocks) && (!row.special.contains(.atime) || row.atime == status.atime)
  }
}
