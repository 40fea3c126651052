import AuditWire
import FileChanges

/// Which lines are wanted. Values of one field are alternatives; different fields must all agree.
package struct Filter: Sendable {
  /// What must be true of a line; at most one for each field.
  package var conditions: [FilterCondition] = []
  /// What must not be true: none of them.
  package var exclusions: [FilterCondition] = []
  /// The first and the last millisecond, since 1970.
  package var sinceMs: Int64?
  package var untilMs: Int64?

  package init() {}

  /// The words for ``FilterField/action`` that file changes have, for help texts.
  package static var actionNames: [String] { Action.allCases.map { "\($0.name)" } }

  /// The words for ``FilterField/action`` that lines about the log itself have.
  package static let otherActionNames = ["gap", "seal", "check"] + DaemonAction.allCases.map(\.rawValue)

  /// Whether a line can say `word` as its action: ours or Elastic's, or a record type (`config-change`). Lines of programs that no file change
  /// was made of have the name of their system call, which this cannot know.
  package static func isAction(_ word: String) -> Bool {
    if Action.allCases.contains(where: { "\($0.name)" == word || "\($0.past)" == word }) || otherActionNames.contains(word) { return true }
    let type = word.uppercased().replacing("-", with: "_")
    return type.first?.isLetter == true && RecordType(name: Array(type.utf8).span.bytes) != nil
  }

  /// The words for ``FilterField/result`` beside the names of errors.
  package static let resultNames = ["success", "failure", "unknown"]

  /// A word for ``FilterField/result`` as lines have it, an error's name in any case; nil where no line can say it.
  package static func result(_ word: String) -> String? {
    if resultNames.contains(word) { return word }
    let name = word.uppercased()
    return ErrorName.number(of: name) == nil ? nil : name
  }

  /// Whether only the time, or nothing at all, is asked for.
  /// Whether nothing but a time is asked for.
  package var isAboutTimeOnly: Bool { conditions.isEmpty && exclusions.isEmpty }

  /// Whether nothing is asked for, so that even a line that cannot be read belongs to the answer.
  package var wantsEverything: Bool { isAboutTimeOnly && sinceMs == nil && untilMs == nil }

  /// What a line is to the question.
  package enum Verdict: Equatable, Sendable {
    case matches
    /// It says that the answer may be incomplete, so it belongs to every answer about its time.
    case gap
    case no
  }

  package func verdict(on line: LogLine) -> Verdict {
    if sinceMs != nil || untilMs != nil {
      guard let time = line.timeMs, covers(time) else { return .no }
    }
    // About the log, not about what happened: nobody asks for it by time alone.
    if isAboutTimeOnly { return line.dataset == .seal ? .no : .matches }
    if fits(line) { return .matches }
    return line.isGap ? .gap : .no
  }

  /// Whether that time is asked for, in milliseconds since 1970.
  package func covers(_ timeMs: Int64) -> Bool { timeMs >= sinceMs ?? .min && timeMs <= untilMs ?? .max }

  private func fits(_ line: LogLine) -> Bool {
    conditions.allSatisfy { $0.holds(for: line) } && !exclusions.contains { $0.holds(for: line) }
  }
}
