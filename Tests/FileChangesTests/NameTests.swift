import AuditEvents
import AuditWire
import Synchronization
import Testing

@testable import FileChanges

/// Names that are not what they look like: symbolic links, hard links, descriptors, and names that the kernel takes for one.
@Suite struct NameTests {
  /// A host on which these paths have these inodes, and these descriptors lead to these paths.
  private func host(_ inodes: [String: UInt64] = [:], _ descriptors: [Int32: String] = [:]) -> Lookup {
    Lookup(
      descriptor: { _, number, _, path in
        path += Array((descriptors[number] ?? "").utf8)
        return descriptors[number] != nil
      },
      entry: { _, _, _ in false }, inode: { inodes[text($0)] })
  }

  /// A path as it is asked for, without its zero byte.
  private func text(_ path: RawSpan) -> String { path.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) } }

  private func chmod(_ name: String, _ inode: Int) -> Call {
    Call(name: "", number: 90, arguments: [0, 0o600, 0, 0], paths: ["NORMAL \(name) \(inode) 0100644"])
  }

  private let link = Call(name: "", number: 86, paths: ["PARENT /w 10 040755", "NORMAL d/f 20 0100644", "CREATE hard 20 0100644"])
  private let watched = Coverage([CoverageScope(object: .directory, path: Array("/w".utf8), keys: [Array("w".utf8)])])

  /// `ln -s d/f l; chmod 600 l`: the file is /w/d/f, and only where nobody can look is there a doubt.
  @Test func throughASymbolicLinkItIsTheFile() {
    #expect(changes([chmod("l", 20)], lookup: host(["/w/l": 77, "/w/d/f": 20])).changes == ["chmod /w/d/f 644→600"])
    #expect(changes([chmod("l", 20)]).changes == ["chmod /w/d/f 644→600 ?inode"])
  }

  /// The same of a file with two names: either may be meant.
  @Test func throughASymbolicLinkItIsOneOfTheNames() {
    #expect(
      changes([link, chmod("l", 20)], lookup: host(["/w/l": 77, "/w/d/f": 20, "/w/hard": 20])).changes.last
        == "chmod /w/hard 644→600 ?inode")
    #expect(changes([link, chmod("d/f", 20)], lookup: host(["/w/d/f": 20, "/w/hard": 20])).changes.last == "chmod /w/d/f 644→600")
    #expect(changes([link, chmod("l", 20)]).changes.last == "chmod /w/l 644→600 ?inode")
  }

  /// Nobody saw the rename; the host knows better than the map, and what has one more name than known is not certain from then on.
  @Test func anotherNameThanTheMapsIsLookedAt() {
    let descriptor = Call(name: "", number: 91, arguments: [5, 0o600, 0, 0], paths: ["NORMAL - 20 0100644"])
    let found = changes([chmod("e/g", 20), descriptor], lookup: host(["/w/e/g": 20]))
    #expect(found.changes == ["chmod /w/e/g 644→600", "chmod /w/d/f 644→600 ?inode"])
    // outside of what is watched, the newest name is the best one
    let outside = changes([chmod("/o/a", 50), chmod("/o/b", 50), descriptor.with(inode: 50)], lookup: host(["/o/b": 50]))
    #expect(outside.changes == ["chmod /o/a 644→600", "chmod /o/b 644→600", "chmod /o/b 644→600"])
  }

  /// A rule for one file (`path=`): its root in the map is the whole path.
  @Test func aWatchedFileIsCalledByItsName() {
    let found = changes([chmod("/o/a", 50), chmod("/o/a", 50)])
    #expect(found.changes == ["chmod /o/a 644→600", "chmod /o/a 644→600"])
  }

  /// Whoever writes to one file again and again does not cost a question each time; what may have changed since is asked anew.
  @Test func anAnswerIsUsedAgain() {
    final class Host: Sendable {
      let asked = Mutex<[String]>([])
    }
    func asked(_ calls: [Call]) -> (paths: [String], last: String?) {
      let host = Host()
      let inodes: [String: UInt64] = ["/w/l": 77, "/w/d/f": 20, "/w/m": 78]
      let lookup = Lookup(
        descriptor: { _, _, _, _ in false }, entry: { _, _, _ in false },
        inode: { path in
          let path = text(path)
          host.asked.withLock { $0.append(path) }
          return inodes[path]
        })
      let last = changes(calls, lookup: lookup).changes.last
      return (host.asked.withLock { $0 }, last)
    }
    let (once, last) = asked([chmod("l", 20), chmod("l", 20), chmod("/w/l", 20)])
    #expect(once == ["/w/l", "/w/d/f"] && last == "chmod /w/d/f 644→600")
    #expect(asked([chmod("l", 20), chmod("m", 20), chmod("l", 20)]).paths.count == 6, "it is the last one alone")
    let new = Call(name: "", number: 83, paths: ["PARENT /w 10 040755", "CREATE new 30 040755"])
    #expect(asked([chmod("l", 20), new, chmod("l", 20)]).paths.count == 4, "a name has changed")
    let move = Call(
      name: "", number: 82, paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE d 11 040755", "CREATE g 11 040755"])
    #expect(asked([chmod("l", 20), move, chmod("l", 20)]).paths == ["/w/l", "/w/d/f", "/w/l", "/w/g/f"])
    #expect(asked([chmod("l", 20), chmod("l", 20).later(999), chmod("l", 20).later(1000)]).paths.count == 4, "a second has gone by")
    #expect(asked([chmod("l", 20).later(1), chmod("l", 20)]).paths.count == 4, "the clock was set back")
  }

  static let processNames = [
    "/proc/self/fd/4", "/proc/thread-self/fd/4", "/proc/2/fd/4", "/proc/2/task/2/fd/4", "/dev/fd/4", "/proc//self/./fd/4",
  ]

  @Test(arguments: processNames) func aDescriptorByItsNameIsTheFile(name: String) {
    #expect(changes([chmod(name, 20)]).changes == ["chmod /w/d/f 644→600"])
    #expect(changes([chmod(name, 50)], lookup: host([:], [4: "/o/x"])).changes == ["chmod /o/x 644→600 ?descriptor"])
    // the next process' descriptor 4 is another file
    let found = changes([chmod(name, 50), chmod(name, 51)])
    #expect(found.changes.allSatisfy { $0.hasSuffix(" ?as-named") } && found.changes.count == 2)
    #expect(changes([link, chmod(name, 20)]).changes.last == "chmod /w/hard 644→600 ?inode")
    #expect(changes([link, chmod(name, 20)], lookup: host([:], [4: "/w/d/f"])).changes.last == "chmod /w/d/f 644→600 ?descriptor")
  }

  @Test func standardStreamsAreDescriptors() {
    #expect(changes([chmod("/dev/stdout", 50)], lookup: host([:], [1: "/o/x"])).changes == ["chmod /o/x 644→600 ?descriptor"])
    #expect(changes([chmod("/dev/stdin", 50)], lookup: host([:], [0: "/o/x"])).changes == ["chmod /o/x 644→600 ?descriptor"])
    #expect(changes([chmod("/dev/stdouts", 50)]).changes == ["chmod /dev/stdouts 644→600"])
    #expect(changes([chmod("/dev/fd/x", 50)]).changes == ["chmod /dev/fd/x 644→600"])
    #expect(changes([chmod("/proc/self/cwd/x", 50)]).changes == ["chmod /proc/self/cwd/x 644→600 ?as-named"])
    #expect(changes([chmod("/proc/12/root/x", 50)]).changes == ["chmod /proc/12/root/x 644→600 ?as-named"])
    #expect(changes([chmod("/proc/12/oom_score_adj", 50)]).changes == ["chmod /proc/12/oom_score_adj 644→600"])
  }

  /// `> /proc/self/fd/5/new`: relative to a descriptor, by another notation.
  @Test func belowADescriptorByItsName() {
    func make(_ directory: Int) -> Call {
      Call(name: "", number: 83, paths: ["PARENT /proc/self/fd/5/ \(directory) 040755", "CREATE /proc/self/fd/5/new 30 040755"])
    }
    let next = Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 50 040755", "CREATE next 31 040755"])
    #expect(changes([make(11)]).changes == ["mkdir /w/d/new"])
    #expect(changes([make(50), next]).changes == ["mkdir /proc/self/fd/5/new ?as-named", "mkdir /next ?cwd-guess"])
    // what the host told stays what it is: an answer from after the event
    #expect(changes([make(50), next], lookup: host([:], [5: "/o"])).changes == ["mkdir /o/new ?descriptor", "mkdir /o/next ?descriptor"])
  }

  /// `ln /proc/self/fd/4/name new` is a link like any other, and so is one of a descriptor's file that is known.
  @Test func onlyAFileWithoutANameIsMadeByALink() {
    func link(_ source: String, _ inode: Int) -> Call {
      Call(
        name: "", number: 265, arguments: [cwd, 0, cwd, 0x400],
        paths: ["PARENT /w 10 040755", "NORMAL \(source) \(inode) 0100600", "CREATE new \(inode) 0100600"])
    }
    #expect(changes([link("/proc/self/fd/4", 30)]).changes == ["create /w/new"])
    #expect(changes([link("/proc/self/fd/4/name", 30)]).changes == ["link /w/new = /proc/self/fd/4/name ?as-named"])
    #expect(changes([link("/proc/self/fd/4", 20)]).changes == ["link /w/new = /w/d/f"])
    #expect(changes([link("/proc/self/fd/4", 30)], lookup: host([:], [4: "/o/x"])).changes == ["link /w/new = /o/x ?descriptor"])
    #expect(changes([link("/proc/self/fdinfo", 30)]).changes == ["link /w/new = /proc/self/fdinfo ?as-named"])
  }

  /// A guess that no rule covers is wrong: the name alone is left.
  @Test func aGuessThatNoRuleCoversIsNone() {
    let gone = Call(
      name: "", number: 263, arguments: [5, 0, 0, 0], cwd: "/tmp", paths: ["PARENT /tmp 99 040755", "DELETE s/x 31 0100644"])
    #expect(changes([gone], coverage: watched).changes == ["delete s/x ?as-named"])
    var inside = gone
    inside.cwd = "/w"
    #expect(changes([inside], coverage: watched).changes == ["delete /w/s/x ?cwd-guess"])
  }

  @Test func aLinkThatFailedNamesItsSource() {
    let found = changes([Call(name: "", number: 86, exit: -18, paths: ["PARENT /w/d 11 040755", "NORMAL e/g 50 0100644"])])
    #expect(found.changes == ["link /w/d = /w/e/g ?parent-only !"])
    let nowhere = changes([Call(name: "", number: 86, exit: -2, paths: ["NORMAL e/g 50 0100644"])])
    #expect(nowhere.changes == ["link - = /w/e/g ?unknown !"])
  }

  // MARK: Names that the kernel takes for one (Linux 6.18: /w/d/c and /w/e/c)

  private let tree = [
    Call(name: "", number: 83, paths: ["PARENT d/ 11 040755", "CREATE d/c 60 040755"]),
    Call(name: "", number: 83, paths: ["PARENT e/ 12 040755", "CREATE e/c 61 040755"]),
  ]
  private let parents = ["PARENT e/ 12 040755", "PARENT d/ 11 040755"]
  private let inThem = [60, 61].map {
    Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / \($0) 040755", "CREATE in 7\($0) 040755"])
  }

  /// renameat2(d, "c", e, "c", RENAME_EXCHANGE): as a rename over the other one, which is not gone.
  @Test func namesakesChangePlacesByDescriptor() {
    let exchange = Call(
      name: "", number: 316, arguments: [5, 0, 6, 0],
      paths: [
        "PARENT /w 12 040755", "PARENT - 11 040755", "DELETE - 60 040755", "DELETE c 61 040755", "CREATE c 61 040755", "PARENT - 11 040755",
      ])
    let seen = changes(tree + [exchange] + inThem, lookup: host(["/w/e/c": 60, "/w/d/c": 61])).changes
    #expect(seen.suffix(3) == ["exchange /w/d/c ← /w/e/c", "mkdir /w/e/c/in", "mkdir /w/d/c/in"])
  }

  /// rename(2) of two links of one file does nothing.
  @Test func aRenameThatChangesNothing() {
    let call = Call(name: "", number: 82, paths: ["PARENT /w/ 10 040755", "PARENT /w/ 10 040755"])
    #expect(changes([call]).changes == ["rename /w ?parent-only"])
  }

  /// Linux 6.18: `echo >> merged/f`, `mv merged/f merged/g`, `rm` in merged, by descriptor.
  @Test func whatOverlayfsDoesBelowIsNotItsUsers() {
    let inner = ["PARENT - 12 040755 fe:00", "CREATE - 0 0", "PARENT - 12 040755 fe:00", "CREATE - 70 0100644 fe:00"]
    let append = Call(
      name: "", number: 257, arguments: [cwd, 0, 0o2001, 0],
      paths: ["PARENT /w/m/ 20 040755 00:27", "NORMAL /w/m/f 40 0100644 00:27"] + inner)
    let rename = Call(
      name: "", number: 82,
      paths: [
        "PARENT /w/m/ 20 040755 00:27", "PARENT /w/m/ 20 040755 00:27", "DELETE /w/m/f 70 0100644 fe:00", "CREATE /w/m/g 40 0100644 00:27",
        "PARENT - 12 040755 fe:00", "PARENT - 12 040755 fe:00",
      ])
    let remove = Call(
      name: "", number: 263, arguments: [5, 0, 0, 0],
      paths: ["PARENT /root 20 040755 00:27", "DELETE g 70 0100644 fe:00"] + inner + ["DELETE - 71 020000 fe:00"])
    #expect(changes([append, rename, remove]).changes == ["open /w/m/f", "rename /w/m/g ← /w/m/f", "delete /w/m/g"])
  }

  /// Nothing tells that the second record is of another file system than the first.
  @Test func aRecordWithoutAnInodeIsOnNoDevice() {
    let call = Call(name: "", number: 87, paths: ["PARENT /w/d/ 0 0", "DELETE - 20 0100644"])
    #expect(changes([call]).changes == ["delete /w/d/f ?inode"])
  }

  /// Both records have the object that was at the second name.
  @Test func namesakesChangePlaces() {
    let exchange = Call(
      name: "", number: 316, arguments: [cwd, 0, cwd, 0], paths: parents + ["DELETE d/c 61 040755", "CREATE e/c 61 040755"])
    let seen = changes(tree + [exchange] + inThem, lookup: host(["/w/e/c": 60, "/w/d/c": 61])).changes
    #expect(seen.suffix(3) == ["exchange /w/d/c ← /w/e/c", "mkdir /w/e/c/in", "mkdir /w/d/c/in"])
    // where nobody can look, it may as well be a rename that a walk was faster than
    #expect(changes(tree + [exchange]).changes.last == "rename /w/e/c ← /w/d/c ?inode")
    #expect(changes(tree + [exchange], lookup: host(["/w/e/c": 61])).changes.last == "rename /w/e/c ← /w/d/c ?inode")
  }

  /// One old name has gone into the other; both new names are right.
  @Test func namesakesChangePlacesWithTwoNewNames() {
    let exchange = Call(
      name: "", number: 316, arguments: [cwd, 0, cwd, 0],
      paths: parents + ["DELETE d/c 61 040755", "CREATE e/c 60 040755", "CREATE d/c 61 040755"])
    let found = changes(tree + [exchange] + inThem).changes
    #expect(found.suffix(3) == ["exchange /w/e/c ← /w/d/c", "mkdir /w/e/c/in", "mkdir /w/d/c/in"])
  }

  @Test func aNamesakeIsReplaced() {
    let over = Call(name: "", number: 82, paths: parents + ["DELETE d/c 61 040755", "CREATE e/c 60 040755"])
    let found = changes(tree + [over] + inThem).changes
    #expect(found.suffix(3) == ["rename /w/e/c ← /w/d/c over 61", "mkdir /w/e/c/in", "mkdir /in ?cwd-guess"])
  }

  /// `mv d/c e/c`, and then a new file at d/c got the inode that the replaced one had.
  @Test func aReplacedNamesakesInodeIsUsedAgain() {
    let over = Call(name: "", number: 82, paths: parents + ["DELETE d/c 60 040755", "DELETE e/c 61 040755", "CREATE e/c 60 040755"])
    let found = changes(tree + [over], lookup: host(["/w/d/c": 61, "/w/e/c": 60]))
    #expect(found.changes.last == "rename /w/e/c ← /w/d/c over 61")
  }

  @Test func aRenameToTheSameNameElsewhere() {
    let found = changes(tree.prefix(1) + [Call(name: "", number: 82, paths: parents + ["DELETE d/c 60 040755", "CREATE e/c 60 040755"])])
    #expect(found.changes.last == "rename /w/e/c ← /w/d/c")
  }
}

extension Call {
  fileprivate func later(_ milliseconds: Int) -> Call {
    var call = self
    call.milliseconds = milliseconds
    return call
  }

  fileprivate func with(inode: Int) -> Call {
    var call = self
    call.paths = ["NORMAL - \(inode) 0100644"]
    return call
  }
}
