import Glibc
import System
import SystemPackage
import Testing

@testable import EventLog

private let noon: Int64 = 1_795_262_400_000  // 2026-11-21T12:00:00Z

/// A writer whose clocks the test moves by hand.
private struct Bench {
  let scratch = Scratch()
  var policy: LogPolicy
  var writer: SegmentWriter
  let rotation = Condition()
  var now = noon
  var monotonic: Int64 = 0

  init(_ change: (inout LogPolicy) -> Void = { _ in }) {
    policy = LogPolicy(directory: scratch.path + "/log")
    policy.sync = .none
    policy.rotateEverySeconds = nil
    change(&policy)
    writer = SegmentWriter(policy, host: "web-1", status: LogStatus(rotation: rotation))
  }

  @discardableResult
  mutating func write(_ serials: ClosedRange<UInt32>, padding: Int = 0) -> SystemError? {
    var batch = changes(serials, timeMs: now, padding: padding)
    return writer.write(&batch, nowMs: now, monotonicMs: monotonic)
  }

  mutating func pass(milliseconds: Int64) { (now, monotonic) = (now + milliseconds, monotonic + milliseconds) }

  func lines() throws -> [String] { try summary(of: policy.directory) }
  var names: [String] { ((try? directoryEntries(policy.directory)) ?? []).sorted() }
}

@Suite struct SegmentWriterTests {
  @Test func makesTheDirectoryAndTheFileForTheGroupOnly() throws {
    var bench = Bench { $0.group = 4 }
    #expect(bench.write(1...3) == nil)
    let (directory, file) = (try status(of: bench.policy.directory), try status(of: bench.policy.livePath))
    #expect(directory.st_mode & 0o7777 == 0o750)
    #expect(file.st_mode & 0o7777 == 0o640)
    #expect(directory.st_gid == 4 && file.st_gid == 4)
    #expect(try bench.lines() == ["1", "2", "3"])
  }

  @Test func rotatesBeforeASegmentBecomesTooLong() throws {
    var bench = Bench { $0.rotateBytes = 1000 }
    for serial in UInt32(1)...9 {
      #expect(bench.write(serial...serial, padding: 300) == nil)
      #expect(
        bench.rotation.wait(milliseconds: 0) == (serial > 1 && serial % 2 == 1), "whoever keeps the limits is told of a rotation at once")
    }
    // Two of some 480 bytes fit into each. All were written at the same instant, so the names must differ by themselves.
    #expect(
      bench.names == [
        "events-20261121T120000.000Z-0000000001.jsonl", "events-20261121T120000.001Z-0000000003.jsonl",
        "events-20261121T120000.002Z-0000000005.jsonl", "events-20261121T120000.003Z-0000000007.jsonl", "events.jsonl",
      ])
    #expect(try bench.lines() == (1...9).map(String.init))
    #expect(bench.writer.status.counters.rotations == 4)
    #expect(bench.writer.status.counters.writtenEvents == 9)
  }

  /// The clock stepped back; the serials were begun anew by a boot: the names go on in the order of writing.
  @Test func namesStayInOrderOverARestartAndAClockStep() throws {
    var bench = Bench()
    bench.write(500...500)
    bench.writer.rotate(nowMs: bench.now)
    bench.writer = SegmentWriter(bench.policy, host: "web-1")
    bench.pass(milliseconds: -7_200_000)
    bench.write(1...1)
    bench.writer.rotate(nowMs: bench.now)
    bench.write(2...2)
    #expect(try bench.lines() == ["500", "1", "2"])
  }

  @Test func rotatesWhenTheWallClockPassesTheInterval() throws {
    var bench = Bench { $0.rotateEverySeconds = 3600 }
    bench.write(1...1)
    bench.pass(milliseconds: 3_599_000)
    bench.write(2...2)
    #expect(bench.names == ["events.jsonl"])
    // A restart does not begin the hour anew: the segment's age is that of its first line.
    bench.writer = SegmentWriter(bench.policy, host: "web-1")
    bench.pass(milliseconds: 1_000)
    bench.writer.maintain(nowMs: bench.now, monotonicMs: bench.monotonic)
    #expect(bench.names.count == 2)
    bench.pass(milliseconds: 7_200_000)
    bench.writer.maintain(nowMs: bench.now, monotonicMs: bench.monotonic)
    #expect(bench.names.count == 2, "an empty segment is not rotated")
    bench.write(3...3)
    #expect(try bench.lines() == ["1", "2", "3"])
  }

  @Test func aDeletedFileComesBackAndTheLogSaysWhatWasLost() throws {
    var bench = Bench()
    bench.write(1...5)
    try removeFile(bench.policy.livePath)
    bench.write(6...7)  // not noticed yet: these go the same way
    bench.pass(milliseconds: 1000)
    bench.write(8...8)
    #expect(try bench.lines() == ["fsaudit.gap gap", "8"])
    let line = try parsed(bench.scratch.read("log/events.jsonl").split(separator: "\n")[0])
    #expect(line.string("fsaudit.gap.reason") == "log_deleted")
    #expect(line.integer("fsaudit.gap.count") == 7)
    #expect(line.integer("fsaudit.gap.first_serial") == 1 && line.integer("fsaudit.gap.last_serial") == 7)
  }

  /// It may hold nothing but what an earlier run has written.
  @Test func theGapOfADeletedFileHasItsTimes() throws {
    var bench = Bench()
    bench.write(1...5)
    bench.writer = SegmentWriter(bench.policy, host: "web-1")
    bench.pass(milliseconds: 1000)
    bench.writer.maintain(nowMs: bench.now, monotonicMs: bench.monotonic)
    try removeFile(bench.policy.livePath)
    bench.pass(milliseconds: 1000)
    bench.write(6...6)
    let line = try parsed(bench.scratch.read("log/events.jsonl").split(separator: "\n")[0])
    #expect(
      line.string("fsaudit.gap.since") == "2026-11-21T12:00:00.000Z" && line.string("fsaudit.gap.until") == "2026-11-21T12:00:02.000Z")
  }

  /// Why a log that should have seals has none, is true for the whole run.
  @Test func withoutASealerTheFaultOfTheSealStays() throws {
    var bench = Bench()
    bench.writer.status.cannotSeal("no key")
    bench.write(1...1)
    bench.pass(milliseconds: 1000)
    bench.writer.maintain(nowMs: bench.now, monotonicMs: bench.monotonic)
    bench.writer.rotate(nowMs: bench.now)
    #expect(bench.writer.status.counters.sealFault == "no key")
  }

  /// A disk that does not come to an end with it holds up no line, and the key stays behind what it has sealed.
  @Test func theWriterDoesNotWaitForTheDisk() throws {
    let scratch = Scratch()
    var policy = LogPolicy(directory: scratch.path + "/log")
    (policy.sync, policy.rotateBytes) = (.interval(milliseconds: 1000), 4000)
    let synchronizer = Synchronizer()
    let sealer = try Sealer(SealPolicy(), stateDirectory: scratch.path, host: "web-1")
    var bench = Bench()
    bench.policy = policy
    bench.writer = SegmentWriter(policy, host: "web-1", sealer: sealer, synchronizer: synchronizer)
    for serial in UInt32(1)...30 {
      #expect(bench.write(serial...serial, padding: 300) == nil)
      bench.pass(milliseconds: 2000)
    }
    #expect(try bench.lines().filter { Int($0) != nil } == (1...30).map(String.init) && bench.writer.status.counters.rotations > 2)
    #expect(synchronizer.isBusy)
    #expect(try SealKeyFile.key(in: scratch.path)?.number == 0)
    let syncer = try Thread("syncer") { synchronizer.run() }
    bench.writer.finish(nowMs: bench.now)
    synchronizer.stop()
    syncer.join()
    #expect(bench.writer.status.counters.writeFailures.isEmpty && bench.writer.status.counters.sealFault == nil)
    #expect(try SealKeyFile.key(in: scratch.path)?.number == (bench.writer.status.counters.seal ?? 0) + 1)
  }

  @Test func aDeletedDirectoryComesBack() throws {
    var bench = Bench()
    bench.write(1...1)
    Scratch.remove(bench.policy.directory)
    bench.pass(milliseconds: 1000)
    bench.writer.maintain(nowMs: bench.now, monotonicMs: bench.monotonic)
    bench.write(2...2)
    #expect(try bench.lines() == ["fsaudit.gap gap", "2"])
  }

  @Test func aFileRenamedByLogrotateIsLeftToIt() throws {
    var bench = Bench()
    bench.write(1...1)
    try rename(bench.policy.livePath, to: bench.policy.directory + "/events.jsonl.1")
    bench.write(2...2)
    bench.writer.reopen(nowMs: bench.now)
    bench.write(3...3)
    #expect(try bench.lines() == ["3"])
    #expect(try bench.scratch.read("log/events.jsonl.1").split(separator: "\n").count == 2)
  }

  /// Something that is no regular file has the name: the writer reports it at every attempt, and neither blocks nor ends.
  @Test func whatIsInTheWayIsReportedAndRetried() throws {
    var bench = Bench()
    try makeDirectory(bench.policy.directory, mode: 0o750)
    #expect(mkfifo(bench.policy.livePath, 0o600) == 0)
    #expect(bench.write(1...1) != nil)
    try removeFile(bench.policy.livePath)
    #expect(symlink("/etc/passwd", bench.policy.livePath) == 0)
    #expect(bench.write(1...1)?.code == .tooManySymbolicLinkLevels)
    try removeFile(bench.policy.livePath)
    #expect(bench.write(1...1) == nil)
    #expect(try bench.lines() == ["1"])
    #expect(bench.writer.status.counters.writeFailures["ELOOP"] == 1)
  }

  @Test func aRotationThatFailsDoesNotStopTheLog() throws {
    var bench = Bench { $0.rotateBytes = 100 }
    bench.write(1...1)
    // A directory of the name that the segment will get: rename(2) refuses.
    let name = SegmentName(timeMs: bench.now, firstSerial: 1).fileName
    try makeDirectory(bench.policy.directory + "/" + name, mode: 0o755)
    #expect(bench.write(2...2) == nil)
    #expect(bench.writer.status.counters.rotationFailures == ["EISDIR": 1])
    #expect(rmdir(bench.policy.directory + "/" + name) == 0)
    bench.pass(milliseconds: 1000)
    #expect(bench.write(3...3) == nil)
    #expect(try bench.lines() == ["1", "2", "3"])
    #expect(bench.names.count == 2)
  }
}

@Suite struct RepairTests {
  /// What a crash, or a power loss, left, and what is to become of it.
  @Test(arguments: [
    ("", 0), ("{\"@time", 7), ("\0\0\0\0", 4), ("{\"a\":1}\n{\"b\"", 4), ("{\"a\":1}\n{\"b\":\0\0\0\0\0", 10),
    ("{\"a\":1}\n\0\0\0\n{\"b\":2\n\0", 1),
    ("{\"a\":1}\n\0\0\0\n\0", 5), ("{\"a\":1}\n", 0),
  ])
  func whatFollowsTheLastWholeLineIsCut(left: String, cut: Int) throws {
    let scratch = Scratch()
    try scratch.write("events.jsonl", left)
    let recovery = SegmentWriter(LogPolicy(directory: scratch.path), host: "web-1").recover()
    #expect(recovery.truncatedBytes == cut)
    #expect(try scratch.read("events.jsonl") == String(left.utf8.dropLast(cut)))
  }

  /// A rotated segment is forced to the disk after it has its name.
  @Test(arguments: [("{\"a\":1}\n{\"b\"", 4), ("{\"a\":1}\n\0\0", 2), ("{\"a\":1}\n", 0)])
  func theNewestRotatedSegmentIsMended(left: String, cut: Int) throws {
    let scratch = Scratch()
    let (older, newest) = (SegmentName(timeMs: noon, firstSerial: 1).fileName, SegmentName(timeMs: noon + 1, firstSerial: 7).fileName)
    try scratch.write(older, "{\"somebody's\"")
    try scratch.write(newest, left)
    let recovery = SegmentWriter(LogPolicy(directory: scratch.path), host: "web-1").recover()
    #expect(recovery.truncatedBytes == cut)
    #expect(try scratch.read(newest) == String(left.utf8.dropLast(cut)) && scratch.read(older) == "{\"somebody's\"")
  }

  @Test func theLastRunIsReadFromTheEnd() throws {
    let scratch = Scratch()
    let policy = LogPolicy(directory: scratch.path)
    #expect(SegmentWriter(policy, host: "web-1").recover() == Recovery())
    var writer = JSONWriter()
    writer.raw(bytes: changes(7...9, timeMs: noon).bytes.span.bytes)
    writer.line(DaemonNotice(.stop, pid: 1, version: "1", message: "stopped"), timeMs: noon + 5, host: "web-1")
    try scratch.write("events.jsonl", writer.bytes)
    var expected = Recovery()
    (expected.lastSerial, expected.lastTimeMs, expected.wasCleanStop) = (9, noon + 5, true)
    #expect(SegmentWriter(policy, host: "web-1").recover() == expected)
    // The live segment is empty, as after a rotation: the newest rotated one tells.
    try rename(policy.livePath, to: scratch.path + "/" + SegmentName(timeMs: noon, firstSerial: 7).fileName)
    #expect(SegmentWriter(policy, host: "web-1").recover() == expected)
    // Something was written after the stop line: that run did not end well.
    try scratch.write("events.jsonl", changes(10...10, timeMs: noon + 9).bytes + Array("{\"@".utf8))
    (expected.lastSerial, expected.lastTimeMs, expected.wasCleanStop, expected.truncatedBytes) = (10, noon + 9, false, 3)
    #expect(SegmentWriter(policy, host: "web-1").recover() == expected)
  }

  /// Backwards in blocks of every small size gives what a split gives forwards.
  @Test func linesComeBackwardsWholeAndOnce() throws {
    let scratch = Scratch()
    var random = SplitMix(seed: 3)
    for round in 0..<300 {
      let text = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        Bool.random(using: &random) ? UInt8(ascii: "a") : UInt8(ascii: "\n")
      }
      try scratch.write("f", text)
      let file = try Descriptor.open(scratch.path + "/f", O_RDONLY)
      var lines = BackwardLines(end: Int64(text.count), blockBytes: round % 7 + 1)
      var found: [[UInt8]] = []
      var place = Int64(text.count)
      while let line = try lines.next(from: file) {
        #expect(line.end == place && line.end - line.start == Int64(line.bytes.count) + (line.isWhole ? 1 : 0))
        place = line.start
        found.append(line.bytes)
      }
      var expected = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
      if expected.last == [] { expected.removeLast() }
      #expect(found.reversed() == expected, "\(text)")
    }
  }
}
