import AuditControl
import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// `fsaudit run` as systemd and logrotate treat it.
  @Suite struct ServiceTests {
    /// The other end of sd_notify(3).
    private final class Notifications {
      let path: String
      private let descriptor: Int32

      init(_ path: String) throws {
        self.path = path
        descriptor = try call("socket", path) { socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        _ = try withUnsafePointer(to: address) { pointer in
          try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            try call("bind", path) { bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) }
          }
        }
      }

      deinit { close(descriptor) }

      /// What has been said so far and not read yet.
      func read() -> [String] {
        var messages: [String] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
          let count = recv(descriptor, &buffer, buffer.count, 0)
          if count < 0 { return messages }
          messages.append(String(decoding: buffer[..<count], as: UTF8.self))
        }
      }
    }

    /// auditd's plugin protocol: records on stdin, and the end of the input is the end of the daemon.
    @Test func asAPluginOfAuditd() throws {
      try KernelLab.run {
        let before = try kernelStatus()
        let daemon = try TestDaemon(rules: "")
        let time = milliseconds(CLOCK_REALTIME) / 1000
        let id = "audit(\(time).123:77): "
        let input = """
          type=SYSCALL msg=\(id)arch=c000003e syscall=87 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=1 pid=2 auid=1000 uid=0 gid=0 \
          euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="rm" exe="/usr/bin/rm" key="k"
          type=CWD msg=\(id)cwd="/srv"
          type=PATH msg=\(id)item=0 name="/srv" inode=5 dev=fe:00 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT
          type=PATH msg=\(id)item=1 name="a" inode=6 dev=fe:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=DELETE
          type=PROCTITLE msg=\(id)proctitle=726D0061
          type=EOE msg=\(id)
          node=elsewhere type=CONFIG_CHANGE msg=audit(\(time).124:78): op=set audit_enabled=0 old=1 auid=0 ses=1 res=1

          """
        // as the file for auditd says, which gives its plugins no more than two arguments (auditd-plugins(5))
        let file = try contents(of: #filePath.split(separator: "/Tests/")[0] + "/systemd/auditd-plugin.conf", limitBytes: 1 << 16)
        let line = String(decoding: file, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("args = ") }
        let arguments = try #require(line).split(separator: " ").dropFirst(2).map(String.init)
        #expect(arguments.count <= 2)
        let result = try run(fsauditBinary, arguments + ["--config", daemon.home["fsaudit.toml"]], input: Array(input.utf8))
        #expect(result.status == 0)
        let all = try parse(daemon.logBytes()).filter { $0.dataset != .seal }
        // what another host was told is logged, and is nothing that happened here
        #expect(all.count { $0.dataset == .gap } == 0 && all.count { $0.string("host.name") == "elsewhere" } == 1)
        let lines = all.filter { $0.string("host.name") != "elsewhere" }
        #expect(lines.map { $0.string("event.dataset") } == ["fsaudit.daemon", "fsaudit.file", "fsaudit.daemon"])
        #expect(lines.count == 3 && lines[1].string("file.path") == "/srv/a" && lines[1].string("fsaudit.action") == "delete")
        #expect(try kernelStatus().backlogLimit == before.backlogLimit, "the kernel's settings are auditd's")
      }
    }

    @Test func lifeUnderSystemd() throws {
      try KernelLab.run {
        let before = try kernelStatus()
        let daemon = try TestDaemon(source: "backlog_limit = 3333\nbacklog_wait_time = \"500ms\"")
        let systemd = try Notifications(daemon.home["notify"])
        try daemon.start(environment: ["NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "10000000"])
        try daemon.settle()
        let first = systemd.read()
        #expect(first.first?.hasPrefix("READY=1") == true, "\(first)")

        let status = try daemon.status()
        #expect(status.integer("pid") == Int64(daemon.pid))
        #expect(status.string("source") == "unicast")
        #expect(status.integer("kernel.pid") == Int64(daemon.pid))
        #expect(status.integer("kernel.enabled") == 1)
        #expect(status.integer("kernel.backlog_limit") == 3333)
        #expect(status.integer("rules.ours") == 2 && status.integer("rules.total") ?? 0 >= 2)
        #expect(status.string("log.directory") == daemon.logDirectory)
        #expect(status.integer("log.written.segments") == 1)
        #expect(status.integer("received.malformed_records") == 0)
        try daemon.wait { $0.integer("received.events") ?? 0 >= 2 && $0.integer("last_event.sequence") ?? 0 > 0 }
        let text = try run(fsauditBinary, ["status", "--config", daemon.configuration])
        #expect(text.status == 0 && text.text.contains("pid \(daemon.pid)") && text.text.contains("unicast"))

        let second = try run(fsauditBinary, ["run", "--config", daemon.configuration])
        #expect(second.status == 4 && second.errorText.contains("pid \(daemon.pid)"), "\(second.status) \(second.errorText)")

        daemon.signal(SIGHUP)
        var said: [String] = []
        let end = milliseconds(CLOCK_MONOTONIC) + 10_000
        while !(said.contains { $0.hasPrefix("READY=1") } && said.contains("WATCHDOG=1")), milliseconds(CLOCK_MONOTONIC) < end {
          usleep(50_000)
          said += systemd.read()
        }
        let reloading = said.firstIndex { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") }
        let ready = said.lastIndex { $0.hasPrefix("READY=1") }
        #expect(reloading != nil && ready != nil && (reloading ?? 0) < (ready ?? 0), "\(said)")
        #expect(said.contains("WATCHDOG=1"), "\(said)")

        try daemon.stop()
        #expect(systemd.read().contains("STOPPING=1"))
        let after = try kernelStatus()
        #expect(after.backlogLimit == before.backlogLimit && after.backlogWaitTime == before.backlogWaitTime && after.pid == 0)
        #expect(try run(fsauditBinary, ["status", "--json", "--config", daemon.configuration]).status == 1)
      }
    }

    /// `auditctl -e 0`, too short for a look at the kernel's status, and then long enough for one.
    @Test func auditSwitchedOff() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        try daemon.settle()
        func gaps() throws -> Int {
          try parse(daemon.logBytes()).count { $0.string("fsaudit.gap.detail")?.hasPrefix("kernel audit") == true }
        }
        var audit = try KernelAudit()
        try audit.set(.enabled(0))
        try audit.set(.enabled(1))
        try daemon.wait { $0.integer("gaps.coverage") == 1 }
        try audit.set(.enabled(0))
        try daemon.wait { $0.integer("gaps.coverage") == 2 && $0.integer("kernel.enabled") == 0 }
        try audit.set(.enabled(1))
        try daemon.wait { $0.integer("gaps.coverage") == 3 }
        try daemon.settle()
        #expect(try gaps() == 3)
        try daemon.stop()
      }
    }

    /// What auditd's pipe should be is a directory, or holds no records.
    @Test func pluginWithoutRecords() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(source: "kind = \"plugin\"")
        let broken = try run("sh", ["-c", "exec \"$0\" run --config \"$1\" </", fsauditBinary, daemon.configuration])
        #expect(broken.status == 5 && broken.errorText.contains("auditd's stream"), "\(broken.status) \(broken.errorText)")
        let binary = try run(
          fsauditBinary, ["run", "--config", daemon.configuration], input: [0, 0, 0, 0] + [UInt8](repeating: 7, count: 100))
        #expect(binary.status == 5 && binary.errorText.contains("makes no sense"), "\(binary.status) \(binary.errorText)")
      }
    }

    /// Somebody sets the backlog while we run: that is theirs, and stays.
    @Test func foreignSettingsStay() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(source: "backlog_limit = 3333")
        try daemon.start()
        #expect(try run("auditctl", ["-b", "4444"]).status == 0)
        try daemon.stop()
        #expect(try kernelStatus().backlogLimit == 4444)
      }
    }

    @Test func reload() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        let more = try daemon.home.makeDirectory("more")
        try daemon.start()
        let before = try kernelRules()
        try daemon.setRules("-w TREE -p wa -k tree\n-w \(more) -p wa -k more")
        // as logrotate does it: move the file away, then say so
        try run("mkdir", ["\(daemon.tree)/one"])
        try daemon.settle()
        try call("rename", "log") { rename("\(daemon.logDirectory)/events.jsonl", "\(daemon.logDirectory)/moved") }
        daemon.signal(SIGHUP)
        let isSo = try eventually { try kernelRules().count > before.count }
        try #require(isSo)
        // the old ones were not touched: they stand where they stood
        #expect(Array(try kernelRules().prefix(before.count)) == before)
        try run("mkdir", ["\(daemon.tree)/two", "\(more)/three"])
        try daemon.settle()
        let moved = try parse(try contents(of: "\(daemon.logDirectory)/moved")).filter { $0.dataset == .file && !$0.isSettling }
        #expect(moved.map { $0.summary(in: daemon.tree) } == ["mkdir one"])
        #expect(try daemon.changes().map { $0.summary(in: daemon.tree) } == ["mkdir two", "mkdir \(more)/three"])

        // a mistake: what was stays
        let rules = try kernelRules()
        try daemon.setRules("-w TREE -p wa -k tree\n-a always,exit -F nonsense=1 -k bad")
        daemon.signal(SIGHUP)
        let isSaid = try eventually { try daemon.messages().contains("10-test.rules:2") }
        #expect(isSaid)
        #expect(try kernelRules() == rules)
        #expect(try daemon.status().string("rules_fault")?.contains("10-test.rules:2") == true)
        try daemon.setRules("-w \(more) -p wa -k more")
        daemon.signal(SIGHUP)
        let isLess = try eventually { try kernelRules().count < rules.count }
        try #require(isLess)
        try daemon.stop()
        let lines = try daemon.lines()
        let reloads = lines.filter { $0.dataset == .daemon && $0.action == "reload" }
        #expect(reloads.map(\.succeeded) == [true, false, true])
        #expect(lines.contains { $0.dataset == .gap } == false)
      }
    }

    /// A mistake in rules.d at the start: without rules it does not start; with those of an earlier run it goes on, and tells everybody.
    @Test func mistakeAtStart() throws {
      try KernelLab.run {
        let before = (rules: try kernelRules(), status: try kernelStatus())
        let daemon = try TestDaemon()
        let good = "-w TREE -p wa -k tree"
        let bad = good + "\n-a always,exit -F nonsense=1 -k bad"
        try daemon.setRules(bad)
        let refused = try run(fsauditBinary, ["run", "--config", daemon.configuration])
        #expect(refused.status == 2 && refused.errorText.contains("10-test.rules:2: "), "\(refused.status) \(refused.errorText)")
        #expect(refused.errorText.hasPrefix("fsaudit: ") && refused.errorText.split(separator: "\n").count == 1, "\(refused.errorText)")
        let now = try kernelStatus()
        #expect(now.pid == 0 && now.enabled == before.status.enabled && now.backlogLimit == before.status.backlogLimit)
        #expect(try kernelRules() == before.rules)

        try daemon.setRules(good)
        try daemon.start()
        let rules = try kernelRules()
        try daemon.kill9()
        try daemon.setRules(bad)
        let systemd = try Notifications(daemon.home["notify"])
        try daemon.start(environment: ["NOTIFY_SOCKET": systemd.path])
        #expect(try kernelRules() == rules)
        #expect(try daemon.messages().contains("10-test.rules:2: "))
        let status = try run(fsauditBinary, ["status", "--config", daemon.configuration])
        #expect(status.status == 1 && status.text.contains("10-test.rules:2: "), "\(status.text)")
        #expect(systemd.read().contains { $0.hasPrefix("STATUS=") && $0.contains("10-test.rules:2: ") })
        try run("mkdir", ["\(daemon.tree)/seen"])
        try daemon.settle()
        try daemon.setRules(good)
        daemon.signal(SIGHUP)
        try daemon.wait { !$0.has("rules_fault") }
        #expect(systemd.read().contains { $0.hasPrefix("STATUS=") && !$0.contains("10-test.rules:2: ") })
        try daemon.stop()
        #expect(try kernelRules() == before.rules)
        #expect(try daemon.changes().map { $0.summary(in: daemon.tree) } == ["mkdir seen"])
        let gaps = try daemon.gaps().filter { $0.reason == "coverage" }
        #expect(gaps.count == 2)
        for gap in gaps {
          #expect(gap.string("fsaudit.gap.detail")?.contains("10-test.rules:2: ") == true, "\(gap.json)")
          #expect(gap.string("fsaudit.gap.since") != nil && gap.string("fsaudit.gap.until") != nil, "\(gap.json)")
        }
      }
    }

    /// Without a rule it is blind, and says so until there is one.
    @Test func withoutRules() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-a never,exit -F arch=b64 -S open -k nothing")
        // somebody else's are recorded, too
        let others = try kernelRules().compactMap(Rule.init(data:)).recordingCount
        let isBlind = others == 0
        func status() throws -> ProgramResult { try run(fsauditBinary, ["status", "--config", daemon.configuration]) }
        try daemon.start()
        #expect(try daemon.messages().contains("nothing is recorded: ") == isBlind)
        let before = try status()
        #expect(before.status == (isBlind ? 1 : 0), "\(before)")
        #expect(before.text.hasPrefix("FAULT        no rule in the kernel records anything") == isBlind, "\(before)")
        try daemon.setRules("-w TREE -p wa -k tree")
        daemon.signal(SIGHUP)
        try daemon.wait { $0.integer("rules.recording") == Int64(others + 2) }
        let well = try status()
        #expect(well.status == 0 && !well.text.contains("FAULT"), "\(well)")
        let said = try daemon.stop().errorText
        #expect(said.split(separator: "nothing is recorded").count == (isBlind ? 2 : 1) && said.contains("fsaudit: reloaded"), "\(said)")
      }
    }

    /// A log that can never be written keeps it from starting, and the kernel as it was.
    @Test func noPlaceForTheLog() throws {
      try KernelLab.run {
        let before = (rules: try kernelRules(), status: try kernelStatus())
        let home = try TemporaryDirectory()
        try home.write("file", "")
        for directory in [home["file"], home["file/log"], home["missing/log"]] {
          let daemon = try TestDaemon(logDirectory: directory)
          let refused = try run(fsauditBinary, ["run", "--config", daemon.configuration])
          #expect(refused.status == 5, "\(refused.status) \(refused.errorText)")
          #expect(refused.errorText.hasPrefix("fsaudit: the log cannot be written: \(directory)"), "\(refused.errorText)")
          let now = try kernelStatus()
          #expect(now.pid == 0 && now.enabled == before.status.enabled && now.backlogLimit == before.status.backlogLimit)
          #expect(try kernelRules() == before.rules)
        }
      }
    }

    @Test func rotation() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        for number in 1...3 {
          try run("mkdir", ["\(daemon.tree)/\(number)"])
          try daemon.settle()
          daemon.signal(SIGUSR1)
          let isRotated = try eventually { try daemon.segments().count { $0.contains("events-") } == number }
          #expect(isRotated)
        }
        try daemon.stop()
        let names = try daemon.segments()
        #expect(names.count == 4)
        for (number, name) in names.dropLast().enumerated() {
          let changes = try parse(try contents(of: name)).filter { $0.dataset == .file && !$0.isSettling }
          #expect(changes.map { $0.summary(in: daemon.tree) } == ["mkdir \(number + 1)"])
        }
      }
    }
  }
}
