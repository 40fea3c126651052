import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// The check and the daemon's log: what one takes from the other, and leaves there.
  @Suite struct CheckTrailTests {
    private func place(_ daemon: TestDaemon) throws -> [String] {
      let configuration = try daemon.home.write("baseline.conf", "\(daemon.tree)/.*$ f p+s+m+c+i+n+sha256\n")
      return ["--config", configuration, "--database", daemon.home["baseline.db"]]
    }

    @Test func theCountsAreInTheLog() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(log: "group = 65534")
        try daemon.home.write("tree/a", "a\n")
        try daemon.start()
        try daemon.settle()
        let place = try place(daemon)
        try #require(try run(fsauditBinary, ["baseline", "init"] + place).status == 0)
        try run("sh", ["-c", "echo more >>\(daemon.tree)/a"])
        try daemon.settle()
        let words = place + ["--daemon-config", daemon.configuration]
        let check = try run(fsauditBinary, ["check", "--format", "json"] + words)
        #expect(check.status == 4 && check.errors.isEmpty, "\(check.status) \(check.errorText)")
        let isThere = try eventually { try daemon.lines().contains { $0.dataset == .check } }
        #expect(isThere)
        let line = try #require(try daemon.lines().first { $0.dataset == .check })
        var report = LogLine()
        let isReport = report.parse(Array(check.output.dropLast()).span.bytes)
        #expect(isReport)
        for group in ["counts", "examined"] {
          let told = line.line.members("fsaudit.check.\(group)").map { "\($0)" }
          #expect(told == report.members(group).map { "\($0)" } && !told.isEmpty)
        }
        #expect(line.line.members("fsaudit.check.verdicts").map { "\($0.name) \($0.value)" }.first == "explained 1", "\(line.json)")
        #expect(line.string("fsaudit.check.database") == daemon.home["baseline.db"], "\(line.json)")
        #expect(line.line.integer("process.pid") ?? 0 > 1)
        // no other way in
        let control = daemon.home["run/control"]
        for request in ["nonsense", "check fast explained", String(repeating: "9", count: CheckNotice.limitBytes + 1)] {
          let answer = try LocalSocket.ask(control, Array(request.utf8), seconds: 5)
          #expect(answer == Array("refused\n".utf8))
        }
        #expect(String(decoding: try LocalSocket.ask(control, seconds: 5), as: UTF8.self).hasPrefix("{\"version\""))
        chmod(daemon.home.path, 0o755)
        let asNobody = ["--reuid", "65534", "--clear-groups"]
        #expect(try run("setpriv", asNobody + ["test", "-e", control]).status == 0)
        #expect(try run("setpriv", asNobody + ["test", "-w", control]).status == 1)
        // nor where somebody has opened the socket to everybody
        chmod(control, 0o666)
        let said = "print $s 'check fast explained 1 1 0 0 0 0 0 0 0 0 1 1 0 0 0 0 /b'; shutdown($s, 1); print <$s>"
        let nobody = try run(
          "setpriv", asNobody + ["perl", "-MIO::Socket::UNIX", "-e", "$s = IO::Socket::UNIX->new(Peer => '\(control)') or die; " + said])
        #expect(nobody.text == "refused\n", "\(nobody.text) \(nobody.errorText)")
        // a peer that says nothing is answered, too
        let silent = try run(
          "python3", ["-c", "import socket; s=socket.socket(1); s.connect('\(control)'); print(s.recv(100000).decode())"])
        #expect(silent.text.hasPrefix("{\"version\""), "\(silent.text) \(silent.errorText)")
        for format in ["text", "long", "csv", "ocsf", "json"] {
          let shown = try run(fsauditBinary, ["search", "--log", daemon.logDirectory, "--action", "check", "--format", format])
          #expect(shown.status == 0 && shown.text.contains("against generation 1: 0 added, 0 removed, 1 changed, 0 moved"), "\(shown.text)")
        }
        try daemon.stop()
        #expect(try daemon.lines().count { $0.dataset == .check } == 1)
      }
    }

    /// Sets the clock back by the age of the file's ctime, for some microseconds, and writes: the inode looks untouched then. A first write there
    /// takes the mark away by which the kernel knows that somebody has seen the ctime, and would make the next one finer.
    private static let forge = """
      import os, sys, time
      path = sys.argv[1]
      old = os.stat(path)
      for attempt in range(100):
        real, since = time.time_ns(), time.monotonic_ns()
        try:
          time.clock_settime_ns(time.CLOCK_REALTIME, old.st_ctime_ns)
          file = os.open(path, os.O_WRONLY)
          os.pwrite(file, b"forged-\\n", 0)
          time.clock_settime_ns(time.CLOCK_REALTIME, old.st_ctime_ns)
          os.pwrite(file, b"forged!\\n", 0)
        finally:
          time.clock_settime_ns(time.CLOCK_REALTIME, real + time.monotonic_ns() - since)
        os.close(file)
        new = os.stat(path)
        if (new.st_ctime_ns, new.st_mtime_ns) == (old.st_ctime_ns, old.st_mtime_ns): sys.exit(0)
      sys.exit(9)
      """

    @Test func aClockThatIsSetBack() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.home.write("tree/b", "content\n")
        try daemon.start()
        try run("sh", ["-c", "printf 'content\\n' >\(daemon.tree)/a"])
        try daemon.settle()
        let place = try place(daemon)
        let madeMs = milliseconds(CLOCK_REALTIME)
        try #require(try run(fsauditBinary, ["baseline", "init"] + place).status == 0)
        try daemon.settle()
        let forging = try run("python3", ["-c", Self.forge, "\(daemon.tree)/a"])
        if forging.status == 1, forging.errorText.contains("PermissionError") {
          #expect(!KernelLab.isRequired, "the clock cannot be set here")
          return
        }
        try #require(forging.status == 0, "\(forging.status) \(forging.errorText)")
        try daemon.settle()
        let words = ["check"] + place + ["--daemon-config", daemon.configuration]
        let blind = try run(fsauditBinary, words + ["--no-explain"])
        #expect(blind.status == 0, "the file looks untouched: \(blind.text)")
        for _ in 0..<2 {
          let check = try run(fsauditBinary, words)
          #expect(check.status == 4 && check.text.contains("\(daemon.tree)/a  [explained]"), "\(check.text) \(check.errorText)")
        }
        try daemon.stop()
        // what the log says of it is older than the baseline
        let opened = try daemon.changes().filter { $0.summary(in: daemon.tree) == "open a" }
        #expect(!opened.isEmpty && opened.allSatisfy { $0.line.timeMs ?? .max < madeMs }, "\(opened.map(\.json))")
      }
    }
  }
}
