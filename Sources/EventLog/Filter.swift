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
    let isGap = line.isGap
    if sinceMs != nil || untilMs != nil {
      guard let time = line.timeMs, covers(time) || isGap && gapReaches(line, time) else { return .no }
    }
    // About the log, not about what happened: it is there for who asks for it by name.
    if line.dataset == .seal, !conditions.contains(where: { $0.field == .action || $0.field == .text }) { return .no }
    if isAboutTimeOnly || fits(line) { return .matches }
    return isGap ? .gap : .no
  }

  /// Whether that time is asked for, in milliseconds since 1970.
  package func covers(_ timeMs: Int64) -> Bool { timeMs >= sinceMs ?? .min && timeMs <= untilMs ?? .max }

  /// Whether a gap, which is written when it is over, lies in the time asked for, or a part of it does.
  private func gapReaches(_ line: LogLine, _ writtenMs: Int64) -> Bool {
    func time(_ path: String) -> Int64? { line.string(path).flatMap { instant(isoUTC: Array($0.utf8).span.bytes) } }
    return min(time("fsaudit.gap.since") ?? writtenMs, writtenMs) <= untilMs ?? .max
      && max(time("fsaudit.gap.until") ?? writtenMs, writtenMs) >= sinceMs ?? .min
  }

  private func fits(_ line: LogLine) -> Bool {
    conditions.allSatisfy { $0.holds(for: line) } && !exclusions.contains { $0.holds(for: line) }
  }
}
