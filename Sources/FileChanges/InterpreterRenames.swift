import AuditEvents
import AuditWire

/// Renames: one change with both names, whatever order the records come in.
extension Interpreter {
  mutating func renamed(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    let names = RenameNames(&typed)
    guard let create = names.create, let delete = names.delete else { return }
    let new = typed.paths[create]
    let old = typed.paths[delete]
    let parents = renameParents(&typed, old: old, new: new, bytes)
    let who = PathResolver.Process(actor: typed.actor)
    let from = resolver.entry(
      old, in: parents.old, base: base(&typed, bytes), cwd: typed.cwd, process: who, bytes: bytes, map: &map, learn: true)
    let to = resolver.entry(
      new, in: parents.new, base: base(&typed, bytes, second: true), cwd: typed.cwd, process: who, bytes: bytes, map: &map, learn: true)
    let isExchange = names.otherCreate != nil
    var change = FileChange(isExchange ? .exchange : .rename)
    describe(&change, new, to)
    change.include(confidence(of: from))
    change.previousPath = from.path
    if FileType.isDirectory(new.mode) || names.otherCreate.map({ FileType.isDirectory(typed.paths[$0].mode) }) ?? false {
      map.noteMove(
        from: from.path, to: to.path, of: resolver.paths, isExchange: isExchange,
        isCertain: from.confidence.isCertain && to.confidence.isCertain)
    }
    if let other = names.otherCreate {
      move(new, to)
      move(typed.paths[other], from)
    } else {
      if let victim = names.victim {
        change.replaced = typed.paths[victim].identity
        forget(typed.paths[victim].identity, to)
      }
      move(new, to)
    }
    changes.append(change)
  }

  /// Which records of a rename are what, told by inode (AUDIT-FACTS 4).
  private struct RenameNames {
    /// The new name.
    var create: Int?
    /// The old name of the object that has the new one now.
    var delete: Int?
    /// RENAME_EXCHANGE: the other object's new name. (Its flag is renameat2's fifth argument, which is not logged, but two
    /// names gone and two names made is what nothing else leaves.)
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
      if otherDelete == nil { otherCreate = nil }
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
    if let node = map.find(old.identity), let parent = map.parent(node) {
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
