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

    /// io_uring's records hold no login user, command or executable: those come from the process.
    @Test(arguments: [[], ["async"]]) func uring(mode: [String]) throws {
      try KernelLab.run {
        let daemon = try TestDaemon(
          rules: "-w TREE -p wa -k tree\n-a always,io_uring -S openat,renameat,unlinkat,mkdirat -F dir=TREE -F key=uring")
        try daemon.start()
        let program = try RunningProgram(
          "sh", ["-c", "echo 1 >/proc/self/loginuid; sleep 100 | exec \"$0\" \"$@\"", try CPrograms.path("uring"), daemon.tree] + mode)
        let isDone = try program.wait(seconds: 10) { try program.output().contains(Array("done".utf8)) || !program.isRunning() }
        let said = String(decoding: try program.errors(), as: UTF8.self)
        try #require(isDone && program.isRunning(), "\(said)")
        #expect(said == "")
        try daemon.settle()
        _ = try? run("pkill", ["-P", "\(program.pid)"])
        try daemon.stop()
        let changes = try daemon.changes().filter { $0.succeeded }
        let summaries = changes.map { $0.summary(in: daemon.tree) }
        // a worker's openat leaves neither name nor inode (AUDIT-FACTS 8)
        let expected = ["mkdir d", "create f", "rename f -> g", "delete g", "rmdir d"].filter { mode.isEmpty || $0 != "create f" }
        #expect(expected.allSatisfy { summaries.filter { !$0.hasPrefix("open") }.contains($0) }, "\(summaries)")
        for change in changes where expected.contains(change.summary(in: daemon.tree)) {
          #expect(change.string("process.executable")?.hasSuffix("/uring") == true, "\(change.json)")
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
        try run("setpriv", ["--reuid", "1", "--regid", "1", "--clear-groups", "sh", "-c", "cd \"$0\"; rm -f kept; mkdir d; : >>kept", daemon.tree])
        try daemon.settle()
        try daemon.stop()
        let changes = try daemon.changes()
        #expect(changes.count == 3 && changes.allSatisfy { !$0.succeeded && $0.string("fsaudit.errno") == "EACCES" && $0.string("user.id") == "1" })
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
        #expect(try daemon.gaps().first?.string("fsaudit.gap.detail")?.contains("watched") == true)
        #expect(try daemon.changes().contains { $0.summary(in: watched) == "mkdir seen" && $0.line.strings("tags") == ["watched"] })
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
