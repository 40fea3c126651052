import AuditWire
import FileChanges

/// Which lines are wanted. Values of one field are alternatives; different fields must all agree.
package struct Filter: Sendable {
  package var keys: [String] = []
  /// Of the path, and of the others a change has: the old name, the replaced file, the target of a link.
  package var paths: [Glob] = []
  /// Names or numbers of whoever did it: uid, effective uid or login uid.
  package var users: [String] = []
  /// Names or numbers of the login uid alone; `unset` for none.
  package var auditUsers: [String] = []
  package var processes: [Int64] = []
  /// Of the executable; a pattern without `/` is compared with its last name and with the process's own name.
  package var executables: [Glob] = []
  /// `rename`, `create`, …; for other lines `start`, `gap`, …
  package var actions: [String] = []
  /// `success`, `failure` or an errno name.
  package var results: [String] = []
  /// The first and the last millisecond, since 1970.
  package var sinceMs: Int64?
  package var untilMs: Int64?

  package init() {}

  /// The words for ``actions`` that file changes have, for help texts.
  package static var actionNames: [String] { Action.allCases.map { "\($0.name)" } }

  /// The words for ``actions`` that lines about the log itself have.
  package static let otherActionNames = ["gap", "seal"] + DaemonAction.allCases.map(\.rawValue)

  /// Whether a line can say `word` as its action: ours or Elastic's, or a record type (`config-change`). Lines of programs that no file change
  /// was made of have the name of their system call, which this cannot know.
  package static func isAction(_ word: String) -> Bool {
    if Action.allCases.contains(where: { "\($0.name)" == word || "\($0.past)" == word }) || otherActionNames.contains(word) { return true }
    let type = word.uppercased().replacing("-", with: "_")
    return type.first?.isLetter == true && RecordType(name: Array(type.utf8).span.bytes) != nil
  }

  /// The words for ``results`` beside the names of errors.
  package static let resultNames = ["success", "failure", "unknown"]

  /// A word for ``results`` as lines have it, an error's name in any case; nil where no line can say it.
  package static func result(_ word: String) -> String? {
    if resultNames.contains(word) { return word }
    let name = word.uppercased()
    return ErrorName.number(of: name) == nil ? nil : name
  }

  /// Whether only the time, or nothing at all, is asked for.
  private var isAboutTimeOnly: Bool {
    keys.isEmpty && paths.isEmpty && users.isEmpty && auditUsers.isEmpty && processes.isEmpty && executables.isEmpty && actions.isEmpty
      && results.isEmpty
  }

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
      guard let time = line.timeMs else { return .no }
      if let sinceMs, time < sinceMs { return .no }
      if let untilMs, time > untilMs { return .no }
    }
    // About the log, not about what happened: nobody asks for it by time alone.
    if isAboutTimeOnly { return line.dataset == .seal ? .no : .matches }
    if fits(line) { return .matches }
    return line.dataset == .gap ? .gap : .no
  }

  private func fits(_ line: LogLine) -> Bool {
    (keys.isEmpty || agree(keys, line.strings("tags")))
      && (processes.isEmpty || line.integer("process.pid").map(processes.contains) ?? false)
      && (actions.isEmpty || agree(actions, [line.string("fsaudit.action"), line.string("event.action")]))
      && (results.isEmpty || agree(results, [line.string("event.outcome"), line.string("fsaudit.errno")]))
      && (users.isEmpty || agree(users, Self.userFields.map(line.string)))
      && (auditUsers.isEmpty || agree(auditUsers, [line.string("user.audit.name"), line.auditID ?? "unset"]))
      && (paths.isEmpty || Self.pathFields.contains { field in line.name(field.path, raw: field.raw).map(matchesPath) ?? false })
      && (executables.isEmpty || matchesExecutable(line))
  }

  private static let userFields = [
    "user.name", "user.id", "user.effective.name", "user.effective.id", "user.audit.name", "user.audit.id",
  ]
  private static let pathFields: [(path: String, raw: String)] = [
    ("file.path", "fsaudit.raw.path"), ("fsaudit.previous.path", "fsaudit.raw.previous_path"),
    ("fsaudit.replaced.path", "fsaudit.raw.replaced_path"), ("fsaudit.target.path", "fsaudit.raw.target_path"),
  ]

  private func matchesPath(_ path: [UInt8]) -> Bool { paths.contains { $0.matches(path) } }

  private func matchesExecutable(_ line: LogLine) -> Bool {
    ["process.executable", "process.name"].contains { field in
      line.string(field).map { name in executables.contains { $0.matches(Array(name.utf8)) } } ?? false
    }
  }

  private func agree(_ wanted: [String], _ found: [String?]) -> Bool { wanted.contains { found.contains($0) } }
}
