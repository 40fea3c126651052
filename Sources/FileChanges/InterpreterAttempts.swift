import AuditEvents
import AuditWire

/// Calls that failed.
extension Interpreter {
  /// A call that failed: which object it was about, as far as the kernel says. The map stays as it is.
  mutating func attempted(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    let flags = openFlags(&typed, bytes)
    let action: Action
    switch operation.kind {
    case .none, .execve, .uringEnter: return
    case .open, .openByHandle:
      let value = flags ?? 0
      let isThere = typed.paths.contains { $0.nameType == .normal && !FileType.isDirectory($0.mode) }
      let creates = value & OpenFlags.create != 0 && (!isThere || value & OpenFlags.exclusive != 0)
      action = creates ? .create : value & OpenFlags.truncate != 0 ? .truncate : .open
    case .creat: action = .create
    case .mkdir: action = .mkdir
    case .mknod, .bind: action = .mknod
    case .unlink: action = .delete
    case .rmdir: action = .rmdir
    case .rename: action = .rename
    case .link: action = .link
    case .symlink: action = .symlink
    case .truncate: action = .truncate
    case .allocate: action = .write
    case .chmod: action = .chmod
    case .chown: action = .chown
    case .setxattr: action = .setxattr
    case .removexattr: action = .removexattr
    case .utimes: action = .utimes
    case .mount: action = .mount
    case .umount: action = .umount
    case .setFlags, .ioctl: action = .chattr
    }
    var change = FileChange(action)
    change.openFlags = flags
    let isLink = action == .link
    if isLink, let record = typed.paths.first(where: { $0.nameType == .normal }) { change.target = source(&typed, record, bytes).path }
    // of a link that failed, the kernel may not have come to the new name
    guard let record = typed.paths.last(where: { $0.nameType != .parent && !(isLink && $0.nameType == .normal) }) else {
      if let parent = typed.paths.last(where: { $0.nameType == .parent }) {
        describe(&change, parent, object(&typed, parent, bytes))
        change.confidence = .parentOnly
      } else if change.target.isEmpty {
        return
      } else {
        change.confidence = .unknown
      }
      changes.append(change)
      return
    }
    let who = PathResolver.Process(actor: typed.actor)
    let isEntry = record.nameType != .normal
    let found =
      isEntry
      ? resolver.entry(
        record, in: onlyParent(&typed), base: base(&typed, bytes, second: action == .rename || action == .link), cwd: typed.cwd,
        process: who,
        bytes: bytes, map: &map, learn: false)
      : object(&typed, record, bytes)
    describe(&change, record, found)
    if action == .rename, let source = typed.paths.first(where: { $0.nameType != .parent }), source.name != record.name {
      let old = settled(object(&typed, source, bytes))
      change.previousPath = old.path
      change.include(old.confidence)
    }
    changes.append(change)
  }
}
