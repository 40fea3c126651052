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
    let coverage = currentCoverage()
    var explainer = Explainer(
      since: sinceMs, beginsMs: beginning(), isRunning: isRunning(), keys: { path in coverage.map { $0(path) } ?? nil },
      blindness: coverage == nil ? "the kernel's rules cannot be read without root" : nil)
    // it is read twice, and what is wrong with it said once
    var complain: (String) -> Void = System.complain
    let explanations = try explainer.explain(differences.map(Subject.init)) { body in
      defer { complain = { _ in } }
      return try read(sinceMs, complain, body)
    }
    let dpkg = DpkgRecord(since: sinceMs)
    return zip(differences, explanations).map { difference, explanation in
      Annotation(explanation, package: dpkg.isEmpty ? nil : account(difference, explanation, dpkg))
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
      let outcome = try query(question, { _ in }).run { line, _ throws(SystemError) in
        if !files.add(line) { throw SystemError("read", log, .fileTooLarge) }
      }
      if outcome.fault != nil || outcome.corrupt + outcome.tooLong > 0 { files.cut() }
    } catch { files.cut() }
    return files
  }

  private func account(_ difference: Difference, _ explanation: Explanation, _ dpkg: DpkgRecord) -> PackageChange? {
    let last = explanation.causes.first
    if let new = difference.new {
      // dpkg's database knows contents alone: who changed a file last must not have been somebody else. (A directory is everybody's.)
      if new.kind != .directory, let last, !last.isDpkg { return nil }
      return dpkg.account(for: difference.path, digest: packageDigest(of: difference.path), changedMs: new.status.ctime / 1_000_000)
    }
    guard let last, last.isDpkg else { return nil }
    return dpkg.account(forRemovalAt: last.timeMs)
  }

  /// Whether all of it could be read.
  private func read(_ sinceMs: Int64, _ complain: @escaping (String) -> Void, _ body: (RawSpan) -> Bool) throws -> Bool {
    var question = Question()
    question.isUnchecked = true
    question.isByPlace = true
    question.filter.sinceMs = sinceMs
    var refused = 0
    let outcome = try query(question, complain).run { line, _ throws(SystemError) in
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
    _ = try? query(question, { _ in }).run { bytes, _ throws(SystemError) in
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

  /// The keys of the kernel's rules that cover a path, writing and attributes, "" for a rule without any; nil where the kernel does not tell.
  private func currentCoverage() -> (([UInt8]) -> [String]?)? {
    guard var audit = try? KernelAudit(), let rules = try? audit.rules() else { return nil }
    let scopes = coverage(rules).filter { scope in
      !scope.isNever && scope.isDecidable && (scope.kind == .directory || scope.kind == .path)
        && (scope.permissions.isEmpty
          ? scope.syscalls == .all : scope.permissions.contains(.write) && scope.permissions.contains(.attributes))
    }
    return { path in
      let covering = scopes.filter { scope in
        scope.kind == .path
          ? scope.path == path
          : path.starts(with: scope.path)
            && (path.count == scope.path.count || scope.path.last == UInt8(ascii: "/") || path[scope.path.count] == UInt8(ascii: "/"))
      }
      return covering.isEmpty
        ? nil : covering.flatMap { $0.keys.isEmpty ? [""] : $0.keys.map { String(decoding: $0, as: UTF8.self) } }
    }
  }
}

extension Cause {
  fileprivate var isDpkg: Bool { executable == "/usr/bin/dpkg" }
}
