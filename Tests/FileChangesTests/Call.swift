import AuditEvents
import AuditWire
import Replay

@testable import FileChanges

/// An event in few words, and what it must mean. Everything that a real kernel was made to do is in Tests/Corpus; here is
/// what it does seldom: other machines, other orders, other file systems, and calls of which half is unknown.
struct Call: Sendable {
  var name: String
  var number: Int
  var arch = "c000003e"
  var exit = 0
  var arguments: [UInt64] = [0, 0, 0, 0]
  var cwd: String? = "/w"
  /// `NAMETYPE name inode mode [device]`; the name `-` is (null), the inode 0 leaves inode to mode out.
  var paths: [String] = []
  var extra: [String] = []
  /// After the first event's time.
  var milliseconds = 0

  /// auditd's lines.
  func log(serial: Int) -> [UInt8] {
    func hex(_ value: UInt64) -> String { String(value, radix: 16) }
    let time = 1_795_228_434_415 + milliseconds
    let head = "msg=audit(\(time / 1000).\(String(time % 1000 + 1000).dropFirst()):\(serial)): "
    var lines = [
      "type=SYSCALL \(head)arch=\(arch) syscall=\(number) success=\(exit < 0 ? "no" : "yes") exit=\(exit) a0=\(hex(arguments[0])) "
        + "a1=\(hex(arguments[1])) a2=\(hex(arguments[2])) a3=\(hex(arguments[3])) items=\(paths.count) ppid=1 pid=2 auid=0 uid=0 gid=0 euid=0 "
        + "suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=1 comm=\"x\" exe=\"/x\" key=\"k\""
    ]
    lines += extra.map { "type=" + $0.replacing(" ", with: " \(head)", maxReplacements: 1) }
    if let cwd { lines.append("type=CWD \(head)cwd=\"\(cwd)\"") }
    for (index, path) in paths.enumerated() {
      let words = path.split(separator: " ").map(String.init)
      let name = words[1] == "-" ? "(null)" : "\"\(words[1] == "''" ? "" : words[1])\""
      let object =
        words[2] == "0" ? "" : " inode=\(words[2]) dev=\(words.count > 4 ? words[4] : "fe:00") mode=\(words[3]) ouid=5 ogid=6 rdev=00:00"
      lines.append("type=PATH \(head)item=\(index) name=\(name)\(object) nametype=\(words[0])")
    }
    lines.append("type=PROCTITLE \(head)proctitle=\"x\"")
    return Array(lines.joined(separator: "\n").utf8) + [10]
  }
}

let cwd: UInt64 = 0xffff_ff9c

/// The tree that the walk found: /w (10) with d (11), e (12) below, and the file f (20) in d.
private func map() -> DirectoryMap {
  var map = DirectoryMap()
  func identity(_ inode: UInt64) -> FileIdentity { FileIdentity(major: 0xfe, minor: 0, inode: inode) }
  let root = Array("/w".utf8)
  let node = map.insertRoot(identity(10), path: root.span.bytes, isDirectory: true) ?? -1
  for (inode, name) in [(11, "d"), (12, "e")] as [(UInt64, String)] {
    let bytes = Array(name.utf8)
    map.insert(identity(inode), parent: node, name: bytes.span.bytes, isDirectory: true)
  }
  let file = Array("f".utf8)
  if let parent = map.find(identity(11)) { map.insert(identity(20), parent: parent, name: file.span.bytes, isDirectory: false) }
  return map
}

struct Changes {
  var changes: [String] = []
  var walks: [String] = []
}

/// The calls' changes: `action path[ ← previous][ = target][ !][ ?confidence][ details]`.
func changes(_ calls: [Call], coverage: Coverage = Coverage(), lookup: Lookup = .none) -> Changes {
  var result = Changes()
  var replay = Replay(coverage: coverage, map: map(), lookup: lookup)
  let sink = Sink()
  replay.inspect = { event, typed, interpreter in
    let paths = interpreter.resolver.paths.array
    func text(_ slice: Slice) -> String { String(decoding: paths[slice.range], as: UTF8.self) }
    for change in interpreter.changes {
      var words = ["\(change.action.name)", change.path.isEmpty ? "-" : text(change.path)]
      if !change.previousPath.isEmpty { words.append("← " + text(change.previousPath)) }
      if !change.target.isEmpty { words.append("= " + text(change.target)) }
      if let mode = change.previousMode { words.append(String(mode & 0o7777, radix: 8) + "→" + String(change.mode & 0o7777, radix: 8)) }
      if change.previousOwner != nil || change.previousGroup != nil {
        words.append("\(change.previousOwner ?? change.owner):\(change.previousGroup ?? change.group)→\(change.owner):\(change.group)")
      }
      if change.replaced != .unknown { words.append("over \(change.replaced.inode)") }
      if change.confidence != .exact { words.append("?\(change.confidence.name)") }
      if !change.succeeded { words.append("!") }
      sink.changes.append(words.joined(separator: " "))
    }
    sink.walks += interpreter.walkRequests.map { String(decoding: $0, as: UTF8.self) }
  }
  for (index, call) in calls.enumerated() { replay.read(call.log(serial: index + 100)) }
  replay.finish()
  result.changes = sink.changes
  result.walks = sink.walks
  return result
}

private final class Sink {
  var changes: [String] = []
  var walks: [String] = []
}
