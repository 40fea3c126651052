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
    /// The directory map has the place from an earlier event, not from a walk.
    var isLearnt = false
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
  package internal(set) var paths = ByteScratch(capacity: 16384)
  private var name = ByteScratch(capacity: 4096)

  // The last directory's path: consecutive events tend to share it.
  private var memoNode: DirectoryMap.NodeIndex = -1
  private var memoVersion: UInt64 = .max
  private var memoIsLearnt = false
  /// ``TypedEvent/cwdVersion`` of this event, and the one with which the memo's directory is the working directory.
  var cwdVersion = 0
  private var memoCwdVersion = -1
  private var memoPath = ByteScratch(capacity: 4096)

  init(lookup: Lookup) { self.lookup = lookup }

  /// The path of an entry that the call made or took away: its directory by inode, its name as given.
  /// - Parameter learn: the event succeeded, so that names and inodes in it belong together.
  mutating func entry(
    _ record: PathRecord, in parent: PathRecord?, base: Base, cwd: Value, process: Process, bytes: RawSpan, map: inout DirectoryMap,
    learn: Bool
  ) -> Found {
    decodeName(record.name, bytes)
    let component = PathText.lastComponent(name.storage.span.bytes.extracting(0..<name.count))
    guard let component, !PathText.isDots(name.storage.span.bytes.extracting(component)) else {
      return record.name.isPresent
        ? lexical(base, cwd, bytes) : unnamed(record, in: parent, map: &map)
    }
    let isReliable = isAbsoluteName || base.isWorkingDirectory
    if let parent, !parent.identity.isUnknown, let node = map.find(parent.identity) {
      let start = paths.count
      // what an earlier event told gives way to what this one tells
      if appendDirectory(node, &map), !memoIsLearnt || !isReliable || isMemo(component, cwd, bytes) {
        var found = finish(start, .exact, parent: node, component)
        found.isLearnt = memoIsLearnt && !isReliable
        return found
      }
      paths.truncate(to: start)
    }
    if isReliable {
      var found = lexical(base, cwd, bytes)
      // remember where this directory is: later calls may be relative to a descriptor of it
      if learn, found.confidence == .exact, let parent, !parent.identity.isUnknown, found.path.count > found.name.count {
        let directory = max(1, Int(found.path.count) - Int(found.name.count) - 1)
        let text = paths.storage.span.bytes.extracting(Int(found.path.start)..<Int(found.path.start) + directory)
        found.parent = map.learn(parent.identity, path: text, isDirectory: true)
      }
      return found
    }
    if let parent, let number = base.descriptor, component.lowerBound == 0 {
      let start = paths.count
      if ask(process.pid(bytes), number, parent.identity) {
        if learn, !parent.identity.isUnknown {
          map.learn(parent.identity, path: paths.storage.span.bytes.extracting(start..<paths.count), isDirectory: true)
        }
        return finish(start, .descriptor, parent: nil, component)
      }
    }
    var found = lexical(base, cwd, bytes)
    found.confidence = .guess
    return found
  }

  /// The path of an object that the call looked up: by inode where that is certain, else as named.
  mutating func object(
    _ record: PathRecord, base: Base, descriptor: Int32?, cwd: Value, process: Process, bytes: RawSpan, map: inout DirectoryMap
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
        if map.appendPath(of: node, to: &paths) {
          var found = whole(start, map.hasLinks(node) ? .inode : .exact)
          found.isLearnt = map.isLearnt(node)
          return found
        }
      }
      return described(descriptor, record.identity, process: process, bytes)
    }
    decodeName(record.name, bytes)
    let component = PathText.lastComponent(name.storage.span.bytes.extracting(0..<name.count)) ?? 0..<0
    let isAbsolute = isAbsoluteName
    let isReliable = isAbsolute || base.isWorkingDirectory
    if let node {
      let sameName = map.isNamed(node, name.storage.span.bytes.extracting(component))
      // a directory has one name only, a file with one link too: then the map's path is the real one, without symbolic links
      if map.isDirectory(node) || (sameName && !(isReliable && map.hasLinks(node))) || !isReliable {
        let start = paths.count
        if map.appendPath(of: node, to: &paths) {
          var found = whole(start, map.isDirectory(node) || sameName ? .exact : .inode)
          found.isLearnt = map.isLearnt(node)
          return found
        }
      }
    }
    if !isReliable, let number = base.descriptor {
      let start = paths.count
      if ask(process.pid(bytes), number, .unknown) {
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
    if let descriptor, ask(process.pid(bytes), descriptor, identity) { return whole(start, .descriptor) }
    return Found()
  }

  // MARK: -

  private var isAbsoluteName: Bool { name.count > 0 && name[0] == UInt8(ascii: "/") }

  /// Appends the path of a descriptor, asked of the running system; false, and nothing appended, where it does not know.
  private mutating func ask(_ pid: Int32, _ descriptor: Int32, _ identity: FileIdentity) -> Bool {
    var path: [UInt8] = []
    guard lookup.descriptor(pid, descriptor, identity, &path) else { return false }
    paths.append(path.span.bytes)
    return true
  }

  private mutating func decodeName(_ value: Value, _ bytes: RawSpan) {
    name.truncate(to: 0)
    value.decode(from: bytes, into: &name)
  }

  private mutating func appendDirectory(_ node: DirectoryMap.NodeIndex, _ map: inout DirectoryMap) -> Bool {
    if node != memoNode || map.version != memoVersion {
      memoPath.truncate(to: 0)
      memoNode = -1
      guard map.appendPath(of: node, to: &memoPath) else { return false }
      memoIsLearnt = map.isLearnt(node)
      memoCwdVersion = -1
      memoNode = node
      memoVersion = map.version
    }
    paths.append(memoPath, 0..<memoPath.count)
    return true
  }

  /// Whether the name, which is relative to nothing but the working directory, is in the directory of the memo by its own text.
  private mutating func isMemo(_ component: Range<Int>, _ cwd: Value, _ bytes: RawSpan) -> Bool {
    if component.lowerBound == 0 {
      if cwd.isPresent, cwdVersion == memoCwdVersion { return true }
      guard cwd.encoding == .quoted,
        bytes.extracting(cwd.slice.range).equals(memoPath.storage.span.bytes.extracting(0..<memoPath.count))
      else { return false }
      memoCwdVersion = cwdVersion
      return true
    }
    let memo = memoPath.storage.span.bytes.extracting(0..<memoPath.count)
    return isAbsoluteName && name.storage.span.bytes.extracting(0..<component.lowerBound &- 1).equals(memo)
  }

  /// Completes the directory path at `start` with the name's last component.
  private mutating func finish(
    _ start: Int, _ confidence: FileChange.Confidence, parent: DirectoryMap.NodeIndex?, _ component: Range<Int>
  ) -> Found {
    if paths.last != UInt8(ascii: "/") { paths.append(UInt8(ascii: "/")) }
    let nameStart = paths.count
    paths.append(name, component)
    return Found(
      path: Slice(start: start, count: paths.count - start), confidence: confidence, parent: parent,
      name: Slice(start: nameStart, count: component.count))
  }

  private func whole(_ start: Int, _ confidence: FileChange.Confidence) -> Found {
    let component = PathText.lastComponent(paths.storage.span.bytes.extracting(start..<paths.count)) ?? 0..<0
    return Found(
      path: Slice(start: start, count: paths.count - start), confidence: confidence, parent: nil,
      name: Slice(start: start + component.lowerBound, count: component.count))
  }

  /// The name as the process gave it, made absolute with the logged working directory.
  private mutating func lexical(_ base: Base, _ cwd: Value, _ bytes: RawSpan) -> Found {
    let start = paths.count
    if !isAbsoluteName {
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
  private mutating func unnamed(_ record: PathRecord, in parent: PathRecord?, map: inout DirectoryMap) -> Found {
    let start = paths.count
    // the map knows the name that an object had; the one that it got stands in the directory alone
    let node = record.identity.isUnknown || record.nameType == .create ? nil : map.find(record.identity)
    if let node, map.appendPath(of: node, to: &paths) {
      var found = whole(start, .inode)
      found.parent = map.parent(node)
      return found
    }
    guard let parent, !parent.identity.isUnknown, let directory = map.find(parent.identity), appendDirectory(directory, &map)
    else { return Found() }
    var entry: [UInt8] = []
    if lookup.entry(paths.storage.span.bytes.extracting(start..<paths.count).array(), record.identity, &entry) {
      name.truncate(to: 0)
      name.append(entry.span.bytes)
      return finish(start, .inode, parent: directory, 0..<name.count)
    }
    var found = whole(start, .parentOnly)
    found.name = .none
    return found
  }
}
