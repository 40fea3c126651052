import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// What may happen to the log's disk: the daemon stays up, nobody waits for it, and what could not be written is counted in a gap.
  @Suite struct DiskTests {
    private static let rounds = 3000

    /// A file system for the log alone, unmounted at the end.
    private final class Mount {
      let path: String
      init(_ path: String, _ arguments: [String]) throws {
        self.path = path
        let mounted = try run("mount", arguments + [path])
        try #require(mounted.status == 0, "mount: \(mounted.errorText)")
      }
      deinit { _ = try? run("umount", ["-l", path]) }
    }

    /// How long the workload takes, in milliseconds.
    private func work(_ daemon: TestDaemon) throws -> Int64 {
      let before = milliseconds(CLOCK_MONOTONIC)
      #expect(try run(CPrograms.path("workload"), [daemon.tree, "\(Self.rounds)"]).status == 0)
      return milliseconds(CLOCK_MONOTONIC) - before
    }

    /// Nobody waited: the same order of magnitude as on a sound disk, on a machine that does other things as well.
    private func expectUnhindered(_ took: Int64, _ sound: Int64) {
      #expect(took < 3 * sound + 1000, "\(took) ms, \(sound) ms on a sound disk")
    }

    /// Every event is either in the log or counted in a gap.
    private func expectAccounted(_ daemon: TestDaemon, works: Int, reasons: Set<String>) throws {
      let bytes = try daemon.logBytes()
      let logged = ["create", "rename", "chmod", "delete"].reduce(0) { $0 + bytes.count(of: "\"fsaudit\":{\"action\":\"\($1)\"") }
      var missing: Int64 = 0
      var found: Set<String> = []
      for line in try parse(bytes.lines(with: "\"dataset\":\"fsaudit.gap\"")) {
        found.insert(line.reason ?? "")
        missing += line.count ?? 0
        #expect(line.string("fsaudit.gap.since") != nil && line.string("fsaudit.gap.until") != nil, "\(line.json)")
      }
      print("disk: \(logged) of \(works * Self.rounds * 4) events in the log, \(missing) in gaps: \(found.sorted())")
      #expect(found.isSubset(of: reasons) && !found.isEmpty, "\(found)")
      // what else happened, the changes that were waited for and the rules, may be among the missing
      #expect((0...20).contains(logged + Int(missing) - works * Self.rounds * 4), "\(logged) + \(missing)")
    }

    /// What cannot be written at the end is lost, and said to be.
    @Test func fullAtTheEnd() throws {
      let place = try TemporaryDirectory()
      try KernelLab.run {
        let mount = try Mount(place.path, ["-t", "tmpfs", "-o", "size=2m", "fsaudit-test"])
        defer { withExtendedLifetime(mount) {} }
        let daemon = try TestDaemon(logDirectory: place["log"])
        try daemon.start()
        try daemon.settle()
        try run("sh", ["-c", "head -c 10000000 /dev/zero >\"$0\"", place["fill"]])
        for number in 0..<200 { try daemon.home.makeDirectory("tree/\(number)") }
        try daemon.wait { $0.string("stalled_by") == "ENOSPC" }
        let said = try daemon.stop(expecting: 5).errorText
        #expect(said.contains("events are lost"), "\(said)")
        unlink(place["fill"])
        try daemon.start()
        try daemon.settle()
        try daemon.stop()
        #expect(
          try daemon.gaps().contains {
            $0.reason == "not_running" && $0.string("fsaudit.gap.detail")?.contains("could not be written") == true
          })
      }
    }

    @Test func full() throws {
      let place = try TemporaryDirectory()
      try KernelLab.run {
        let mount = try Mount(place.path, ["-t", "tmpfs", "-o", "size=4m", "fsaudit-test"])
        defer { withExtendedLifetime(mount) {} }
        let daemon = try TestDaemon(log: "queue_size = \"1MiB\"\nrotate_size = \"1GiB\"", logDirectory: place["log"])
        try daemon.start()
        let sound = try work(daemon)
        let took = try work(daemon)
        expectUnhindered(took, sound)
        try daemon.wait { $0.string("stalled_by") == "ENOSPC" }
        #expect(daemon.isRunning)
        let isSaid = try eventually { try daemon.messages().contains("cannot be written: No space left on device (ENOSPC)") }
        #expect(isSaid)
        _ = try run("mount", ["-o", "remount,size=64m", place.path])
        try daemon.settle()
        let isMended = try eventually { try daemon.messages().contains("the log is written again") }
        #expect(isMended)
        // however often it was tried
        #expect(try daemon.messages().split(separator: "cannot be written").count == 2)
        try daemon.stop()
        try checkJSON(try daemon.segments())
        try expectAccounted(daemon, works: 2, reasons: ["write_failed", "queue_full"])
      }
    }

    /// No place for the compressed form of a segment: it stays, and the fault names it.
    @Test func fullForCompression() throws {
      try KernelLab.run {
        let place = try TemporaryDirectory()
        let mount = try Mount(place.path, ["-t", "tmpfs", "-o", "size=100k", "fsaudit-test"])
        defer { withExtendedLifetime(mount) {} }
        let names = (1...2).map { "events-20261120T233251.73\($0)Z-000000000\($0).jsonl" }
        for name in names { try run("dd", ["if=/dev/urandom", "of=\(place[name])", "bs=40000", "count=1", "status=none"]) }
        let report = Housekeeper(directory: place.path, policy: RetentionPolicy()).run()
        #expect(report.failures == [SystemError("write", place[names[0] + ".zst"], .noSpace)] && report.compressed.isEmpty)
        #expect(try run("ls", ["-A", place.path]).text == names.map { $0 + "\n" }.joined())
      }
    }

    /// An ext4 that meets an error and turns itself read-only, as disks that die do.
    @Test func readOnly() throws {
      let place = try TemporaryDirectory()
      let image = try TemporaryDirectory()
      let made = try run(
        "sh", ["-c", "truncate -s 256M \"$1\" && mkfs.ext4 -q -E lazy_itable_init=0 \"$1\"", "sh", image["image"]])
      try #require(made.status == 0, "\(made.errorText)")
      try KernelLab.run {
        let mount = try Mount(place.path, ["-o", "loop,errors=remount-ro", image["image"]])
        let daemon = try TestDaemon(log: "queue_size = \"1MiB\"", logDirectory: place["log"])
        try daemon.start()
        let sound = try work(daemon)
        try daemon.settle()
        #expect(try run("mount", ["-o", "remount,abort", place.path]).status == 0)
        expectUnhindered(try work(daemon), sound)
        try daemon.wait { $0.string("stalled_by") == "EROFS" || $0.string("stalled_by") == "EIO" }
        #expect(daemon.isRunning)
        // another disk takes its place
        #expect(try run("umount", ["-l", place.path]).status == 0)
        withExtendedLifetime(mount) {}
        try daemon.settle()
        try daemon.stop()
        let bytes = try daemon.logBytes()
        #expect(bytes.count(of: "\"reason\":\"write_failed\"") + bytes.count(of: "\"reason\":\"queue_full\"") > 0)
        try checkJSON(try daemon.segments())
      }
    }

    @Test func deleted() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        let sound = try work(daemon)
        try daemon.settle()
        #expect(try run("rm", ["-r", daemon.logDirectory]).status == 0)
        expectUnhindered(try work(daemon), sound)
        try daemon.settle()
        #expect(daemon.isRunning)
        try daemon.stop()
        try checkJSON(try daemon.segments())
        try expectAccounted(daemon, works: 2, reasons: ["log_deleted"])
      }
    }
  }
}
