import System
import SystemPackage

/// What ``RuleBook/load(_:permissions:dryRun:)`` did, or would do.
package struct LoadReport: Sendable {
  package var added: [Rule] = []
  package var removed: [Rule] = []
  /// Rules that were there but had to be moved behind (or before) another.
  package var moved: [Rule] = []
  /// Rules that were there and stayed where they are.
  package var unchanged = 0
  /// What is worth saying: rules that others own, duplicates, `-D`, lines that wait. Each begins with `file:line`.
  package var notes: [String] = []
  /// Lines that failed and were passed over because of an `-i` or `-c` before them.
  package var failures: [Failure] = []
  /// Whether a failure fails the command: `-c`, not `-i`.
  package var failsAtEnd = false
}

extension RuleBook {
  /// Makes the kernel's rules that are ours equal to those of rule files, by the difference alone. Rules that are not ours are never touched.
  ///
  /// Everything is parsed before the kernel is asked anything. When the kernel refuses a line, what was applied is taken back (rules, their order,
  /// settings) and the error names the line. Rules added by `rule add` stay; those that the files name, too, belong to the files from then on.
  /// - Parameter allowsEmpty: lines without any rule may remove all that the last load added. An empty directory is more often a wrong path, a
  ///   wrong suffix or a file system that is not mounted than somebody's wish.
  package mutating func load(
    _ lines: [RuleFileLine], permissions: Permissions = [], dryRun: Bool = false, allowsEmpty: Bool = false
  ) throws(Failure) -> LoadReport {
    var load = RuleLoad()
    try load.read(lines, permissions)
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    let before = try Ledger(path: ledgerPath)
    let kernel = try rules()
    let wishes = load.wishes
    let wanted = Set(wishes.map(\.rule))
    let ours = Set(before.entries.filter { $0.origin == .load }.flatMap(\.rules)).union(before.rules.intersection(wanted))
    let foreign = Set(kernel).subtracting(ours).intersection(wanted)
    for rule in wishes.map(\.rule) where foreign.contains(rule) {
      load.report.notes.append("\(load.place(rule)): the kernel has this rule from somebody else; it is left to them")
    }
    let steps = RulePlan.steps(kernel: kernel, ours: ours, wishes: wishes)
    load.count(steps, unchanged: kernel.filter { ours.contains($0) && wanted.contains($0) }.count)
    if load.isEmpty, !allowsEmpty, case let loaded = before.entries.filter({ $0.origin == .load }), !loaded.isEmpty {
      let refusal = Failure(
        "there is no rule to load, and that would remove the rules of the last load (\(loaded.count) lines)",
        advice: "check the path and that names end in .rules, or allow it with `fsaudit rule load --allow-empty`", exit: .usage)
      guard dryRun else { throw refusal }
      load.report.notes.append(refusal.description)
    }
    if dryRun { return load.report }

    var after = before
    after.entries.removeAll { $0.origin == .load }
    after.forget(wanted)
    after.entries += load.entries(without: foreign)
    // First the record, of the old rules and the new: whatever happens, no rule of ours is in the kernel without it.
    var both = after
    both.entries += before.entries
    try both.write(to: ledgerPath)

    let status = try asking { audit throws(SystemError) in try audit.status() }
    var undo: [KernelSetting] = []
    do throws(Failure) {
      for (place, control) in load.controls where !RuleLoad.comesLast(control) { try apply(control, permissions, place, status, &undo) }
      try apply(steps, &load)
      for (place, control) in load.controls where RuleLoad.comesLast(control) { try apply(control, permissions, place, status, &undo) }
    } catch {
      // The same planner leads back: what was ours, in the order in which it stood.
      let snapshot = kernel.filter(ours.contains).map { RulePlan.Wish($0) }
      if let now = try? rules() {
        for step in RulePlan.steps(kernel: now, ours: ours.union(wanted.subtracting(foreign)), wishes: snapshot) { try? send(step) }
      }
      for setting in undo.reversed() { try? audit.set(setting) }
      try before.write(to: ledgerPath)
      throw error
    }
    after.entries = after.entries.map { entry in
      var entry = entry
      if load.waiting.contains(entry.line) { entry.rules = [] }
      return entry
    }
    after.forget(load.skipped)
    try after.write(to: ledgerPath)
    return load.report
  }

  private mutating func apply(
    _ control: RuleControl, _ permissions: Permissions, _ place: String, _ status: KernelStatus, _ undo: inout [KernelSetting]
  ) throws(Failure) {
    if case .set(let setting) = control {
      if setting.current(in: status) == setting { return }
      undo.append(setting.current(in: status))
    }
    do { try apply(control, permissions) } catch {
      throw Failure("\(place): \(error.message)", advice: error.advice, exit: error.exit)
    }
  }

  private mutating func apply(_ steps: [RulePlan.Step], _ load: inout RuleLoad) throws(Failure) {
    var failed: Set<Rule> = []
    for (index, step) in steps.enumerated() {
      do { try send(step) } catch {
        let rule = step.rule
        if case .delete = step {
          // The kernel may have removed it by itself, with its directory.
          if error.code == .noSuchFileOrDirectory { continue }
          throw named(error, rule.description)
        }
        guard let source = load.sources[rule] else { throw named(error, rule.description) }
        if source.line.whenCreated, error.code == .noSuchFileOrDirectory {
          load.waiting.insert(source.line.text)
          load.report.notes.append("\(source.place): waits for its path")
        } else if source.tolerant {
          load.skipped.insert(rule)
          load.report.failures.append(named(error, "\(source.place): \(rule.description)"))
        } else {
          throw named(error, "\(source.place): \(rule.description)")
        }
        failed.insert(rule)
      }
      pause(after: index)
    }
    load.report.added.removeAll(where: failed.contains)
  }
}

/// The bookkeeping of one load.
private struct RuleLoad {
  struct Source {
    let place: String
    let line: RuleLine
    /// An `-i` or `-c` came before: a failure is passed over.
    let tolerant: Bool
  }

  var report = LoadReport()
  /// In the order of their lines.
  var wishes: [RulePlan.Wish] { slots.compactMap(\.self) }
  /// Nil for a wish that a later `-d` took back.
  private var slots: [RulePlan.Wish?] = []
  private var slotOf: [Rule: Int] = [:]
  var controls: [(place: String, control: RuleControl)] = []
  /// The line that each wanted rule comes from.
  var sources: [Rule: Source] = [:]
  /// The texts of lines that wait for their path.
  var waiting: Set<[UInt8]> = []
  /// Rules that the kernel refused and an `-i` forgave.
  var skipped: Set<Rule> = []
  private var waitingLines: [RuleLine] = []
  private var tolerant = false

  /// Settings that must not come before the rules: after `-e 2` nothing can be changed, and what is made equivalent must be watched already.
  static func comesLast(_ control: RuleControl) -> Bool {
    switch control {
    case .set(.enabled), .loginuidImmutable, .makeEquivalent, .trim: true
    default: false
    }
  }

  mutating func read(_ lines: [RuleFileLine], _ permissions: Permissions) throws(Failure) {
    for line in lines {
      switch line.content {
      case .success(let content): try read(content, line.place, permissions)
      case .failure(let failure):
        guard tolerant else { throw failure }
        report.failures.append(failure)
      }
    }
  }

  private mutating func read(_ line: RuleLine, _ place: String, _ permissions: Permissions) throws(Failure) {
    report.notes += line.notes.map { "\(place): \($0)" }
    for control in line.controls {
      switch control {
      case .ignoreErrors: tolerant = true
      case .continueAfterErrors:
        tolerant = true
        report.failsAtEnd = true
      case .deleteAll: report.notes.append("\(place): -D does nothing here: a load removes what is fsaudit's and no longer in the files")
      default:
        do { try RuleBook.check(control, permissions) } catch {
          throw Failure("\(place): \(error.message)", advice: error.advice, exit: error.exit)
        }
        controls.append((place, control))
      }
    }
    switch line.operation {
    case nil: break
    case .remove:
      for rule in line.rules {
        sources[rule] = nil
        if let slot = slotOf.removeValue(forKey: rule) { slots[slot] = nil }
      }
    case .append, .prepend:
      if line.rules.isEmpty {
        waitingLines.append(line)
        waiting.insert(line.text)
        report.notes.append("\(place): waits for its path")
      }
      for rule in line.rules {
        if let first = sources[rule] {
          report.notes.append("\(place): the same rule as \(first.place)")
          continue
        }
        sources[rule] = Source(place: place, line: line, tolerant: tolerant)
        slotOf[rule] = slots.count
        slots.append(RulePlan.Wish(rule, prepend: line.operation == .prepend))
      }
    }
  }

  /// Whether there is no line that wants a rule, now or later.
  var isEmpty: Bool { slotOf.isEmpty && waitingLines.isEmpty }

  func place(_ rule: Rule) -> String { sources[rule]?.place ?? "?" }

  mutating func count(_ steps: [RulePlan.Step], unchanged: Int) {
    var deleted: Set<Rule> = []
    for step in steps {
      switch step {
      case .delete(let rule): deleted.insert(rule)
      case .append(let rule), .prepend(let rule):
        if deleted.remove(rule) == nil { report.added.append(rule) } else { report.moved.append(rule) }
      }
    }
    report.removed = steps.compactMap { if case .delete(let rule) = $0, deleted.contains(rule) { rule } else { nil } }
    report.unchanged = unchanged - report.moved.count
  }

  /// What goes into the ledger, one entry a line, in the order of the lines.
  func entries(without foreign: Set<Rule>) -> [Ledger.Entry] {
    var entries: [Ledger.Entry] = []
    for wish in wishes where !foreign.contains(wish.rule) {
      guard let line = sources[wish.rule]?.line else { continue }
      if entries.last?.line == line.text {
        entries[entries.count - 1].rules.append(wish.rule)
      } else {
        entries.append(
          Ledger.Entry(
            origin: .load, whenCreated: line.whenCreated, line: line.text, rules: [wish.rule],
            identity: Ledger.identity(of: [wish.rule]) ?? ""))
      }
    }
    return entries
      + waitingLines.map { Ledger.Entry(origin: .load, whenCreated: true, line: $0.text, rules: [], identity: "") }
  }
}
