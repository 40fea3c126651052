import AuditEvents
import AuditWire

/// Turns events into file changes, and keeps the directory map true while doing so.
///
/// What happened is read from the PATH records' types (CREATE, DELETE, NORMAL …), which the kernel writes for what was
/// really done; the system call only decides between actions that leave the same records. Objects are told apart by
/// inode, never by the order of the records.
package struct Interpreter: ~Copyable, Sendable {
  package var map: DirectoryMap
  package var coverage: Coverage
  /// The changes of the last event; empty where it changed no file.
  package internal(set) var changes = ReusedArray<FileChange>(capacity: 16)
  /// Directories whose contents are to be walked (moved or mounted into the tree), as absolute paths; the caller empties it.
  package var walkRequests: [[UInt8]] = []
  /// The system call of the last event, `.none` where it is none that changes files.
  package private(set) var operation = Operation()

  /// Its `paths` are the bytes that the changes' slices point into.
  package internal(set) var resolver: PathResolver
  private var architecture: UInt32 = 0
  private var callNumber: Int32 = -1
  /// Whether the kernel lists a rename's new parent before its old one: the compiler's choice of evaluation order
  /// (fs/namei.c evaluates two getname calls in one argument list), so it is learnt from events that leave no doubt.
  var newParentFirst = true

  package init(map: consuming DirectoryMap = DirectoryMap(), coverage: Coverage = Coverage(), lookup: Lookup = .none) {
    self.map = map
    self.coverage = coverage
    resolver = PathResolver(lookup: lookup)
  }

  /// Interprets `event`, which `typed` was read from. The result is in ``changes``.
  ///
  /// `typed` is only read. It is `inout` because the compiler copies a borrowed struct of its size, at each call, which was 3 % of all that an
  /// event costs (Swift 6.3).
  package mutating func interpret(_ event: borrowing Event, _ typed: inout TypedEvent) {
    changes.removeAll()
    resolver.paths.truncate(to: 0)
    resolver.cwdVersion = typed.cwdVersion
    resolver.timeMs = event.time
    if typed.hasUring {
      operation = Operation.ofUring(typed.uring.operation)
      architecture = 0
      callNumber = -1
    } else if typed.hasSyscall {
      architecture = typed.syscall.architecture
      callNumber = typed.syscall.number
      operation = Operation.of(architecture: architecture, number: callNumber)
    } else {
      operation = Operation()
      return
    }
    let success = typed.hasUring ? typed.uring.success : typed.syscall.success
    let bytes = event.text.storage.span.bytes
    let succeeded = success.rawValue != SyscallRecord.Success.no.rawValue
    if succeeded { done(&typed, bytes) } else { attempted(&typed, bytes) }
    if succeeded, coverage.isEmpty { return }
    for index in 0..<changes.count { complete(index, succeeded: succeeded) }
  }

  // MARK: What was done

  private mutating func done(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    switch operation.kind {
    case .rename:
      renamed(&typed, bytes)
      resolver.forgetAnswer()
    case .mount, .umount:
      mounted(&typed, bytes)
      resolver.forgetAnswer()
    case .truncate, .chmod, .chown, .setxattr, .removexattr, .utimes, .setFlags, .allocate:
      attributed(&typed, bytes)
    case .ioctl:
      flagsSet(&typed, bytes)
    default:
      var found = false
      for index in typed.paths.indices {
        switch typed.paths[index].nameType {
        case .create:
          created(&typed, typed.paths[index], bytes)
          found = true
        case .delete:
          deleted(&typed, typed.paths[index], bytes)
          found = true
        default: continue
        }
      }
      if found { resolver.forgetAnswer() }
      let opens = operation.kind == .open || operation.kind == .creat || operation.kind == .openByHandle
      if !found, opens { opened(&typed, bytes) }
    }
  }

  private mutating func created(_ typed: inout TypedEvent, _ record: PathRecord, _ bytes: RawSpan) {
    // symlinkat and linkat put the new name behind their second directory descriptor
    let isSecond = operation.kind == .link
    let found = resolver.entry(
      record, in: onlyParent(&typed), base: base(&typed, bytes, second: isSecond), cwd: typed.cwd,
      process: PathResolver.Process(actor: typed.actor),
      bytes: bytes, map: &map,
      learn: true)
    var change = FileChange(creationAction(record.mode))
    describe(&change, record, found)
    switch change.action {
    case .create: change.openFlags = openFlags(&typed, bytes)
    case .symlink:
      if let text = typed.paths.first(where: { $0.nameType == .unknown }) { change.target = resolver.verbatim(text.name, bytes) }
    case .link:
      if let source = typed.paths.first(where: { $0.nameType == .normal }) {
        let old = self.source(&typed, source, bytes)
        if resolver.isBareDescriptor(old) {
          // linkat("/proc/self/fd/N") gives a file made with O_TMPFILE its first name
          change.action = .create
        } else {
          change.target = old.path
          change.include(old.confidence)
        }
      }
    default: break
    }
    note(record, found, isLink: change.action == .link)
    changes.append(change)
  }

  private mutating func deleted(_ typed: inout TypedEvent, _ record: PathRecord, _ bytes: RawSpan) {
    let found = resolver.entry(
      record, in: onlyParent(&typed), base: base(&typed, bytes), cwd: typed.cwd, process: PathResolver.Process(actor: typed.actor),
      bytes: bytes,
      map: &map, learn: true)
    let isDirectory = record.mode != 0 ? FileType.isDirectory(record.mode) : operation.kind == .rmdir
    var change = FileChange(isDirectory ? .rmdir : .delete)
    describe(&change, record, found)
    forget(record.identity, found)
    changes.append(change)
  }

  private mutating func opened(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    guard let record = typed.paths.last(where: { $0.nameType == .normal }) else { return }
    let flags = openFlags(&typed, bytes)
    // O_TMPFILE makes a file that has no name; there is nothing to tell before linkat gives it one. The record has the
    // directory's name, and the new file's inode (Linux 6.18) or the directory's.
    if let flags, flags & OpenFlags.temporary == OpenFlags.temporary { return }
    let truncates = flags.map { $0 & OpenFlags.truncate != 0 } ?? false
    var change = FileChange(truncates ? .truncate : .open)
    change.openFlags = flags
    describe(&change, record, object(&typed, record, bytes))
    remember(record, change)
    changes.append(change)
  }

  private mutating func attributed(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    let action: Action =
      switch operation.kind {
      case .truncate: .truncate
      case .allocate: .write
      case .chmod: .chmod
      case .chown: .chown
      case .setxattr: .setxattr
      case .removexattr: .removexattr
      case .utimes: .utimes
      default: .chattr
      }
    guard let record = typed.paths.last(where: { $0.nameType != .parent }) else {
      byDescriptor(action, &typed, bytes)
      return
    }
    var change = FileChange(action)
    describe(&change, record, object(&typed, record, bytes))
    let value = argument(&typed, operation.value, bytes)
    if action == .chmod, let value, record.mode != 0 {
      change.previousMode = record.mode
      change.mode = record.mode & FileType.mask | UInt32(truncatingIfNeeded: value) & 0o7777
    } else if action == .chown, let value, let second = argument(&typed, operation.value &+ 1, bytes) {
      changeOwner(&change, UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: second))
    }
    remember(record, change)
    changes.append(change)
  }

  /// chown(2): -1 leaves an id alone; i386's 16-bit calls pass 0xffff for it.
  private func changeOwner(_ change: inout FileChange, _ owner: UInt32, _ group: UInt32) {
    let isShort = architecture == 0x4000_0003 && [16, 95, 182].contains(callNumber)
    let unchanged: UInt32 = isShort ? 0xffff : .max
    let mask: UInt32 = isShort ? 0xffff : .max
    if owner & mask != unchanged {
      change.previousOwner = change.owner
      change.owner = owner & mask
    }
    if group & mask != unchanged {
      change.previousGroup = change.group
      change.group = group & mask
    }
  }

  /// FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR (include/uapi/linux/fs.h): what chattr does. The kernel logs a descriptor only.
  private mutating func flagsSet(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    guard let command = argument(&typed, operation.value, bytes) else { return }
    if [0x4008_6602, 0x4004_6602, 0x401c_5820].contains(command & 0xffff_ffff) { byDescriptor(.chattr, &typed, bytes) }
  }

  /// A call on a descriptor for which the kernel wrote no PATH record.
  private mutating func byDescriptor(_ action: Action, _ typed: inout TypedEvent, _ bytes: RawSpan) {
    guard let number = argument(&typed, operation.descriptor, bytes) else { return }
    let found = resolver.described(
      Int32(truncatingIfNeeded: number), .unknown, pid: PathResolver.Process(actor: typed.actor).pid(bytes))
    var change = FileChange(action)
    change.path = found.path
    change.confidence = found.confidence
    changes.append(change)
  }

  private mutating func mounted(_ typed: inout TypedEvent, _ bytes: RawSpan) {
    guard let record = typed.paths.last(where: { $0.nameType == .normal && FileType.isDirectory($0.mode) }) ?? typed.paths.last
    else { return }
    var change = FileChange(operation.kind == .mount ? .mount : .umount)
    let found = object(&typed, record, bytes)
    describe(&change, record, found)
    if change.action == .mount, typed.paths.count > 1, let source = typed.paths.first {
      change.target = self.source(&typed, source, bytes).path
    }
    if coverage.covers(found.path, of: resolver.paths) { requestWalk(found.path) }
    changes.append(change)
  }

  // MARK: Helpers

  // (Inlined, because a call would copy this struct, which is as large as `typed`.)

  @inline(__always)
  private func creationAction(_ mode: UInt32) -> Action {
    switch operation.kind {
    case .link: .link
    case .symlink: .symlink
    case .mkdir: .mkdir
    case .mknod: mode & FileType.mask == 0o100000 ? .create : .mknod
    case .bind: .mknod
    default: FileType.isDirectory(mode) ? .mkdir : FileType.isSymbolicLink(mode) ? .symlink : .create
    }
  }

  /// The event's PARENT record; nil where there are several directories, or none.
  @inline(__always)
  func onlyParent(_ typed: inout TypedEvent) -> PathRecord? {
    guard let first = typed.paths.first(where: { $0.nameType == .parent }) else { return nil }
    return typed.paths.contains { $0.nameType == .parent && $0.identity != first.identity } ? nil : first
  }

  @inline(__always)
  func argument(_ typed: inout TypedEvent, _ index: Int8, _ bytes: RawSpan) -> UInt64? {
    index >= 0 && index < 4 && typed.hasSyscall && !typed.hasUring ? typed.syscall.argument(Int(index), bytes) : nil
  }

  /// What relative names are relative to. io_uring's arguments are not logged.
  @inline(__always)
  func base(_ typed: inout TypedEvent, _ bytes: RawSpan, second: Bool = false) -> PathResolver.Base {
    if typed.hasUring { return PathResolver.Base(isWorkingDirectory: false, descriptor: nil) }
    let index = second && operation.secondDirectory >= 0 ? operation.secondDirectory : operation.directory
    guard let value = argument(&typed, index, bytes) else { return PathResolver.Base(isWorkingDirectory: true, descriptor: nil) }
    let number = UInt32(truncatingIfNeeded: value)
    return PathResolver.Base(isWorkingDirectory: number == PathResolver.atWorkingDirectory, descriptor: Int32(bitPattern: number))
  }

  mutating func object(_ typed: inout TypedEvent, _ record: PathRecord, _ bytes: RawSpan) -> PathResolver.Found {
    let descriptor = argument(&typed, operation.descriptor, bytes).map { Int32(truncatingIfNeeded: $0) }
    // utimensat(fd, NULL) and fchownat(fd, "", AT_EMPTY_PATH): the directory descriptor is the object
    let itself =
      record.name.isPresent && !record.name.slice.isEmpty
      ? nil : argument(&typed, operation.directory, bytes).map { Int32(truncatingIfNeeded: $0) }
    return resolver.object(
      record, base: base(&typed, bytes), descriptor: descriptor ?? itself, cwd: typed.cwd,
      process: PathResolver.Process(actor: typed.actor),
      bytes: bytes, map: &map)
  }

  @inline(__always)
  func openFlags(_ typed: inout TypedEvent, _ bytes: RawSpan) -> UInt64? {
    if let flags = typed.openFlags { return flags }
    if operation.kind == .creat { return OpenFlags.writeOnly | OpenFlags.create | OpenFlags.truncate }
    return operation.kind == .open || operation.kind == .openByHandle ? argument(&typed, operation.value, bytes) : nil
  }

  /// The object that a link or a mount was made of.
  mutating func source(_ typed: inout TypedEvent, _ record: PathRecord, _ bytes: RawSpan) -> PathResolver.Found {
    settled(
      resolver.object(
        record, base: base(&typed, bytes), descriptor: nil, cwd: typed.cwd, process: PathResolver.Process(actor: typed.actor), bytes: bytes,
        map: &map))
  }

  /// The place with what the rules say about it: where nobody watches, what was learnt may not be true any more; and a
  /// guess that no rule covers is a wrong one.
  @inline(__always)
  func settled(_ found: PathResolver.Found) -> PathResolver.Found {
    if coverage.isEmpty || !found.isLearnt && !(found.confidence == .guess) || coverage.covers(found.path, of: resolver.paths) {
      return found
    }
    var found = found
    if found.confidence == .guess {
      found.path = found.given
      found.confidence = .asNamed
    } else if found.confidence.isCertain {
      found.confidence = .learnt
    }
    return found
  }

  @inline(__always)
  func describe(_ change: inout FileChange, _ record: PathRecord, _ found: PathResolver.Found) {
    let found = settled(found)
    change.path = found.path
    change.confidence = found.confidence
    change.identity = record.identity
    change.mode = record.mode
    change.owner = record.owner
    change.group = record.group
  }

  private mutating func complete(_ index: Int, succeeded: Bool) {
    changes[index].succeeded = succeeded
    let change = changes[index]
    guard !change.path.isEmpty else { return }
    changes[index].keys = coverage.keySet(
      change.path, of: resolver.paths, action: change.action, architecture: architecture, number: callNumber)
  }
}
