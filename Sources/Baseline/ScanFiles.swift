import CLinux
import Glibc
import System
import SystemPackage

/// A file that is being read. (A class: facts are large, and moving them about costs more than one piece of memory.)
final class PendingFile {
  let directory: ScannedDirectory
  let name: [UInt8]
  var facts: Facts
  let old: Facts?

  init(directory: ScannedDirectory, name: [UInt8], facts: Facts, old: Facts?) {
    (self.directory, self.name, self.facts, self.old) = (directory, name, facts, old)
  }
}

/// A row to be written.
struct PendingWrite {
  var directory: ScannedDirectory
  var name: [UInt8]
  /// Nil: the object is gone.
  var facts: Facts?
  /// A text that is kept.
  var content: [UInt8]?
  /// There is a row that ends here.
  var isKnown: Bool
}

/// What happens to one object.
extension Scan {
  /// An entry that the baseline does not know.
  func meet(_ names: UnsafePointer<UInt8>, _ entry: DirectoryEntry, _ level: inout ScanLevel) throws(Failure) {
    let name = UnsafeRawPointer(names + entry.offset).assumingMemoryBound(to: CChar.self)
    let bytes = entry.name(names)
    let path = level.directory.path(of: bytes)
    var decision: Decision?
    let listed = FileKind(entryType: entry.type)
    if let listed, mountTypes.isEmpty {
      let early = selector.decide(path.span.bytes, listed)
      // nearly everything outside of the selected trees ends here, without a look at its inode
      if early.attributes == nil, !early.descends { return }
      decision = early
    }
    var status = linux_status()
    // what is to be read is opened first, and then asked itself: nothing can come between, and its name is looked up once
    let descriptor =
      listed == .regular && decision?.attributes?.isDisjoint(with: Attributes.hashes) == false
      ? openForReading(level.descriptor, name) : -1
    var isKept = false
    defer { if descriptor >= 0, !isKept { close(descriptor) } }
    guard (descriptor < 0 ? linux_status_of(level.descriptor, name, &status) : linux_status_of(descriptor, "", &status)) == 0 else {
      if errno != ENOENT { skip(path, errno, "it could not be examined") }
      return
    }
    guard let kind = FileKind(mode: status.mode) else { return }
    let final = kind == listed ? decision ?? decide(path, kind, status) : decide(path, kind, status)
    if kind == .directory, final.descends { descend(bytes, status, isSelected: final.attributes != nil, &level) }
    guard let attributes = final.attributes else { return }
    count(status)
    let facts = Facts(attributes: attributes, descends: kind == .directory && final.descends, status: status)
    isKept = kind == .regular
    try gather(facts, name, Array(bytes), old: nil, needsContent: true, level, descriptor: isKept ? descriptor : -1)
  }

  private func decide(_ path: [UInt8], _ kind: FileKind, _ status: linux_status) -> Decision {
    selector.decide(path.span.bytes, kind, fileSystem: mountTypes[status.mount])
  }

  /// A known entry that has changed, or has to be looked at for another reason.
  /// - Parameter isSame: its state is the baseline's.
  func examine(
    _ bytes: UnsafeRawBufferPointer, _ name: UnsafePointer<CChar>, _ status: linux_status, isSame: Bool, _ level: inout ScanLevel
  ) throws(Failure) {
    let key = Array(bytes)
    guard let base, let id = level.directory.id, let old = try store.facts(id, key, base), let kind = FileKind(mode: status.mode) else {
      return
    }
    let decision =
      isSameSelection && kind == old.kind
      ? Decision(attributes: old.attributes, descends: old.descends, rule: nil) : decide(level.directory.path(of: bytes), kind, status)
    if kind == .directory, decision.descends { descend(bytes, status, isSelected: decision.attributes != nil, &level) }
    guard let attributes = decision.attributes else { return try lose(key, level.directory) }
    count(status)
    let facts = Facts(attributes: attributes, descends: kind == .directory && decision.descends, status: status)
    let wanted = attributes.intersection(Attributes.hashes)
    let comparable = wanted.intersection(old.known)
    let needsContent =
      next == nil ? !comparable.isEmpty && (!isSame || options.isFull) : !wanted.isSubset(of: old.known) || !isSame || options.isFull
    // only the rules have changed: there is nothing to compare
    if next == nil, isSame, !options.isFull, attributes.isDisjoint(with: [.blocks, .atime]) { return }
    try gather(facts, name, key, old: old, needsContent: needsContent, level)
  }

  /// Reads what else is wanted of an object, and hands it on: at once, or when its content has been read.
  /// - Parameter open: the object, where it is open for its content to be read, and what is known is known of it.
  private func gather(
    _ known: Facts, _ name: UnsafePointer<CChar>, _ key: [UInt8], old: Facts?, needsContent: Bool, _ level: ScanLevel,
    descriptor open: Int32 = -1
  ) throws(Failure) {
    var facts = known
    var digests: Attributes = facts.kind == .regular ? facts.attributes.intersection(Attributes.hashes) : []
    if let old, next == nil { digests.formIntersection(old.known) }
    let reads = needsContent && !digests.isEmpty
    // FS_IOC_GETFLAGS needs the file open; of a device or pipe that would do something
    let hasFlags = facts.attributes.contains(.e2fsattrs) && (facts.kind == .regular || facts.kind == .directory)
    if !reads, let old { facts.digests = zip(Digest.all, old.digests).map { facts.attributes.contains($0.attribute) ? $1 : nil } }
    var descriptor = open
    if descriptor < 0, reads || hasFlags {
      descriptor = openForReading(level.descriptor, name, facts.kind == .directory ? O_DIRECTORY : 0)
      if descriptor < 0 {
        if errno == ENOENT { return try miss(key, old, level.directory) }
        fault(level.directory.path(of: key), errno, reads ? "its content could not be read" : "its inode flags could not be read")
      }
    }
    let code = attributes.read(level.descriptor, name, descriptor: descriptor, into: &facts)
    if code != 0 {
      if code == ENOENT {
        if descriptor >= 0 { close(descriptor) }
        return try miss(key, old, level.directory)
      }
      fault(level.directory.path(of: key), code, "its extended attributes could not be read")
    }
    if descriptor >= 0 {
      if hasFlags {
        let flags = linux_inode_flags(descriptor)
        facts.inodeFlags = flags < 0 ? nil : UInt32(truncatingIfNeeded: flags)
      }
      if reads {
        return try read(
          descriptor, open < 0 ? nil : facts.status, digests, PendingFile(directory: level.directory, name: key, facts: facts, old: old))
      }
      close(descriptor)
    }
    try settle(facts, old, level.directory, key, prefix: nil)
  }

  /// Queues a file to be hashed; settles others while the queue is full.
  /// - Parameter status: what the descriptor says of itself, where it has been asked.
  private func read(_ descriptor: Int32, _ status: linux_status?, _ digests: Attributes, _ file: PendingFile) throws(Failure) {
    while pool.isFull { try settle() }
    guard let slot = freeSlots.popLast() else { return }
    pending[slot] = file
    let grows = file.facts.attributes.contains(.growing) && file.old?.attributes.contains(.growing) == true
    let prefix = grows ? file.old.map(\.status.size) : nil
    let policy = ContentPolicy(limitBytes: options.diffBytes)
    let keeps = policy.limitBytes > 0 && file.directory.isOpen && policy.allows(file.directory.path(of: file.name), file.facts.status)
    let job = HashJob(
      descriptor: descriptor, status: status, digests: digests, prefixBytes: prefix, keepBytes: keeps ? policy.limitBytes : 0, slot: slot)
    do { try pool.add(job) } catch {
      throw error.failure()
    }
  }

  /// Takes the files that have been read; waits for some.
  func settle() throws(Failure) {
    for result in pool.take() {
      guard let file = pending[result.slot] else { continue }
      pending[result.slot] = nil
      freeSlots.append(result.slot)
      if result.isBusy {
        counts.busy += 1
        report(
          ScanProblem(
            path: file.directory.path(of: file.name), text: "changed while it was read, twice: what is known of it may be mixed",
            isBusy: true))
      }
      if result.code == 0 {
        if FileKind(mode: result.status.mode) == .regular { file.facts.status = result.status }
        counts.filesRead += 1
        counts.bytesRead &+= Int64(truncatingIfNeeded: result.status.size)
      } else {
        fault(file.directory.path(of: file.name), result.code, "its content could not be read")
      }
      if let digests = result.digests { file.facts.digests = digests }
      let content = result.content.flatMap { ContentPolicy.isText($0) ? $0 : nil }
      try settle(file.facts, file.old, file.directory, file.name, prefix: result.prefixDigests, content: content)
    }
  }

  /// Everything is known of an object: compares it, and writes it down.
  private func settle(
    _ facts: Facts, _ old: Facts?, _ directory: ScannedDirectory, _ name: [UInt8], prefix: [[UInt8]?]?, content: [UInt8]? = nil
  ) throws(Failure) {
    if next != nil, old == nil || !facts.isSameRow(as: old ?? facts) {
      try write(PendingWrite(directory: directory, name: name, facts: facts, content: content, isKnown: old != nil))
    }
    if base == nil { return }
    guard let old else {
      differences.append(Difference(.added, directory.path(of: name), new: facts))
      return
    }
    let changed = old.changes(to: facts, prefix: prefix)
    if changed.isEmpty { return }
    if old.status.isSameState(as: facts.status), !changed.isDisjoint(with: Attributes.hashes) { counts.hidden += 1 }
    var difference = Difference(.changed, directory.path(of: name), old: old, new: facts, changed: changed)
    if let content, let base, let id = directory.id, let before = try store.content(id, name, base, old), before != content {
      difference.contentDiff = unifiedDiff(before, content) ?? "too much has changed to be shown"
    }
    differences.append(difference)
  }

  /// A known entry that cannot be examined.
  func miss(_ name: UnsafeRawBufferPointer, _ directory: ScannedDirectory) throws(Failure) {
    if errno == ENOENT { return try lose(Array(name), directory) }
    skip(directory.path(of: name), errno, "it could not be examined")
  }

  /// An object that went away while it was examined.
  private func miss(_ name: [UInt8], _ old: Facts?, _ directory: ScannedDirectory) throws(Failure) {
    if old != nil { try lose(name, directory) }
  }

  /// Something that the baseline has is no longer there, or no longer selected.
  func lose(_ name: [UInt8], _ directory: ScannedDirectory) throws(Failure) {
    guard let base, let id = directory.id, let old = try store.facts(id, name, base) else { return }
    differences.append(Difference(.removed, directory.path(of: name), old: old))
    if next != nil { try write(PendingWrite(directory: directory, name: name, facts: nil, content: nil, isKnown: true)) }
  }

  /// Writes a row, or notes it: SQLite does not say what a cursor finds in a table that changes under it.
  private func write(_ write: PendingWrite) throws(Failure) {
    if isReadingRows { writes.append(write) } else { try apply(write) }
  }

  /// The cursor is closed: writes what was noted.
  func applyWrites() throws(Failure) {
    for write in writes { try apply(write) }
    writes.removeAll()
  }

  private func apply(_ write: PendingWrite) throws(Failure) {
    guard let next else { return }
    let directory = write.directory
    let id: Int64
    if let known = directory.id {
      id = known
    } else {
      id = try store.add(directory: directory.path)
      directory.id = id
      visited.insert(id)
    }
    if write.isKnown { try store.end(id, write.name, next) }
    guard let facts = write.facts else { return }
    try store.add(id, write.name, next, facts)
    if let content = write.content { try store.add(content: content, id, write.name, next, facts) }
  }

  /// What the baseline has in directories that were not met.
  func removeUnvisited() throws(Failure) {
    guard let base else { return }
    try store.eachDirectory { (id, path) throws(Failure) in
      if visited.contains(id) || isSkipped(path) { return }
      let directory = ScannedDirectory(path, id)
      for name in try store.names(id, base) { try lose(name, directory) }
    }
  }

  /// Whether a directory or one above it could not be entered.
  private func isSkipped(_ path: [UInt8]) -> Bool {
    if skipped.isEmpty { return false }
    var end = path.count
    while end > 0 {
      if skipped.contains(Array(path[..<end])) { return true }
      end = path[..<end].lastIndex(of: UInt8(ascii: "/")) ?? 0
    }
    return skipped.contains([UInt8(ascii: "/")])
  }
}
