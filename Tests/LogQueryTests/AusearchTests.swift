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
    guard result.status == 0 || result.errorText.contains("<no matches>") else { throw Failure(result.errorText, exit: .inputOutput) }
    var answer = Answer()
    answer.lines = result.text.split(separator: "\n").map(String.init)
    return answer.serials
  }

  private func ours(_ log: String, _ conditions: [FilterCondition]) throws -> Set<UInt32> {
    try ask([.audit(files: [log])]) { ($0.filter.conditions, $0.wantsRecords) = (conditions, true) }.serials
  }

  /// The different values of a field in the log's SYSCALL records.
  private func values(_ log: String, _ field: String) throws -> Set<String> {
    let text = String(decoding: try contents(of: log, limitBytes: 1 << 26), as: UTF8.self)
    var values: Set<String> = []
    for line in text.split(separator: "\n") where line.contains("type=SYSCALL") {
      for word in line.split(whereSeparator: { $0 == " " || $0 == "\u{1d}" }) where word.hasPrefix(field + "=") {
        values.insert(String(word.dropFirst(field.count + 1)))
      }
    }
    return values
  }

  @Test(arguments: all) func theSameEvents(log: String) throws {
    for (field, option, ours) in [
      ("pid", "-p", FilterField.pid), ("ppid", "-pp", .ppid), ("auid", "-ul", .auid), ("uid", "-ua", .user), ("ses", "--session", .session),
      ("comm", "-c", .comm), ("exe", "-x", .exe), ("key", "-k", .key),
    ] {
      for value in try values(log, field) where value != "(null)" {
        // hexadecimal, where a blank or a quote is in it
        guard let text = value.hasPrefix("\"") ? String(value.dropFirst().dropLast()) : value.allSatisfy(\.isNumber) ? value : nil else { continue }
        let condition =
          ours == .exe
          ? globs(.exe, text)
          : text == "4294967295" ? FilterCondition(ours, words: [], wantsUnset: true) : words(ours, text)
        #expect(try self.ours(log, [condition]) == ausearch(log, [option, text]), "\(field)=\(text)")
      }
    }
  }
}
