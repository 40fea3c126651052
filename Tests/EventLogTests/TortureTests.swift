import Glibc
import System
import TestSupport
import Testing

@testable import EventLog

/// Real processes, real signals, real full disks. One after the other: each of them keeps a machine busy.
@Suite(.serialized) struct TortureTests {
  /// Every serial of the log in order, and its gaps as (reason, first, last).
  private struct Account {
    var serials: [UInt32] = []
    var gaps: [(reason: String, first: UInt32?, last: UInt32?, count: Int64?)] = []
    var unreadable = 0
    /// The lines as they came: a serial, or the gap's reason.
    var order: [String] = []

    init(_ directory: String) throws {
      for segment in try SegmentSet(directory: directory).segments {
        var reader = try LineReader(segment)
        while try reader.next({ add($0) }) {}
      }
    }

    private mutating func add(_ bytes: RawSpan) {
      var line = LogLine()
      guard line.parse(bytes), line.timeMs != nil else {
        unreadable += 1
        return
      }
      if let serial = line.sequence {
        serials.append(serial)
        order.append("\(serial)")
      } else if let reason = line.string("fsaudit.gap.reason") {
        func serial(_ name: String) -> UInt32? { line.integer("fsaudit.gap.\(name)").flatMap { UInt32(exactly: $0) } }
        gaps.append((reason, serial("first_serial"), serial("last_serial"), line.integer("fsaudit.gap.count")))
        order.append(reason)
      }
    }
  }

  @Test func killedTwentyTimesEveryLineParsesAndTheNextRunSaysSo() throws {
    let scratch = Scratch()
    var random = SplitMix(seed: UInt64(time(nil)))
    var first: UInt32 = 1
    var starts: [UInt32] = []
    for _ in 0..<20 {
      starts.append(first)
      let child = try Child("log-torture", [scratch.path + "/log", "\(first)", "1000000", "300000", "100", "compress"])
      usleep(UInt32.random(in: 1000...120_000, using: &random))
      #expect(child.end(with: SIGKILL) == 128 + SIGKILL)
      first += 1_000_000
    }
    #expect(try Child("log-torture", [scratch.path + "/log", "\(first)", "100", "300000", "0"]).wait() == 0)
    let account = try Account(scratch.path + "/log")
    #expect(account.unreadable == 0)
    #expect(account.serials.count > 1000)
    #expect(account.serials == account.serials.sorted(), "nothing doubled, nothing out of order")
    // Within a run nothing is missing before the end; what a kill took is at the end of the run, and the next run's
    // first line says so.
    for (index, line) in account.order.enumerated().dropFirst() {
      guard let serial = UInt32(line) else { continue }
      if starts.contains(serial) || serial == first {
        #expect(account.order[index - 1] == "not_running" || account.serials.first == serial)
      } else {
        #expect(UInt32(account.order[index - 1]) == serial - 1)
      }
    }
    #expect(account.gaps.allSatisfy { $0.reason == "not_running" })
  }

  /// A hundred logs, each killed at another moment of its rotations, compressions and seals, and gone on with after that.
  @Test func aHundredKilledLogsRaiseNoFalseAlarm() throws {
    var random = SplitMix(seed: UInt64(time(nil)))
    var (seals, tails, sealedTails, segments) = (Int64(0), 0, 0, 0)
    for _ in 0..<100 {
      let lab = try SealLab()
      var first: UInt32 = 1
      for _ in 0..<2 {
        let child = try Child("log-torture", [lab.log, "\(first)", "1000000", "15000", "50", "compress", lab.state])
        usleep(UInt32.random(in: 5000...120_000, using: &random))
        #expect(child.end(with: SIGKILL) == 128 + SIGKILL)
        if (try? SealKeyFile.key(in: lab.state)) != nil, (try? status(of: lab.log)) != nil {
          let findings = try lab.verify()
          #expect(findings == [], "after the kill")
          tails += lab.report.linesAfter > 0 ? 1 : 0
        }
        first += 1_000_000
        // an orderly run before the next kill
        #expect(try Child("log-torture", [lab.log, "\(first)", "100", "15000", "0", lab.state]).wait() == 0)
        first += 1_000_000
      }
      let findings = try lab.verify()
      #expect(findings == [] && lab.report.isSigned && lab.report.linesAfter == 0 && lab.report.unfinishedBytes == 0)
      seals += lab.report.seals
      segments += try SegmentSet(directory: lab.log).segments.count
      sealedTails += try lab.seals().count { $0.seal.reason == .start && $0.seal.lines > 0 }
    }
    #expect(seals > 500 && segments > 200 && tails > 10 && sealedTails > 10, "\(seals), \(segments), \(tails), \(sealedTails)")
  }

  /// `log key`, `log seal` and `log verify`, the commands themselves.
  @Test func theKeyIsTakenOnceAndProvesTheLog() throws {
    let (lab, scratch) = (try SealLab(), Scratch())
    #expect(try Child("log-torture", [lab.log, "1", "100", "1000000", "0", lab.state]).wait() == 0)
    let config = scratch.path + "/fsaudit.toml"
    try scratch.write(
      "fsaudit.toml",
      "[log]\ndirectory = \"\(lab.log)\"\n[daemon]\nstate_directory = \"\(lab.state)\"\nruntime_directory = \"\(lab.state)\"\n")
    func ask(_ words: String...) throws -> (text: String, status: Int32) {
      let child = try Child("fsaudit", ["log"] + words + ["--config", config])
      return (child.text(), child.wait())
    }
    let kept = try ask("seal")
    #expect(SealAnchor(text: kept.text) != nil && kept.status == 0)
    let key = try ask("key")
    #expect(SealKey(text: key.text) != nil && key.status == 0)
    #expect(try ask("key") == ("", 1), "it is handed over once")
    try scratch.write("key", key.text)
    let good = try ask("verify", "--key", scratch.path + "/key", "--anchor", kept.text)
    #expect(
      good.status == 0 && good.text.contains("as it was written") && good.text.contains("by: its first key; the kept seal"), "\(good)")
    for log in [lab.log, lab.log + "/", lab.state + "/../" + (lab.log.split(separator: "/").last ?? "")] {
      let own = try ask("verify", "--log", log)
      #expect(own.status == 0 && own.text.contains("no change found") && !own.text.contains("whether the end"), "\(own)")
    }
    // What the chain alone tells is no proof, and no finding.
    for (proof, isProven) in [([], false), (["--key", scratch.path + "/key"], true), (["--anchor", kept.text], true)] {
      let child = try Child("fsaudit", ["log", "verify", "--json", "--config", config] + proof)
      let text = child.text()
      #expect(child.wait() == 0 && text.hasPrefix("{\"proven\":\(isProven),") && text.contains("\"findings\":0"), "\(text)")
    }
    let keyFile = lab.state + "/" + SealKeyFile.name
    #expect(rename(keyFile, keyFile + ".away") == 0)
    let keyless = try ask("verify")
    #expect(keyless.status == 1 && keyless.text.contains("\(SealKeyFile.name) is gone, or holds no key"), "\(keyless)")
    #expect(try ask("verify", "--log", lab.log + "/").status == 1)
    #expect(rename(keyFile + ".away", keyFile) == 0)
    #expect(try ask("verify").text.contains("no change found"))
    try lab.write("events.jsonl", try lab.text.replacing("\"sequence\":7}", with: "\"sequence\":8}"))
    let bad = try ask("verify", "--key", scratch.path + "/key")
    #expect(bad.status == 1 && bad.text.hasPrefix("events.jsonl:8: the line was changed, says seal 1"), "\(bad)")
    let json = try ask("verify", "--json").text.split(separator: "\n").map { parsed($0) }
    #expect(json.count == 2 && json[0].string("finding") == "changed" && json[0].integer("first.line") == 8)
    #expect(json[1].integer("findings") == 1 && json[1].integer("lines_after") == 0)
  }

  @Test(.enabled(if: canMount, "mount(2) is not permitted"))
  func aSealedLogOnAFullDiskIsProvenAfterwards() throws {
    let disk = try MountedDisk(bytes: 1 << 20)
    let lab = try SealLab(log: disk.path + "/log")
    let child = try Child("log-torture", [lab.log, "1", "20000", "200000", "300", lab.state])
    // on a busy machine it takes a while to start
    for _ in 0..<600 where access(lab.log + "/events.jsonl", F_OK) != 0 { usleep(50_000) }
    usleep(400_000)
    #expect(try lab.verify() == [])
    try disk.resize(bytes: 64 << 20)
    #expect(child.wait() == 0)
    #expect(try lab.verify() == [])
    #expect(lab.report.linesAfter == 0)
  }

  @Test(.enabled(if: canMount, "mount(2) is not permitted"))
  func aFullDiskLosesOnlyWhatAGapAccountsFor() throws {
    let disk = try MountedDisk(bytes: 1 << 20)
    let ballast = disk.path + "/ballast"
    let file = try Descriptor.open(ballast, O_WRONLY | O_CREAT, mode: 0o600)
    let megabyte = [UInt8](repeating: 0, count: 900_000)
    try megabyte.span.bytes.withUnsafeBytes { bytes throws(SystemError) in _ = try file.write(bytes) }
    // Some 5 MB of lines for a disk with 100 KB free: it fills up at once, and the queue (256 KB) after it.
    let child = try Child("log-torture", [disk.path + "/log", "1", "20000", "4000000", "2000"])
    usleep(700_000)
    let filled = try Account(disk.path + "/log")
    #expect(filled.unreadable == 0 && !filled.serials.isEmpty && filled.gaps.isEmpty)
    try disk.resize(bytes: 64 << 20)
    let text = child.text()
    #expect(child.wait() == 0)
    let account = try Account(disk.path + "/log")
    #expect(account.unreadable == 0)
    // one gap for one outage; on a busy machine the writer may fall behind once more when the disk is back
    let reasons = account.gaps.map(\.reason)
    #expect(reasons.first == "write_failed" && reasons.dropFirst().allSatisfy { $0 == "queue_full" })
    var lost: [UInt32] = []
    for gap in account.gaps {
      let (from, to) = (try #require(gap.first), try #require(gap.last))
      #expect(gap.count == Int64(to - from + 1))
      lost += from...to
    }
    let isComplete = (account.serials + lost).sorted().elementsEqual(1...20000)
    #expect(isComplete, "every event is in the log or in a gap, once")
    #expect(text == "\(lost.count) 0")
    // The gap stands exactly where its events would.
    let first = try #require(account.gaps.first?.first)
    #expect(account.order.firstIndex(of: "write_failed") == Int(first) - 1)
  }

  @Test(.enabled(if: canMount, "mount(2) is not permitted"))
  func aDiskThatStaysFullDoesNotHoldUpTheEnd() throws {
    let disk = try MountedDisk(bytes: 1 << 20)
    let child = try Child("log-torture", [disk.path + "/log", "1", "20000", "4000000", "300"])
    #expect(child.wait() == 0)
    let counts = child.text().split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
    let account = try Account(disk.path + "/log")
    #expect(account.unreadable == 0)
    #expect(account.serials == Array(1...UInt32(account.serials.count)), "the oldest are kept")
    try #require(counts.count == 2)
    #expect(account.serials.count + counts[0] + counts[1] >= 20000 && counts[0] > 0 && counts[1] > 0)
  }

  @Test(.enabled(if: canMount, "mount(2) is not permitted"))
  func aReadOnlyDiskIsWaitedOut() throws {
    let disk = try MountedDisk(bytes: 64 << 20)
    var policy = LogPolicy(directory: disk.path + "/log")
    policy.sync = .none
    let writer = SegmentWriter(policy, host: "h")
    var batch = changes(1...3)
    #expect(writer.write(&batch, nowMs: 0, monotonicMs: 0) == nil)
    writer.finish(nowMs: 0)
    try disk.remount(readOnly: true)
    batch = changes(4...6)
    #expect(writer.write(&batch, nowMs: 0, monotonicMs: 0)?.code.rawValue == EROFS)
    writer.maintain(nowMs: 0, monotonicMs: 2000)
    #expect(SegmentWriter(policy, host: "h").recover().lastSerial == 3, "what is there can be read")
    try disk.remount(readOnly: false)
    #expect(writer.write(&batch, nowMs: 0, monotonicMs: 0) == nil)
    writer.finish(nowMs: 0)
    #expect(try summary(of: policy.directory) == ["1", "2", "3", "4", "5", "6"])
    #expect(writer.status.counters.writeFailures == ["EROFS": 2])
  }

  /// `tail -f`, the command itself, over rotations, compression and a deleted file.
  @Test func tailFollowsThroughRotations() throws {
    let scratch = Scratch()
    let directory = scratch.path + "/log"
    let tail = try Child("fsaudit", ["tail", "-f", "-n", "10000", "--format", "json", "--log", directory])
    let writer = try Child("log-torture", [directory, "1", "8000", "200000", "300", "compress"])
    let lines = tail.read(until: "\"stopped\"")
    #expect(writer.wait() == 0)
    // every line of the log, once and in order; on a disk that stalls some are gaps
    #expect(try lines.map { summary(of: Array($0.utf8).span.bytes) } == summary(of: directory))
    #expect(lines.count > 1000 && lines.last.map { parsed($0).dataset } == .daemon)
    #expect(try SegmentSet(directory: directory).segments.count > 5)
    #expect(tail.end(with: SIGINT) == 0)
  }

  @Test func tailEndsQuietlyWhenNobodyReads() throws {
    let scratch = Scratch()
    try scratch.write("events.jsonl", changes(1...100).bytes)
    var tail = Optional(try Child("fsaudit", ["tail", "-f", "-n", "3", "--action", "create", "--log", scratch.path]))
    let lines = try #require(tail?.read(lines: 3))
    #expect(lines.count == 3 && lines.allSatisfy { $0.contains(" create ") })
    #expect(tail?.closeOutput() == 0)
    tail = nil
  }

  @Test(
    arguments: [
      (["tail", "--log", "/nonexistent"], 5), (["tail", "--since", "whenever"], 2), (["tail", "-n", "-1"], 2), (["tail", "--pid", "x"], 2),
      (["tail", "--since", "1h", "--until", "2h"], 2),
    ] as [([String], Int32)])
  func tailRefusesWhatItCannotDo(arguments: [String], status: Int32) throws {
    #expect(try Child("fsaudit", arguments).wait() == status)
  }
}

/// Whether this test may mount a small disk of its own; where nothing may be missing, it is not asked, and the test fails without.
private let canMount: Bool = {
  if KernelLab.isRequired { return true }
  guard let disk = try? MountedDisk(bytes: 1 << 20) else { return false }
  return !disk.path.isEmpty
}()

/// A tmpfs of some size, unmounted when the test forgets it.
private final class MountedDisk {
  let path: String

  init(bytes: Int) throws {
    let scratch = "/tmp/fsaudit-disk-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try makeDirectory(scratch, mode: 0o700)
    guard mount("tmpfs", scratch, "tmpfs", 0, "size=\(bytes)") == 0 else {
      rmdir(scratch)
      throw Failure("mount is not permitted", exit: .notPermitted)
    }
    path = scratch
  }

  func resize(bytes: Int) throws { try remount(UInt(MS_REMOUNT), "size=\(bytes)") }

  func remount(readOnly: Bool) throws { try remount(UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0), nil) }

  private func remount(_ flags: UInt, _ options: String?) throws {
    guard mount("tmpfs", path, "tmpfs", flags, options) == 0 else { throw Failure("remount: errno \(errno)", exit: .inputOutput) }
  }

  deinit {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }
}
