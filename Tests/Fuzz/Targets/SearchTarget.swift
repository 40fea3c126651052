import AuditWire
import EventLog
import FileChanges
import Glibc
import LogQuery
import Synchronization
import System

/// A question to the input, taken for an audit.log and for a segment of our own log. The first byte chooses the question.
func search(_ input: [UInt8]) { turn.withLock { _ in searchAlone(input) } }

/// The files are shared by all threads of a test.
private let turn = Mutex(())

private func searchAlone(_ input: [UInt8]) {
  let (mode, content) = (input.first ?? 0, Array(input.dropFirst()))
  let audit = scratch + "/audit.log"
  write(content, audit)
  write(content, scratch + "/events.jsonl")
  var question = Question()
  question.filter = filter(mode)
  if mode & 0x40 != 0 { question.followedFile = Array("/srv/a".utf8) }
  question.isReversed = mode & 0x80 != 0

  // what is refused early is what would not match
  if question.followedFile == nil {
    var all = Question()
    all.isReversed = question.isReversed
    let wanted = lines([.audit(files: [audit])], all).filter { line in
      var parsed = LogLine()
      return parsed.parse(line.span.bytes) && question.filter.verdict(on: parsed) == .matches
    }
    let found = lines([.audit(files: [audit])], question)
    let odd = Set(found).symmetricDifference(wanted).map { String(decoding: $0, as: UTF8.self) }
    require(found == wanted, "mode \(mode): \(found.count) lines instead of \(wanted.count) that the filter wants: \(odd)")
  } else {
    _ = lines([.audit(files: [audit])], question)
  }
  question.wantsRecords = true
  _ = lines([.audit(files: [audit])], question)
  question.wantsRecords = false
  let given = Set(content.split(separator: UInt8(ascii: "\n")).map { Array($0) })
  for line in lines([.log(directory: scratch)], question) { require(given.contains(line), "a line that the log does not have") }
  _ = lines([.log(directory: scratch), .audit(files: [audit])], question)
}

private func lines(_ sources: [Source], _ question: Question) -> [[UInt8]] {
  var found: [[UInt8]] = []
  let query = LogQuery(sources, question, names: NameSources(), hostName: "host") { said in
    require(printable(said) == said, "a control byte in a message: \(said)")
  }
  do {
    _ = try query.run { line throws(SystemError) in found += line.array().split(separator: UInt8(ascii: "\n")).map { Array($0) } }
  } catch { fatalError("\(error)") }
  return found
}

private func filter(_ mode: UInt8) -> Filter {
  var filter = Filter()
  func words(_ field: FilterField, _ word: String) -> FilterCondition { FilterCondition(field, words: [Array(word.utf8)]) }
  let conditions = [
    words(.key, "corpus"), words(.user, "0"), FilterCondition(.auid, words: [], wantsUnset: true), words(.action, "rename"),
    FilterCondition(.path, globs: [Glob("/tmp/**/a?*")]), FilterCondition(.under, globs: [Glob(below: Array("/tmp/corpus".utf8))]),
    words(.text, "e"), FilterCondition(.exe, globs: [Glob("operations")]), words(.result, "success"), words(.serial, "2919041"),
    FilterCondition(.path, globs: [Glob([0x2a, 0xff, 0x2a])]), words(.comm, "mv"), words(.session, "1"), words(.inode, "5"),
  ]
  let place = Int(mode & 0x1f)
  if place < conditions.count {
    filter.conditions = [conditions[place]]
  } else {
    filter.exclusions = [conditions[place % conditions.count]]
  }
  if mode & 0x20 != 0 { (filter.sinceMs, filter.untilMs) = (1_795_232_602_000, 1_795_232_603_000) }
  return filter
}

/// A directory in memory, made once for the process.
private let scratch: String = {
  var template = Array("/dev/shm/fsaudit-fuzz-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { fatalError("no directory for the search to look in") }
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  atexit {
    for name in ["audit.log", "events.jsonl"] { unlink(scratch + "/" + name) }
    rmdir(scratch)
  }
  return path
}()

private func write(_ bytes: [UInt8], _ path: String) {
  guard let file = fopen(path, "w"), fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0 else { fatalError(path) }
}
