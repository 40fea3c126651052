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
  /// The load at the start. With a fault in rules.d the daemon goes on with the rules that an earlier run has left in the kernel, loudly. Where
  /// there are none it would be blind, and does not start.
  func loadFirstRules() throws(Failure) {
    loadRules()
    guard let fault = rulesFault else { return }
    // in a locked configuration nothing helps before the next boot, and what others have loaded is still to be read
    var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
    let hasRules = try book.list().contains { $0.origin == .load || $0.origin == .add }
    guard hasRules || original.enabled == 2 else { throw fault }
    log.error("rules: \(fault); going on with the rules that are in the kernel")
    faultSinceMs = startedMs
    reportFault(startedMs)
  }

  /// Loads rules.d, all of it or nothing, and brings back what somebody removed of the rules that are ours. What is wrong is in `rulesFault`.
  func loadRules() {
    do throws(Failure) {
      try TemporaryRules.cleanStale(directory: settings.daemon.runtimeDirectory)
      var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
      if (try? System.status(of: settings.rules.directory)) != nil {
        var lines: [RuleFileLine] = []
        for file in try RuleFile.files(in: settings.rules.directory) { lines += try RuleFile.read(file, trusted: true) }
        let report = try book.load(lines)
        for note in report.notes { log.info("\(note)") }
        for failure in report.failures { log.error("skipped: \(failure)") }
        if !report.added.isEmpty || !report.removed.isEmpty {
          log.notice("rules: \(report.added.count) added, \(report.removed.count) removed")
        }
      } else {
        log.notice("\(settings.rules.directory) does not exist: no rules loaded")
      }
      if let since = faultSinceMs { reportFault(since) }
      (rulesFault, faultSinceMs) = (nil, nil)
    } catch { rulesFault = error }
    do throws(Failure) {
      var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
      let added = try book.putBack()
      if !added.isEmpty { log.notice("rules: \(added.count) that somebody had removed are back") }
    } catch { log.error("rules: \(error)") }
    refreshRules()
    if rules.recordingCount == 0, rulesFault == nil {
      log.warning(
        "nothing is recorded: the kernel has no rule that records anything: put rules into \(settings.rules.directory) and reload")
    }
  }

  /// What the kernel has now; tells the receiver when it changed.
  func refreshRules() {
    // before the rules are asked for: what changes later is looked at again
    let changes = mailbox.counters.ruleChanges
    guard var book = try? RuleBook(directory: settings.daemon.runtimeDirectory), let listed = try? book.list() else { return }
    let now = listed.compactMap(\.rule)
    // a rule that went and came again has lost its key meanwhile
    if now == rules, changes == coveredChanges { return }
    coveredChanges = changes
    rules = now
    var seen = WatchedTrees(now)
    // a `watch` has keys of its own, for as long as it runs: they are none of the log's
    seen.scopes = WatchedTrees(listed.filter { $0.origin != .watch }.compactMap(\.rule)).scopes
    let scopes = seen.scopes
    let roots = seen.roots
    let new = roots.filter { !trees.roots.contains($0) }
    trees = seen
    mailbox.post { orders in
      orders.coverage = Coverage(scopes)
      orders.roots = roots
      orders.walks += new
    }
    if now.blocksEverything {
      log.warning("a rule `-a never,task` keeps the kernel from auditing new processes: remove it and restart what is to be watched")
    }
  }

  /// Puts back what the kernel dropped with a replaced directory, installs what waited for its path, and tells what others have removed.
  func repairRules() {
    let repairs: [RuleRepair]
    do throws(Failure) {
      var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
      repairs = try book.repair()
    } catch {
      if inactive.insert("\(error)").inserted { log.error("the rules cannot be looked after: \(error)") }
      return
    }
    let now = milliseconds(CLOCK_REALTIME)
    var inactive: Set<String> = []
    for repair in repairs {
      let line = repair.line
      func isNew() -> Bool { inactive.insert(line).inserted && !self.inactive.contains(line) }
      switch repair.state {
      case .installed: log.notice("now watched: \(line)")
      case .rearmed:
        log.warning("watched again after its directory was replaced: \(line)")
        report(Gap(.coverage, sinceMs: rulesSeenMs, untilMs: now, detail: line))
      case .refused: if isNew() { log.error("the kernel refuses: \(line)") }
      case .pathGone: if isNew() { log.warning("its path is gone, it is watched again when it comes back: \(line)") }
      case .waiting, .removedByOthers: break
      }
    }
    self.inactive = inactive
    let change = missing.update(repairs.filter { $0.state == .removedByOthers }.map(\.line), seenMs: rulesSeenMs)
    if let lost = change.lost {
      let lines = lost.lines.briefly
      log.error(
        "somebody removed rules of fsaudit's from the kernel, and what they watch is not recorded: \(lines): if that was a mistake, `systemctl reload fsaudit` or `fsaudit rule load\(settingsPath.map { " --config \($0)" } ?? "")` brings them back"
      )
      report(Gap(.coverage, sinceMs: lost.sinceMs, untilMs: now, detail: "somebody removed rules: \(lines)"))
    }
    if let back = change.back {
      log.notice("watched again: \(back.lines.briefly)")
      report(Gap(.coverage, sinceMs: back.sinceMs, untilMs: now, detail: "somebody had removed rules: \(back.lines.briefly)"))
    }
    rulesSeenMs = now
  }

  /// Sees to what has been mounted in a watched directory. What fails is tried again at the next look, and is one gap.
  func followMounts() {
    guard mountsPace.isDue(nowMs: milliseconds(CLOCK_MONOTONIC)), let table = mountTable() else { return }
    var lines: [String] = []
    defer {
      mountsPace.worked(
        didReload: !lines.isEmpty, nowMs: milliseconds(CLOCK_MONOTONIC), longestMs: settings.daemon.statusInterval.milliseconds)
    }
    let now = MountWatch(table, below: trees.roots)
    let new = mounts.news(in: now)
    do throws(Failure) {
      if !new.isEmpty {
        var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
        lines = try book.follow(mounts: new)
      }
    } catch {
      // before the next boot, trying again helps nothing
      let isLocked = kernel.enabled == 2
      if isLocked { mounts.follow(now) }
      if mountsFaultMs != nil, !isLocked { return }
      log.error("\(Self.mountsFault): \(error)")
      reportMounts("\(Self.mountsFault): \(error)")
      mountsFaultMs = mountsFaultMs ?? rulesSeenMs
      return
    }
    mounts.follow(now)
    if !lines.isEmpty {
      log.notice("something was mounted in a watched directory and is watched from now on: \(lines.briefly)")
      reportMounts("something was mounted in a watched directory: \(lines.briefly)")
    } else if mountsFaultMs != nil, kernel.enabled != 2 {
      reportMounts(Self.mountsFault)
    }
    if kernel.enabled != 2 { mountsFaultMs = nil }
  }

  /// The time in which something was mounted and not watched.
  private func reportMounts(_ detail: String) {
    report(Gap(.coverage, sinceMs: mountsFaultMs ?? rulesSeenMs, untilMs: milliseconds(CLOCK_REALTIME), detail: detail))
  }

  private static let mountsFault = "the rules cannot follow a new mount"

  /// At the end: the stretches that are still open.
  func reportUncovered() {
    if let since = faultSinceMs { reportFault(since) }
    if mountsFaultMs != nil { reportMounts(Self.mountsFault) }
    guard let open = missing.stretch else { return }
    report(
      Gap(
        .coverage, sinceMs: open.sinceMs, untilMs: milliseconds(CLOCK_REALTIME), detail: "somebody removed rules: \(open.lines.briefly)"))
  }

  /// The time since `since` in which the kernel had other rules than rules.d wants.
  func reportFault(_ since: Int64) {
    guard let rulesFault else { return }
    report(Gap(.coverage, sinceMs: since, untilMs: milliseconds(CLOCK_REALTIME), detail: "the rules could not be loaded: \(rulesFault)"))
  }
}
