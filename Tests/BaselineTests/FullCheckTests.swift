import Glibc
import System
import TestSupport
import Testing

@testable import Baseline

/// When a check reads everything, and which runs count as having done so.
@Suite struct FullCheckTests {
  private static let week: Int64 = 7 * 86_400_000
  private static let start: Int64 = 1_700_000_000_000

  private func lab() throws -> BaselineLab {
    let lab = try BaselineLab()
    try lab.sh("echo a > a; mkdir d; echo b > d/b")
    try lab.initialize { $0.nowMs = Self.start }
    return lab
  }

  /// A check so many milliseconds after the init; whether it was full, and what it knew of the last one.
  private func check(
    _ lab: BaselineLab, at ms: Int64, full: Bool = false, against choice: GenerationChoice = .latest, every: Int64? = week,
    _ change: (inout BaselineOptions) -> Void = { _ in }
  ) throws -> BaselineOutcome {
    try lab.check(full: full, against: choice) {
      $0.nowMs = Self.start + ms
      $0.fullEveryMs = every
      change(&$0)
    }
  }

  @Test func everySoOften() throws {
    let lab = try lab()
    let week = Self.week
    let first = try check(lab, at: week)
    #expect(first.fullReason == nil && first.lastFullMs == Self.start && first.counts.filesRead == 0)
    let due = try check(lab, at: week + 1)
    #expect(due.fullReason == .due && due.lastFullMs == Self.start && due.counts.filesRead == 2)
    let next = try check(lab, at: 2 * week)
    #expect(next.fullReason == nil && next.lastFullMs == Self.start + week + 1)
    #expect(try check(lab, at: 3 * week, full: true).fullReason == .asked)
    #expect(try check(lab, at: 4 * week).lastFullMs == Self.start + 3 * week)
    #expect(try check(lab, at: 40 * week, every: nil).fullReason == nil)
    // the clock was set back since
    #expect(try check(lab, at: 2 * week).fullReason == .due)
    #expect(try check(lab, at: 3 * week).fullReason == nil)
  }

  /// What was forged so that a fast check does not see it is found as soon as a full one is due.
  @Test func findsWhatFastOnesCannot() throws {
    let lab = try lab()
    try run("sqlite3", [lab.database, "UPDATE object SET sha256 = zeroblob(32) WHERE name = 'a'"])
    #expect(lab.lines(try check(lab, at: 1)) == [])
    #expect(lab.lines(try check(lab, at: Self.week + 1)) == ["changed a sha256"])
    // and stays found until there is a new generation
    #expect(lab.lines(try check(lab, at: Self.week + 2)) == ["changed a sha256"])
    try lab.update {
      $0.nowMs = Self.start + Self.week + 3
      $0.scan.isFull = true
    }
    #expect(try check(lab, at: Self.week + 4).fullReason == nil)
  }

  @Test func whatDoesNotCount() throws {
    let lab = try lab()
    let week = Self.week
    try lab.sh("echo c > c")
    try lab.update { $0.nowMs = Self.start + week }
    // a fast update, an older generation, other file systems, other rules
    #expect(try check(lab, at: 2 * week, full: true, against: .number(1)).fullReason == .asked)
    #expect(try check(lab, at: 2 * week, full: true) { $0.scan.oneFileSystem = true }.fullReason == .asked)
    #expect(try check(lab, at: 2 * week).fullReason == .due)
    try lab.rules("TREE/d p+sha256\n")
    #expect(try check(lab, at: 2 * week, full: true).fullReason == .asked)
    #expect(try check(lab, at: 2 * week).lastFullMs == nil)
  }

  @Test func updatesCountThatReadEverything() throws {
    let lab = try lab()
    let week = Self.week
    #expect(try lab.update { $0.nowMs = Self.start + 1 }.fullReason == nil)
    let full = try lab.update {
      $0.nowMs = Self.start + 2
      $0.scan.isFull = true
    }
    #expect(full.fullReason == .asked)
    #expect(try check(lab, at: week + 2).lastFullMs == Self.start + 2)
    try lab.rules("TREE p+s+sha256\n")
    // under other rules it has read what they ask for anew, which was nothing
    #expect(try lab.update { $0.nowMs = Self.start + 3 }.counts.filesRead == 0)
    #expect(try check(lab, at: 3).fullReason == .due)
  }

  /// One that could not examine everything, and one that was killed, leave it due.
  @Test func incomplete() throws {
    let lab = try lab()
    let late = 2 * Self.week
    // deeper than any path that is followed
    try lab.sh(
      "p=$PWD; n=$(printf 'x%.0s' {1..250}); for i in $(seq 70); do mkdir $n; cd $n; done; cd $p; touch -d 2020-01-01 .")
    let first = try check(lab, at: late)
    #expect(first.fullReason == .due && first.counts.problems > 0)
    #expect(try check(lab, at: late).fullReason == .due)
    try lab.sh("rm -rf x*")
    #expect(try check(lab, at: late).fullReason == .due)
    #expect(try check(lab, at: late).fullReason == nil)
  }

  /// Whatever stands in the file, and whichever database is put there, the worst is a full check.
  @Test func anotherDatabaseOrANote() throws {
    let lab = try lab()
    let note = try contents(of: lab.database + ".lock")
    #expect(FullCheck(note)?.ms == Self.start)
    for text in ["", "full", "full 1 2 3 x all", "full 99999999999999999999 1 1 x all\n", String(repeating: "9", count: 5000), "\n\n"] {
      try lab.directory.write("baseline.db.lock", text)
      #expect(try check(lab, at: 1).fullReason == .due, "\(text.prefix(40))")
      #expect(try check(lab, at: 1).fullReason == nil)
    }
    try lab.sh("cp '\(lab.database)' copy; mv copy '\(lab.database)'")
    #expect(try check(lab, at: 1).fullReason == .due)
  }

  /// Without the right to keep a note there is none: every check is full, unless that is not asked for.
  @Test func whereNothingCanBeKept() throws {
    let lab = try lab()
    try lab.sh("rm '\(lab.database).lock'; mkdir '\(lab.database).lock'")
    #expect(try check(lab, at: 1).fullReason == .due)
    #expect(try check(lab, at: 1).fullReason == .due)
    #expect(try check(lab, at: 1, every: nil).fullReason == nil)
  }
}
