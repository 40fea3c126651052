import CAudit

/// What an exit-list rule watches, for a daemon that has to know which rules cover a change: the kernel tells only the first (AUDIT-FACTS 6).
package struct RuleScope: Sendable, Hashable {
  package enum Kind: Sendable { case directory, path, inode, everything }

  package let kind: Kind
  /// The directory or file as configured, bytes; empty for other kinds. A directory has no trailing slash, except `/` itself.
  package let path: [UInt8]
  package let keys: [[UInt8]]
  /// Empty where the rule has no `perm=`.
  package let permissions: FilePermissions
  /// AUDIT_ARCH_*; nil for every architecture.
  package let arch: UInt32?
  package let syscalls: SyscallSet
  /// Whether arch, calls, object and permissions say it all, so that a program can decide alone; false with other fields (auid, exit, exe…).
  package let isDecidable: Bool
  /// A `never` rule: what it matches is not recorded, and later rules do not see it.
  package let isNever: Bool

  /// Nil for rules of other lists.
  package init?(_ rule: Rule) {
    guard rule.list == .exit else { return nil }
    let object = rule.fields.first { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) }
    kind =
      object.map { $0.id == AUDIT_DIR ? .directory : .path } ?? (rule.field(AUDIT_INODE) == nil ? .everything : .inode)
    var path = object?.text ?? []
    while path.count > 1, path.last == UInt8(ascii: "/") { path.removeLast() }
    self.path = path
    keys = rule.keys
    permissions = FilePermissions(rawValue: rule.field(AUDIT_PERM)?.value ?? 0)
    arch = rule.arch
    syscalls = rule.syscalls
    isDecidable = rule.fields.allSatisfy {
      [AUDIT_ARCH, AUDIT_DIR, AUDIT_WATCH, AUDIT_PERM, AUDIT_FILTERKEY].contains($0.id) && $0.operation == RuleField.equal
    }
    isNever = rule.action == .never
  }
}

/// The scopes of the exit list's rules, in the order in which the kernel tries them.
package func coverage(_ rules: [Rule]) -> [RuleScope] { rules.compactMap(RuleScope.init) }

/// Facts about loaded rules that keep audit from seeing anything.
extension [Rule] {
  /// A `-a never,task` rule without conditions: no task started under it is ever audited, not even after the rule is gone (AUDIT-FACTS 2).
  package var blocksEverything: Bool {
    contains { $0.list == .task && $0.action == .never && $0.fields.allSatisfy { $0.id == AUDIT_FILTERKEY } }
  }

  /// How many of them make the kernel record something: the others only say what not to.
  package var recordingCount: Int {
    count { $0.action == .always && [.exit, .task, .ring].contains($0.list) }
  }
}
