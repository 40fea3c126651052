import AuditControl
import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// What is watched changes under the rules: links, mounts, other programs' rules.
  @Suite struct RuleUpkeepTests {
    /// `current -> releases/1`, and then 2.
    @Test func aRuleFollowsItsSymbolicLink() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-w TREE -p wa -k tree\n-w TREE/../outside/current -p wa -k current")
        for name in ["1", "2"] { try daemon.home.makeDirectory("outside/" + name) }
        symlink("1", "\(daemon.outside)/current")
        try daemon.start()
        try daemon.settle()
        unlink("\(daemon.outside)/current")
        symlink("2", "\(daemon.outside)/current")
        try daemon.wait { $0.integer("gaps.coverage") == 1 }
        try run("touch", ["\(daemon.outside)/current/new"])
        try daemon.settle()
        try daemon.stop()
        #expect(try daemon.changes().map { $0.summary(in: daemon.outside) }.contains("create 2/new"))
        #expect(try daemon.gaps().contains { $0.string("fsaudit.gap.detail")?.contains("outside/current") == true })
      }
    }

    @Test func whatIsMountedLaterIsWatchedToo() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        let place = try daemon.home.makeDirectory("tree/with blank")
        try daemon.start()
        try daemon.settle()
        let before = try kernelRules().count
        try #require(try run("mount", ["-t", "tmpfs", "none", place]).status == 0)
        defer { _ = try? run("umount", ["-l", place]) }
        try daemon.wait { $0.integer("gaps.coverage") == 1 }
        #expect(try kernelRules().count == before)
        try run("touch", ["\(place)/new"])
        // something else at the same place, before the daemon can look
        daemon.signal(SIGSTOP)
        try #require(try run("umount", [place]).status == 0)
        try #require(try run("mount", ["-t", "tmpfs", "none", place]).status == 0)
        daemon.signal(SIGCONT)
        try daemon.wait { $0.integer("gaps.coverage") == 2 }
        try run("touch", ["\(place)/newer"])
        try daemon.settle()
        try daemon.stop()
        let changes = try daemon.changes().map { $0.summary(in: daemon.tree) }
        #expect(changes.contains("create with blank/new") && changes.contains("create with blank/newer"), "\(changes)")
      }
    }

    /// A file that a rule names is known by its own path, whatever link leads there.
    @Test func aWatchedFileHasItsOwnPath() throws {
      try KernelLab.run {
        let daemon = try TestDaemon(rules: "-w TREE -p wa -k tree\n-w TREE/../outside/link -p wa -k file")
        try daemon.home.write("outside/file", "")
        symlink("file", "\(daemon.outside)/link")
        try daemon.start()
        try daemon.settle()
        try run("sh", ["-c", "echo >>\"$0\"", "\(daemon.outside)/link"])
        try run("chmod", ["600", "\(daemon.outside)/link"])
        try daemon.settle()
        try daemon.stop()
        let changes = try daemon.changes().filter { $0.line.strings("tags") == ["file"] }
        #expect(changes.map { $0.summary(in: daemon.outside) } == ["open file", "chmod file"])
        #expect(changes.allSatisfy { $0.confidence == nil })
      }
    }

    /// Another program's rule for the same tree comes and goes: so does its key, at once.
    @Test func aKeyGoesWithItsRule() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        try daemon.settle()
        let before = try kernelRules().count
        #expect(try run("auditctl", ["-a", "always,exit", "-F", "dir=\(daemon.tree)", "-F", "perm=wa", "-F", "key=other"]).status == 0)
        try daemon.wait { $0.integer("rules.total") == Int64(before) + 1 }
        // the daemon looks at the rules within a second of a change
        let isSeen = try eventually {
          try run("touch", ["\(daemon.tree)/before"])
          unlink("\(daemon.tree)/before")
          usleep(300_000)
          return try daemon.changes().contains { $0.line.strings("tags").contains("other") }
        }
        #expect(isSeen)
        #expect(try run("auditctl", ["-d", "always,exit", "-F", "dir=\(daemon.tree)", "-F", "perm=wa", "-F", "key=other"]).status == 0)
        try run("touch", ["\(daemon.tree)/after"])
        try daemon.settle()
        try daemon.stop()
        let after = try daemon.changes().filter { $0.summary(in: daemon.tree) == "create after" }
        #expect(after.map { $0.line.strings("tags") } == [["tree"]])
      }
    }
  }
}
