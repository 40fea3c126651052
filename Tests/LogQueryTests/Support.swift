import EventLog
import LogQuery
import Replay
import System
import TestSupport

/// What came of a question.
struct Answer {
  var lines: [String] = []
  var gaps = 0
  var outcome = Outcome()
  var said: [String] = []

  /// Of lines, or of records.
  var serials: Set<UInt32> {
    Set(
      lines.compactMap { text in
        if text.hasPrefix("{") { return parsed(text).sequence }
        return text.split(separator: ":").dropFirst().first.flatMap { UInt32($0.prefix { $0.isNumber }) }
      })
  }
}

func ask(_ sources: [Source], _ change: (inout Question) -> Void = { _ in }) throws -> Answer {
  var question = Question()
  change(&question)
  let (said, lines) = (Collected(), Collected())
  let query = LogQuery(sources, question, names: NameSources(), hostName: "host") { said.all.append($0) }
  var answer = Answer()
  answer.outcome = try query.run { text throws(SystemError) in
    // a block of lines is passed on as one
    lines.all += text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map(String.init)
  }
  (answer.lines, answer.said) = (lines.all, said.all)
  return answer
}

private final class Collected { var all: [String] = [] }

func parsed(_ text: some StringProtocol) -> LogLine {
  var line = LogLine()
  _ = line.parse(Array(text.utf8).span.bytes)
  return line
}

func words(_ field: FilterField, _ words: String...) -> FilterCondition { FilterCondition(field, words: words.map { Array($0.utf8) }) }

func globs(_ field: FilterField, _ globs: String...) -> FilterCondition { FilterCondition(field, globs: globs.map { Glob($0) }) }

/// Conditions that some of the lines fulfil, and some that none does.
func someConditions(of lines: [String], _ random: inout SplitMix) -> [FilterCondition] {
  let line = parsed(lines.randomElement(using: &random) ?? "{}")
  func word(_ field: FilterField, _ path: String) -> FilterCondition? { line.string(path).map { words(field, $0) } }
  let path = line.name("file.path", raw: "fsaudit.raw.path") ?? Array("/none".utf8)
  let parent = path.lastIndex(of: 0x2f).map { Array(path[...$0]) } ?? path
  let program = line.string("process.executable") ?? "/bin/none"
  var all: [FilterCondition?] = [
    line.strings("tags").first.map { words(.key, $0) }, word(.user, "user.id"), word(.user, "user.name"), word(.auid, "user.audit.id"),
    FilterCondition(.auid, words: [], wantsUnset: true), word(.pid, "process.pid"), word(.ppid, "process.parent.pid"),
    word(.session, "fsaudit.session"), globs(.exe, program), globs(.exe, "*" + program.suffix(3)), word(.comm, "process.name"),
    word(.action, "fsaudit.action"), word(.action, "event.action"), word(.syscall, "fsaudit.syscall"), word(.result, "event.outcome"),
    word(.result, "fsaudit.errno"), word(.host, "host.name"), word(.serial, "event.sequence"), word(.inode, "file.inode"),
    FilterCondition(.path, globs: [Glob(path.map { $0 == 0x2a || $0 == 0x5b || $0 == 0x5c || $0 == 0x3f ? 0x3f : $0 })]),
    FilterCondition(.under, globs: [Glob(below: parent)]), FilterCondition(.path, globs: [Glob(Array("**".utf8) + path.suffix(2))]),
    FilterCondition(.text, words: [Array(path.suffix(3))]), words(.text, String(program.dropFirst(3).prefix(4))),
    FilterCondition(.comm, words: [Array("mv".utf8), Array("operations".utf8)]),
  ]
  all += [words(.key, "none"), words(.pid, "4194304"), globs(.path, "/none/**"), words(.text, "none of it")]
  return (0..<Int.random(in: 1...2, using: &random)).compactMap { _ in all.randomElement(using: &random) ?? nil }
}
