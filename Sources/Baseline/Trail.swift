import AuditWire
import EventLog
import FileChanges

/// The log's file changes, replayed: what happened at each path, and to what is there before it had that name.
///
/// A tree of names grows with the paths that the log tells of. A rename moves a name with everything below it, so that a file's
/// past follows it through renames of its own and of the directories above. What is kept of a change is its place in
/// the log; who it was is read again, for the few that matter.
package struct Trail: Sendable {
  /// One change as it concerns one name.
  struct Entry: Sendable {
    /// Which line of the log, see ``Explainer``.
    var line: Int
    var action: Action
    /// The object went away from the name.
    var leaves = false
    /// The entry before at the same name; -1 for none, ``Trail/forgotten``.
    var before: Int32
    /// Where the object came from: its last entry under the name that it had before; -1 for none, ``Trail/forgotten``.
    var source: Int32 = -1
  }

  private struct Node: Sendable {
    /// The directory's node; -1 for the root and for what has been moved away.
    var parent: Int32
    var nameStart: Int32
    var nameCount: Int32
    /// The newest entry, -1 for none.
    var last: Int32 = -1
    /// The newest entry that gave a name to the directory, or took one away.
    var inside: Int32 = -1
  }

  /// Entries that lead from the newest one back.
  struct Chain {
    /// Their numbers, newest first.
    var entries: [Int32] = []
    /// Whether these are all: there were neither more than asked for, nor some that were forgotten.
    var isWhole = true
  }

  /// Above these, nothing new is followed, and what is not known is not held against anybody.
  private static let nodeLimit = 2_000_000, nameLimitBytes = 64 << 20
  /// Above this, the oldest entries of every name are forgotten.
  private let entryLimit: Int
  /// A link to an entry that was.
  private static let forgotten: Int32 = -2

  private(set) var entries: [Entry] = []
  private var nodes = [Node(parent: -1, nameStart: 0, nameCount: 0)]
  private var names: [UInt8] = []
  /// Open addressing, power of two; -1 is free, -2 was taken.
  private var table = [Int32](repeating: -1, count: 1024)
  private var used = 0
  /// The newest entry of a file by whatever name, for the names that it had besides.
  private var byObject: [ObjectID: Int32] = [:]

  /// Whether everything could be followed.
  private(set) var isWhole = true

  init(entryLimit: Int = 4_000_000) { self.entryLimit = entryLimit }

  /// An object as the log writes it.
  struct ObjectID: Hashable, Sendable {
    /// `fe:00` and the inode's digits.
    var device: String, inode: UInt64
  }

  // MARK: Reading

  /// Takes a line of the log, if it is a change that succeeded.
  mutating func add(_ line: borrowing LogLine, identity number: Int) {
    guard line.contains(at: Place.outcome, { $0.equals("success") }), let action = Self.action(of: line),
      let path = Self.name(line, Place.path, Place.rawPath), path.first == UInt8(ascii: "/"), let place = node(making: path)
    else { return }
    if entries.count >= entryLimit { forgetOldest() }
    guard entries.count < entryLimit else { return isWhole = false }
    let previous = action == .rename || action == .exchange ? Self.name(line, Place.previous, Place.rawPrevious) : nil
    switch action {
    case .rename:
      guard let previous, let old = node(making: previous) else { break }
      if move(old, to: place, number) { noteObject(line) }
      noteInside(of: previous, number, action)
      noteInside(of: path, number, action)
      return
    case .exchange:
      guard let previous, let other = node(making: previous) else { break }
      exchange(place, other, number)
      return
    case .create, .mkdir, .mknod, .symlink, .link, .delete, .rmdir:
      noteInside(of: path, number, action)
    default: break
    }
    append(Entry(line: number, action: action, leaves: action == .delete || action == .rmdir, before: nodes[Int(place)].last), to: place)
    if action == .link, let target = Self.name(line, Place.target, Place.rawTarget), let other = node(making: target) {
      entries[entries.count - 1].source = nodes[Int(other)].last
      append(Entry(line: number, action: action, before: nodes[Int(other)].last), to: other)
    }
    noteObject(line)
  }

  /// Where a line has what.
  private enum Place {
    static let outcome: JSONPath = "event.outcome"
    static let action: JSONPath = "fsaudit.action"
    static let path: JSONPath = "file.path"
    static let rawPath: JSONPath = "fsaudit.raw.path"
    static let previous: JSONPath = "fsaudit.previous.path"
    static let rawPrevious: JSONPath = "fsaudit.raw.previous_path"
    static let target: JSONPath = "fsaudit.target.path"
    static let rawTarget: JSONPath = "fsaudit.raw.target_path"
    static let device: JSONPath = "file.device"
    static let inode: JSONPath = "file.inode"
    static let type: JSONPath = "file.type"
  }

  private static func action(of line: borrowing LogLine) -> Action? { text(line, Place.action).flatMap { Action(named: $0) } }

  /// A short text.
  private static func text(_ line: borrowing LogLine, _ path: JSONPath) -> String? {
    var result: String?
    _ = line.contains(at: path) { text in
      result = text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
      return true
    }
    return result
  }

  /// The exact bytes of a name.
  private static func name(_ line: borrowing LogLine, _ path: JSONPath, _ raw: JSONPath) -> [UInt8]? {
    var name: [UInt8]?
    _ = line.name(path, raw: raw) { bytes in
      name = bytes.withUnsafeBytes { Array($0) }
      return true
    }
    return name
  }

  private mutating func append(_ entry: Entry, to node: Int32) {
    nodes[Int(node)].last = Int32(entries.count)
    entries.append(entry)
  }

  private mutating func noteObject(_ line: borrowing LogLine) {
    guard byObject.count < Trail.nodeLimit, let device = Self.text(line, Place.device), let number = Self.text(line, Place.inode),
      let inode = UInt64(number), inode > 0, !line.contains(at: Place.type, { $0.equals("dir") })
    else { return }
    byObject[ObjectID(device: device, inode: inode)] = Int32(entries.count - 1)
  }

  private mutating func noteInside(of path: [UInt8], _ number: Int, _ action: Action) {
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")), let directory = node(making: Array(path[..<slash])) else { return }
    let before = nodes[Int(directory)].inside
    nodes[Int(directory)].inside = Int32(entries.count)
    entries.append(Entry(line: number, action: action, before: before))
  }

  /// The object at `old`, with all below it, is at `new` now. False where that cannot be.
  private mutating func move(_ old: Int32, to new: Int32, _ number: Int) -> Bool {
    if old == new || isBelow(new, old) { return false }
    guard nodes.count < Trail.nodeLimit else {
      isWhole = false
      return false
    }
    let parent = nodes[Int(new)].parent
    let nameStart = nodes[Int(new)].nameStart
    let nameCount = nodes[Int(new)].nameCount
    let victim = nodes[Int(new)].last
    let past = nodes[Int(old)].last
    take(old)
    take(new)
    // what stays at the old name is only that it is gone
    let gone = insert(parent: nodes[Int(old)].parent, nameStart: nodes[Int(old)].nameStart, nameCount: nodes[Int(old)].nameCount)
    nodes[Int(gone)].last = past
    append(Entry(line: number, action: .rename, leaves: true, before: past), to: gone)
    (nodes[Int(old)].parent, nodes[Int(old)].nameStart, nodes[Int(old)].nameCount) = (parent, nameStart, nameCount)
    nodes[Int(new)].parent = -1
    put(old)
    append(Entry(line: number, action: .rename, before: victim, source: past), to: old)
    return true
  }

  private mutating func exchange(_ one: Int32, _ other: Int32, _ number: Int) {
    if one == other || isBelow(one, other) || isBelow(other, one) { return }
    let (first, second) = (nodes[Int(one)], nodes[Int(other)])
    take(one)
    take(other)
    (nodes[Int(one)].parent, nodes[Int(one)].nameStart, nodes[Int(one)].nameCount) = (second.parent, second.nameStart, second.nameCount)
    (nodes[Int(other)].parent, nodes[Int(other)].nameStart, nodes[Int(other)].nameCount) = (first.parent, first.nameStart, first.nameCount)
    put(one)
    put(other)
    append(Entry(line: number, action: .exchange, before: second.last, source: first.last), to: one)
    append(Entry(line: number, action: .exchange, before: first.last, source: second.last), to: other)
  }

  private func isBelow(_ node: Int32, _ directory: Int32) -> Bool {
    var here = node
    while here > 0 {
      if here == directory { return true }
      here = nodes[Int(here)].parent
    }
    return false
  }

  // MARK: Forgetting

  /// Makes room: of the chain from every name only the newest entries stay, no fewer than it takes.
  private mutating func forgetOldest() {
    for count in [1000, 30, 1] as [UInt16] where entries.count > entryLimit / 2 { keepNewest(count) }
  }

  private mutating func keepNewest(_ count: UInt16) {
    // how many newer ones its chain has; the fewest, where chains meet
    var newer = [UInt16](repeating: .max, count: entries.count)
    for node in nodes {
      if node.last >= 0 { newer[Int(node.last)] = 0 }
      if node.inside >= 0 { newer[Int(node.inside)] = 0 }
    }
    for head in byObject.values where head >= 0 { newer[Int(head)] = 0 }
    // links lead to older entries, and so to smaller numbers
    for index in entries.indices.reversed() where newer[index] < count - 1 {
      for link in [entries[index].before, entries[index].source] where link >= 0 {
        newer[Int(link)] = min(newer[Int(link)], newer[index] + 1)
      }
    }
    var numbers = [Int32](repeating: Trail.forgotten, count: entries.count)
    func now(_ number: Int32) -> Int32 { number < 0 ? number : numbers[Int(number)] }
    var kept = 0
    for index in entries.indices where newer[index] < count {
      var entry = entries[index]
      (entry.before, entry.source) = (now(entry.before), now(entry.source))
      entries[kept] = entry
      numbers[index] = Int32(kept)
      kept += 1
    }
    entries.removeSubrange(kept...)
    for index in nodes.indices { (nodes[index].last, nodes[index].inside) = (now(nodes[index].last), now(nodes[index].inside)) }
    byObject = byObject.mapValues(now)
  }

  // MARK: Asking

  /// The newest entries that concern a path: its own, those of the names that what is there had before, and the renames of directories above
  /// that gave it this path, or took it away.
  /// - Parameter limit: how many at most.
  func chain(of path: [UInt8], limit: Int) -> Chain {
    var above: [Int32] = []
    var own: Int32 = -1
    var here: Int32? = 0
    for name in path.split(separator: UInt8(ascii: "/")) {
      guard let directory = here else { break }
      // what moved a directory moved what is in it
      if directory > 0 { above.append(nodes[Int(directory)].last) }
      here = find(parent: directory, name)
    }
    if let here { own = nodes[Int(here)].last }
    let chain = follow([own], limit) { _ in true }
    let moves = follow(above, limit) { $0 == .rename || $0 == .exchange || $0 == .mount || $0 == .umount }
    let isWhole = chain.isWhole && moves.isWhole
    if moves.entries.isEmpty { return Chain(entries: chain.entries, isWhole: isWhole) }
    let all = Set(chain.entries + moves.entries).sorted(by: >)
    return Chain(entries: Array(all.prefix(limit)), isWhole: isWhole && all.count <= limit)
  }

  /// The newest entries that gave or took names in a directory.
  func inside(of directory: [UInt8], limit: Int) -> Chain {
    node(directory).map { follow([nodes[Int($0)].inside], limit) { _ in true } } ?? Chain()
  }

  /// The newest entries of an object, by whatever name it was reached.
  func chain(ofObject object: ObjectID, limit: Int) -> Chain {
    byObject[object].map { follow([$0], limit) { _ in true } } ?? Chain()
  }

  /// Follows entries back in time: they are numbered in the order of the log.
  private func follow(_ from: [Int32], _ limit: Int, _ isWanted: (Action) -> Bool) -> Chain {
    var chain = Chain()
    // in order, the newest last
    var open = Set(from.filter { $0 >= 0 }).sorted()
    var steps = 0
    while let newest = open.popLast() {
      if chain.entries.count == limit || steps == 10_000 {
        chain.isWhole = false
        break
      }
      steps += 1
      let entry = entries[Int(newest)]
      if isWanted(entry.action) { chain.entries.append(newest) }
      for link in [entry.before, entry.source] {
        if link == Trail.forgotten { chain.isWhole = false }
        let place = open.partition(from: link)
        if link >= 0, place == open.count || open[place] != link { open.insert(link, at: place) }
      }
    }
    return chain
  }

  // MARK: The tree of names

  private func node(_ path: [UInt8]) -> Int32? {
    var here: Int32 = 0
    for name in path.split(separator: UInt8(ascii: "/")) {
      guard let next = find(parent: here, name) else { return nil }
      here = next
    }
    return here
  }

  private mutating func node(making path: [UInt8]) -> Int32? {
    var here: Int32 = 0
    for name in path.split(separator: UInt8(ascii: "/")) {
      if let next = find(parent: here, name) {
        here = next
        continue
      }
      guard nodes.count < Trail.nodeLimit, names.count < Trail.nameLimitBytes else {
        isWhole = false
        return nil
      }
      let start = Int32(names.count)
      names.append(contentsOf: name)
      here = insert(parent: here, nameStart: start, nameCount: Int32(name.count))
    }
    return here
  }

  private mutating func insert(parent: Int32, nameStart: Int32, nameCount: Int32) -> Int32 {
    nodes.append(Node(parent: parent, nameStart: nameStart, nameCount: nameCount))
    let node = Int32(nodes.count - 1)
    put(node)
    return node
  }

  private func slot(_ parent: Int32, _ name: some Collection<UInt8>) -> Int {
    // seeded at every start: names are anybody's
    var hasher = Hasher()
    hasher.combine(parent)
    let isPut: Void? = name.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    if isPut == nil { for byte in name { hasher.combine(byte) } }
    return hasher.finalize() & (table.count - 1)
  }

  private func find(parent: Int32, _ name: ArraySlice<UInt8>) -> Int32? {
    var place = slot(parent, name)
    while table[place] != -1 {
      let node = table[place]
      if node >= 0, nodes[Int(node)].parent == parent, nodes[Int(node)].nameCount == name.count,
        names[Int(nodes[Int(node)].nameStart)..<Int(nodes[Int(node)].nameStart) + name.count].elementsEqual(name)
      {
        return node
      }
      place = (place + 1) & (table.count - 1)
    }
    return nil
  }

  private func place(of node: Int32) -> Int {
    let it = nodes[Int(node)]
    return slot(it.parent, names[Int(it.nameStart)..<Int(it.nameStart + it.nameCount)])
  }

  private mutating func put(_ node: Int32) {
    if used * 2 >= table.count { grow() }
    var place = place(of: node)
    while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
    if table[place] == -1 { used += 1 }
    table[place] = node
  }

  private mutating func take(_ node: Int32) {
    var place = place(of: node)
    while table[place] != -1 {
      if table[place] == node {
        table[place] = -2
        return
      }
      place = (place + 1) & (table.count - 1)
    }
  }

  private mutating func grow() {
    let live = table.filter { $0 >= 0 }
    table = [Int32](repeating: -1, count: live.count * 4 > table.count ? table.count * 2 : table.count)
    used = 0
    for node in live { put(node) }
  }
}

extension [Int32] {
  /// Where a number is, or would be, in ascending ones.
  fileprivate func partition(from number: Int32) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
