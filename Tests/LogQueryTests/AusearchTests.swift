import EventLog
import LogQuery
import Replay
import System
import TestSupport
import Testing

/// The audit project's own search as the oracle: for every filter that both know, and every value in the corpus, the same events.
///
/// ausearch finds parts of words unless it is told -w; ours are always whole.
@Suite struct AusearchTests {
  private static let all = Corpus.logs.map { Corpus.directory + "/" + $0 }

  /// The serials of the events that ausearch prints.
  private func ausearch(_ log: String, _ arguments: [String]) throws -> Set<UInt32> {
    // its times are the locale's, and it interprets nothing with -r
    let result = try run("ausearch", ["-if", log, "-r", "-w"] + arguments, environment: ["LC_ALL": "C"])
    guard result.status == 0 || result.output.isEmpty && (result.errors.isEmpty || result.errorText.contains("<no matches>")) else {
      throw Failure(result.errorText, exit: .inputOutput)
    }
    var answer = Answer()
    answer.lines = result.text.split(separator: "\n").map(String.init)
    return answer.serials
  }

  private func ours(_ log: String, _ conditions: [FilterCondition]) throws -> Set<UInt32> {
    try ask([.audit(files: [log])]) { ($0.filter.conditions, $0.wantsRecords) = (conditions, true) }.serials
  }

  /// The different values of a field in the log's SYSCALL records, and in those that user space writes of logins and accounts.
  private func values(_ log: String, _ field: String) throws -> Set<String> {
    let text = String(decoding: try contents(of: log, limitBytes: 1 << 26), as: UTF8.self)
    var values: Set<String> = []
    for line in text.split(separator: "\n") where line.contains("type=SYSCALL") || line.contains("msg='op=") {
      for word in line.split(whereSeparator: { $0 == " " || $0 == "\u{1d}" || $0 == "'" }) where word.hasPrefix(field + "=") {
        values.insert(String(word.dropFirst(field.count + 1)))
      }
    }
    return values
  }

  @Test(arguments: all) func theSameEvents(log: String) throws {
    // ausearch does not read who is behind an io_uring operation
    let uring = try ours(log, []).subtracting(serials(log, of: "type=SYSCALL"))
    for (field, option, ours) in [
      ("pid", "-p", FilterField.pid), ("ppid", "-pp", .ppid), ("auid", "-ul", .auid), ("uid", "-ua", .user), ("ses", "--session", .session),
      ("comm", "-c", .comm), ("exe", "-x", .exe), ("key", "-k", .key), ("success", "-sv", .result),
    ] {
      for value in try values(log, field) where value != "(null)" {
        // hexadecimal, where a blank or a quote is in it
        guard
          let text = value.hasPrefix("\"")
            ? String(value.dropFirst().dropLast())
            : value.first.map({ $0 == "y" || $0 == "n" || value.allSatisfy(\.isNumber) }) == true ? value : nil
        else { continue }
        var condition = words(ours, text)
        if ours == .exe { condition = globs(.exe, text) }
        if ours == .result { condition = words(.result, text == "yes" ? "success" : "failure") }
        if text == "4294967295" { condition = FilterCondition(ours, words: [], wantsUnset: true) }
        let (mine, theirs) = (try self.ours(log, [condition]).subtracting(uring), try ausearch(log, [option, text]).subtracting(uring))
        #expect(mine == theirs, "\(field)=\(text)")
      }
    }
  }

  /// What a path means is more than a name in a record, so ausearch finds a part: what it finds of a file by its name we find, too. (By its name,
  /// because it finds what was done in a working directory of that name as well.)
  @Test(arguments: all) func filesAndSerials(log: String) throws {
    let lines = try ask([.audit(files: [log])]).lines.map { parsed($0) }
    for path in Set(lines.compactMap { $0.string("file.path") }).sorted().prefix(15) where path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    {
      let condition = FilterCondition(.under, globs: [Glob(below: Array(path.utf8))])
      let named = try serials(log, of: "name=\"\(path)\"").intersection(changed(lines))
      #expect(try ausearch(log, ["-f", path]).intersection(named).isSubset(of: ours(log, [condition])), "\(path)")
    }
    for serial in Set(lines.compactMap(\.sequence)).sorted().prefix(10) {
      #expect(try ausearch(log, ["-a", "\(serial)"]) == [serial] && ours(log, [words(.serial, "\(serial)")]) == [serial])
    }
  }

  /// The events that name a file as what was changed, not as the directory that it is in.
  private func changed(_ lines: [LogLine]) -> Set<UInt32> { Set(lines.filter { $0.dataset == .file }.compactMap(\.sequence)) }

  private func serials(_ log: String, of start: String) throws -> Set<UInt32> {
    var answer = Answer()
    answer.lines = String(decoding: try contents(of: log, limitBytes: 1 << 26), as: UTF8.self).split(separator: "\n").map(String.init)
      .filter { $0.contains(start) }
    return answer.serials
  }
}
