import AuditControl
import AuditWire
import Baseline
import Daemon
import EventLog
import FileChanges
import LogQuery
import Settings
import System

/// Has the trail explain what a check found.
struct CheckExplanation {
  /// The event log's directory.
  let log: String
  /// The daemon's settings.
  let settings: Settings

  /// One annotation a difference, in their order.
  /// - Parameter sinceMs: when the baseline was made.
  func annotations(of differences: [Difference], since sinceMs: Int64) throws -> [Annotation] {
    if differences.isEmpty { return [] }
    var explainer = Explainer(since: sinceMs, beginsMs: beginning(), isRunning: isRunning(), watching: watching())
    // it is read twice, and what is wrong with it said once
    var complain: (String) -> Void = System.complain
    let explanations = try explainer.explain(differences.map(Subject.init)) { body in
      defer { complain = { _ in } }
      return try read(sinceMs, complain, body)
    }
    let packages = PackageRecords(of: differences, since: sinceMs, complain: System.complain)
    return zip(differences, explanations).map { difference, explanation in
      Annotation(explanation, package: packages.account(for: difference, explanation))
    }
  }

  /// Which files the log tells of since a time; nil where there is no log. What cannot be read of it is told by ``annotations(of:since:)``.
  func touchedFiles(since ms: Int64) -> TouchedFiles? {
    guard let set = try? SegmentSet(directory: log), !set.segments.isEmpty else { return nil }
    var question = Question()
    question.isUnchecked = true
    question.isByPlace = true
    question.filter.sinceMs = ms
    var files = TouchedFiles(since: ms)
    do {
      let outcome = try query(question, { _ in }).run { line throws(SystemError) in
        if !files.add(line) { throw SystemError("read", log, .fileTooLarge) }
      }
      if outcome.fault != nil || outcome.corrupt + outcome.tooLong > 0 { files.cut() }
    } catch { files.cut() }
    return files
  }

  /// Whether all of it could be read.
  private func read(_ sinceMs: Int64, _ complain: @escaping (String) -> Void, _ body: (RawSpan) -> Bool) throws -> Bool {
    var question = Question()
    question.isUnchecked = true
    question.isByPlace = true
    question.filter.sinceMs = sinceMs
    var refused = 0
    let outcome = try query(question, complain).run { line throws(SystemError) in
      if !body(line.extracting(droppingLast: 1)) { refused += 1 }
    }
    refused += outcome.corrupt + outcome.tooLong
    if refused > 0 { complain("fsaudit: \(refused) lines of the log cannot be read: nothing is called unexplained") }
    return refused == 0 && outcome.fault == nil
  }

  private func beginning() -> Int64? {
    var question = Question()
    question.limit = 1
    var line = LogLine()
    var first: Int64?
    _ = try? query(question, { _ in }).run { bytes throws(SystemError) in
      if first == nil, line.parse(bytes.extracting(droppingLast: 1)) { first = line.timeMs }
    }
    return first
  }

  private func query(_ question: Question, _ complain: @escaping (String) -> Void) -> LogQuery {
    LogQuery([.log(directory: log)], question, names: LiveSources.names(Accounts()), hostName: hostName(), complain: complain)
  }

  /// Whether a daemon runs that writes this log.
  private func isRunning() -> Bool {
    guard let answer = try? LocalSocket.ask("\(settings.daemon.runtimeDirectory)/control", seconds: 5) else { return false }
    var line = LogLine()
    guard line.parse(answer.span.bytes.extracting(0..<max(0, answer.count - 1))), let written = line.string("log.directory"),
      let place = PathIdentity(path: Array(log.utf8))
    else { return false }
    return place == PathIdentity(path: Array(written.utf8))
  }

  /// What the kernel's rules watch now.
  private func watching() -> ([UInt8]) -> Watching {
    guard var audit = try? KernelAudit(), let rules = try? audit.rules() else {
      return { _ in .lacking("the kernel's rules cannot be read without root") }
    }
    let coverage = PathCoverage(rules)
    return { path in
      switch coverage.answer(for: path) {
      case .whole(let keys): .whole(keys: keys)
      case .lacking(let reason): .lacking(reason)
      }
    }
  }
}
