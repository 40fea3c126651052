import Glibc
import System
import TestSupport
import Testing

@testable import Baseline

/// What a check finds, and what it does not.
@Suite struct CheckTests {
  struct Change: Sendable, CustomTestStringConvertible {
    let script: String
    let finds: [String]
    init(_ script: String, _ finds: String...) { (self.script, self.finds) = (script, finds) }
    var testDescription: String { script }
  }

  /// Ways to change a tree of files a, b, d/c, d/e, the link l to a and the pipe p.
  static let changes = [
    Change(":"),
    Change("echo x >> a", "changed a s+m+sha256"), Change("printf 'x\\n' > a", "changed a m+sha256"),
    Change("truncate -s 1 a", "changed a s+m+sha256"),
    Change("printf x | dd of=a conv=notrunc status=none; touch -r b a", "changed a sha256"),
    Change("touch -d 2001-01-01 a", "changed a m"), Change("touch -h -d 2001-01-01 l", "changed l m"),
    Change("cp a n; mv n a", "changed a m+i"), Change("cp -p a n; mv n a", "changed a i"), Change("chmod 600 a", "changed a p+acl"),
    Change("chmod u+s a", "changed a p"), Change("chown 1:2 a", "changed a u+g"), Change("chown -h 1 l", "changed l u"),
    Change("ln a n", "added n", "changed a n"), Change("ln -sf b l", "changed l l+m+i"), Change("rm a", "removed a"),
    Change("mkdir n; rm a; mv n a", "changed a p+s+m+i+n+acl+ftype"), Change("echo > n; rm p; mv n p", "changed p s+m+i+ftype+e2fsattrs"),
    Change("echo n > n", "added n"), Change("mkdir -p n/m; echo > n/m/o", "added n", "added n/m", "added n/m/o"),
    Change("rm -r d", "removed d", "removed d/c", "removed d/e"), Change("mv a n", "moved a to n"), Change("mv d/c c", "moved d/c to c"),
    Change("mv d n", "moved d to n", "moved d/c to n/c", "moved d/e to n/e"), Change("mv a n; echo y >> n", "moved a to n"),
    Change("rm a; cp b n", "added n", "removed a"), Change("setfattr -n user.x -v 1 a", "changed a xattrs"),
    Change("setfacl -m u:1:r a", "changed a acl"), Change("setfacl -d -m u:1:r d", "changed d acl"),
    Change("setcap cap_net_raw+ep a", "changed a caps"), Change("chattr +A a", "changed a e2fsattrs"),
    Change("mkfifo n; mknod o c 1 3", "added n", "added o"), Change(#"echo > $'n\nm\xff'"#, #"added n\x0am\xff"#),
    // both names are still there: two changes
    Change("mv a n; mv b a; mv n b", "changed a i+sha256", "changed b i+sha256"),
  ]

  private func lab() throws -> BaselineLab {
    let lab = try BaselineLab()
    try lab.sh("echo a > a; echo b > b; mkdir d; echo c > d/c; echo e > d/e; ln -s a l; mkfifo p; touch -d 2020-01-01 a b d/c d/e")
    try lab.initialize()
    return lab
  }

  @Test(arguments: changes) func isFound(_ change: Change) throws {
    let lab = try lab()
    try lab.sh(change.script)
    for full in [false, true] {
      let found = lab.lines(try lab.check(full: full))
      #expect(found.sorted() == change.finds.sorted())
    }
    try lab.update()
    #expect(lab.lines(try lab.check()) == [])
    #expect(lab.lines(try lab.check(full: true)) == [])
    #expect(lab.lines(try lab.check(against: .number(1))).isEmpty == change.finds.isEmpty)
    #expect(lab.problems.isEmpty, "\(lab.problems)")
  }

  @Test func aFastCheckReadsOnlyWhatChanged() throws {
    let lab = try lab()
    #expect(try lab.check().counts.filesRead == 0)
    #expect(try lab.check(full: true).counts.filesRead == 4)
    try lab.sh("echo x >> d/c; touch e")
    #expect(try lab.check().counts.filesRead == 2)
    // a content that changed without a trace in the inode, which only a forged ctime or a write below the file system could bring
    try lab.update()
    try run("sqlite3", [lab.database, "UPDATE object SET sha256 = zeroblob(32) WHERE name = 'a'"])
    #expect(lab.lines(try lab.check()) == [])
    #expect(lab.lines(try lab.check(full: true)) == ["changed a sha256"])
  }

  @Test func diffsOfTextsButNotOfSecrets() throws {
    let lab = try BaselineLab()
    try lab.sh(
      "chmod 711 ..; seq 20 > a; seq 20 > my.key; seq 20 > b; chmod 640 b; printf 'a\\0b' > c; { echo PRIVATE KEY; seq 20; } > d; seq 9 > e"
    )
    try lab.initialize { $0.scan.diffBytes = 200 }
    try lab.sh("mkdir -p shut/inner open; chmod 700 shut; for d in shut/inner open; do seq 3 > $d/f; done")
    try lab.update { $0.scan.diffBytes = 200 }
    try lab.sh("for d in shut/inner open; do seq 2 > $d/f; done")
    let reached = try lab.check { $0.scan.diffBytes = 200 }.differences.filter { $0.contentDiff != nil }
    #expect(reached.map { shown($0.path) } == ["\(lab.tree)/open/f"])
    try lab.update { $0.scan.diffBytes = 200 }
    try lab.sh("for f in a b my.key d; do sed -i -e 's/^7$/seven/' -e '/^15$/d' $f; done; printf 'a\\0c' > c; seq 8 > e; chmod 644 b")
    let diffs = try lab.check { $0.scan.diffBytes = 200 }.differences.map(\.contentDiff).compactMap { $0 }
    let expected = "@@ -4,7 +4,7 @@\n 4\n 5\n 6\n-7\n+seven\n 8\n 9\n 10\n@@ -12,7 +12,6 @@\n 12\n 13\n 14\n-15\n 16\n 17\n 18"
    #expect(diffs == [expected, "@@ -6,5 +6,4 @@\n 6\n 7\n 8\n-9\n "])
    #expect(try lab.check().differences.allSatisfy { $0.contentDiff == nil })
    try lab.update { $0.scan.diffBytes = 200 }
    try lab.sh("chmod 600 a; chmod 644 a; echo >> e")
    #expect(try lab.check { $0.scan.diffBytes = 200 }.differences.compactMap(\.contentDiff).count == 1)
    // a new mode alone makes a new row, and its content is that of the old one; what no row has is forgotten
    func kept() throws -> String { try run("sqlite3", [lab.database, "SELECT name FROM content GROUP BY name, size, mtime_ns"]).text }
    try lab.update { $0.scan.diffBytes = 200 }
    try lab.sh("chmod 755 open; chmod 600 a; rm b")
    try lab.update { $0.keepCount = 1 }
    #expect(try kept() == "a\ne\nf\n")
  }

  /// Of a long value its digest is kept.
  @Test func longExtendedAttributes() throws {
    let lab = try lab()
    func set(_ letter: String, _ count: Int) throws {
      try lab.sh("setfattr -n user.x -v $(head -c \(count) /dev/zero | tr '\\0' \(letter)) a")
    }
    try set("a", 2000)
    try lab.update()
    #expect(try run("sqlite3", [lab.database, "SELECT length(xattrs) < 150 FROM file WHERE until IS NULL AND name = 'a'"]).text == "1\n")
    #expect(lab.lines(try lab.check(full: true)) == [])
    try set("b", 2000)
    #expect(lab.lines(try lab.check()) == ["changed a xattrs"])
  }

  @Test func hardLinksMoveInTheirOrder() throws {
    let lab = try lab()
    try lab.sh("mkdir x; touch x/0; for n in 1 2 3; do ln x/0 x/$n; done")
    try lab.update()
    try lab.sh("mv x y; touch y/1")
    #expect(lab.lines(try lab.check()).sorted() == ["moved x to y"] + (0...3).map { "moved x/\($0) to y/\($0)" })
  }

  @Test func diffsOfAllKinds() {
    func diff(_ a: String, _ b: String) -> String? { unifiedDiff(Array(a.utf8), Array(b.utf8)) }
    #expect(diff("a\nb\n", "a\nb\n") == "")
    #expect(diff("", "x") == "@@ -1,1 +1,1 @@\n-\n+x")
    #expect(diff("a\nb\nc\n", "b\nc\nd\n") == "@@ -1,4 +1,4 @@\n-a\n b\n c\n+d\n ")
    let many = (0..<2000).map { "\($0)" }.joined(separator: "\n")
    #expect(diff(many, "") == nil)
    #expect(diff(many, many + "\nx")?.hasPrefix("@@ -1998,3 +1998,4 @@") == true)
  }

  @Test func olderGenerationsStay() throws {
    let lab = try lab()
    let times = [milliseconds(CLOCK_REALTIME)]
    for step in 1...5 {
      try lab.sh("echo \(step) > n\(step); [ \(step) = 1 ] || rm n\(step - 1)")
      try lab.update()
    }
    #expect(lab.lines(try lab.check(against: .number(3))) == ["removed n2", "added n5"])
    #expect(lab.lines(try lab.check(against: .number(6))) == [])
    #expect(lab.lines(try lab.check(against: .time(times[0]))) == ["added n5"])
    try lab.update { $0.keepCount = 2 }
    #expect(try Store(lab.database, writing: false).generations().map(\.id) == [6, 7])
    #expect(try run("sqlite3", [lab.database, "SELECT count(*) FROM object WHERE until <= 6"]).text == "0\n")
    let failure = #expect(throws: Failure.self) { try lab.check(against: .number(3)) }
    #expect(failure?.message.contains("no such generation") == true)
    try lab.update {
      $0.nowMs += 40 * 86_400_000
    }
    #expect(try Store(lab.database, writing: false).generations().map(\.id) == [8])
  }

  @Test func aRuleSaysWhatIsNoDifference() throws {
    let lab = try BaselineLab(
      "TREE/new p+ANF\nTREE/gone p+ARF\nTREE/log p+s+m+c+sha256+growing\nTREE/mv p+i+s+c+sha256+I\nTREE/rot p+i+ANF+ARF\n!TREE/no\nTREE p+s+sha256\n"
    )
    try lab.sh(
      "mkdir new gone log mv rot no; echo 1 > gone/a; echo 1 > log/a; echo 1 > log/b; echo 1 > mv/a; echo 1 > rot/a; echo 1 > no/a")
    try lab.initialize()
    try lab.sh("echo 1 > new/a; rm gone/a; echo 2 >> log/a; echo 22 > log/b; mv mv/a mv/b; mv rot/a rot/b; echo 2 > no/a; echo 2 > no/b")
    #expect(lab.lines(try lab.check()) == ["changed log/b sha256"])
    try lab.sh("mv mv/b d; truncate -s 0 log/a")
    #expect(lab.lines(try lab.check()) == ["moved mv/a to d", "changed log/a s+sha256", "changed log/b sha256"])
  }

  @Test func otherRulesCompareWhatBothHave() throws {
    let lab = try BaselineLab("TREE p+s+sha256\n")
    try lab.sh("mkdir d; echo a > a; echo b > d/b")
    try lab.initialize()
    try lab.rules("TREE/d$ p\nTREE/d/ p+s+sha512\nTREE$ p\n")
    #expect(lab.lines(try lab.check()) == ["removed a"])
    try lab.sh("printf 'c\n' > d/b")
    // neither digest is in both
    #expect(lab.lines(try lab.check()) == ["removed a"])
    try lab.update()
    #expect(lab.lines(try lab.check()) == [])
    try lab.sh("printf 'd\n' > d/b")
    #expect(lab.lines(try lab.check()) == ["changed d/b sha512"])
  }

  /// Anybody may give a file any time: nanoseconds since 1970 then wrap around, and none of it may stop a report.
  @Test(arguments: [
    (Int64.min, "1677-09-21T00:12:43.145224192Z"), (.min + 1, "1677-09-21T00:12:43.145224193Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
    (0, "1970-01-01T00:00:00.000000000Z"), (.max, "2262-04-11T23:47:16.854775807Z"),
  ])
  func timesOfEveryKind(nanoseconds: Int64, text: String) { #expect(timeText(nanoseconds: nanoseconds) == text) }

  /// An inode number is given to the next file at once; that is no move.
  @Test func aReusedInodeIsNoMove() throws {
    let lab = try BaselineLab("TREE p+s\n")
    try lab.sh("for n in 1 2 3 4 5 6 7 8; do echo 1 > a$n; done")
    try lab.initialize()
    func inodes(_ letter: String) throws -> Set<ino_t> { Set(try (1...8).map { try status(of: "\(lab.tree)/\(letter)\($0)").st_ino }) }
    let old = try inodes("a")
    try lab.sh("touch -d 2020-01-01 r; for n in 1 2 3 4 5 6 7 8; do rm a$n; echo 2 > b$n; done; rm r")
    #expect(!old.isDisjoint(with: try inodes("b")), "no inode number was used again: this shows nothing")
    #expect(lab.lines(try lab.check()).allSatisfy { !$0.hasPrefix("moved") })
  }
}
