import AuditEvents
import FileChanges
import Glibc
import Synchronization
import System

/// Walks watched trees for the directory map, on a thread of its own: the thread that owns the map goes on reading
/// events meanwhile and takes over what the walk found in portions.
package final class TreeWalk: Sendable {
  /// What a walk found of one directory, or of a file that is watched by itself.
  struct Portion: Sendable {
    var directory: FileIdentity
    var isFile = false, hasLinks = false
    /// The directory's absolute path, for roots; empty below.
    var rootPath: [UInt8] = []
    var entries: [Entry] = []
    struct Entry: Sendable {
      var identity: FileIdentity
      var name: [UInt8]
      var isDirectory: Bool
      var hasLinks: Bool
    }
  }

  private struct State: Sendable {
    var requests: [[UInt8]] = []
    var portions: [Portion] = []
    var isWalking = false
    var isStopped = false
  }

  private let state = Mutex(State())
  /// Signalled when portions wait.
  private let wakeup: Wakeup
  private let work: Condition

  /// - Parameter limit: directories that could not be read are counted, not fatal.
  package init() throws(SystemError) {
    wakeup = try Wakeup()
    work = Condition()
  }

  /// Readable when there is something for ``apply(to:)``.
  package var descriptor: Int32 { wakeup.descriptor.raw }

  /// Has a tree walked, soon. `path` is absolute.
  package func request(_ path: [UInt8]) {
    state.withLock { if !$0.isStopped { $0.requests.append(path) } }
    work.signal()
  }

  /// Whether everything that was requested has been walked and taken over.
  package var isIdle: Bool { state.withLock { $0.requests.isEmpty && $0.portions.isEmpty && !$0.isWalking } }

  /// Ends ``run()``.
  package func stop() {
    state.withLock { $0.isStopped = true }
    work.signal()
  }

  /// Enters what has been walked into the map; at most `limit` directories a call, so that events do not wait long.
  /// What an event said since the walk began stays: it is newer.
  package func apply(to map: inout DirectoryMap, limit: Int = 64) {
    wakeup.clear()
    let portions = state.withLock { state in
      let taken = Array(state.portions.prefix(limit))
      state.portions.removeFirst(taken.count)
      return taken
    }
    for portion in portions {
      if !portion.rootPath.isEmpty {
        map.insertWalked(portion.directory, parent: -1, name: portion.rootPath, isDirectory: !portion.isFile, hasLinks: portion.hasLinks)
      }
      guard let parent = map.find(portion.directory) else { continue }
      for entry in portion.entries {
        map.insertWalked(entry.identity, parent: parent, name: entry.name, isDirectory: entry.isDirectory, hasLinks: entry.hasLinks)
      }
    }
    if state.withLock({ !$0.portions.isEmpty }) { wakeup.signal() }
    work.signal()
  }

  /// The walking thread: returns after ``stop()``.
  package func run() {
    while true {
      let next = state.withLock { state -> [UInt8]? in
        if state.isStopped || state.requests.isEmpty { return nil }
        state.isWalking = true
        return state.requests.removeFirst()
      }
      if let path = next {
        walk(path)
        state.withLock { $0.isWalking = false }
        wakeup.signal()
      } else if state.withLock({ $0.isStopped }) {
        return
      } else {
        work.wait(milliseconds: 1000)
      }
    }
  }

  private func walk(_ path: [UInt8]) {
    let devices = mountDevices()
    guard let root = try? WalkedDirectory(path), let object = root.examine() else {
      guard let file = examine(path: path), !FileType.isDirectory(file.mode) else { return }
      let identity = FileIdentity(file, devices, device: nil)
      _ = hand(Portion(directory: identity, isFile: true, hasLinks: file.links > 1, rootPath: path))
      return
    }
    let identity = FileIdentity(object, devices, device: nil)
    walk(root, identity, device: identity.device, mount: object.mount, devices: devices, rootPath: path, depth: 0)
  }

  private func walk(
    _ directory: borrowing WalkedDirectory, _ identity: FileIdentity, device: UInt32, mount: UInt64,
    devices: [UInt64: (major: UInt32, minor: UInt32)], rootPath: [UInt8], depth: Int
  ) {
    var portion = Portion(directory: identity, rootPath: rootPath)
    var below: [(name: [CChar], identity: FileIdentity, mount: UInt64)] = []
    while let name = directory.next() {
      guard let object = directory.examine(name) else { continue }
      // within one mount the kernel's device is the root's, whatever st_dev says (btrfs subvolumes)
      let entry = FileIdentity(object, devices, device: object.mount == mount && mount != 0 ? device : nil)
      let isDirectory = FileType.isDirectory(object.mode)
      portion.entries.append(
        Portion.Entry(
          identity: entry, name: name.dropLast().map { UInt8(bitPattern: $0) }, isDirectory: isDirectory,
          hasLinks: !isDirectory && object.links > 1))
      if isDirectory { below.append((name, entry, object.mount)) }
    }
    guard hand(portion) else { return }
    guard depth < 500 else { return }  // one descriptor a level; deeper trees resolve by name
    for child in below {
      guard let opened = try? WalkedDirectory(in: directory, child.name) else { continue }
      walk(opened, child.identity, device: child.identity.device, mount: child.mount, devices: devices, rootPath: [], depth: depth + 1)
    }
  }

  /// Queues a portion; waits while the other side is far behind. False when the walk is to end.
  private func hand(_ portion: Portion) -> Bool {
    while true {
      let isFull = state.withLock { state -> Bool? in
        if state.isStopped { return nil }
        if state.portions.count >= 256 { return true }
        state.portions.append(portion)
        return false
      }
      guard let isFull else { return false }
      if !isFull {
        wakeup.signal()
        return true
      }
      wakeup.signal()
      work.wait(milliseconds: 100)
    }
  }
}

extension FileIdentity {
  /// An object as kernel audit names it. `device` is given where the mount's is known already.
  init(_ object: WalkedObject, _ devices: [UInt64: (major: UInt32, minor: UInt32)], device: UInt32?) {
    if let device {
      self.init(device: device, inode: object.inode)
    } else {
      let number = devices[object.mount] ?? (object.major, object.minor)
      self.init(major: number.major, minor: number.minor, inode: object.inode)
    }
  }
}
