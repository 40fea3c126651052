import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// Names that would like to be something else: another field, another line, a command to the terminal. Each comes back byte by byte.
  @Suite struct HostileNameTests {
    private static let names: [[UInt8]] =
      [
        "new\nline", "\n", "carriage\rreturn", "\"quoted\"", "back\\slash", "'", "\u{1b}[31mred\u{1b}[0m", "\u{1b}]0;title\u{7}", "tab\t",
        " leading", "trailing ", " ", "(null)", "DEADBEEF", "616263", "\u{7f}", "\u{9b}31m", "\u{85}", "\u{202e}txt.exe",
        "\u{2066}isolate\u{2069}",
        "\u{feff}bom", "\u{2028}", "a=b name=\"c\" key=\"d\"", "{\"json\":1}", "$(reboot)", "-rf", "~", "*", "umlaut-\u{fc}-\u{75}\u{308}",
        "\u{1f4a9}", "\u{fffd}", "..hidden", "...", String(repeating: "x", count: 255), String(repeating: "\u{1b}", count: 255),
        String(repeating: "é", count: 127), "(deleted)", "file (deleted)", "<no_memory>", "<too_long>", "\u{1d}ENRICHED=\"x\"",
      ].map { Array($0.utf8) } + [
        [0xff], [0x61, 0xff, 0x62], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80], [0x01], [0x80], Array(1...31),
        Array(128...255) + Array(32...46) + Array(48...126), [0xe2, 0x80, 0xae, 0xff],
      ]

    /// Makes, renames and removes a file of each name, by our own hand. The directory has a hostile name itself.
    private func work(in tree: String) throws {
      let directory = Array(tree.utf8) + Array("/".utf8) + Self.parent
      func path(_ name: [UInt8]) -> [CChar] { (directory + [UInt8(ascii: "/")] + name + [0]).map { CChar(bitPattern: $0) } }
      try call("mkdir", tree) { mkdir((directory + [0]).map { CChar(bitPattern: $0) }, 0o755) }
      for name in Self.names {
        let file = try call("open", "hostile") { Glibc.open(path(name), O_WRONLY | O_CREAT | O_EXCL, 0o644) }
        close(file)
        try call("rename", "hostile") { rename(path(name), path([UInt8(ascii: "r")] + name.prefix(254))) }
        try call("unlink", "hostile") { unlink(path([UInt8(ascii: "r")] + name.prefix(254))) }
      }
      try call("rmdir", tree) { rmdir((directory + [0]).map { CChar(bitPattern: $0) }) }
    }

    private static let parent: [UInt8] = Array("dir \u{1b}[2J\n".utf8) + [0xfe]

    private func check(_ changes: [Line], _ tree: String) throws {
      let directory = Array(tree.utf8) + Array("/".utf8) + Self.parent
      try #require(changes.count == Self.names.count * 3 + 2)
      #expect(changes.first?.path == directory && changes.last?.path == directory)
      for (index, name) in Self.names.enumerated() {
        let path = directory + [UInt8(ascii: "/")] + name
        let renamed = directory + [UInt8(ascii: "/"), UInt8(ascii: "r")] + name.prefix(254)
        let lines = changes[(index * 3 + 1)..<(index * 3 + 4)]
        #expect(lines.map(\.action) == ["create", "rename", "delete"], "\(name)")
        #expect(lines.map(\.path) == [path, renamed, renamed], "\(name)")
        #expect(lines.map(\.previous) == [nil, path, nil], "\(name)")
        #expect(lines.allSatisfy { $0.confidence == nil }, "\(name)")
      }
    }

    /// One line a change, and in none of them anything that a terminal would obey.
    private func checkText(_ output: [UInt8], lines: Int) {
      #expect(output.lineCount() == lines)
      let text = String(validating: output, as: UTF8.self)
      #expect(text != nil, "not UTF-8")
      let hazards = (text ?? "").unicodeScalars.filter { $0 != "\n" && isTerminalHazard($0.value) }
      #expect(hazards.isEmpty, "\(hazards.map { String($0.value, radix: 16) })")
    }

    @Test func watch() throws {
      let directory = try TemporaryDirectory()
      try KernelLab.run {
        let json = try WatchRun(["--format", "json", directory.path])
        let text = try WatchRun([directory.path])
        try work(in: directory.path)
        let (shown, said) = (try text.stop(), try json.stop())
        #expect(shown.status == 0 && said.status == 0)
        try check(try parse(said.output), directory.path)
        checkText(shown.output, lines: Self.names.count * 3 + 2)
        // controls are escaped in the log itself: people print it with cat
        #expect(!said.output.contains { $0 < 0x20 && $0 != 10 || $0 == 0x7f })
      }
    }

    /// The watched directory itself has such a name, and is given as it is. Its inside is walked, too: the kernel names nothing for a
    /// call on a descriptor.
    @Test func watchedByItsBytes() throws {
      let directory = try TemporaryDirectory()
      let tree = Array(directory.path.utf8) + Array("/tree-".utf8) + [0xff]
      let file = tree + Array("/file".utf8)
      #expect(try run("sh", bytes: [Array("-c".utf8), Array("mkdir \"$0\" && : >\"$1\"".utf8), tree, file]).status == 0)
      try KernelLab.run {
        let watch = try RunningProgram(fsauditBinary, bytes: ["watch", "--format", "json", "-k", "k"].map { Array($0.utf8) } + [tree])
        let isUp = try watch.wait(seconds: 20) { try watch.errors().contains(Array("fsaudit: watching ".utf8)) || !watch.isRunning() }
        let said = String(decoding: try watch.errors(), as: UTF8.self)
        try #require(isUp && watch.isRunning(), "\(said)")
        #expect(try run(CPrograms.path("fileops"), bytes: [Array("fdonly".utf8), file]).status == 0)
        watch.signal(SIGINT)
        let result = try watch.wait(seconds: 10)
        let lines = try parse(result.output)
        #expect(result.status == 0 && lines.map(\.action) == ["chmod", "chown", "setxattr"])
        #expect(lines.allSatisfy { $0.path == file && $0.confidence == nil }, "\(lines.map(\.json))")
      }
    }

    @Test func runAndTail() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        try work(in: daemon.tree)
        try daemon.settle()
        try daemon.stop()
        let lines = try daemon.changes()
        try check(lines, daemon.tree)
        try checkJSON(try daemon.segments())
        let tail = try run(fsauditBinary, ["tail", "-n", "1000", "--action", "create,rename,delete", "--log", daemon.logDirectory])
        #expect(tail.status == 0)
        checkText(tail.output, lines: Self.names.count * 3)
      }
    }
  }
}
