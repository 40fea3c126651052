import AuditEvents
import AuditWire

/// Renames: one change with both names, whatever order the records come in.
extension Interpreter {
  mutating func renamed(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    let names = RenameNames(&typed)
    guard let create = names.create, let gone = names.otherCreate ?? names.delete else {
      // two names of one file, or one name twice: nothing was renamed, but it was asked for
      attempted(&typed, bytes)
      return
    }
    let new = typed.paths[create]
    let old = typed.paths[gone]
    let parents = renameParents(&typed, old: old, new: new, bytes)
    let who = PathResolver.Process(actor: typed.actor)
    let from = resolver.entry(
      old, in: parents.old, base: base(&typed, bytes), cwd: typed.cwd, process: who, bytes: bytes, map: &map, learn: true)
    let to = resolver.entry(
      new, in: parents.new, base: base(&typed, bytes, second: true), cwd: typed.cwd, process: who, bytes: bytes, map: &map, learn: true)
    if let other = names.otherCreate {
      exchanged(new, to, typed.paths[other], from)
      return
    }
    // the kernel takes two names for one where their last components are the same, and the later object is in the record of both
    // (kernel/auditsc.c __audit_inode_child), which leaves one without a name. One with a name was replaced, and its inode may be another's now
    let areNamesakes = (from.parent != to.parent || to.parent == nil) && resolver.areNamesakes(from, to)
    if areNamesakes, let victim = names.victim, !typed.paths[victim].name.isPresent,
      resolver.inode(at: from.path) == typed.paths[victim].identity.inode
    {
      exchanged(new, to, typed.paths[victim], from)
      return
    }
    var isCertain = true
    if areNamesakes, let node = map.find(new.identity), to.parent != from.parent, map.parent(node) == to.parent,
      map.isNamed(node, to.name, of: resolver.paths)
    {
      if let other = namesake(of: new, at: to, from) {
        exchanged(new, from, other, to)
        return
      }
      isCertain = false
    }
    var change = FileChange(.rename)
    describe(&change, new, to)
    let source = settled(from)
    change.include(source.confidence)
    if !isCertain { change.include(.inode) }
    change.previousPath = source.path
    if FileType.isDirectory(new.mode) {
      map.noteMove(
        from: from.path, to: to.path, of: resolver.paths, isExchange: false,
        isCertain: from.confidence.isCertain && to.confidence.isCertain)
    }
    let victim = names.victim.map { typed.paths[$0].identity } ?? (areNamesakes && old.identity != new.identity ? old.identity : .unknown)
    if !victim.isUnknown {
      change.replaced = victim
      forget(victim, to)
    }
    move(new, to)
    changes.append(change)
  }

  /// RENAME_EXCHANGE: two objects have changed places, and are now where the records and places say.
  private mutating func exchanged(_ one: PathRecord, _ onePlace: PathResolver.Found, _ other: PathRecord, _ otherPlace: PathResolver.Found)
  {
    var change = FileChange(.exchange)
    describe(&change, one, onePlace)
    let second = settled(otherPlace)
    change.include(second.confidence)
    change.previousPath = second.path
    if FileType.isDirectory(one.mode) || FileType.isDirectory(other.mode) {
      map.noteMove(
        from: otherPlace.path, to: onePlace.path, of: resolver.paths, isExchange: true,
        isCertain: onePlace.confidence.isCertain && otherPlace.confidence.isCertain)
    }
    move(one, onePlace)
    move(other, otherPlace)
    changes.append(change)
  }

  /// The object that `moved`, which the map has at `new`, changed places with, where the records have nothing but `moved`. (They look like
  /// those of a rename, which is what it is if a walk has found the object at its new place before this event came.)
  private mutating func namesake(of moved: PathRecord, at new: PathResolver.Found, _ old: PathResolver.Found) -> PathRecord? {
    var other = moved
    guard let inode = resolver.inode(at: new.path), inode != moved.identity.inode else { return nil }
    other.identity.inode = inode
    guard let node = map.find(other.identity), map.parent(node) == old.parent, map.isNamed(node, old.name, of: resolver.paths) else {
      return nil
    }
    other.mode = map.isDirectory(node) ? 0o040000 : 0o100000
    return other
  }

  /// Which records of a rename are what, told by inode (AUDIT-FACTS 4).
  private struct RenameNames {
    /// The new name.
    var create: Int?
    /// The old name of the object that has the new one now.
    var delete: Int?
    /// RENAME_EXCHANGE: the other object's new name, which is the first one's old name. (Its flag is renameat2's fifth
    /// argument, which is not logged, but two names made is what nothing else leaves.)
    var otherCreate: Int?
    /// The name that was taken over, with the object that it belonged to.
    var victim: Int?

    init(_ typed: inout TypedEvent) {
      var otherDelete: Int?
      for index in typed.paths.indices where typed.paths[index].nameType == .create {
        if create == nil { create = index } else { otherCreate = index }
      }
      guard let create else { return }
      for index in typed.paths.indices where typed.paths[index].nameType == .delete {
        if delete == nil, typed.paths[index].identity == typed.paths[create].identity { delete = index } else { otherDelete = index }
      }
      // a file system that gives the object a new inode when it moves
      if delete == nil { (delete, otherDelete) = (otherDelete, nil) }
      if otherCreate == nil { victim = otherDelete }
    }
  }

  /// Which PARENT record belongs to which name.
  private mutating func renameParents(_ typed: inout TypedEvent, old: PathRecord, new: PathRecord, _ bytes: RawSpan) -> (
    old: PathRecord?, new: PathRecord?
  ) {
    guard let first = typed.paths.first(where: { $0.nameType == .parent }) else { return (nil, nil) }
    guard let second = typed.paths.last(where: { $0.nameType == .parent && $0.identity != first.identity }) else { return (first, first) }
    // 1. the kernel prints as a parent's name what stands before the last slash, else the working directory:
    //    decisive where the two names differ in that
    let oldFirst = isParentName(first.name, of: old.name, typed.cwd, bytes)
    let oldSecond = isParentName(second.name, of: old.name, typed.cwd, bytes)
    let newFirst = isParentName(first.name, of: new.name, typed.cwd, bytes)
    let newSecond = isParentName(second.name, of: new.name, typed.cwd, bytes)
    if newFirst && oldSecond && !(newSecond && oldFirst) {
      newParentFirst = true
      return (second, first)
    }
    if newSecond && oldFirst && !(newFirst && oldSecond) {
      newParentFirst = false
      return (first, second)
    }
    // 2. the map knows where the object was
    if let node = map.find(new.identity), let parent = map.parent(node) {
      if map.find(first.identity) == parent { return (first, second) }
      if map.find(second.identity) == parent { return (second, first) }
    }
    // 3. the order in which this kernel lists them
    return newParentFirst ? (second, first) : (first, second)
  }

  /// Whether the kernel would print `parent` for an entry given as `name` (kernel/auditsc.c audit_log_name).
  private func isParentName(_ parent: Value, of name: Value, _ cwd: Value, _ bytes: RawSpan) -> Bool {
    // both in the same encoding, or they cannot be compared without decoding; a mismatch only costs this one hint
    guard parent.encoding == name.encoding else {
      return !hasSlash(name, bytes) && parent.encoding == cwd.encoding
        && bytes.extracting(parent.slice.range).equals(bytes.extracting(cwd.slice.range))
    }
    let text = bytes.extracting(name.slice.range)
    let width = name.encoding == .hex ? 2 : 1
    var end = text.byteCount
    while end >= width, !isSlash(text, end &- width, name.encoding) { end &-= width }
    let directory = bytes.extracting(parent.slice.range)
    if end < width {
      return cwd.encoding == parent.encoding && directory.equals(bytes.extracting(cwd.slice.range))
    }
    return directory.equals(text.extracting(0..<end))
  }

  private func hasSlash(_ name: Value, _ bytes: RawSpan) -> Bool {
    let text = bytes.extracting(name.slice.range)
    var at = 0
    while at < text.byteCount {
      if isSlash(text, at, name.encoding) { return true }
      at &+= name.encoding == .hex ? 2 : 1
    }
    return false
  }

  private func isSlash(_ text: RawSpan, _ at: Int, _ encoding: Value.Encoding) -> Bool {
    encoding == .hex
      ? text.peek(at) == UInt8(ascii: "2") && text.peek(at &+ 1) | 0x20 == UInt8(ascii: "f") : text.peek(at) == UInt8(ascii: "/")
  }
}
