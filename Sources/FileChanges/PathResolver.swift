import AuditEvents
import AuditWire

/// Makes absolute paths of what PATH records say: the directory map first, then names, then the running system.
package struct PathResolver: Sendable {
  /// A path that was found, in the scratch bytes, and where its directory is in the map.
  struct Found {
    var path = Slice.none
    var confidence = FileChange.Confidence.unknown
    var parent: DirectoryMap.NodeIndex?
    /// The last component, in the scratch bytes.
    var name = Slice.none
  }

  /// Who made the call; its pid is read from the records only when the running system is asked.
  struct Process {
    var actor: Slice

    func pid(_ bytes: RawSpan) -> Int32 {
      let text = bytes.extracting(0..<actor.end)
      var fields = FieldCursor(text, start: Int(actor.start))
      while let field = fields.next(text) {
        guard text.extracting(field.name.range).equals("pid") else { continue }
        var cursor = Cursor(at: Int(field.value.slice.start))
        return cursor.decimal(text).flatMap { Int32(exactly: $0) } ?? 0
      }
      return 0
    }
  }

  /// What a relative name in the event is relative to.
  struct Base {
    /// The name is relative to the logged working directory: a call without a directory descriptor, or AT_FDCWD.
    var isWorkingDirectory: Bool
    /// Otherwise the descriptor, where the records tell.
    var descriptor: Int32?
  }

  /// AT_FDCWD, -100, as the kernel prints an int argument.
  static let atWorkingDirectory: UInt32 = 0xffff_ff9c

  let lookup: Lookup
  /// Absolute paths, back to back: what slices of ``FileChange`` point into.
  package internal(set) var paths: [UInt8] = []
  private var name: [UInt8] = []
  private var candidate: [UInt8] = []

  // The last directory's path: consecutive events tend to share it.
  private var memoNode: DirectoryMap.NodeIndex = -1
  private var memoVersion: UInt64 = .max
  private var memoPath: [UInt8] = []

  init(lookup: Lookup) {
    self.lookup = lookup
    paths.reserveCapacity(16384)
    name.reserveCapacity(4096)
    candidate.reserveCapacity(4096)
    memoPath.reserveCapacity(4096)
  }

  /// The path of an entry that the call made or took away: its directory by inode, its name as given.
  /// - Parameter learn: the event succeeded, so that names and inodes in it belong together.
  mutating func entry(
    _ record: PathRecord, in parent: PathRecord?, base: Base, cwd: Value, process: Process, bytes: RawSpan, map: inout DirectoryMap,
    learn: Bool
  ) -> Found {
    decodeName(record.name, bytes)
    let component = PathText.lastComponent(name.span.bytes)
    guard let component, !PathText.isDots(name.span.bytes.extracting(component)) else {
      return record.name.isPresent
        ? lexical(base, cwd, bytes) : unnamed(record, in: parent, map: map)
    }
    if let parent, !parent.identity.isUnknown, let node = map.find(parent.identity) {
      let start = paths.count
      if appendDirectory(node, map) {
        return finish(start, .exact, parent: node, component)
      }
    }
    let isAbsolute = name.first == UInt8(ascii: "/")
    if isAbsolute || base.isWorkingDirectory {
      var found = lexical(base, cwd, bytes)
      // remember where this directory is: later calls may be relative to a descriptor of it
      if learn, found.confidence == .exact, let parent, !parent.identity.isUnknown, found.path.count > found.name.count {
        let directory = max(1, Int(found.path.count) - Int(found.name.count) - 1)
        let all = paths.span.bytes
        let text = all.extracting(Int(found.path.start)..<Int(found.path.start) + directory)
        found.parent = map.insertRoot(parent.identity, path: text, isDirectory: true)
      }
      return found
    }
    if let parent, let number = base.descriptor, component.lowerBound == 0 {
      let start = paths.count
      if lookup.descriptor(process.pid(bytes), number, parent.identity, &paths) {
        if learn, !parent.identity.isUnknown {
          let all = paths.span.bytes
          map.insertRoot(parent.identity, path: all.extracting(start..<all.byteCount), isDirectory: true)
        }
        return finish(start, .descriptor, parent: nil, component)
      }
      paths.removeLast(paths.count - start)
    }
    var found = lexical(base, cwd, bytes)
    found.confidence = .guess
    return found
  }

  /// The path of an object that the call looked up: by inode where that is certain, else as named.
  mutating func object(
    _ record: PathRecord, base: Base, descriptor: Int32?, cwd: Value, process: Process, bytes: RawSpan, map: DirectoryMap
  ) -> Found {
    let node = record.identity.isUnknown ? nil : map.find(record.identity)
    // no name: fchmod(fd) logs (null), AT_EMPTY_PATH and open_by_handle_at log ""
    guard record.name.isPresent, !record.name.slice.isEmpty else {
      if let node {
        // of several names, the one that the process opened, while it can be asked
        if map.hasLinks(node) {
          let found = described(descriptor, record.identity, process: process, bytes)
          if !found.path.isEmpty { return found }
        }
        let start = paths.count
        if map.appendPath(of: node, to: &paths) { return whole(start, map.hasLinks(node) ? .inode : .exact) }
      }
      return described(descriptor, record.identity, process: process, bytes)
    }
    decodeName(record.name, bytes)
    let component = PathText.lastComponent(name.span.bytes) ?? 0..<0
    let isAbsolute = name.first == UInt8(ascii: "/")
    let isReliable = isAbsolute || base.isWorkingDirectory
    if let node {
      let sameName = map.isNamed(node, name.span.bytes.extracting(component))
      // a directory has one name only, a file with one link too: then the map's path is the real one, without symbolic links
      if map.isDirectory(node) || (sameName && !(isReliable && map.hasLinks(node))) || !isReliable {
        let start = paths.count
        if map.appendPath(of: node, to: &paths) {
          return whole(start, map.isDirectory(node) || sameName ? .exact : .inode)
        }
      }
    }
    if !isReliable, let number = base.descriptor {
      let start = paths.count
      if lookup.descriptor(process.pid(bytes), number, .unknown, &paths) {
        PathText.join(name, to: &paths, from: start)
        return whole(start, .descriptor)
      }
    }
    var found = lexical(base, cwd, bytes)
    if !isReliable { found.confidence = .guess }
    return found
  }

  /// The text of a name that is not to be resolved: a symbolic link's target.
  mutating func verbatim(_ value: Value, _ bytes: RawSpan) -> Slice {
    let start = paths.count
    value.decode(from: bytes, into: &paths)
    return Slice(start: start, count: paths.count - start)
  }

  /// What a descriptor refers to, from the process itself.
  mutating func described(_ descriptor: Int32?, _ identity: FileIdentity, process: Process, _ bytes: RawSpan) -> Found {
    let start = paths.count
    if let descriptor, lookup.descriptor(process.pid(bytes), descriptor, identity, &paths) { return whole(start, .descriptor) }
    paths.removeLast(paths.count - start)
    return Found()
  }

  // MARK: -

  private mutating func decodeName(_ value: Value, _ bytes: RawSpan) {
    name.removeAll(keepingCapacity: true)
    value.decode(from: bytes, into: &name)
  }

  private mutating func appendDirectory(_ node: DirectoryMap.NodeIndex, _ map: DirectoryMap) -> Bool {
    if node != memoNode || map.version != memoVersion {
      memoPath.removeAll(keepingCapacity: true)
      memoNode = -1
      guard map.appendPath(of: node, to: &memoPath) else { return false }
      memoNode = node
      memoVersion = map.version
    }
    paths.append(memoPath, 0..<memoPath.count)
    return true
  }

  /// Completes the directory path at `start` with the name's last component.
  private mutating func finish(
    _ start: Int, _ confidence: FileChange.Confidence, parent: DirectoryMap.NodeIndex?, _ component: Range<Int>
  ) -> Found {
    if paths[paths.count - 1] != UInt8(ascii: "/") { paths.append(UInt8(ascii: "/")) }
    let nameStart = paths.count
    paths.append(name, component)
    return Found(
      path: Slice(start: start, count: paths.count - start), confidence: confidence, parent: parent,
      name: Slice(start: nameStart, count: component.count))
  }

  private func whole(_ start: Int, _ confidence: FileChange.Confidence) -> Found {
    let all = paths.span.bytes
    let text = all.extracting(start..<all.byteCount)
    let component = PathText.lastComponent(text) ?? 0..<0
    return Found(
      path: Slice(start: start, count: paths.count - start), confidence: confidence, parent: nil,
      name: Slice(start: start + component.lowerBound, count: component.count))
  }

  /// The name as the process gave it, made absolute with the logged working directory.
  private mutating func lexical(_ base: Base, _ cwd: Value, _ bytes: RawSpan) -> Found {
    let start = paths.count
    if name.first != UInt8(ascii: "/") {
      guard cwd.isPresent else {
        // no CWD record: all that is left is the bare name
        paths.append(name, 0..<name.count)
        var found = whole(start, .guess)
        if paths.count == start { found.confidence = .unknown }
        return found
      }
      cwd.decode(from: bytes, into: &paths)
    }
    PathText.join(name, to: &paths, from: start)
    return whole(start, .exact)
  }

  /// An entry whose name the kernel did not log (io_uring's worker): the inode may be known, or found in the directory.
  private mutating func unnamed(_ record: PathRecord, in parent: PathRecord?, map: DirectoryMap) -> Found {
    let start = paths.count
    // the map knows the name that an object had; the one that it got stands in the directory alone
    let node = record.identity.isUnknown || record.nameType == .create ? nil : map.find(record.identity)
    if let node, map.appendPath(of: node, to: &paths) {
      var found = whole(start, .inode)
      found.parent = map.parent(node)
      return found
    }
    guard let parent, !parent.identity.isUnknown, let directory = map.find(parent.identity), appendDirectory(directory, map)
    else { return Found() }
    candidate.removeAll(keepingCapacity: true)
    if lookup.entry(Array(paths[start...]), record.identity, &candidate) {
      name = candidate
      return finish(start, .inode, parent: directory, 0..<name.count)
    }
    var found = whole(start, .parentOnly)
    found.name = .none
    return found
  }
}
