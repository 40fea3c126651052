import AuditEvents
import AuditWire

/// Objects whose directory is not in the map: watched roots, and what an event told the path of. Their names are absolute
/// paths, which moves of directories above them change.
extension DirectoryMap {
  /// Notes an object by an absolute path: a watched root.
  /// - Returns: nil where the map is full of directories.
  @discardableResult
  package mutating func insertRoot(_ identity: FileIdentity, path: RawSpan, isDirectory: Bool) -> NodeIndex? {
    guard let index = insert(identity, parent: -1, name: path, isDirectory: isDirectory) else { return nil }
    nodes[Int(index)].origin = .walked
    return index
  }

  /// Notes an object whose directory is not known by the absolute path that an event gave it.
  /// - Returns: nil where the map is full of directories.
  @discardableResult
  package mutating func learn(_ identity: FileIdentity, path: RawSpan, isDirectory: Bool, _ origin: Origin = .learnt) -> NodeIndex? {
    guard let index = insert(identity, parent: -1, name: path, isDirectory: isDirectory) else { return nil }
    nodes[Int(index)].origin = origin
    return index
  }

  /// The same, with the path as a part of other bytes.
  @discardableResult
  package mutating func learn(_ identity: FileIdentity, path: Slice, of text: ByteScratch, isDirectory: Bool) -> NodeIndex? {
    learn(identity, path: text.storage.span.bytes.extracting(path.range), isDirectory: isDirectory)
  }

  /// Notes that a directory moved, with all below it. (With a path that is not certain: what was learnt before is forgotten.)
  package mutating func noteMove(from old: Slice, to new: Slice, of text: ByteScratch, isExchange: Bool, isCertain: Bool) {
    version &+= 1
    moves.note(from: old, to: new, of: text, isExchange: isExchange, isCertain: isCertain)
  }

  /// Brings a root's path up to date; false where that cannot be done, and the node is forgotten.
  @inline(__always)
  mutating func renew(_ index: NodeIndex) -> Bool { nodes[Int(index)].since == moves.count || catchUp(index) }

  @inline(never)
  private mutating func catchUp(_ index: NodeIndex) -> Bool {
    let node = nodes[Int(index)]
    nodes[Int(index)].since = moves.count
    guard moves.apply(since: node.since, to: names, Int(node.nameStart)..<Int(node.nameStart) + Int(node.nameCount)) else {
      // where the watched trees are is looked after elsewhere
      if node.origin == .walked { return true }
      remove(index)
      return false
    }
    if moves.hasChanged {
      let path = moves.path.array
      setName(index, path.span.bytes)
    }
    return true
  }

  /// Notes that what is in the directory is not known.
  package mutating func markUnwalked(_ index: NodeIndex) { nodes[Int(index)].isUnwalked = true }
  /// Whether what is in the directory is not known.
  @inline(__always)
  package func isUnwalked(_ index: NodeIndex) -> Bool { nodes[Int(index)].isUnwalked }
}
