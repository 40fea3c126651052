import AuditEvents
import AuditWire

/// Keeping the directory map true.
extension Interpreter {
  /// A new name: of a new object, or one more of an old one.
  mutating func note(_ record: PathRecord, _ found: PathResolver.Found, isLink: Bool) {
    guard let parent = found.parent, !found.name.isEmpty else { return }
    let node = map.insert(
      record.identity, parent: parent, name: found.name, of: resolver.paths, isDirectory: FileType.isDirectory(record.mode))
    if isLink, let node { map.markLinked(node) }
  }

  /// The object has a new place.
  mutating func move(_ record: PathRecord, _ found: PathResolver.Found) {
    let isDirectory = FileType.isDirectory(record.mode)
    let known = map.find(record.identity)
    if found.parent != nil {
      let isUnwalked = known.map { map.isUnwalked($0) || map.isLearnt($0) } ?? true
      note(record, found, isLink: false)
      // a directory from elsewhere brings directories that nobody has walked; if it moves on before it was, the walk does not find it
      if isDirectory, isUnwalked, let node = map.find(record.identity) {
        map.markUnwalked(node)
        requestWalk(found.path)
      }
    } else if let node = known {
      // it left the tree: its path is still good to know, as long as it is certain
      if isDirectory, found.confidence == .exact {
        map.learn(record.identity, path: found.path, of: resolver.paths, isDirectory: true)
      } else {
        map.remove(node)
      }
    }
  }

  /// A name is gone, and with its last name the object.
  mutating func forget(_ identity: FileIdentity, _ found: PathResolver.Found) {
    guard !identity.isUnknown, let node = map.find(identity) else { return }
    if !map.hasLinks(node) || (map.parent(node) == found.parent && map.isNamed(node, found.name, of: resolver.paths)) { map.remove(node) }
  }

  /// An object outside the map whose path is certain: later calls may only carry its inode.
  mutating func remember(_ record: PathRecord, _ change: FileChange) {
    guard change.confidence == .exact, !record.identity.isUnknown, map.find(record.identity) == nil, !change.path.isEmpty else { return }
    map.learn(record.identity, path: change.path, of: resolver.paths, isDirectory: FileType.isDirectory(record.mode))
  }

  mutating func requestWalk(_ path: Slice) {
    walkRequests.append(resolver.paths.storage.span.bytes.extracting(path.range).array())
  }
}
