import AuditControl
import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// `fsaudit watch` leaves nothing behind, whatever ends it, and says clearly why it does not begin.
  @Suite struct WatchTests {
    let home: TemporaryDirectory
    let tree: String

    init() throws {
      home = try TemporaryDirectory()
      tree = try home.makeDirectory("tree")
    }

    /// The kernel is set as it was.
    private func expectSettings(_ before: KernelStatus) throws {
      let now = try kernelStatus()
      #expect(now.pid == before.pid && now.enabled == before.enabled)
      #expect(now.backlogLimit == before.backlogLimit && now.backlogWaitTime == before.backlogWaitTime)
    }

    /// Waits until the kernel's rules are these.
    private func expectRules(_ rules: [[UInt8]], _ what: String) throws {
      let isSo = try eventually { try kernelRules() == rules }
      #expect(isSo, "\(what)")
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT]) func signals(signal: Int32) throws {
      try KernelLab.run {
        let before = try kernelRules()
        let status = try kernelStatus()
        let watch = try WatchRun([tree])
        #expect(try kernelRules().count > before.count)
        #expect(try watch.stop(signal).status == 0)
        #expect(try kernelRules() == before)
        try expectSettings(status)
      }
    }

    /// A daemon that came later reads what the watch had switched on.
    @Test func leavesAuditOnForOthers() throws {
      try KernelLab.run {
        var audit = try KernelAudit()
        try audit.set(.enabled(0))
        let watch = try WatchRun([tree])
        let daemon = try TestDaemon(runtimeDirectory: "/run/fsaudit")
        try daemon.start()
        #expect(try watch.stop().status == 0)
        #expect(try kernelStatus().enabled == 1)
        try daemon.stop()
      }
    }

    /// `fsaudit watch … | head`: also while nothing happens that could be written.
    @Test func readerGone() throws {
      try KernelLab.run {
        let before = try kernelRules()
        var ends: [Int32] = [0, 0]
        try call("pipe", "test") { pipe(&ends) }
        // or it would hold the reader's end itself
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let watch = try WatchRun([tree], output: ends[1])
        close(ends[1])
        close(ends[0])
        let result = try watch.program.wait(seconds: 5)
        #expect(result.status == 0, "\(result.errorText)")
        try expectRules(before, "the reader is gone")
      }
    }

    /// A reader that is there but does not read holds nobody up, neither what is watched nor the end.
    @Test func readerAsleep() throws {
      try KernelLab.run {
        let before = try kernelRules()
        var ends: [Int32] = [0, 0]
        try call("pipe", "test") { pipe(&ends) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { for end in ends { close(end) } }
        let watch = try WatchRun([tree], output: ends[1])
        // the queue behind the pipe takes what that has no room for, and then counts
        #expect(try run(CPrograms.path("workload"), [tree, "3000"]).status == 0)
        let isFull = try watch.program.wait(seconds: 20) {
          var entry = pollfd(fd: ends[1], events: Int16(POLLOUT), revents: 0)
          return try kernelStatus().backlog == 0 && poll(&entry, 1, 0) == 0
        }
        #expect(isFull)
        let start = milliseconds(CLOCK_MONOTONIC)
        let result = try watch.stop()
        #expect(result.status == 0 && result.errorText.contains("the last lines were not shown"), "\(result.errorText)")
        #expect(milliseconds(CLOCK_MONOTONIC) - start < 4000)
        #expect(try kernelRules() == before)
        #expect(try kernelStatus().pid == 0)
      }
    }

    /// The window is closed: its terminal hangs up.
    @Test func terminalGone() throws {
      try KernelLab.run {
        let before = try kernelRules()
        let script = try RunningProgram("script", ["-qfc", "'\(fsauditBinary)' watch '\(tree)'", "/dev/null"])
        let isUp = try script.wait(seconds: 20) { try script.output().contains(Array("watching".utf8)) }
        try #require(isUp)
        #expect(try kernelRules().count > before.count)
        script.signal(SIGKILL)
        _ = try script.wait()
        try expectRules(before, "the terminal is gone")
      }
    }

    /// SIGKILL leaves rules; the next start of anything cleans up.
    @Test func killed() throws {
      try KernelLab.run {
        let (before, status) = (try kernelRules(), try kernelStatus())
        for _ in 0..<2 {
          let watch = try WatchRun([tree])
          watch.program.signal(SIGKILL)
          _ = try watch.program.wait()
          #expect(try kernelRules().count > before.count)
          let next = try WatchRun([tree])
          #expect(try next.stop().status == 0)
          #expect(try kernelRules() == before)
          try expectSettings(status)
        }
      }
    }

    @Test func killedAndCleanedByTheDaemon() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "", runtimeDirectory: "/run/fsaudit")
        let (before, status) = (try kernelRules(), try kernelStatus())
        let watch = try WatchRun([tree])
        watch.program.signal(SIGKILL)
        _ = try watch.program.wait()
        #expect(try kernelRules().count > before.count)
        try daemon.start()
        #expect(try kernelRules() == before)
        try daemon.stop()
        try expectSettings(status)
      }
    }

    @Test func two() throws {
      try KernelLab.run {
        let before = try kernelRules()
        let other = try home.makeDirectory("other")
        let first = try WatchRun([tree])
        let second = try WatchRun([other, tree])
        #expect(try first.messages().contains("(unicast)") && second.messages().contains("(multicast)"))
        try run("mkdir", ["\(tree)/a", "\(other)/b"])
        let (shown, alsoShown) = (try first.stop(), try second.stop())
        #expect(shown.text.contains("\(tree)/a") && !shown.text.contains("\(other)/b"))
        #expect(alsoShown.text.contains("\(tree)/a") && alsoShown.text.contains("\(other)/b"))
        #expect(try kernelRules() == before)
      }
    }

    /// A path that leads elsewhere is followed, and what may be missing is said.
    @Test(arguments: ["deleted", "renamed", "replaced"]) func pathGone(how: String) throws {
      try KernelLab.run {
        let before = try kernelRules()
        let watch = try WatchRun([tree, "--format", "json"])
        let rules = try kernelRules()
        func expectSaid(_ text: String) throws {
          let isSaid = try eventually { try watch.messages().contains("fsaudit: \(tree) was \(text)") }
          #expect(isSaid, "\(text)")
        }
        switch how {
        case "replaced":
          let new = try home.makeDirectory("new")
          #expect(try run(CPrograms.path("fileops"), ["exchange", new, tree]).status == 0)
        case "renamed": try call("rename", tree) { rename(tree, tree + ".old") }
        default: try call("rmdir", tree) { rmdir(tree) }
        }
        if how != "replaced" {
          try expectSaid("removed")
          try expectRules(before, "nothing is watched")
          try call("mkdir", tree) { mkdir(tree, 0o755) }
        }
        try expectSaid("replaced")
        #expect(try Set(kernelRules()) == Set(rules))
        try run("mkdir", ["\(tree)/seen"])
        try watch.wait(for: "\(tree)/seen")
        let lines = try parse(try watch.stop().output)
        let gaps = lines.filter { $0.dataset == .gap }
        #expect(gaps.count == (how == "replaced" ? 1 : 2) && gaps.allSatisfy { $0.reason == "coverage" })
        for gap in gaps {
          #expect(gap.string("fsaudit.gap.since") != nil && gap.string("fsaudit.gap.until") != nil, "\(gap.json)")
          #expect(gap.string("fsaudit.gap.detail")?.contains(tree) == true, "\(gap.json)")
        }
        #expect(lines.last?.summary(in: tree) == "mkdir seen" && lines.last?.confidence == nil)
        #expect(try kernelRules() == before)
      }
    }

    /// `auditctl -D` beside it: it is blind, and says so; the rules stay as whoever did it wanted them.
    @Test func rulesRemoved() throws {
      try KernelLab.run {
        let before = try kernelRules()
        let watch = try WatchRun([tree, "--format", "json"])
        var audit = try KernelAudit()
        for rule in try kernelRules() where !before.contains(rule) { try audit.change(rule, add: false, subject: "test") }
        let isSaid = try eventually { try watch.messages().contains("somebody removed the rules for \(tree)") }
        #expect(isSaid)
        let result = try watch.stop()
        #expect(try parse(result.output).map(\.reason) == ["coverage"] && result.status == 0, "\(result.text)")
        #expect(try kernelRules() == before)
      }
    }

    /// What is no change is shown where it is asked for.
    @Test func readsAndExecutions() throws {
      try KernelLab.run {
        let program = home["tree/program"]
        let made = try run("sh", ["-c", "cp /bin/true \"$1\" && ln -s target \"$0/link\" && echo text >\"$0/file\"", tree, program])
        #expect(made.status == 0)
        for format in ["text", "json"] {
          let watch = try WatchRun([tree, "-p", "rx", "--format", format])
          #expect(try run("sh", ["-c", "cd \"$0\"; ./program one; cat file; readlink link; mkdir d; rmdir d", tree]).status == 0)
          try watch.wait(for: "readlink")
          let result = try watch.stop()
          let shown = result.text.split(separator: "\n")
          #expect(shown.count == 3, "\(result.text)")
          if format == "json" {
            #expect(try parse(result.output).map { $0.string("fsaudit.syscall") } == ["execve", "openat", "readlink"])
          } else if shown.count == 3 {
            for (line, words) in zip(shown, [["execve", "./program one"], ["open", "\(tree)/file"], ["readlink", "\(tree)/link"]]) {
              #expect(words.allSatisfy { line.contains($0) }, "\(line)")
            }
          }
        }
      }
    }

    @Test func refusals() throws {
      try KernelLab.run {
        let before = try kernelRules()
        let missing = try run(fsauditBinary, ["watch", home["missing"]])
        #expect(missing.status == 2 || missing.status == 5, "\(missing.status)")
        #expect(missing.errorText.hasPrefix("fsaudit: ") && missing.errorText.contains(home["missing"]), "\(missing.errorText)")
        // each is told by its own name, not that it does not exist
        symlink("loop", home["loop"])
        try home.write("file", "")
        for (path, reason) in [
          (home["loop"], "Too many levels"), (home["file"] + "/below", "Not a directory"),
          (home[String(repeating: "x", count: 300)], "File name too long"),
        ] {
          let refused = try run(fsauditBinary, ["watch", path])
          #expect(refused.status == 2 && refused.errorText.contains(path) && refused.errorText.contains(reason), "\(refused.errorText)")
        }
        let letters = try run(fsauditBinary, ["watch", "-p", "z", tree])
        #expect(letters.status == 2 && letters.errorText.contains("-p z"), "\(letters.errorText)")
        // for somebody else, who may not even enter our build directory
        let copy = home["fsaudit"]
        #expect(
          try run("sh", ["-c", "chmod 755 \"$2\" && cp \"$0\" \"$1\" && chmod 755 \"$1\"", fsauditBinary, copy, home.path]).status == 0)
        for arguments in [["watch", tree], ["run"], ["rule", "list"]] {
          let other = try run("setpriv", ["--reuid", "65534", "--regid", "65534", "--clear-groups", copy] + arguments)
          #expect(other.status == 3, "\(arguments): \(other.status) \(other.errorText)")
          #expect(other.errorText.hasPrefix("fsaudit: ") && other.errorText.contains("root"), "\(arguments): \(other.errorText)")
        }
        #expect(try kernelRules() == before)
      }
    }

    /// The real auditd owns the stream: we listen beside it, and it keeps everything that it had.
    @Test(.enabled(if: access("/sbin/auditd", X_OK) == 0, "auditd is not installed")) func besideAuditd() throws {
      let log = home["audit.log"]
      try home.write(
        "auditd.conf",
        """
        local_events = yes
        write_logs = yes
        log_file = \(log)
        log_format = RAW
        flush = NONE
        max_log_file = 8
        num_logs = 2
        max_log_file_action = IGNORE
        space_left = 2
        space_left_action = IGNORE
        admin_space_left = 1
        admin_space_left_action = IGNORE
        disk_full_action = IGNORE
        disk_error_action = IGNORE
        plugin_dir = \(try home.makeDirectory("plugins.d"))

        """)
      try KernelLab.run {
        let auditd = try RunningProgram("/sbin/auditd", ["-n", "-s", "enable", "-c", home.path])
        let isUp = try auditd.wait(seconds: 10) { try kernelStatus().pid == UInt32(auditd.pid) }
        let said = String(decoding: try auditd.errors() + auditd.output(), as: UTF8.self)
        try #require(isUp, "auditd does not start: \(said)")
        let (rules, status) = (try kernelRules(), try kernelStatus())

        let watch = try WatchRun([tree])
        #expect(try watch.messages().contains("(multicast)"))
        #expect(try kernelStatus().pid == UInt32(auditd.pid))
        try run("mkdir", ["\(tree)/beside"])
        try watch.wait(for: "\(tree)/beside")
        #expect(try watch.stop().status == 0)

        let daemon = try TestDaemon()
        try daemon.start()
        #expect(try daemon.status().string("source") == "multicast")
        #expect(try kernelStatus().pid == UInt32(auditd.pid))
        try run("mkdir", ["\(daemon.tree)/daemon"])
        try daemon.settle()
        try daemon.stop()
        #expect(try daemon.changes().map { $0.summary(in: daemon.tree) } == ["mkdir daemon"])

        let now = try kernelStatus()
        #expect(now.pid == status.pid && now.backlogLimit == status.backlogLimit && now.backlogWaitTime == status.backlogWaitTime)
        #expect(try kernelRules() == rules)
        auditd.signal(SIGTERM)
        #expect(try auditd.wait(seconds: 10).status == 0)
        // it got all that, too
        let written = try contents(of: log, limitBytes: 64 << 20)
        #expect(written.contains(Array("beside\"".utf8)) && written.contains(Array("daemon\"".utf8)))
      }
    }
  }
}
