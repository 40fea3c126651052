import CAudit
import System
import SystemPackage

/// What ``RuleBook/repair()`` found of one line.
package struct RuleRepair: Sendable, Equatable {
  package enum State: Sendable {
    /// Its path exists now, its rules are in the kernel.
    case installed
    /// Its directory was replaced or had been gone; its rules are in the kernel again. Between the two nothing was watched: a gap in coverage.
    case rearmed
    /// Its path does not exist yet.
    case waiting
    /// Its path was there and is gone: it is watched again when it comes back.
    case pathGone
    /// Its path is there but its rules are not: somebody removed them. They stay away until a load, ``RuleBook/putBack()`` or `rule add`.
    case removedByOthers
    /// The kernel refuses it.
    case refused
  }

  /// The line, printable.
  package let line: String
  package let state: State
}

extension RuleBook {
  /// Installs what waited for its path, and puts back the rules that the kernel dropped or that follow a directory which is no longer at their
  /// path (AUDIT-FACTS 7). To be called every few seconds, and after a CONFIG_CHANGE record with op=remove_rule.
  /// - Returns: every line that is not simply in force.
  package mutating func repair() throws(Failure) -> [RuleRepair] {
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    var ledger = try Ledger(path: ledgerPath)
    if ledger.entries.isEmpty { return [] }
    let kernel = Set(try rules())
    var repairs: [RuleRepair] = []
    for index in ledger.entries.indices {
      let line = ledger.entries[index].line
      guard let state = try repair(&ledger, index, kernel) else { continue }
      repairs.append(RuleRepair(line: printable(String(decoding: line, as: UTF8.self)), state: state))
    }
    return repairs
  }

  /// Adds those of our rules again that somebody removed although what they watch is there. Not by itself: only when the administrator asks
  /// for our rules, because it may have been the administrator who removed them.
  /// - Returns: what was added.
  package mutating func putBack() throws(Failure) -> [Rule] {
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    let kernel = Set(try rules())
    var added: [Rule] = []
    for entry in try Ledger(path: ledgerPath).entries where Ledger.identity(of: entry.rules) == entry.identity {
      let missing = entry.rules.filter { !kernel.contains($0) }
      if missing.isEmpty { continue }
      do { try change(missing.map { entry.isPrepended ? .prepend($0) : .append($0) }) } catch {
        throw named(error, printable(String(decoding: entry.line, as: UTF8.self)))
      }
      added += missing
    }
    return added
  }

  /// Adds those of our rules anew that watch a directory in which something has been mounted: the kernel watches what is mounted there when a
  /// rule is added, and nothing that comes later (kernel/audit_tree.c audit_add_tree_rule; what `-q` offers tags the trees of all rules there).
  /// Our rules keep their order.
  /// - Returns: the lines, printable.
  /// - Throws: the first thing that went wrong; what had been taken away by then is back, as far as the kernel allows.
  package mutating func follow(mounts: [[UInt8]]) throws(Failure) -> [String] {
    let lock = try locked()
    defer { withExtendedLifetime(lock) {} }
    let kernel = try rules()
    let entries = try Ledger(path: ledgerPath).entries
    func isConcerned(_ rule: Rule) -> Bool {
      rule.fields.contains { field in field.id == AUDIT_DIR && mounts.contains { Self.isBelow($0, field.text) } }
    }
    let present = Set(kernel)
    let lines = entries.filter { $0.rules.contains { present.contains($0) && isConcerned($0) } }
      .map { printable(String(decoding: $0.line, as: UTF8.self)) }
    if lines.isEmpty { return [] }
    let ours = Set(entries.flatMap(\.rules))
    let prepended = Set(entries.filter(\.isPrepended).flatMap(\.rules))
    let mine = kernel.filter(ours.contains)
    // rules for one directory share what the kernel keeps of it: all of them have to go before the first comes again
    var fault: SystemError?
    for (index, rule) in mine.filter(isConcerned).enumerated() where fault == nil {
      do { try send(.delete(rule)) } catch { fault = error }
      pause(after: index)
    }
    // each that is prepended comes before those that were, so the last of them is the first to be added
    let wishes = mine.filter(prepended.contains).reversed().map { RulePlan.Wish($0, prepend: true) }
    let steps = RulePlan.steps(
      kernel: try rules(), ours: ours, wishes: wishes + mine.filter { !prepended.contains($0) }.map { RulePlan.Wish($0) })
    for (index, step) in steps.enumerated() {
      do { try send(step) } catch { fault = fault ?? error }
      pause(after: index)
    }
    if let fault { throw named(fault, lines.joined(separator: ", ")) }
    return lines
  }

  private static func isBelow(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
    path.count > directory.count && path.starts(with: directory)
      && (directory.last == UInt8(ascii: "/") || path[directory.count] == UInt8(ascii: "/"))
  }

  /// Whether a line's path has symbolic links in it that lead elsewhere now.
  private static func leadsElsewhere(_ entry: Ledger.Entry) -> Bool {
    let paths = entry.rules.lazy.flatMap(\.fields).filter { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) }
    guard let path = paths.first?.text, let arguments = ruleArguments(line: entry.line),
      !arguments.contains(where: { Self.names($0, path) })
    else { return false }
    // by another name, or not as it is kept
    guard let line = try? RuleLine(arguments), !line.rules.isEmpty else { return false }
    return !line.rules.contains { $0.fields.contains { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) && $0.text == path } }
  }

  /// Whether an argument, `PATH`, `dir=PATH` or `path=PATH`, is this very path.
  private static func names(_ argument: [UInt8], _ path: [UInt8]) -> Bool {
    argument == path
      || ["dir=", "path="].contains { argument.starts(with: $0.utf8) && argument.dropFirst($0.utf8.count).elementsEqual(path) }
  }

  /// Nil where the entry is in force.
  private mutating func repair(_ ledger: inout Ledger, _ index: Int, _ kernel: Set<Rule>) throws(Failure) -> RuleRepair.State? {
    let old = ledger.entries[index].rules
    let present = old.filter(kernel.contains)
    if !old.isEmpty {
      guard let identity = Ledger.identity(of: old) else { return .pathGone }
      if identity == ledger.entries[index].identity, !Self.leadsElsewhere(ledger.entries[index]) {
        return present.count == old.count ? nil : .removedByOthers
      }
    }
    // The line is read anew: its path may lead elsewhere now.
    guard let arguments = ruleArguments(line: ledger.entries[index].line), let line = try? RuleLine(arguments) else {
      return old.isEmpty ? .waiting : .refused
    }
    if line.rules.isEmpty { return .waiting }
    let wanted = line.rules.filter { present.contains($0) || !kernel.contains($0) }
    // First the record, of the old rules and the new; then the kernel.
    ledger.entries[index].rules = wanted + old.filter { !wanted.contains($0) }
    try ledger.write(to: ledgerPath)
    var state = old.isEmpty ? RuleRepair.State.installed : .rearmed
    do {
      for rule in present { try send(.delete(rule)) }
      for rule in wanted { try send(line.operation == .prepend ? .prepend(rule) : .append(rule)) }
      ledger.entries[index].rules = wanted
      ledger.entries[index].identity = Ledger.identity(of: wanted) ?? ""
    } catch {
      for rule in wanted { try? send(.delete(rule)) }
      ledger.entries[index].rules = []
      state = error.code == .noSuchFileOrDirectory ? .waiting : .refused
    }
    try ledger.write(to: ledgerPath)
    return state
  }
}
