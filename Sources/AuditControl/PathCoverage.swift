import CAudit

/// Which paths the kernel's rules watch wholly: every write and every change of attributes by every program, of any architecture.
///
/// The kernel asks the exit list's rules in their order, and the first that matches decides. So what an earlier `never` rule may match does
/// not count as watched. What that rule asks beside the path (auid, exe …) is not looked at: it may have been so.
package struct PathCoverage {
  package enum Answer: Equatable {
    /// The keys of the rules that do, "" for a rule without any.
    case whole(keys: [String])
    /// Why it is not watched, or not wholly.
    case lacking(String)
  }

  /// A rule, and what it can match.
  private struct Entry {
    let rule: Rule
    let scope: RuleScope
    /// For each of ``architectures``.
    let reach: [FilePermissions]
  }

  private static let change: FilePermissions = [.write, .attributes]
  /// This machine's: their names in rules, and AUDIT_ARCH_*.
  private static let architectures = ["b64", "b32"].compactMap { name in LibAudit.elf(arch: name).map { (name: name, elf: $0) } }
  private let entries: [Entry]

  /// - Parameter rules: the kernel's, in its order.
  package init(_ rules: [Rule]) {
    entries = rules.compactMap { rule in
      guard let scope = RuleScope(rule), scope.isNever || scope.isDecidable else { return nil }
      let reach = Self.architectures.map { Self.reach(scope, $0.elf) }
      return reach.allSatisfy(\.isEmpty) ? nil : Entry(rule: rule, scope: scope, reach: reach)
    }
  }

  private static func reach(_ scope: RuleScope, _ arch: UInt32) -> FilePermissions {
    if let own = scope.arch, own != arch { return [] }
    let asked = scope.permissions.isEmpty ? change : scope.permissions.intersection(change)
    if scope.syscalls == .all { return asked }
    // a mask beside perm= is the same choice made earlier
    if !scope.isNever { return scope.permissions.isEmpty ? [] : asked }
    let matched = [FilePermissions.write, .attributes].filter { asked.contains($0) && $0.syscalls(arch: arch).intersects(scope.syscalls) }
    return FilePermissions(matched)
  }

  /// - Parameter path: absolute.
  package func answer(for path: [UInt8]) -> Answer {
    var missing = Self.architectures.map { _ in Self.change }
    var keys: [String] = []
    var hiding: Rule?
    var first: Rule?
    for entry in entries where entry.scope.holds(path) {
      if entry.scope.isNever {
        if hiding == nil, zip(missing, entry.reach).contains(where: { !$0.isDisjoint(with: $1) }) { hiding = entry.rule }
      } else {
        if first == nil { first = entry.rule }
        keys += entry.scope.keys.isEmpty ? [""] : entry.scope.keys.map { String(decoding: $0, as: UTF8.self) }
        missing = zip(missing, entry.reach).map { $0.subtracting($1) }
      }
    }
    guard let first else { return .lacking("no rule watches it") }
    if let hiding { return .lacking("an earlier rule may keep changes from being recorded: \(hiding.description)") }
    guard let left = missing.indices.first(where: { !missing[$0].isEmpty }) else { return .whole(keys: keys) }
    let isEverywhere = missing.allSatisfy { $0 == missing[left] }
    let what =
      (isEverywhere ? [] : ["arch=\(Self.architectures[left].name)"])
      + (missing[left] == Self.change ? [] : ["perm=\(missing[left].letters)"])
    return .lacking("it is watched, but not for \(what.joined(separator: " ")): \(first.description)")
  }
}

extension RuleScope {
  /// Whether the rule may be about a path.
  fileprivate func holds(_ path: [UInt8]) -> Bool {
    switch kind {
    case .everything, .inode: true
    case .path: self.path == path
    case .directory:
      path.starts(with: self.path)
        && (path.count == self.path.count || self.path.last == UInt8(ascii: "/") || path[self.path.count] == UInt8(ascii: "/"))
    }
  }
}
