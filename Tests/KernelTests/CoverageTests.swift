import AuditControl
import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// What kernel audit shows badly, and how it is made good.
  @Suite struct CoverageTests {
    /// The kernel names the key of the first rule that matches; the log names all.
    @Test func allKeys() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-w TREE -p wa -k outer\n-w TREE/in -p wa -k inner\n-w TREE/in/file -p a -k file")
        try daemon.home.makeDirectory("tree/in")
        try daemon.home.write("tree/in/file", "")
        try daemon.start()
        try run("chmod", ["600", "\(daemon.tree)/in/file"])
        try run("mkdir", ["\(daemon.tree)/in/d"])
        try run("mkdir", ["\(daemon.tree)/d"])
        try daemon.settle()
        try daemon.stop()
        let changes = try daemon.changes()
        #expect(changes.map { $0.summary(in: daemon.tree) } == ["chmod in/file", "mkdir in/d", "mkdir d"])
        #expect(changes.map { Set($0.line.strings("tags")) } == [["outer", "inner", "file"], ["outer", "inner"], ["outer"]])
      }
    }

    /// io_uring's records hold no login user, command or executable: those come from the process. They hold no names either: a name is what the
    /// directory calls the inode when the daemon looks, and where it has gone by then, the directory is all that is told.
    @Test(arguments: [[], ["async"], ["slow"], ["slow", "async"]]) func uring(mode: [String]) throws {
      try KernelLab.run {
        let daemon = try TestDaemon(
          rules: "-w TREE -p wa -k tree\n-a always,io_uring -S openat,renameat,unlinkat,mkdirat -F dir=TREE -F key=uring")
        try daemon.start()
        let program = try CPrograms.path("uring")
        // it stays until we have its events
        let script = "echo 1 >/proc/self/loginuid; (while [ -e \"$1\" ]; do sleep 0.1; done) | \"$0\" \"$@\""
        let flag = try daemon.home.write("outside/flag", "")
        let shell = try RunningProgram("sh", ["-c", script.split(separator: "$1").joined(separator: flag), program, daemon.tree] + mode)
        let isDone = try shell.wait(seconds: 10) { try shell.output().contains(Array("done".utf8)) || !shell.isRunning() }
        #expect(isDone)
        try daemon.settle()
        unlink(flag)
        let result = try shell.wait(seconds: 10)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errorText)")
        try daemon.stop()
        let changes = try daemon.changes()
        let expected = ["mkdir d", "create f", "rename f -> g", "delete g", "rmdir d"]
        try #require(changes.map(\.action) == expected.map { String($0.prefix { $0 != " " }) })
        for (change, right) in zip(changes, expected) {
          #expect(change.succeeded)
          if mode.contains("slow") || change.confidence != "parent-only" {
            #expect(change.summary(in: daemon.tree) == right && change.confidence == "inode", "\(change.json)")
          } else {
            #expect(change.path.starts(with: daemon.tree.utf8), "\(change.json)")
          }
          #expect(change.string("process.executable") == program, "\(change.json)")
          #expect(change.string("process.name") == "uring", "\(change.json)")
          #expect(change.string("user.audit.id") == "1", "\(change.json)")
          #expect(change.line.strings("tags").contains("uring"), "\(change.json)")
        }
      }
    }

    /// Calls on a descriptor: the kernel names no path.
    @Test func byDescriptor() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.home.write("tree/old", "")
        try daemon.start()
        try daemon.settle()
        try run(CPrograms.path("fileops"), ["fdonly", "\(daemon.tree)/old"])
        try run("touch", ["\(daemon.tree)/new"])
        try run(CPrograms.path("fileops"), ["fdonly", "\(daemon.tree)/new"])
        try daemon.settle()
        try daemon.stop()
        let changes = try daemon.changes()
        #expect(
          changes.map { $0.summary(in: daemon.tree) } == [
            "chmod old", "chown old", "setxattr old", "create new", "chmod new", "chown new", "setxattr new",
          ])
        #expect(changes.allSatisfy { $0.confidence == nil })
      }
    }

    @Test func refusedAttempts() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.home.write("tree/kept", "")
        chmod(daemon.home.path, 0o755)
        try daemon.start()
        try run(
          "setpriv",
          ["--reuid", "1", "--regid", "1", "--clear-groups", "sh", "-c", "cd \"$0\"; rm -f kept; mkdir d; : >>kept", daemon.tree])
        try daemon.settle()
        try daemon.stop()
        let changes = try daemon.changes()
        #expect(
          changes.count == 3
            && changes.allSatisfy { !$0.succeeded && $0.string("fsaudit.errno") == "EACCES" && $0.string("user.id") == "1" })
        #expect(changes.map(\.action) == ["delete", "mkdir", "open"])
      }
    }

    /// The rule follows the old inode; the new directory is watched again within seconds, and the log says that there was a hole.
    @Test func directoryReplaced() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-w TREE -p wa -k tree\n-w TREE/../watched -p wa -k watched")
        let watched = try daemon.home.makeDirectory("watched")
        try daemon.start()
        try call("rename", watched) { rename(watched, watched + ".old") }
        try daemon.home.makeDirectory("watched")
        let isSaid = try eventually { try daemon.messages().contains("watched again") }
        #expect(isSaid)
        try run("mkdir", ["\(watched)/seen"])
        try daemon.settle()
        try daemon.stop()
        #expect(try daemon.gaps().map(\.reason) == ["coverage"])
        let gap = try #require(try daemon.gaps().first)
        #expect(gap.string("fsaudit.gap.detail")?.contains("watched") == true)
        #expect(gap.string("fsaudit.gap.since") != nil && gap.string("fsaudit.gap.until") != nil, "\(gap.json)")
        #expect(try daemon.changes().contains { $0.summary(in: watched) == "mkdir seen" && $0.line.strings("tags") == ["watched"] })
      }
    }

    /// `auditctl -D` by somebody else: said at once, in the journal, the log and the status; put right by a reload, and not before.
    @Test(arguments: ["reload", "load", "stop"]) func rulesRemovedByOthers(end: String) throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-w TREE -p wa -k tree\n-w TREE/../outside -p wa -k outside")
        let before = try kernelRules()
        try daemon.start()
        try daemon.settle()
        let rules = try kernelRules()
        var audit = try KernelAudit()
        let removed = rules.filter { !before.contains($0) && Rule(data: $0)?.keys == [Array("tree".utf8)] }
        #expect(removed.count == 2)
        for rule in removed { try audit.change(rule, add: false, subject: "test") }
        let line = "-w \(daemon.tree) -p wa -k tree"
        try daemon.wait { $0.integer("rules.missing") == 1 && $0.string("missing_rules") == line }
        let status = try run(fsauditBinary, ["status", "--config", daemon.configuration])
        #expect(status.status == 1 && status.text.contains(line), "\(status.text)")
        let messages = try daemon.messages()
        #expect(messages.contains(line) && messages.contains("systemctl reload fsaudit"), "\(messages)")
        #expect(messages.split(separator: "somebody removed").count == 2 && !messages.contains("outside"), "\(messages)")
        #expect(try kernelRules().count == before.count + 2, "they are not put back against somebody's will")

        switch end {
        case "reload": daemon.signal(SIGHUP)
        case "load":
          let command = "rule load --config \(daemon.configuration)"
          #expect(messages.contains("`fsaudit \(command)` brings them back"), "\(messages)")
          let loaded = try run(fsauditBinary, command.split(separator: " ").map(String.init))
          #expect(loaded.status == 0 && loaded.text.hasPrefix("added 2, removed 0"), "\(loaded)")
        default: break
        }
        if end != "stop" {
          try daemon.wait { $0.integer("rules.missing") == 0 }
          #expect(try Set(kernelRules()) == Set(rules))
          #expect(try run(fsauditBinary, ["status", "--config", daemon.configuration]).status == 0)
          try run("mkdir", ["\(daemon.tree)/seen"])
          try daemon.settle()
        }
        try daemon.stop()
        let gaps = try daemon.gaps()
        #expect(gaps.count == 2, "\(gaps.map(\.json))")
        for gap in gaps {
          #expect(gap.reason == "coverage" && gap.string("fsaudit.gap.detail")?.contains(line) == true, "\(gap.json)")
          #expect(gap.string("fsaudit.gap.since") != nil && gap.string("fsaudit.gap.until") != nil, "\(gap.json)")
        }
        // the second has the whole of it
        #expect(gaps.first?.string("fsaudit.gap.since") == gaps.last?.string("fsaudit.gap.since"))
        if end != "stop" { #expect(try daemon.changes().map { $0.summary(in: daemon.tree) } == ["mkdir seen"]) }
      }
    }

    /// The keys of a `watch` are none of the log's, neither while it runs nor after.
    @Test func keysOfAWatch() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(runtimeDirectory: "/run/fsaudit")
        try daemon.start()
        try daemon.settle()
        let watch = try WatchRun([daemon.tree, "-k", "mine"])
        // the daemon has seen the rules
        try daemon.wait { $0.integer("rules.total") == Int64(try kernelRules().count) }
        try run("mkdir", ["\(daemon.tree)/during"])
        try watch.wait(for: "during")
        #expect(try watch.stop().status == 0)
        try run("mkdir", ["\(daemon.tree)/after"])
        try daemon.settle()
        try daemon.stop()
        #expect(try daemon.changes().map { $0.line.strings("tags") } == [["tree"], ["tree"]])
      }
    }

    @Test func waitsForItsPath() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-w TREE -p wa -k tree\n--when-created -w TREE/../later -p wa -k later")
        try daemon.start()
        let before = try kernelRules().count
        let later = try daemon.home.makeDirectory("later")
        let isSo = try eventually { try kernelRules().count > before }
        try #require(isSo)
        try run("mkdir", ["\(later)/seen"])
        try daemon.settle()
        try daemon.stop()
        #expect(try daemon.changes().contains { $0.summary(in: later) == "mkdir seen" && $0.line.strings("tags") == ["later"] })
      }
    }
  }
}
