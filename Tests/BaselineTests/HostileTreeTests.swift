import CLinux
import Glibc
import System
import TestSupport
import Testing

@testable import Baseline

/// Trees that somebody made to hurt.
@Suite struct HostileTreeTests {
  /// Deeper than PATH_MAX, and than there may be descriptors.
  @Test func deepTree() throws {
    let lab = try BaselineLab("TREE p+sha256\n")
    var descriptor = open(lab.tree, O_RDONLY | O_DIRECTORY)
    for _ in 0..<700 {
      try call("mkdirat", "n") { mkdirat(descriptor, "a-name-of-20-letters", 0o755) }
      let next = linux_openat(descriptor, "a-name-of-20-letters", O_RDONLY | O_DIRECTORY, 0)
      close(descriptor)
      descriptor = next
    }
    close(linux_openat(descriptor, "bottom", O_WRONLY | O_CREAT, 0o644))
    #expect(try lab.initialize().counts.objects == 702)
    #expect(lab.lines(try lab.check()) == [])
    let bottom = linux_openat(descriptor, "bottom", O_WRONLY, 0)
    #expect(write(bottom, "x", 1) == 1)
    close(bottom)
    close(descriptor)
    #expect(lab.lines(try lab.check()).map { String($0.suffix(13)) } == ["bottom sha256"])
    try lab.sh("mv a-name-of-20-letters b")
    let found = lab.lines(try lab.check())
    #expect(found.count == 701 && found.allSatisfy { $0.hasPrefix("moved") }, "\(found.count)")
    #expect(lab.problems.isEmpty)
  }

  /// Beyond 16 KiB of path a directory is not entered: the store would grow with the square of the depth.
  @Test func tooDeepTreeIsReported() throws {
    let lab = try BaselineLab("TREE p\n")
    var descriptor = open(lab.tree, O_RDONLY | O_DIRECTORY)
    let name = String(repeating: "n", count: 200)
    for _ in 0..<100 {
      try call("mkdirat", "n") { mkdirat(descriptor, name, 0o755) }
      let next = linux_openat(descriptor, name, O_RDONLY | O_DIRECTORY, 0)
      close(descriptor)
      descriptor = next
    }
    close(descriptor)
    let outcome = try lab.initialize()
    #expect(outcome.counts.problems == 1 && outcome.counts.objects > 80)
    #expect(lab.problems.first?.text.contains("File name too long") == true)
    let again = try lab.check()
    #expect(again.counts.problems == 1 && again.differences.isEmpty)
  }

  @Test func namesOfEveryKind() throws {
    let lab = try BaselineLab("TREE p+sha256\n")
    let directory = open(lab.tree, O_RDONLY | O_DIRECTORY)
    var names: [[UInt8]] = (1...255).filter { $0 != 47 && $0 != 46 }.map { [UInt8($0)] }
    names += [
      Array(repeating: 97, count: 255), Array("é\n".utf8), [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
      Array("x'; DROP TABLE object;--".utf8),
    ]
    for name in names {
      let file = linux_openat(directory, name.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT, 0o644)
      #expect(file >= 0)
      close(file)
    }
    close(directory)
    #expect(try lab.initialize().counts.objects == Int64(names.count) + 1)
    #expect(lab.lines(try lab.check()) == [])
    let store = try Store(lab.database, writing: false)
    for name in names { #expect(try store.record(of: Array(lab.tree.utf8) + [47] + name, in: 1) != nil) }
    try lab.sh("chmod 600 *")
    #expect(try lab.check().count(.changed) == names.count)
    try lab.sh("rm -r ../tree; mkdir ../tree")
    #expect(try lab.check().count(.removed) == names.count)
  }

  /// Files come, go and change while they are looked at: nothing crashes, and what stays is found.
  @Test func aTreeThatChangesMeanwhile() throws {
    let lab = try BaselineLab()
    try lab.sh("mkdir -p calm busy/{1,2,3,4,5,6,7,8}; for n in $(seq 300); do echo $n > calm/$n; done")
    let script = """
      cd '\(lab.tree)/busy'; n=0; while :; do n=$((n + 1)); d=$((n % 8 + 1)); echo $n > $d/f$((n % 50)); mv $d x; mv x $d
      rm -f $d/f$((n % 50)); ln -sf / $d/f$((n % 37)); rm -f $d/f$((n % 37)); mkdir $d/f$((n % 31)); rmdir $d/f$((n % 31)); done
      """
    let program = try RunningProgram("bash", ["-c", script])
    try lab.initialize()
    for _ in 0..<20 {
      let outcome = try lab.check(full: true)
      #expect(lab.lines(outcome).allSatisfy { !$0.contains("calm") })
      #expect(lab.problems.allSatisfy { String(decoding: $0.path, as: UTF8.self).contains("/busy") })
    }
    for _ in 0..<5 { try lab.update() }
    program.signal(SIGKILL)
    _ = try program.wait()
    try lab.update()
    #expect(lab.lines(try lab.check()) == [])
    #expect(try run("sqlite3", [lab.database, "PRAGMA integrity_check"]).text == "ok\n")
  }

  @Test func anEndlessFileIsReadOnce() throws {
    let lab = try BaselineLab("TREE s+sha256\n")
    try lab.sh("head -c 3000000 /dev/zero > grows")
    let program = try RunningProgram("bash", ["-c", "while :; do head -c 200000 /dev/zero; done >> '\(lab.tree)/grows'"])
    var busy = 0
    for _ in 0..<20 where busy == 0 { busy = try lab.initialize { $0.replaces = true }.counts.busy }
    program.signal(SIGKILL)
    _ = try program.wait()
    #expect(busy > 0 && lab.problems.contains { $0.isBusy })
  }

  /// A database that somebody wrote: numbers of any size are an error or work, and none takes the memory that it asks for.
  @Test func aDatabaseOfAnyNumbers() throws {
    let lab = try BaselineLab("TREE p+sha256\n")
    try lab.sh("mkdir d; echo > d/f")
    func sql(_ text: String) throws { #expect(try run("sqlite3", [lab.database, text]).status == 0) }
    try lab.initialize()
    for huge in ["4611686018427387904", "500000000000", "-7"] {
      try sql("UPDATE object SET directory = \(huge) + directory; UPDATE directory SET id = \(huge) + id")
      #expect(lab.lines(try lab.check()) == [], "\(huge)")
    }
    try lab.sh("rm -r d")
    #expect(lab.lines(try lab.check()) == ["removed d", "removed d/f"])
    for wrong in [
      "id = 9223372036854775807", "id = 0", "id = -9223372036854775808", "created_ms = -9223372036854775808",
      "created_ms = 9223372036854775807", "files = -1", "bytes = -1",
    ] {
      try lab.initialize { $0.replaces = true }
      try sql("UPDATE generation SET \(wrong)")
      let failure = #expect(throws: Failure.self, "\(wrong)") { try lab.update() }
      #expect(failure?.exit == .database)
    }
    try lab.initialize { $0.replaces = true }
    let columns = [
      "mode", "inode", "device", "size", "mtime_ns", "ctime_ns", "blocks", "atime_ns", "btime_ns", "uid", "gid", "links", "inode_flags",
    ]
    for value in ["-9223372036854775808", "9223372036854775807"] {
      try sql("UPDATE object SET " + columns.map { "\($0) = \(value)" }.joined(separator: ", "))
      for difference in try lab.check().differences {
        for case let facts? in [difference.old, difference.new] { for field in FactField.all { _ = field.text(facts) } }
      }
      try lab.update()
    }
  }

  @Test func filesThatTellNoSize() throws {
    #expect((1...512).contains(HashPool(workers: 10_000).limit))
    let file = try Descriptor.open("/proc/version", O_RDONLY)
    var reader = FileReader()
    let result = reader.read(HashJob(descriptor: file.raw, digests: .sha256, prefixBytes: nil, keepBytes: 0, slot: 0))
    #expect(result.code == 0 && !result.isBusy && result.digests?.first.flatMap { $0 }?.count == 32)
  }
}
