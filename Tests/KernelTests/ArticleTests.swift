import EventLog
import Glibc
import TestSupport
import Testing

extension KernelTests {
  /// The steps of AWS's article on file monitoring: each shows once, with the right path, program and action, in their order.
  @Suite struct ArticleTests {
    /// A step, and what it is to be called.
    private static let steps: [(command: [String], change: String)] = [
      (["mkdir", "dir1"], "mkdir dir1"), (["touch", "file1"], "create file1"), (["touch", "file2"], "create file2"),
      (["mv", "file1", "file3"], "rename file1 -> file3"), (["rm", "file2"], "delete file2"),
      (["chmod", "600", "file3"], "chmod file3"), (["rmdir", "dir1"], "rmdir dir1"), (["rm", "file3"], "delete file3"),
    ]

    /// Does the steps in `tree` as login user 1, `daemon`, who is on every Linux. Returns their pids.
    private func work(in tree: String) throws -> [pid_t] {
      try Self.steps.map { step in
        // a process of its own: the kernel remembers a process' first command line, past its exec
        let script = "echo 1 >/proc/self/loginuid && cd '\(tree)' && { \"$@\" & echo $!; wait $!; }"
        let program = try run("sh", ["-c", script, "sh"] + step.command)
        #expect(program.status == 0)
        return try #require(pid_t(program.text.dropLast()))
      }
    }

    private func check(_ changes: [Line], _ pids: [pid_t], in tree: String, key: String) throws {
      #expect(changes.map { $0.summary(in: tree) } == Self.steps.map(\.change))
      #expect(changes.allSatisfy { $0.succeeded && $0.confidence == nil })
      try #require(changes.count == Self.steps.count)
      for (index, change) in changes.enumerated() {
        let command = Self.steps[index].command
        #expect(change.integer("process.pid") == Int64(pids[index]))
        #expect(change.integer("process.parent.pid").map { $0 > 0 } == true)
        #expect(change.string("process.executable")?.hasSuffix("/bin/\(command[0])") == true)
        #expect(change.line.strings("process.args") == command)
        #expect(change.string("process.name") == command[0])
        #expect(change.string("process.working_directory") == tree)
        #expect(change.string("user.id") == "0")
        #expect(change.string("user.name") == "root")
        #expect(change.string("user.audit.id") == "1")
        #expect(change.string("user.audit.name") == "daemon")
        #expect(change.line.strings("tags") == [key])
      }
      // serials and times do not go back
      let serials = changes.compactMap(\.line.sequence)
      #expect(serials.count == changes.count && zip(serials, serials.dropFirst()).allSatisfy { Int32(bitPattern: $1 &- $0) > 0 })
      let times = changes.compactMap(\.line.timeMs)
      #expect(times == times.sorted() && times.count == changes.count)
      #expect(changes[5].string("file.mode") == "0600")
      #expect(changes[0].string("file.type") == "dir")
    }

    @Test func watchAsJSON() throws {
      let directory = try TemporaryDirectory()
      try KernelLab.run {
        let watch = try WatchRun(["-k", "article", "--format", "json", directory.path])
        let pids = try work(in: directory.path)
        let result = try watch.stop()
        #expect(result.status == 0)
        try check(try parse(result.output), pids, in: directory.path, key: "article")
      }
    }

    @Test func watchAsText() throws {
      let directory = try TemporaryDirectory()
      try KernelLab.run {
        let watch = try WatchRun([directory.path])
        let pids = try work(in: directory.path)
        // live: before it ends
        try watch.wait(for: "\(directory["file3"])")
        let result = try watch.stop()
        #expect(result.status == 0)
        let lines = result.text.split(separator: "\n")
        try #require(lines.count == Self.steps.count, "\(result.text)")
        for (index, line) in lines.enumerated() {
          let words = Self.steps[index].change.split(separator: " ")
          #expect(line.contains(words[0]), "\(line)")
          for name in words.dropFirst() where name != "->" { #expect(line.contains("\(directory.path)/\(name)"), "\(line)") }
          #expect(line.contains("daemon"), "\(line)")
          #expect(line.contains(Self.steps[index].command[0]), "\(line)")
          #expect(line.contains("\(pids[index])"), "\(line)")
        }
      }
    }

    @Test func runAndTail() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        let tail = try RunningProgram(
          fsauditBinary, ["tail", "-f", "-n", "0", "--format", "json", "--path", daemon.tree, "--log", daemon.logDirectory])
        let text = try RunningProgram(fsauditBinary, ["tail", "-f", "-n", "0", "--log", daemon.logDirectory])
        // both are there once they show what is done now
        let isFollowing = try text.wait(seconds: 10) {
          try daemon.settle()
          return try !text.output().isEmpty && !tail.output().isEmpty
        }
        #expect(isFollowing)
        let pids = try work(in: daemon.tree)
        try daemon.settle()
        let isShown = try tail.wait(seconds: 10) {
          try tail.output().count(of: "deleted\"", and: "/file3") == 1 && text.output().count(of: "delete", and: "/file3") == 1
        }
        #expect(isShown)
        for follower in [tail, text] { follower.signal(SIGINT) }
        let shown = try tail.wait(seconds: 10)
        #expect(shown.status == 0)
        #expect(try text.wait(seconds: 10).status == 0)
        try check(try parse(shown.output).filter { !$0.isSettling }, pids, in: daemon.tree, key: "tree")
        try check(try daemon.changes(), pids, in: daemon.tree, key: "tree")
        for step in Self.steps {
          let words = step.change.split(separator: " ")
          #expect(try text.output().count(of: String(words[0]), and: "\(daemon.tree)/\(words.last ?? "")") == 1, "\(step.change)")
        }
        try daemon.stop()
        #expect(try daemon.gaps().isEmpty)
      }
    }
  }
}
