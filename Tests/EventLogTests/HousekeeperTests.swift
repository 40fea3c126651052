import Glibc
import System
import Testing

@testable import EventLog

private let noon: Int64 = 1_795_262_400_000

@Suite struct SegmentNameTests {
  @Test func aNameIsItsOwnInverse() {
    for name in [
      SegmentName(timeMs: noon + 7, firstSerial: 0), SegmentName(timeMs: 0, firstSerial: .max, isCompressed: true),
      SegmentName(timeMs: CivilTime.lastMillisecond, firstSerial: 1),
    ] {
      #expect(SegmentName(fileName: name.fileName) == name)
    }
    #expect(SegmentName(timeMs: noon + 7, firstSerial: 6).fileName == "events-20261121T120000.007Z-0000000006.jsonl")
  }

  @Test(arguments: [
    "events.jsonl", "events-20261121T120000.007Z-0000000006.jsonl.gz", "events-20261121T120000.007Z-0000000006.jsonl ",
    "events-20261321T120000.007Z-0000000006.jsonl", "events-20261121T250000.007Z-0000000006.jsonl",
    "events-20261121T120000.007Z-9999999999.jsonl", "events-+0261121T120000.007Z-0000000006.jsonl",
    "events-20261121T120000.007Z-0000000006.jsonl.zst.tmp", ".events-20261121T120000.007Z-0000000006.jsonl", "",
    "éééééééééééééééééééééééééééééééééééééééééééé",
  ])
  func everythingElseIsNoSegment(name: String) { #expect(SegmentName(fileName: name) == nil) }
}

@Suite struct HousekeeperTests {
  private let scratch = Scratch()

  /// Makes rotated segments 1…count, a second apart, each with as many changes, and an empty live one.
  private func segments(_ count: Int, changes perSegment: UInt32 = 50) throws -> [String] {
    var names: [String] = []
    for index in 0..<count {
      let first = UInt32(index) * perSegment + 1
      let name = SegmentName(timeMs: noon + Int64(index) * 1000, firstSerial: first)
      try scratch.write(name.fileName, changes(first...first + perSegment - 1, padding: 100).bytes)
      names.append(name.fileName)
    }
    try scratch.write("events.jsonl", "")
    return names
  }

  private func run(_ change: (inout RetentionPolicy) -> Void = { _ in }, now: Int64? = nil) -> Housekeeper.Report {
    var policy = RetentionPolicy()
    policy.compressionLevel = nil
    change(&policy)
    return Housekeeper(directory: scratch.path, policy: policy).run(nowSeconds: now ?? Int64(time(nil)))
  }

  @Test func compressesAllButTheNewestAndLosesNothing() throws {
    let names = try segments(4)
    let before = try summary(of: scratch.path)
    let old = try Descriptor.open(scratch.path + "/" + names[0], O_RDONLY)
    try old.changeMode(to: 0o604)
    try old.changeOwner(user: 3, group: 4)
    try old.setTimes(access: timespec(tv_sec: 11, tv_nsec: 12), modification: timespec(tv_sec: 13, tv_nsec: 14))
    let report = run { $0.compressionLevel = 3 }
    #expect(report.compressed.map(\.fileName) == Array(names.dropLast()))
    #expect(report.compressed.allSatisfy { $0.bytesAfter * 4 < $0.bytesBefore })
    #expect(report.failures == [] && report.deleted == [])
    #expect(scratch.names == (names.dropLast().map { $0 + ".zst" } + [names[3], "events.jsonl"]).sorted())
    #expect(try summary(of: scratch.path) == before)
    let status = try status(of: scratch.path + "/" + names[0] + ".zst")
    #expect(status.st_mode & 0o7777 == 0o604 && status.st_uid == 3 && status.st_gid == 4)
    #expect(status.st_mtim.tv_sec == 13 && status.st_mtim.tv_nsec == 14)
    #expect(run { $0.compressionLevel = 3 } == Housekeeper.Report(), "a second run finds nothing to do")
  }

  @Test func deletesTheOldestByCount() throws {
    let names = try segments(5)
    let report = run { $0.maximumSegments = 2 }
    #expect(report.deleted.map(\.fileName) == Array(names[..<3]) && report.deleted.allSatisfy { $0.limit == .count })
    #expect(scratch.names == Array(names[3...]) + ["events.jsonl"])
  }

  @Test func deletesTheOldestByTheirTotalLength() throws {
    let names = try segments(5)
    let each = try status(of: scratch.path + "/" + names[0]).st_size
    let report = run { $0.maximumBytes = Int64(each) * 3 + 1000 }
    #expect(report.deleted.map(\.fileName) == Array(names[..<2]) && report.deleted.allSatisfy { $0.limit == .bytes })
    // The live one counts, and is never deleted.
    #expect(run { $0.maximumBytes = 0 }.deleted.count == 3)
    #expect(scratch.names == ["events.jsonl"])
  }

  @Test func deletesByAge() throws {
    let names = try segments(3)
    for (name, age) in zip(names, [300, 200, 100]) {
      let file = try Descriptor.open(scratch.path + "/" + name, O_RDONLY)
      try file.setTimes(access: timespec(), modification: timespec(tv_sec: 10_000 - age, tv_nsec: 0))
    }
    let report = run({ $0.maximumAgeSeconds = 150 }, now: 10_000)
    #expect(report.deleted.map(\.fileName) == Array(names[..<2]) && report.deleted.allSatisfy { $0.limit == .age })
  }

  @Test func clearsUpAfterACrashAndTouchesNothingElse() throws {
    let names = try segments(2)
    try scratch.write(temporaryPrefix + names[0] + ".zst", "half")
    _ = run { $0.compressionLevel = 1 }
    let compressed = names[0] + ".zst"
    // The crash came after the compressed file had its name and before the plain one was removed.
    try scratch.write(names[0], "stale")
    for name in ["events.jsonl.1", "notes.txt", "events-old.jsonl"] { try scratch.write(name, "x") }
    _ = run { $0.maximumAgeSeconds = 1_000_000 }
    #expect(scratch.names == ["events-old.jsonl", "events.jsonl", "events.jsonl.1", "notes.txt", compressed, names[1]].sorted())
  }

  @Test func aDamagedCompressedSegmentIsAnErrorNotATrap() throws {
    let names = try segments(3, changes: 500)
    _ = run { $0.compressionLevel = 3 }
    let path = scratch.path + "/" + names[0] + ".zst"
    let good = try contents(of: path)
    var random = SplitMix(seed: 9)
    for round in 0..<200 {
      var bad = round < 50 ? Array(good.prefix(Int.random(in: 1..<good.count, using: &random))) : good
      if round >= 50 { for _ in 0..<3 { bad[Int.random(in: 0..<bad.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random) } }
      try scratch.write(names[0] + ".zst", bad)
      let segment = try #require(SegmentSet(directory: scratch.path).segments.first)
      #expect(throws: SystemError.self) {
        var reader = try LineReader(segment)
        while try reader.next({ _ in }) {}
      }
    }
  }
}
