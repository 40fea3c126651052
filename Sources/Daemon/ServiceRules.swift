import AuditControl
import AuditEvents
import EventLog
import FileChanges
import Glibc
import Logging
import Settings
import System

/// The daemon's rules: loaded at the start and at a reload, looked after in between.
extension Service {
  /// Loads rules.d. A fault in it is said, not fatal: better a daemon with yesterday's rules than none.
  func loadRules(_ audit: inout KernelAudit) {
    do {
      try TemporaryRules.cleanStale(directory: settings.daemon.runtimeDirectory)
      var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
      if (try? System.status(of: settings.rules.directory)) != nil {
        let lines = try RuleFile.files(in: settings.rules.directory).flatMap { try RuleFile.read($0, trusted: true) }
        let report = try book.load(lines)
        for note in report.notes { log.info("\(note)") }
        for failure in report.failures { log.error("\(failure)") }
        if !report.added.isEmpty || !report.removed.isEmpty {
          log.notice("rules: \(report.added.count) added, \(report.removed.count) removed")
        }
      } else {
        log.notice("\(settings.rules.directory) does not exist: no rules loaded")
      }
      rulesFault = nil
    } catch {
      rulesFault = "\(error)"
      log.error("rules: \(error)")
    }
    refreshRules()
  }

  /// What the kernel has now; tells the receiver when it changed.
  func refreshRules() {
    guard var book = try? RuleBook(directory: settings.daemon.runtimeDirectory), let listed = try? book.list() else { return }
    let now = listed.compactMap(\.rule)
    if now == rules { return }
    rules = now
    let seen = WatchedTrees(now)
    let new = seen.roots.filter { !trees.roots.contains($0) }
    trees = seen
    mailbox.post { orders in
      orders.coverage = Coverage(seen.scopes)
      orders.roots = seen.roots
      orders.walks += new
    }
    if now.blocksEverything {
      log.warning("a rule `-a never,task` keeps the kernel from auditing new processes: remove it and restart what is to be watched")
    }
  }

  /// Puts back what the kernel dropped with a replaced directory, and installs what waited for its path.
  func repairRules() {
    guard var book = try? RuleBook(directory: settings.daemon.runtimeDirectory), let repairs = try? book.repair() else { return }
    for repair in repairs {
      switch repair.state {
      case .installed: log.notice("now watched: \(repair.line)")
      case .rearmed:
        log.warning("watched again after its directory was replaced: \(repair.line)")
        report(Gap(.coverage, untilMs: milliseconds(CLOCK_REALTIME), detail: repair.line))
      case .refused: log.error("the kernel refuses: \(repair.line)")
      case .waiting, .removedByOthers: break
      }
    }
  }
}
