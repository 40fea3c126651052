import Glibc
import System
import TestSupport
import Testing

/// The built `fsaudit`, without the kernel: what it answers and how it refuses.
@Suite struct BinaryTests {
  /// Every command with its words, found through the help texts themselves.
  private func commands() throws -> [[String]] {
    var found: [[String]] = [[]]
    var next = 0
    while next < found.count {
      let command = found[next]
      next += 1
      let help = try run(fsauditBinary, command + ["--help"]).text
      guard let list = help.firstRange(of: "SUBCOMMANDS:\n") else { continue }
      for line in help[list.upperBound...].split(separator: "\n", omittingEmptySubsequences: false) {
        if line.isEmpty { break }
        // a continued description is indented further
        guard line.hasPrefix("  "), let name = line.split(separator: " ").first, !line.hasPrefix("   ") else { continue }
        found.append(command + [String(name)])
      }
    }
    return found
  }

  @Test func everyCommandHelps() throws {
    let all = try commands()
    for name in ["watch", "run", "rule", "tail", "status"] { #expect(all.contains([name])) }
    for name in ["add", "remove", "list", "load", "check"] { #expect(all.contains(["rule", name])) }
    for command in all {
      let help = try run(fsauditBinary, command + ["--help"])
      #expect(help.status == 0 && help.errors.isEmpty, "\(command)")
      #expect(help.text.contains("OVERVIEW: ") && help.text.contains("USAGE: fsaudit"), "\(command)")
      let wide = help.text.split(separator: "\n").filter { $0.count > 100 }.map(String.init)
      #expect(wide == [], "\(command)")
    }
  }

  /// What the help shows can be typed as it stands. Here there is no log and no file of that name, which is another error.
  @Test(arguments: ["search", "report", "tail", "rule check", "baseline show", "baseline list", "baseline path-check", "check"])
  func examplesOfTheHelp(command: String) throws {
    let directory = try TemporaryDirectory()
    let help = try run(fsauditBinary, command.split(separator: " ").map(String.init) + ["--help"]).text
    let examples = help.split(separator: "\n").filter { $0.hasPrefix("  fsaudit \(command)") && !$0.contains(" -f") }
    #expect(examples.count > 1, "\(command)")
    for example in examples {
      let script = "fsaudit() { '\(fsauditBinary)' \"$@\"; }; cd '\(directory.path)'; \(example) < /dev/null"
      let answer = try run(
        "unshare", ["-m", "bash", "-c", "mount -t tmpfs none /var; mount -t tmpfs none /etc/fsaudit 2> /dev/null; \(script)"])
      #expect(answer.status != (command == "check" ? 17 : 2) && answer.status < 64, "\(example): \(answer.status) \(answer.errorText)")
    }
  }

  /// ArgumentParser leaves the options' texts out of a narrow help, and traps in a debug build.
  @Test(arguments: ["-3", "0", "1", "10", "26", "27"]) func aNarrowTerminalStillGetsTheWholeHelp(columns: String) throws {
    for command in try commands() {
      let help = try run(fsauditBinary, command + ["--help"], environment: ["COLUMNS": columns])
      #expect(help.status == 0 && help.errors.isEmpty, "\(command): \(help.status)")
      #expect(help.text.contains("information."), "\(command)")
    }
    let usage = try run(fsauditBinary, ["search", "--nonsense"], environment: ["COLUMNS": columns])
    #expect(usage.status == 2 && usage.errorText.hasPrefix("fsaudit: "), "\(usage.status)")
  }

  @Test func mistakesAreUsageErrors() throws {
    for command in try commands() {
      let refused = try run(fsauditBinary, command + ["--no-such-option"])
      // 2 would be a finding of check's
      #expect(refused.status == (command == ["check"] ? 17 : 2), "\(command): \(refused.status)")
      // what is missing is said before what is too much
      let isNamed = ["--no-such-option", "Missing expected argument", "give one of"].contains { refused.errorText.contains($0) }
      #expect(refused.output.isEmpty && refused.errorText.hasPrefix("fsaudit: ") && isNamed, "\(command): \(refused.errorText)")
    }
    let unknown = try run(fsauditBinary, ["frobnicate"])
    #expect(unknown.status == 2 && unknown.errorText.contains("frobnicate"))
    for arguments in [
      ["watch"], ["tail", "-n", "-1"], ["tail", "--since", "later", "--log", "/"], ["tail", "--format", "xml"], ["rule", "add"],
      ["rule", "add", "-a", "never"], ["watch", "-k", "", "/"],
    ] {
      let refused = try run(fsauditBinary, arguments)
      #expect(refused.status == 2 && refused.errorText.hasPrefix("fsaudit: "), "\(arguments): \(refused.status) \(refused.errorText)")
    }
  }

  @Test func version() throws {
    let answer = try run(fsauditBinary, ["--version"])
    #expect(answer.status == 0 && answer.text.split(separator: ".").count == 3)
  }

  @Test func whatIsMissingIsNamed() throws {
    let directory = try TemporaryDirectory()
    let missing = directory["missing"]
    for arguments in [["tail", "--log", missing], ["rule", "check", missing]] {
      let refused = try run(fsauditBinary, arguments)
      #expect(refused.status == 5 && refused.errorText.contains(missing), "\(arguments): \(refused.status) \(refused.errorText)")
    }
    for arguments in [["status", "--config", missing], ["run", "--config", missing]] {
      let refused = try run(fsauditBinary, arguments)
      #expect(
        [2, 5].contains(refused.status) && refused.errorText.contains(missing), "\(arguments): \(refused.status) \(refused.errorText)")
    }
    let configuration = try directory.write("fsaudit.toml", "[daemon]\nruntime_directory = \"\(directory["run"])\"\n")
    let status = try run(fsauditBinary, ["status", "--config", configuration])
    #expect(status.status == 1 && status.text.contains("not running"), "\(status.text)")
    #expect(try run(fsauditBinary, ["status", "--json", "--config", configuration]).text == "{\"running\":false}\n")
    let wrong = try directory.write("wrong.toml", "[log]\nrotate_size = \"7 bananas\"\n")
    let refused = try run(fsauditBinary, ["run", "--config", wrong])
    #expect(refused.status == 2 && refused.errorText.contains("\(wrong):2"), "\(refused.status) \(refused.errorText)")
  }

  @Test func readerGone() throws {
    let directory = try TemporaryDirectory()
    let line =
      #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"dataset":"fsaudit.gap"},"message":"text","fsaudit":{"gap":{"reason":"overrun"}}}"#
    try directory.write("events.jsonl", String(repeating: line + "\n", count: 5000))
    for format in ["text", "json"] {
      let arguments = ["tail", "-n", "5000", "--format", format, "--log", directory.path]
      #expect(try run(fsauditBinary, arguments).text.split(separator: "\n").count == 5000)
      var ends: [Int32] = [0, 0]
      try call("pipe", "test") { pipe(&ends) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      close(ends[0])
      let program = try RunningProgram(fsauditBinary, arguments, output: ends[1])
      close(ends[1])
      let result = try program.wait(seconds: 20)
      #expect(result.status == 0 && result.errors.isEmpty, "\(format): \(result.status) \(result.errorText)")
    }
  }

  /// Somebody listens and never answers, as a daemon does that is stopped.
  @Test func statusDoesNotWaitForEver() throws {
    let directory = try TemporaryDirectory()
    let configuration = try directory.write("fsaudit.toml", "[daemon]\nruntime_directory = \"\(directory.path)\"\n")
    let silent = try LocalSocket.listen(at: directory["control"])
    defer { withExtendedLifetime(silent) {} }
    // more than may wait to be accepted: then it is connecting that waits
    let programs = try (0..<12).map { _ in try RunningProgram(fsauditBinary, ["status", "--config", configuration]) }
    for program in programs {
      let result = try program.wait(seconds: 20)
      #expect(result.status == 5 && result.errorText.contains("has not answered"), "\(result.status) \(result.errorText)")
    }
  }

  /// Without a stdout, what is opened next must not be taken for it, and an answer that nobody gets is an error.
  @Test func closedOutput() throws {
    let directory = try TemporaryDirectory()
    let line = #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"dataset":"fsaudit.gap"},"message":"text"}"#
    try directory.write("events.jsonl", line + "\n")
    let configuration = try directory.write("fsaudit.toml", "[daemon]\nruntime_directory = \"\(directory["run"])\"\n")
    for arguments in [
      ["--version"], ["watch", directory.path], ["tail", "--log", directory.path], ["status", "--json", "--config", configuration],
    ] {
      let closed = try run("sh", ["-c", "exec \"$0\" \"$@\" >&-", fsauditBinary] + arguments)
      #expect(closed.status == 5 && closed.errorText.hasPrefix("fsaudit: stdout: Bad file descriptor"), "\(arguments): \(closed)")
    }
    #expect(try contents(of: directory["events.jsonl"]) == Array((line + "\n").utf8))
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func completions(shell: String) throws {
    let script = try run(fsauditBinary, ["--generate-completion-script", shell])
    #expect(script.status == 0 && script.text.contains("watch"))
    // the shell itself must be able to read it, where it is there
    let syntax = try run("sh", ["-c", "command -v \(shell) >/dev/null || exit 0; exec \(shell) -n"], input: script.output)
    #expect(syntax.status == 0, "\(syntax.errorText)")
  }
}
