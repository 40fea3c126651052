import Replay
import Testing

@testable import EventLog

/// Names are attackers' bytes: they come through the log unchanged, and nothing in them becomes a field, a line or a
/// terminal's command.
@Suite struct NativeNamesTests {
  /// As the kernel prints a string that is not harmless.
  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
  }

  /// A SYSCALL with all of its names hostile, and what else the event holds.
  private func event(
    number: Int, cwd: [UInt8] = [0x2f], exe: [UInt8] = Array("/x".utf8), key: [UInt8] = Array("k".utf8), title: [UInt8] = [0x78],
    node: String = "", _ records: [String]
  ) -> [UInt8] {
    let head = "msg=audit(1795228434.415:7): "
    var lines = [
      "type=SYSCALL \(head)arch=c000003e syscall=\(number) success=yes exit=0 a0=ffffff9c a1=0 a2=ffffff9c a3=0 items=2 ppid=1 pid=2 auid=0 uid=0 "
        + "gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=1 comm=\(hex(exe.suffix(15))) exe=\(hex(exe)) key=\(hex(key))",
      "type=CWD \(head)cwd=\(hex(cwd))",
    ]
    lines += records.map { "type=" + $0.replacing(" ", with: " \(head)", maxReplacements: 1) }
    lines.append("type=PROCTITLE \(head)proctitle=\(hex(title))")
    return Array(lines.map { (node.isEmpty ? "" : "node=\(node) ") + $0 }.joined(separator: "\n").utf8) + [10]
  }

  private func path(_ type: String, _ name: [UInt8], _ inode: Int, _ mode: String = "0100644") -> String {
    "PATH item=0 name=\(hex(name)) inode=\(inode) dev=fe:00 mode=\(mode) ouid=0 ogid=0 rdev=00:00 nametype=\(type)"
  }

  /// The one line that the log means.
  private func line(_ log: [UInt8]) throws -> LogLine {
    let bytes = Replay.lines(of: log)
    #expect(brokenContract(bytes) == nil)
    #expect(bytes.count { $0 == 10 } == 1)
    var line = LogLine()
    let text = Array(bytes.dropLast())
    let isObject = line.parse(text.span.bytes)
    try #require(isObject)
    return line
  }

  @Test func everyNameComesBack() throws {
    var random = SplitMix(seed: 4)
    for round in 0..<600 {
      // a kernel's path: absolute and normal, anything but NUL and slash in the name
      let name = random.bytes(count: 1 + Int.random(in: 0..<255, using: &random), alphabet: round % 3)
      let path = Array("/d/".utf8) + name.map { $0 == 0 || $0 == 0x2f ? 0x01 : $0 }
      if path.last == 0x2e { continue }
      let found = try line(
        event(number: 83, [self.path("PARENT", Array("/d/".utf8), 1, "040755"), self.path("CREATE", path, 2, "040755")]))
      #expect(found.name("file.path", raw: "fsaudit.raw.path") == path)
      #expect(found.string("fsaudit.action") == "mkdir" && found.string("file.inode") == "2")
    }
  }

  @Test func bothNamesOfARenameComeBack() throws {
    var random = SplitMix(seed: 5)
    for round in 0..<200 {
      let names = (0..<2).map { _ in
        Array("/d/".utf8) + random.bytes(count: 20, alphabet: round % 3).map { $0 == 0 || $0 == 0x2f || $0 == 0x2e ? 0x02 : $0 }
      }
      let found = try line(
        event(number: 82, [path("PARENT", Array("/d/".utf8), 1, "040755"), path("DELETE", names[0], 2), path("CREATE", names[1], 2)]))
      #expect(found.name("file.path", raw: "fsaudit.raw.path") == names[1])
      #expect(found.name("fsaudit.previous.path", raw: "fsaudit.raw.previous_path") == names[0])
    }
  }

  @Test func aLinksTextComesBack() throws {
    let text: [UInt8] = [0xff, 0x0a, 0x22, 0x1b]
    let found = try line(
      event(
        number: 88,
        [
          path("PARENT", Array("/d/".utf8), 1, "040755"), "PATH item=1 name=\(hex(text)) nametype=UNKNOWN",
          path("CREATE", Array("/d/l".utf8), 2, "0120777"),
        ]))
    #expect(found.name("fsaudit.target.path", raw: "fsaudit.raw.target_path") == text)
  }

  /// What a name could say to become something else.
  @Test(arguments: [
    "\",\"user\":{\"id\":\"0\"}", "\n{\"@timestamp\":\"2026-01-01T00:00:00.000Z\"}\n", "\\u0022", "\u{1d}UID=\"root\"",
    "type=SYSCALL msg=audit(1.000:1): ",
    "\r\nnode=x type=EOE", "(null)", "\u{1b}]0;x\u{7}", "\u{2028}\u{202e}\u{85}",
  ])
  func nothingBecomesAField(name: String) throws {
    let path = Array("/d/\(name)".utf8)
    let found = try line(event(number: 83, [self.path("PARENT", Array("/d/".utf8), 1, "040755"), self.path("CREATE", path, 2, "040755")]))
    #expect(found.name("file.path", raw: "fsaudit.raw.path") == path && found.string("user.id") == "0" && found.sequence == 7)
  }

  /// The longest that the kernel passes in every field at once, all of it six bytes each in JSON.
  @Test(arguments: [1, 0xff] as [UInt8]) func noLineIsTooLong(byte: UInt8) throws {
    func long(_ count: Int) -> [UInt8] { [0x2f] + [UInt8](repeating: byte, count: count - 1) }
    let (old, new) = (long(4095), long(4094) + [0x78])
    let found = try line(
      event(
        number: 82, cwd: long(4095), exe: long(4095), key: [UInt8](repeating: 2, count: 256), title: long(128),
        node: String(repeating: "\u{2}", count: 255),
        [path("PARENT", [0x2f], 1, "040755"), path("DELETE", new, 3), path("DELETE", old, 2), path("CREATE", new, 2)]
          + (0..<20).map { "AVC avc: denied n\($0)=\(String(repeating: "x", count: 8000))" }))
    #expect(found.name("file.path", raw: "fsaudit.raw.path") == new)
    #expect(found.name("fsaudit.previous.path", raw: "fsaudit.raw.previous_path") == old)
    #expect(found.has("fsaudit.records_cut") && !found.has("fsaudit.raw.cut"))
  }

  /// Relative to descriptors a path can be longer than any line: its end stays.
  @Test func aPathLongerThanALine() throws {
    let deep = [UInt8](repeating: 1, count: 4000)
    let found = try line(
      event(
        number: 83, cwd: [0x2f] + deep + [0x2f] + deep,
        [path("PARENT", [0x78], 1, "040755"), path("CREATE", deep + Array("/name".utf8), 2, "040755")]))
    let raw = try #require(found.hex("fsaudit.raw.path"))
    #expect(raw.count == 4096 && raw.suffix(5) == Array("/name".utf8) && found.has("fsaudit.raw.cut"))
  }

  @Test func hugeArgumentLists() throws {
    let argument = String(repeating: "01", count: 3750)
    let found = try line(event(number: 59, (0..<30).map { "EXECVE a\($0)=\(argument)" }))
    #expect(found.has("fsaudit.records_cut") && found.string("event.action") == "59")
    let many = try line(event(number: 59, ["EXECVE argc=5000 " + (0..<5000).map { "a\($0)=\"x\"" }.joined(separator: " ")]))
    #expect(many.has("fsaudit.records_cut"))
  }

  @Test func eventsOfManyRecords() throws {
    let found = try line(event(number: 59, (0..<6000).map { _ in "BPRM_FCAPS fver=0" }))
    #expect(found.integer("fsaudit.record_count") == 6003 && found.has("fsaudit.records_cut"))
  }

  /// A change of which neither path nor inode is known is still one JSON object (found by the fuzzer).
  @Test func nothingButAMode() throws {
    let found = try line(event(number: 91, ["PATH item=0 name=(null) mode=0100644 nametype=NORMAL"]))
    #expect(found.string("file.mode") == "0000" && found.string("fsaudit.path_confidence") == "unknown" && !found.has("file.path"))
  }

  /// Words that are no fields are kept (`avc:  denied  { read }`).
  @Test func proseIsKept() throws {
    let found = try line(Array("type=USER_AVC msg=audit(1.000:1): pid=1 msg='avc:  denied  { start } for  a=b'\n".utf8))
    let text = Replay.lines(of: Array("type=USER_AVC msg=audit(1.000:1): pid=1 msg='avc:  denied  { start } for  a=b'\n".utf8))
    #expect(found.dataset == .event && String(decoding: text, as: UTF8.self).contains("avc:  denied  { start } for"))
  }
}
