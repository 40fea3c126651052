import CAudit
import Glibc
import System
import SystemPackage

/// The kernel's rules and our record of which are ours, changed together and by one process at a time.
package struct RuleBook: ~Copyable {
  /// Where the record is kept.
  package static let standardDirectory = "/run/fsaudit"

  package let directory: String
  package var audit: KernelAudit

  package init(directory: String = RuleBook.standardDirectory) throws(Failure) {
    self.directory = directory
    do { audit = try KernelAudit() } catch { throw KernelAudit.failure(error, enabled: nil) }
  }

  /// One of the kernel's rules.
  package struct Listed: Sendable {
    /// Nil for a rule of a form that this program does not know.
    package let rule: Rule?
    package let data: [UInt8]
    /// Nil for a rule that is not ours.
    package let origin: Ledger.Origin?
  }

  /// What ``add(_:permissions:)`` did.
  package struct Outcome: Sendable, Equatable {
    /// Rules that are in the kernel now and were not before.
    package var added: [Rule] = []
    /// Rules that we had added before.
    package var present: [Rule] = []
    /// Rules that the kernel had from somebody else: they stay theirs.
    package var foreign: [Rule] = []
    /// Rules that were taken away.
    package var removed: [Rule] = []
    /// Whether the line waits for its path.
    package var waits = false
  }

  var ledgerPath: String { directory + "/rules" }

  /// The kernel's rules in the order in which it tries them, ours marked.
  package mutating func list() throws(Failure) -> [Listed] {
    let data = try asking { audit throws(SystemError) in try audit.ruleData() }
    let own = try Ledger(path: ledgerPath)
    var origins: [Rule: Ledger.Origin] = [:]
    for path in watchLedgers() {
      // A watch that ends meanwhile takes its file with it; a damaged one only loses its mark.
      for rule in (try? Ledger(path: path))?.rules ?? [] { origins[rule] = .watch }
    }
    for entry in own.entries { for rule in entry.rules { origins[rule] = entry.origin } }
    return data.map { bytes in
      let rule = Rule(data: bytes)
      return Listed(rule: rule, data: bytes, origin: rule.flatMap { origins[$0] })
    }
  }

  /// The lines that wait for their path.
  package func waiting() throws(Failure) -> [[UInt8]] { try Ledger(path: ledgerPath).entries.filter(\.rules.isEmpty).map(\.line) }

  /// Does what a line asks for: adds its rules, or removes them (`-d`, `-W`), or changes a setting.
  /// - Throws: when the kernel refuses, nothing has changed. When every rule is in the kernel already as somebody else's, that is an error, too.
  package mutating func add(_ line: RuleLine, permissions: Permissions = []) throws(Failure) -> Outcome {
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    if line.operation == .remove { return try removeHeld(line) }
    for control in line.controls {
      // auditctl's -D belongs to files that say all there is; here it would take the daemon's rules with it
      if case .deleteAll = control {
        throw Failure(
          "-D removes rules, it adds none", advice: "`fsaudit rule remove -D` removes all of fsaudit's, the daemon's, too", exit: .usage)
      }
      try apply(control, permissions)
    }
    guard line.operation != nil else { return Outcome() }
    let before = try Ledger(path: ledgerPath)
    let kernel = Set(try rules())
    var outcome = Outcome()
    outcome.present = line.rules.filter { kernel.contains($0) && before.rules.contains($0) }
    outcome.foreign = line.rules.filter { kernel.contains($0) && !before.rules.contains($0) }
    outcome.added = line.rules.filter { !kernel.contains($0) }
    if !line.rules.isEmpty, outcome.foreign.count == line.rules.count {
      throw Failure(
        "\(Self.name(line)): the kernel has this rule already, and fsaudit did not add it",
        advice: "leave it, or remove it with auditctl -d first",
        exit: .kernelRefused)
    }
    if line.rules.isEmpty, before.entries.contains(where: { $0.rules.isEmpty && $0.line == line.text }) {
      outcome.waits = true
      return outcome
    }
    if outcome.added.isEmpty, !line.rules.isEmpty { return outcome }
    var entry = Ledger.Entry(
      origin: .add, whenCreated: line.whenCreated, line: line.text, rules: line.rules.filter { !outcome.foreign.contains($0) },
      identity: Ledger.identity(of: line.rules) ?? "")
    var after = before
    after.entries.removeAll { $0.line == entry.line && $0.origin == .add }
    // First the record, then the kernel: a crash between the two leaves a record of a rule that is not there, never a rule that nobody owns.
    try with(after, entry).write(to: ledgerPath)
    do {
      try change(outcome.added.map { line.operation == .prepend ? .prepend($0) : .append($0) })
    } catch {
      guard line.whenCreated, error.code == .noSuchFileOrDirectory else {
        try before.write(to: ledgerPath)
        throw named(error, Self.name(line))
      }
      entry.rules = []
      outcome = Outcome()
    }
    outcome.waits = entry.rules.isEmpty
    try with(after, entry).write(to: ledgerPath)
    return outcome
  }

  /// Removes the rules of a line, which must be ours.
  package mutating func remove(_ line: RuleLine) throws(Failure) -> Outcome {
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    return try removeHeld(line)
  }

  /// Removes all that is in the main ledger, or what of it has a key that contains `key`, as `auditctl -D -k` selects.
  package mutating func removeAll(key: [UInt8] = []) throws(Failure) -> Outcome {
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    return try removeAllHeld(key: key)
  }

  private mutating func removeHeld(_ line: RuleLine) throws(Failure) -> Outcome {
    var ledger = try Ledger(path: ledgerPath)
    let kernel = Set(try rules())
    // A line that waits has no rules yet, and those of one whose path is gone are no longer what it says: it is told by what it means now.
    let named = ledger.entries.indices.filter { index in
      let entry = ledger.entries[index]
      return entry.rules.allSatisfy { !kernel.contains($0) } && !line.rules.isEmpty && Self.rules(of: entry) == line.rules
    }
    let ours = line.rules.filter(ledger.rules.contains)
    if ours.isEmpty, named.isEmpty {
      throw Failure(
        "\(Self.name(line)): fsaudit has added no such rule", advice: "see `fsaudit rule list`; what others added, auditctl -d removes",
        exit: .kernelRefused)
    }
    let present = ours.filter(kernel.contains)
    do { try change(present.map { .delete($0) }) } catch { throw self.named(error, Self.name(line)) }
    for index in named.reversed() { ledger.entries.remove(at: index) }
    ledger.forget(Set(ours))
    try ledger.write(to: ledgerPath)
    return Outcome(removed: present)
  }

  /// The rules that an entry's line means now, its path there or not.
  private static func rules(of entry: Ledger.Entry) -> [Rule] {
    ruleArguments(line: entry.line).flatMap { try? RuleLine($0, removing: true) }?.rules ?? []
  }

  private mutating func removeAllHeld(key: [UInt8]) throws(Failure) -> Outcome {
    var ledger = try Ledger(path: ledgerPath)
    func isMeant(_ rule: Rule) -> Bool { key.isEmpty || rule.fields.contains { $0.id == AUDIT_FILTERKEY && $0.text.contains(key) } }
    let chosen = ledger.rules.filter(isMeant)
    let removed = try rules().filter(chosen.contains)
    do { try change(removed.map { .delete($0) }) } catch { throw named(error, "-D") }
    ledger.entries.removeAll { key.isEmpty || $0.rules.isEmpty && Self.rules(of: $0).contains(where: isMeant) }
    ledger.forget(chosen)
    try ledger.write(to: ledgerPath)
    return Outcome(removed: removed)
  }

  private func with(_ ledger: Ledger, _ entry: Ledger.Entry) -> Ledger {
    var result = ledger
    result.entries.append(entry)
    return result
  }

  /// A line as messages name it.
  package static func name(_ line: RuleLine) -> String { printable(String(decoding: line.text, as: UTF8.self)) }
}

extension Ledger {
  /// Strikes rules out, and entries that have none left.
  mutating func forget(_ rules: Set<Rule>) {
    for index in entries.indices where !entries[index].rules.isEmpty {
      entries[index].rules.removeAll(where: rules.contains)
      if entries[index].rules.isEmpty { entries[index].line = [] }
    }
    entries.removeAll { $0.rules.isEmpty && $0.line.isEmpty }
  }
}
