import Glibc
import System
import TestSupport

@testable import Baseline

/// A tree, a configuration that selects it, and its baseline.
final class BaselineLab {
  let directory: TemporaryDirectory
  /// The tree's root.
  let tree: String
  var config: String
  let database: String
  /// What the last run could not examine.
  private(set) var problems: [ScanProblem] = []

  /// - Parameter rules: TREE stands for the tree's path.
  init(_ rules: String = "TREE p+u+g+s+n+i+l+m+c+ftype+acl+xattrs+caps+e2fsattrs+sha256\n") throws {
    directory = try TemporaryDirectory()
    tree = try directory.makeDirectory("tree")
    database = directory["baseline.db"]
    config = try directory.write("baseline.conf", rules.replacing("TREE", with: tree))
  }

  func rules(_ rules: String) throws { config = try directory.write("baseline.conf", rules.replacing("TREE", with: tree)) }

  /// Runs a shell script in the tree.
  func sh(_ script: String) throws {
    let result = try run("bash", ["-euc", "cd '\(tree)'; \(script)"])
    if result.status != 0 { throw Failure("\(script): \(result.errorText)", exit: .inputOutput) }
  }

  private func go(
    _ change: (inout BaselineOptions) -> Void, _ body: (SelectionConfig, BaselineOptions, ScanObserver) throws(Failure) -> BaselineOutcome
  ) throws -> BaselineOutcome {
    var options = BaselineOptions(database: database)
    options.nowMs = milliseconds(CLOCK_REALTIME)
    options.scan.workers = 2
    change(&options)
    problems = []
    return try body(try SelectionConfig.load(config), options, ScanObserver(problem: { self.problems.append($0) }, progress: { _ in }))
  }

  @discardableResult
  func initialize(_ change: (inout BaselineOptions) -> Void = { _ in }) throws -> BaselineOutcome {
    try go(change) { selection, options, observer throws(Failure) in try BaselineRun.initialize(selection, options, observer) }
  }

  @discardableResult
  func update(_ change: (inout BaselineOptions) -> Void = { _ in }) throws -> BaselineOutcome {
    try go(change) { selection, options, observer throws(Failure) in try BaselineRun.update(selection, options, observer) }
  }

  func check(
    full: Bool = false, against choice: GenerationChoice = .latest, _ change: (inout BaselineOptions) -> Void = { _ in }
  ) throws -> BaselineOutcome {
    try go({
      $0.scan.isFull = full
      change(&$0)
    }) { selection, options, observer throws(Failure) in try BaselineRun.check(selection, against: choice, options, observer) }
  }

  /// The differences, a line each: `changed a/b s+m`, below the tree's root, without directories that only have other entries.
  func lines(_ outcome: BaselineOutcome) -> [String] {
    outcome.differences.compactMap { difference in
      if difference.kind == .changed, difference.new?.kind == .directory, difference.old?.kind == .directory,
        difference.changed.subtracting([.mtime, .ctime, .size, .linkCount]).isEmpty
      {
        return nil
      }
      let from = difference.previousPath.map { below($0) + " to " } ?? ""
      let names = difference.kind == .changed ? " " + difference.changed.subtracting([.ctime]).names.joined(separator: "+") : ""
      return "\(difference.kind.rawValue) \(from)\(below(difference.path))\(names)"
    }
  }

  private func below(_ path: [UInt8]) -> String { String(shown(path).dropFirst(tree.count + 1)) }
}
