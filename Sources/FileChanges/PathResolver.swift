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
    /// Of a guess: the name without the directory that was guessed.
    var given = Slice.none
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
  private var memoOrigin = DirectoryMap.Origin.walked
  /// ``TypedEvent/cwdVersion`` of this event, and the one with which the memo's directory is the working directory.
  var cwdVersion = 0
  private var memoCwdVersion = -1
  private var memoPath = ByteScratch(capacity: 4096)

  /// When the event happened, milliseconds since 1970.
  var timeMs: Int64 = 0
  private var answer = NameAnswer()
  /// A path for the running system.
  private var asked = ByteScratch(capacity: 4096)

  init(lookup: Lookup) { self.lookup = lookup }

  /// The path of an entry that the call made or took away: its directory by inode, its name as given.
  /// - Parameter learn: the event succeeded, so that names and inodes in it belong together.
  @inline(__always)
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
      if appendDirectory(node, &map) {
        // what an earlier event told gives way to what this one tells
        let isConfirmed = memoOrigin == .walked || isReliable && isMemo(component, cwd, bytes)
        if isConfirmed || !isReliable || processPath(base, cwd, bytes) != nil {
          var found = finish(start, isConfirmed || memoOrigin == .learnt ? .exact : .descriptor, parent: node, component)
          found.isLearnt = !isConfirmed
          return found
        }
      }
      paths.truncate(to: start)
    }
    return elsewhere(component, isReliable, parent, base, cwd, process, bytes, &map, learn: learn)
  }

  /// The path of an entry, in the decoded name, whose directory the map does not have.
  /// - Parameter component: the last one of the name.
  private mutating func elsewhere(
    _ component: Range<Int>, _ isReliable: Bool, _ parent: PathRecord?, _ base: Base, _ cwd: Value, _ process: Process, _ bytes: RawSpan,
    _ map: inout DirectoryMap, learn: Bool
  ) -> Found {
    var found = lexical(base, cwd, bytes)
    let own = processPath(found)
    if isReliable, own == nil {
      // remember where this directory is: later calls may be relative to a descriptor of it
      if learn, found.confidence == .exact, let parent, !parent.identity.isUnknown, found.path.count > found.name.count {
        let directory = max(1, Int(found.path.count) - Int(found.name.count) - 1)
        let text = paths.storage.span.bytes.extracting(Int(found.path.start)..<Int(found.path.start) + directory)
        found.parent = map.learn(parent.identity, path: text, isDirectory: true)
      }
      return found
    }
    let isDirect = own.map { $0.end == Int(found.path.count) - Int(found.name.count) - 1 } ?? (component.lowerBound == 0)
    if isDirect, let parent, let descriptor = own == nil ? base.descriptor : own?.descriptor {
      let start = paths.count
      if ask(own?.pid ?? process.pid(bytes), descriptor, parent.identity) {
        if learn, !parent.identity.isUnknown {
          map.learn(parent.identity, path: paths.storage.span.bytes.extracting(start..<paths.count), isDirectory: true, .asked)
        }
        return finish(start, .descriptor, parent: nil, component)
      }
    }
    return own == nil ? guess(found) : asNamed(found)
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
          let found = described(descriptor, record.identity, pid: process.pid(bytes))
          if !found.path.isEmpty { return found }
        }
        if var found = known(node, &map) {
          if map.hasLinks(node) { found.confidence = .inode }
          return found
        }
      }
      return described(descriptor, record.identity, pid: process.pid(bytes))
    }
    decodeName(record.name, bytes)
    let component = PathText.lastComponent(name.storage.span.bytes.extracting(0..<name.count)) ?? 0..<0
    let isReliable = isAbsoluteName || base.isWorkingDirectory
    if let node {
      let sameName = map.hasLastName(node, name.storage.span.bytes.extracting(component))
      // a directory has one name only, a file with one link too: then the map's path is the real one, without symbolic links
      if map.isDirectory(node) || !isReliable || sameName && !map.hasLinks(node) && !map.isLearntFile(node) {
        if var found = known(node, &map) {
          if !map.isDirectory(node) && !sameName { found.confidence = .inode }
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
    let named = lexical(base, cwd, bytes)
    if !isReliable { return guess(named) }
    if let own = processPath(named) {
      if let node, !map.hasLinks(node) { return known(node, &map) ?? asNamed(named) }
      let isWhole = own.end == Int(named.path.count)
      let found = isWhole ? described(own.descriptor, record.identity, pid: own.pid ?? process.pid(bytes)) : Found()
      if !found.path.isEmpty { return found }
      guard let node, var place = known(node, &map) else { return asNamed(named) }
      place.confidence = .inode
      return place
    }
    return node.map { ownName(named, $0, record.identity, &map) } ?? named
  }

  /// The path of a file that is in the map and was reached by a name which is not the map's, or is not its only one: by
  /// another of its names, through a symbolic link, or where nobody saw it move to.
  private mutating func ownName(
    _ named: Found, _ node: DirectoryMap.NodeIndex, _ identity: FileIdentity, _ map: inout DirectoryMap
  ) -> Found {
    guard var known = known(node, &map) else { return named }
    var named = named
    if paths.storage.span.bytes.extracting(named.path.range).equals(paths.storage.span.bytes.extracting(known.path.range)) {
      return named
    }
    let isLearnt = map.isLearnt(node)
    switch place(identity, named.path, known.path) {
    case .named:
      // it has another name besides, or instead
      if isLearnt { map.learn(identity, path: named.path, of: paths, isDirectory: false) } else { map.markLinked(node) }
      return named
    case .known:
      if map.hasLinks(node) { known.confidence = .inode }
      return known
    case .neither:
      // nobody can tell any more: a name that was told by an event is worth no more than this event's
      known.confidence = .inode
      named.confidence = .inode
      return map.hasLinks(node) || isLearnt ? named : known
    }
  }

  /// Under which of two paths the running system has the object.
  private mutating func place(_ identity: FileIdentity, _ named: Slice, _ known: Slice) -> NameAnswer.Verdict {
    if let last = answer.verdict(identity, named, known, of: paths, timeMs: timeMs) { return last }
    let verdict = inode(at: named) == identity.inode ? NameAnswer.Verdict.named : inode(at: known) == identity.inode ? .known : .neither
    answer.keep(verdict, identity, named, known, of: paths, timeMs: timeMs)
    return verdict
  }

  /// The event has changed names: what the running system said before is old.
  mutating func forgetAnswer() { answer.forget() }

  /// The text of a name that is not to be resolved: a symbolic link's target.
  mutating func verbatim(_ value: Value, _ bytes: RawSpan) -> Slice {
    let start = paths.count
    value.decode(from: bytes, into: &paths)
    return Slice(start: start, count: paths.count - start)
  }

  /// What a descriptor refers to, from the process itself.
  mutating func described(_ descriptor: Int32?, _ identity: FileIdentity, pid: @autoclosure () -> Int32) -> Found {
    let start = paths.count
    if let descriptor, ask(pid(), descriptor, identity) { return whole(start, .descriptor) }
    return Found()
  }

  /// The inode that the running system has under that very path, see ``Lookup/inode``.
  mutating func inode(at path: Slice) -> UInt64? {
    asked.truncate(to: 0)
    asked.append(paths, path.range)
    asked.append(0)
    return lookup.inode(asked.storage.span.bytes.extracting(0..<asked.count))
  }

  /// Whether the last components of two places are the same.
  func areNamesakes(_ one: Found, _ other: Found) -> Bool {
    let text = paths.storage.span.bytes
    return text.extracting(one.name.range).equals(text.extracting(other.name.range))
  }

  /// Whether the place is `/proc/self/fd/N` itself, and nothing is known of the object.
  func isBareDescriptor(_ found: Found) -> Bool {
    found.confidence == .asNamed && processPath(found).map { $0.descriptor != nil && $0.end == Int(found.path.count) } ?? false
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

  /// Where the map has a file; nil where it does not know any more.
  private mutating func known(_ node: DirectoryMap.NodeIndex, _ map: inout DirectoryMap) -> Found? {
    let start = paths.count
    guard map.appendPath(of: node, to: &paths) else { return nil }
    let origin = map.origin(of: node)
    var found = whole(start, origin == .asked ? .descriptor : .exact)
    found.isLearnt = origin != .walked
    return found
  }

  private func processPath(_ found: Found) -> ProcessPath? {
    ProcessPath(paths.storage.span.bytes.extracting(found.path.range))
  }

  private mutating func processPath(_ base: Base, _ cwd: Value, _ bytes: RawSpan) -> ProcessPath? {
    let start = paths.count
    defer { paths.truncate(to: start) }
    return processPath(lexical(base, cwd, bytes))
  }

  /// A name that is relative to a directory which nobody can tell, with the working directory in its place.
  private mutating func guess(_ found: Found) -> Found {
    var found = found
    found.confidence = .guess
    found.given = Slice(start: paths.count, count: name.count)
    paths.append(name, 0..<name.count)
    return found
  }

  private func asNamed(_ found: Found) -> Found {
    var found = found
    found.confidence = .asNamed
    return found
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
      memoOrigin = map.origin(of: node)
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
