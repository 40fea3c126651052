import Glibc
import System
import TestSupport
import Testing

@testable import Baseline

/// Files that only the trail says have changed.
@Suite struct TouchedFilesTests {
  private static let start: Int64 = 1_700_000_000_000

  private func line(_ inode: String, outcome: String = "success", path: String = "/a") -> [UInt8] {
    Array(
      #"{"@timestamp":"2023-11-14T22:13:20.000Z","event":{"outcome":"\#(outcome)"},"file":{"path":"\#(path)","inode":"\#(inode)"}}"#.utf8)
  }

  private func inodes(_ lines: [[UInt8]]) -> Set<UInt64> {
    var files = TouchedFiles(since: 0)
    for line in lines { _ = files.add(line.span.bytes) }
    return files.inodes
  }

  @Test func whatALineTells() {
    #expect(inodes([line("7"), line("18446744073709551615"), line("7")]) == [7, .max])
    #expect(inodes([line("8", outcome: "failure"), line(""), line("0"), line("x"), line("7x"), line("18446744073709551616")]) == [])
    #expect(inodes([Array("{}".utf8), [], Array(#""inode":""#.utf8), Array(#""inode":"12"#.utf8)]) == [])
    // a name that looks like a member: inside a string a quote has a backslash
    #expect(inodes([line("7", path: #"/\"inode\":\"9\""#), line("6", path: #"\"outcome\":\"failure\""#)]) == [7, 6])
  }

  @Test func theLogIsReadSoFarAndNoFurther() {
    var files = TouchedFiles(since: 0, lineLimit: 3)
    let taken = (1...3).map { files.add(line("\($0)").span.bytes) }
    #expect(taken == [true, true, false] && !files.isWhole && files.inodes == [1, 2, 3])
    var few = TouchedFiles(since: 0, inodeLimit: 2)
    let fit = [1, 2, 1, 3].map { few.add(line("\($0)").span.bytes) }
    #expect(fit == [true, true, true, false] && !few.isWhole && few.inodes == [1, 2])
  }

  /// A lab whose file `a` holds something else than its row says, with nothing else to tell it; and the inode of `a`.
  private func forged() throws -> (lab: BaselineLab, inode: UInt64) {
    let lab = try BaselineLab()
    try lab.sh("echo a > a; echo b > b; mkdir d")
    try lab.initialize { $0.nowMs = Self.start }
    try run("sqlite3", [lab.database, "UPDATE object SET sha256 = zeroblob(32) WHERE name = 'a'"])
    return (lab, UInt64(try status(of: lab.tree + "/a").st_ino))
  }

  private func check(_ lab: BaselineLab, at ms: Int64, _ inodes: [UInt64], isWhole: Bool = true, _ asked: (Int64) -> Void = { _ in }) throws
    -> BaselineOutcome
  {
    var since: Int64 = -1
    let outcome = try lab.check {
      $0.nowMs = Self.start + ms
      $0.touched = { ms in
        since = ms
        var files = TouchedFiles(since: ms)
        for inode in inodes { _ = files.add(line("\(inode)").span.bytes) }
        if !isWhole { files.cut() }
        return files
      }
    }
    asked(since - Self.start)
    return outcome
  }

  @Test func areRead() throws {
    let (lab, inode) = try forged()
    #expect(lab.lines(try check(lab, at: 1, [])) == [])
    let found = try check(lab, at: 2, [inode])
    #expect(lab.lines(found) == ["changed a sha256"])
    #expect(found.counts.filesRead == 1 && found.counts.filesTouched == 1 && found.fullReason == nil)
    // a directory has no content, and what is full anyway needs no trail
    let directory = UInt64(try status(of: lab.tree + "/d").st_ino)
    #expect(try check(lab, at: 3, [directory]).counts.filesTouched == 0)
    #expect(try lab.check(full: true) { $0.touched = { _ in fatalError("asked") } }.counts.filesTouched == 0)
  }

  /// The log is asked for what came after the last check that followed it and found nothing hidden.
  @Test func sinceWhen() throws {
    let (lab, inode) = try forged()
    func since(at ms: Int64, _ inodes: [UInt64], isWhole: Bool = true) throws -> Int64 {
      var since: Int64 = 0
      _ = try check(lab, at: ms, inodes, isWhole: isWhole) { since = $0 }
      return since
    }
    #expect(try since(at: 1_000_000, []) == 0)
    // a minute, for what was not in the log yet
    #expect(try since(at: 2_000_000, [], isWhole: false) == 940_000)
    #expect(try since(at: 3_000_000, [inode]) == 940_000)
    #expect(try since(at: 3_000_000, [inode]) == 940_000, "what is hidden is found again")
    try run("sqlite3", [lab.database, "UPDATE object SET sha256 = NULL WHERE name = 'a'"])
    #expect(try since(at: 4_000_000, [inode]) == 940_000)
    #expect(try since(at: 5_000_000, []) == 3_940_000)
    // a fast update reads nothing of that
    try lab.sh("echo n > n")
    try lab.update { $0.nowMs = Self.start + 6_000_000 }
    #expect(try since(at: 7_000_000, []) == 4_940_000)
  }
}
