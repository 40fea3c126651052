import AuditEvents
import AuditWire
import Replay
import Testing

@testable import FileChanges

extension DirectoryMap {
  /// The path of the object with that inode, nil where it is unknown or cut off.
  mutating func path(_ inode: UInt64) -> String? {
    guard let node = find(FileIdentity(device: 1, inode: inode)) else { return nil }
    var path = ByteScratch()
    guard appendPath(of: node, to: &path) else {
      #expect(path.isEmpty)
      return nil
    }
    return String(decoding: path.array, as: UTF8.self)
  }

  @discardableResult
  mutating func root(_ inode: UInt64, _ path: String, isDirectory: Bool = true) -> NodeIndex? {
    let bytes = Array(path.utf8)
    return insertRoot(FileIdentity(device: 1, inode: inode), path: bytes.span.bytes, isDirectory: isDirectory)
  }

  @discardableResult
  mutating func put(_ inode: UInt64, in parent: UInt64, _ name: String, isDirectory: Bool = false) -> NodeIndex? {
    guard let above = find(FileIdentity(device: 1, inode: parent)) else { return nil }
    let bytes = Array(name.utf8)
    return insert(FileIdentity(device: 1, inode: inode), parent: above, name: bytes.span.bytes, isDirectory: isDirectory)
  }

  mutating func drop(_ inode: UInt64) {
    if let node = find(FileIdentity(device: 1, inode: inode)) { remove(node) }
  }
}

@Suite struct DirectoryMapTests {
  @Test func pathsFollowTheirDirectories() {
    var map = DirectoryMap()
    map.root(1, "/srv")
    map.put(2, in: 1, "a", isDirectory: true)
    map.put(3, in: 2, "b", isDirectory: true)
    map.put(4, in: 3, "file")
    #expect(map.path(4) == "/srv/a/b/file" && map.path(1) == "/srv" && map.path(9) == nil)
    let before = map.version
    map.put(2, in: 1, "renamed", isDirectory: true)
    #expect(map.path(4) == "/srv/renamed/b/file" && map.version != before)
    map.put(3, in: 1, "up", isDirectory: true)
    #expect(map.path(4) == "/srv/up/file" && map.count == 4 && map.directoryCount == 3)
  }

  /// Records from anybody's hand may say so.
  @Test func noDirectoryIsInItself() {
    var map = DirectoryMap()
    map.root(1, "/srv")
    map.put(2, in: 1, "a", isDirectory: true)
    map.put(3, in: 2, "b", isDirectory: true)
    map.put(4, in: 3, "file")
    #expect(map.put(3, in: 3, "itself", isDirectory: true) == nil && map.path(3) == nil && map.path(4) == nil)
    map.put(3, in: 2, "b", isDirectory: true)
    map.put(5, in: 3, "c", isDirectory: true)
    #expect(map.path(5) == "/srv/a/b/c")
    #expect(map.put(2, in: 5, "below", isDirectory: true) == nil && map.path(5) == nil && map.path(1) == "/srv")
    #expect(map.put(1, in: 5, "root", isDirectory: true) != nil, "what is known of 5 has ended at 2")
    #expect(map.path(1) == nil && map.find(FileIdentity(device: 1, inode: 5)).map { map.isLearnt($0) } == false)
  }

  @Test func theRootDirectoryIsItsOwnSeparator() {
    var map = DirectoryMap()
    map.root(1, "/")
    map.put(2, in: 1, "etc", isDirectory: true)
    map.put(3, in: 2, "passwd")
    #expect(map.path(1) == "/" && map.path(2) == "/etc" && map.path(3) == "/etc/passwd")
  }

  @Test func whatIsBelowARemovedDirectoryIsCutOff() {
    var map = DirectoryMap()
    map.root(1, "/srv")
    map.put(2, in: 1, "a", isDirectory: true)
    map.put(3, in: 2, "f")
    map.drop(2)
    #expect(map.path(3) == nil && map.path(2) == nil)
    // the inode is used again: the old child must not come back below the new directory
    map.put(2, in: 1, "new", isDirectory: true)
    #expect(map.path(2) == "/srv/new" && map.path(3) == nil)
    map.put(3, in: 2, "g")
    #expect(map.path(3) == "/srv/new/g")
  }

  @Test func anInodeOfAnotherKindIsAnotherObject() {
    var map = DirectoryMap()
    map.root(1, "/srv")
    map.put(2, in: 1, "d", isDirectory: true)
    map.put(3, in: 2, "f")
    map.put(2, in: 1, "file", isDirectory: false)
    #expect(map.path(2) == "/srv/file" && map.path(3) == nil && map.directoryCount == 1)
  }

  @Test func aCircleHasNoPath() {
    var map = DirectoryMap()
    map.root(1, "/srv")
    map.put(2, in: 1, "a", isDirectory: true)
    map.put(3, in: 2, "b", isDirectory: true)
    map.put(2, in: 3, "a", isDirectory: true)  // lost records can make one
    #expect(map.path(2) == nil && map.path(3) == nil && map.path(1) == "/srv")
    map.put(4, in: 4, "self", isDirectory: true)
    #expect(map.path(4) == nil)
  }

  @Test func depthIsBounded() {
    var map = DirectoryMap()
    map.root(1, "/r")
    for inode in 2...200 as ClosedRange<UInt64> { map.put(inode, in: inode - 1, String(repeating: "d", count: 200), isDirectory: true) }
    #expect(map.path(50)?.utf8.count == 2 + 49 * 201)
    #expect(map.path(200) == nil)
  }

  @Test func whatCannotBeANameIsRefused() {
    var map = DirectoryMap()
    map.root(1, "/r")
    #expect(map.put(2, in: 1, "") == nil && map.put(3, in: 1, String(repeating: "x", count: 4097)) == nil)
    let name = Array("x".utf8)
    let refused = map.insertRoot(.unknown, path: name.span.bytes, isDirectory: true)
    #expect(refused == nil && map.count == 1)
  }

  @Test func filesMakeRoomAndDirectoriesStay() {
    var map = DirectoryMap(capacity: 16)
    map.root(1, "/r")
    for inode in 2...10 as ClosedRange<UInt64> { map.put(inode, in: 1, "f\(inode)") }
    for inode in 11...40 as ClosedRange<UInt64> { map.put(inode, in: 1, "d\(inode)", isDirectory: true) }
    #expect(map.count == 16 && map.directoryCount == 16 && map.evicted == 9 && map.refused == 15)
    #expect(map.path(11) == "/r/d11" && map.path(2) == nil && map.path(40) == nil)
    // files and directories that can no longer be reached make room for what is new, in turn
    map.put(12, in: 11, "inner", isDirectory: true)
    map.drop(11)
    map.put(50, in: 1, "a")
    map.put(51, in: 1, "b")
    map.put(52, in: 1, "c")
    #expect(map.path(52) == "/r/c" && map.path(12) == nil && map.path(13) == "/r/d13" && map.count == 16 && map.refused == 15)
  }

  @Test func aWalkDoesNotUndoEvents() {
    var map = DirectoryMap()
    let root = map.root(1, "/r") ?? -1
    map.put(2, in: 1, "old", isDirectory: true)
    map.beginWalk()
    map.put(3, in: 1, "renamed-meanwhile")
    map.insertWalked(FileIdentity(device: 1, inode: 3), parent: root, name: Array("name-before".utf8), isDirectory: false, hasLinks: true)
    map.insertWalked(FileIdentity(device: 1, inode: 2), parent: root, name: Array("found".utf8), isDirectory: true, hasLinks: false)
    map.insertWalked(FileIdentity(device: 1, inode: 4), parent: root, name: Array("new".utf8), isDirectory: false, hasLinks: false)
    #expect(map.path(3) == "/r/renamed-meanwhile" && map.path(2) == "/r/found" && map.path(4) == "/r/new")
    let linked = map.find(FileIdentity(device: 1, inode: 3)).map { map.hasLinks($0) }
    #expect(linked == true)
    // a second walk sees what the first entered as old
    map.beginWalk()
    map.insertWalked(FileIdentity(device: 1, inode: 4), parent: root, name: Array("newer".utf8), isDirectory: false, hasLinks: false)
    #expect(map.path(4) == "/r/newer")
  }

  /// Devices are part of the identity.
  @Test func devices() {
    var map = DirectoryMap()
    let names = (Array("/a".utf8), Array("/b".utf8))
    map.insertRoot(FileIdentity(major: 8, minor: 1, inode: 2), path: names.0.span.bytes, isDirectory: true)
    map.insertRoot(FileIdentity(major: 8, minor: 2, inode: 2), path: names.1.span.bytes, isDirectory: true)
    #expect(map.count == 2)
    #expect(
      FileIdentity(major: 0xfe, minor: 0x12345, inode: 1).minor == 0x12345 && FileIdentity(major: 0xfe, minor: 1, inode: 1).major == 0xfe)
  }

  /// The naive model: parent and name by inode. Names of all lengths, so that their blocks are used again and again.
  private struct Model {
    struct Entry { var parent: UInt64, name: String, isDirectory: Bool, stamp: Int, parentStamp: Int }
    var entries: [UInt64: Entry] = [:]
    var stamps = 0

    func path(_ inode: UInt64) -> String? {
      var parts: [String] = []
      var here = inode
      var expected: Int?
      while let entry = entries[here], expected == nil || entry.stamp == expected, parts.count < 400 {
        if entry.parent == 0 {
          return entry.name + parts.reversed().map { "/" + $0 }.joined()
        }
        parts.append(entry.name)
        expected = entry.parentStamp
        here = entry.parent
      }
      return nil
    }

    mutating func put(_ inode: UInt64, in parent: UInt64, _ name: String, isDirectory: Bool) {
      stamps += 1
      let known = entries[inode]
      if isDirectory, known?.isDirectory == true, isAbove(inode, parent) {
        entries[inode] = nil
        return
      }
      let stamp = known.map { $0.isDirectory == isDirectory ? $0.stamp : stamps } ?? stamps
      let above = entries[parent]?.stamp ?? 0
      entries[inode] = Entry(parent: parent, name: name, isDirectory: isDirectory, stamp: stamp, parentStamp: above)
    }

    private func isAbove(_ inode: UInt64, _ other: UInt64) -> Bool {
      var here = other
      while here != inode, let entry = entries[here], entries[entry.parent]?.stamp == entry.parentStamp { here = entry.parent }
      return here == inode
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func agreesWithTheModel(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var map = DirectoryMap()
    var model = Model()
    map.root(1, "/root")
    model.put(1, in: 0, "/root", isDirectory: true)
    for step in 0..<3000 {
      let inode = UInt64(2 + random.below(120))
      let directories = model.entries.filter { $0.value.isDirectory }.keys.sorted()
      let parent = directories[random.below(directories.count)]
      switch random.below(10) {
      case 0, 1:
        map.drop(inode)
        model.entries[inode] = nil
      default:
        // the same inode keeps its kind now and then, and changes it sometimes
        let isDirectory = random.below(8) == 0 ? random.below(2) == 0 : inode % 3 != 0
        // an inode that changes its kind is removed first, so it cannot be put into what it was
        if parent == inode, model.entries[inode]?.isDirectory != isDirectory { continue }
        let name = String(repeating: "n", count: 1 + random.below(random.below(10) == 0 ? 255 : 40)) + "\(step)"
        map.put(inode, in: parent, name, isDirectory: isDirectory)
        model.put(inode, in: parent, name, isDirectory: isDirectory)
      }
      let asked = UInt64(1 + random.below(122))
      let (found, wanted) = (map.path(asked), model.path(asked))
      // the map alone bounds the length
      if (wanted?.utf8.count ?? 0) <= 16_000 { #expect(found == wanted) }
    }
    #expect(map.count == model.entries.count && map.directoryCount == model.entries.values.count { $0.isDirectory })
    for inode in 1...121 as ClosedRange<UInt64> {
      let (found, wanted) = (map.path(inode), model.path(inode))
      if (wanted?.utf8.count ?? 0) <= 16_000 { #expect(found == wanted) }
    }
  }

  /// At the bound nothing that is found may be wrong, and the bound holds.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func evictionOnlyForgets(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var map = DirectoryMap(capacity: 40)
    var model = Model()
    map.root(1, "/root")
    model.put(1, in: 0, "/root", isDirectory: true)
    for step in 0..<5000 {
      let inode = UInt64(2 + random.below(200))
      let isDirectory = inode % 9 == 0
      let parent: UInt64 = random.below(2) == 0 ? 1 : 9
      guard parent != inode, parent == 1 || map.path(9) != nil else { continue }
      if map.put(inode, in: parent, "n\(step)", isDirectory: isDirectory) != nil {
        model.put(inode, in: parent, "n\(step)", isDirectory: isDirectory)
      }
      #expect(map.count <= 40)
      let asked = UInt64(1 + random.below(202))
      if let found = map.path(asked) { #expect(found == model.path(asked)) }
    }
    #expect(map.evicted > 0 && map.path(1) == "/root")
  }
}
