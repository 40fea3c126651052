import AuditEvents
import AuditWire

/// Where every directory below a watched root is, by (device, inode) — and every file, as far as the bound allows.
///
/// The kernel logs the wrong parent name for calls relative to a directory descriptor, but always the right inode
/// (AUDIT-FACTS 4), so the inode is what paths are made from. A walk fills the map at the start; afterwards the mkdir,
/// rename, rmdir … events keep it true themselves. A rename of a directory changes one node: its children only know
/// their parent.
///
/// Files are here for the two cases that carry no parent at all: fchmod(fd) and its kin, logged with `name=(null)`, and
/// fchmodat(dirfd, name) and its kin, logged with a bare name. When the bound is reached, files make room and
/// directories stay.
package struct DirectoryMap: ~Copyable, Sendable {
  /// A node's place; only valid while the node lives.
  package typealias NodeIndex = Int32

  /// Where an absolute path is from.
  package enum Origin: UInt8, Sendable {
    /// A walk has found it, and the rules see what becomes of it.
    case walked
    /// An event has told it: at that time it was true.
    case learnt
    /// A process' descriptor table, at some time after the event.
    case asked

    /// By number, see ``RecordType``.
    @inline(__always)
    package static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
  }

  struct Node: Sendable {
    var identity = FileIdentity.unknown
    /// The parent directory's node, -1 for a root, whose name is an absolute path.
    var parent: NodeIndex = -1
    /// The parent's generation when this node was placed below it: a directory that went away takes its children along.
    var parentGeneration: UInt16 = 0
    var generation: UInt16 = 0
    var nameStart: UInt32 = 0
    var nameCount: UInt16 = 0
    var isLive = false
    var isDirectory = false
    /// The file has several names, of which this is one.
    var hasLinks = false
    /// A directory that came from elsewhere: what is in it is not known before it has been walked.
    var isUnwalked = false
    /// The walk that was the last to begin when this node was last entered: what an event says is newer than that walk.
    var walk: UInt32 = 0
    /// For a root: up to which of the ``moves`` its path is true.
    var since: UInt32 = 0
    /// Where a root's path is from.
    var origin = Origin.walked
  }

  var nodes: [Node] = []
  private var free: [NodeIndex] = []
  /// Open addressing, linear probing; -1 is empty.
  private var table: [NodeIndex] = Array(repeating: -1, count: 1024)
  private(set) var names: [UInt8] = []
  /// Free name blocks, by size class.
  private var freeNames: [[UInt32]] = []
  private var clock = 0
  private var walk: UInt32 = 0
  var moves = DirectoryMoves()

  /// The most nodes that are kept.
  package let capacity: Int
  package private(set) var count = 0
  package private(set) var directoryCount = 0
  /// Files that had to leave because the bound was reached.
  package private(set) var evicted = 0
  /// Directories that did not fit even so: their paths will be guesses.
  package private(set) var refused = 0
  /// Changes whenever a path below a directory may have changed: what was derived from the map is stale then.
  package internal(set) var version: UInt64 = 0

  private static let nameBlock = 16
  /// The longest path that is told, in bytes, so also the most directories above one.
  private static let deepest = 16384

  package init(capacity: Int = 500_000) {
    self.capacity = max(16, min(capacity, Int(Int32.max) / 2))
  }

  /// The bytes that the map holds on to.
  package var footprint: Int {
    nodes.capacity * MemoryLayout<Node>.stride + table.capacity * 4 + names.capacity + free.capacity * 4
  }

  // MARK: Asking

  /// The node of an object, nil where it is not known (any more).
  package mutating func find(_ identity: FileIdentity) -> NodeIndex? {
    guard let index = lookUp(identity) else { return nil }
    return nodes[Int(index)].parent >= 0 || renew(index) ? index : nil
  }

  // (Inlined, because a call that borrows the map copies it.)
  @inline(__always)
  private func lookUp(_ identity: FileIdentity) -> NodeIndex? {
    var place = home(of: identity)
    while true {
      let index = table[place]
      if index < 0 { return nil }
      if nodes[Int(index)].identity == identity { return index }
      place = (place &+ 1) & (table.count &- 1)
    }
  }

  /// Whether the node is a directory.
  @inline(__always)
  package func isDirectory(_ index: NodeIndex) -> Bool { nodes[Int(index)].isDirectory }
  /// Where the path of the node is from: that of the root above it.
  @inline(__always)
  package func origin(of index: NodeIndex) -> Origin {
    var (here, steps) = (index, 0)
    while let above = parent(here), steps < DirectoryMap.deepest { (here, steps) = (above, steps &+ 1) }
    return nodes[Int(here)].parent < 0 ? nodes[Int(here)].origin : .walked
  }

  /// Whether no walk has found the node: where nobody watches, it may have moved since.
  @inline(__always)
  package func isLearnt(_ index: NodeIndex) -> Bool { origin(of: index) != .walked }

  /// Whether the node is a file of which an event has told the path: by any of its names, or through a symbolic link.
  @inline(__always)
  package func isLearntFile(_ index: NodeIndex) -> Bool { nodes[Int(index)].parent < 0 && nodes[Int(index)].origin != .walked }

  /// Whether the object is known to have several names.
  @inline(__always)
  package func hasLinks(_ index: NodeIndex) -> Bool { nodes[Int(index)].hasLinks }
  /// The directory that the node is in, nil for a root or when that directory went away.
  @inline(__always)
  package func parent(_ index: NodeIndex) -> NodeIndex? {
    let node = nodes[Int(index)]
    guard node.parent >= 0, nodes[Int(node.parent)].isLive, nodes[Int(node.parent)].generation == node.parentGeneration
    else { return nil }
    return node.parent
  }

  /// Whether the node's own name is `name`. A root's name is its path.
  @inline(__always)
  package func isNamed(_ index: NodeIndex, _ name: RawSpan) -> Bool {
    let node = nodes[Int(index)]
    let all = names.span.bytes
    return all.extracting(Int(node.nameStart)..<Int(node.nameStart) + Int(node.nameCount)).equals(name)
  }

  /// Whether the last component of the node's path is `name`.
  @inline(__always)
  package func hasLastName(_ index: NodeIndex, _ name: RawSpan) -> Bool {
    if nodes[Int(index)].parent >= 0 { return isNamed(index, name) }
    let node = nodes[Int(index)]
    let path = names.span.bytes.extracting(Int(node.nameStart)..<Int(node.nameStart) + Int(node.nameCount))
    return PathText.lastComponent(path).map { path.extracting($0).equals(name) } ?? false
  }

  /// The same, with the name as a part of other bytes.
  package func isNamed(_ index: NodeIndex, _ name: Slice, of text: ByteScratch) -> Bool {
    isNamed(index, text.storage.span.bytes.extracting(name.range))
  }

  /// Appends the node's absolute path; false, and nothing appended, where a directory above it is not known any more.
  package mutating func appendPath(of index: NodeIndex, to output: inout ByteScratch) -> Bool {
    // once up for the length, once more to fill in from the end: no list of the nodes in between is needed
    guard let length = pathLength(index) else { return false }
    let start = output.count
    output.extend(by: length)
    var end = start &+ length
    var here = index
    while true {
      let node = nodes[Int(here)]
      end &-= Int(node.nameCount)
      output.overwrite(from: end, with: names, Int(node.nameStart)..<Int(node.nameStart) &+ Int(node.nameCount))
      guard node.parent >= 0 else { return true }
      here = node.parent
      if !isSlash(here) {
        end &-= 1
        output[end] = UInt8(ascii: "/")
      }
    }
  }

  /// Whether the node is the root directory "/", which is its own separator.
  private func isSlash(_ index: NodeIndex) -> Bool {
    let node = nodes[Int(index)]
    return node.parent < 0 && node.nameCount == 1 && names[Int(node.nameStart)] == UInt8(ascii: "/")
  }

  /// Nil where the way up is broken, runs in a circle or makes a path that no system call would take.
  private mutating func pathLength(_ index: NodeIndex) -> Int? {
    var length = 0
    var here = index
    while length <= DirectoryMap.deepest {
      if nodes[Int(here)].parent < 0 {
        return renew(here) ? length &+ Int(nodes[Int(here)].nameCount) : nil
      }
      length &+= Int(nodes[Int(here)].nameCount)
      guard let above = parent(here) else { return nil }
      here = above
      if !isSlash(here) { length &+= 1 }
    }
    return nil
  }

  // MARK: Changing

  /// Notes that `identity` is called `name` in the directory `parent`, wherever it was before.
  /// - Returns: nil where the map is full of directories.
  @discardableResult
  package mutating func insert(_ identity: FileIdentity, parent: NodeIndex, name: RawSpan, isDirectory: Bool) -> NodeIndex? {
    guard !identity.isUnknown, name.byteCount <= 4096, !name.isEmpty else { return nil }
    if let index = lookUp(identity) {
      let node = nodes[Int(index)]
      if node.isDirectory == isDirectory {
        nodes[Int(index)].walk = walk
        nodes[Int(index)].since = moves.count
        if node.parent == parent, isNamed(index, name), parent < 0 || self.parent(index) != nil { return index }
        if isDirectory { version &+= 1 }
        // No directory is in itself: what is known is old, or the records are somebody's invention.
        if isDirectory, parent >= 0, isAbove(index, parent) {
          remove(index)
          return nil
        }
        setName(index, name)
        setParent(index, parent)
        return index
      }
      remove(index)  // the inode was used again for another kind of object
    }
    if count >= capacity, !evictFile(sparing: parent) {
      refused &+= 1
      return nil
    }
    let index: NodeIndex
    if let last = free.popLast() {
      index = last
    } else {
      index = NodeIndex(nodes.count)
      nodes.append(Node())
    }
    nodes[Int(index)].identity = identity
    nodes[Int(index)].isLive = true
    nodes[Int(index)].walk = walk
    nodes[Int(index)].isDirectory = isDirectory
    nodes[Int(index)].hasLinks = false
    nodes[Int(index)].isUnwalked = false
    nodes[Int(index)].since = moves.count
    nodes[Int(index)].nameCount = 0
    setName(index, name)
    setParent(index, parent)
    count &+= 1
    if isDirectory { directoryCount &+= 1 }
    if count &* 2 > table.count { grow() }
    place(index)
    return index
  }

  /// The same, with the name as a part of other bytes.
  @discardableResult
  package mutating func insert(_ identity: FileIdentity, parent: NodeIndex, name: Slice, of text: ByteScratch, isDirectory: Bool)
    -> NodeIndex?
  {
    insert(identity, parent: parent, name: text.storage.span.bytes.extracting(name.range), isDirectory: isDirectory)
  }

  /// Notes that a walk is about to begin: what events say from now on is newer than what it will find.
  package mutating func beginWalk() { walk &+= 1 }

  /// Enters what a walk found, unless an event has placed the object since the walk began.
  package mutating func insertWalked(_ identity: FileIdentity, parent: NodeIndex, name: [UInt8], isDirectory: Bool, hasLinks: Bool) {
    if let known = find(identity) {
      // the walk's own root is in its place already, or an event has placed the object since the walk began
      let stays = parent < 0 ? self.parent(known) != nil : nodes[Int(known)].walk == walk && !isLearnt(known)
      if stays {
        if parent < 0 { nodes[Int(known)].isUnwalked = false }
        if hasLinks { markLinked(known) }
        return
      }
    }
    let index =
      parent < 0
      ? insertRoot(identity, path: name.span.bytes, isDirectory: isDirectory)
      : insert(identity, parent: parent, name: name.span.bytes, isDirectory: isDirectory)
    if let index, hasLinks { markLinked(index) }
  }

  /// Notes that the object has another name as well.
  package mutating func markLinked(_ index: NodeIndex) { nodes[Int(index)].hasLinks = true }

  /// Forgets an object. What was below a directory is forgotten with it.
  package mutating func remove(_ index: NodeIndex) {
    guard nodes[Int(index)].isLive else { return }
    takeFromTable(index)
    releaseName(index)
    if nodes[Int(index)].isDirectory {
      directoryCount &-= 1
      version &+= 1
    }
    nodes[Int(index)].isLive = false
    nodes[Int(index)].generation &+= 1
    nodes[Int(index)].identity = .unknown
    count &-= 1
    free.append(index)
  }

  // MARK: -

  /// Whether a directory is `other`, or somewhere above it.
  private func isAbove(_ index: NodeIndex, _ other: NodeIndex) -> Bool {
    var (here, steps) = (other, 0)
    while here != index, let above = parent(here), steps < DirectoryMap.deepest { (here, steps) = (above, steps &+ 1) }
    return here == index || steps == DirectoryMap.deepest
  }

  private mutating func setParent(_ index: NodeIndex, _ parent: NodeIndex) {
    nodes[Int(index)].parent = parent
    nodes[Int(index)].parentGeneration = parent < 0 ? 0 : nodes[Int(parent)].generation
  }

  @inline(__always)
  private func home(of identity: FileIdentity) -> Int {
    Int(truncatingIfNeeded: Swar.fold(identity.inode &+ UInt64(identity.device) &<< 32)) & (table.count &- 1)
  }

  private mutating func place(_ index: NodeIndex) {
    var place = home(of: nodes[Int(index)].identity)
    while table[place] >= 0 { place = (place &+ 1) & (table.count &- 1) }
    table[place] = index
  }

  private mutating func grow() {
    table = Array(repeating: -1, count: table.count &* 2)
    for index in nodes.indices where nodes[index].isLive && nodes[index].identity != .unknown { place(NodeIndex(index)) }
  }

  /// Takes a node out and closes the hole in its run of probes.
  private mutating func takeFromTable(_ index: NodeIndex) {
    let mask = table.count &- 1
    var hole = home(of: nodes[Int(index)].identity)
    while table[hole] != index {
      if table[hole] < 0 { return }
      hole = (hole &+ 1) & mask
    }
    var next = (hole &+ 1) & mask
    while table[next] >= 0 {
      let ideal = home(of: nodes[Int(table[next])].identity)
      if (next &- ideal) & mask >= (next &- hole) & mask {
        table[hole] = table[next]
        hole = next
      }
      next = (next &+ 1) & mask
    }
    table[hole] = -1
  }

  /// Makes room: the next file around the clock, or a directory that is no longer reachable.
  private mutating func evictFile(sparing kept: NodeIndex) -> Bool {
    for _ in 0..<nodes.count {
      clock = clock &+ 1 < nodes.count ? clock &+ 1 : 0
      let node = nodes[clock]
      guard node.isLive, clock != Int(kept) else { continue }
      let isOrphan = node.parent >= 0 && parent(NodeIndex(clock)) == nil
      if node.isDirectory && !isOrphan { continue }
      remove(NodeIndex(clock))
      evicted &+= 1
      return true
    }
    return false
  }

  private func sizeClass(_ byteCount: Int) -> Int { (byteCount &+ DirectoryMap.nameBlock &- 1) / DirectoryMap.nameBlock }

  mutating func setName(_ index: NodeIndex, _ name: RawSpan) {
    let size = sizeClass(name.byteCount)
    if sizeClass(Int(nodes[Int(index)].nameCount)) != size {
      releaseName(index)
      if freeNames.count > size, let start = freeNames[size].popLast() {
        nodes[Int(index)].nameStart = start
      } else {
        nodes[Int(index)].nameStart = UInt32(truncatingIfNeeded: names.count)
        names.append(contentsOf: repeatElement(0, count: size &* DirectoryMap.nameBlock))
      }
    }
    nodes[Int(index)].nameCount = UInt16(truncatingIfNeeded: name.byteCount)
    let start = Int(nodes[Int(index)].nameStart)
    names.withUnsafeMutableBytes { target in
      name.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[start..<start &+ $0.count]).copyMemory(from: $0) }
    }
  }

  private mutating func releaseName(_ index: NodeIndex) {
    let size = sizeClass(Int(nodes[Int(index)].nameCount))
    guard size > 0 else { return }
    while freeNames.count <= size { freeNames.append([]) }
    freeNames[size].append(nodes[Int(index)].nameStart)
    nodes[Int(index)].nameCount = 0
  }
}
