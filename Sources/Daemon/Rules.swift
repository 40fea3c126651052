import AuditControl
import AuditWire
import FileChanges

/// What the kernel's rules mean to the interpreter: which paths they cover, and which trees are to be known by heart.
package struct WatchedTrees: Sendable, Equatable {
  package var scopes: [CoverageScope] = []
  /// Directories whose trees a rule watches, and files that a rule watches, outermost only.
  package var roots: [[UInt8]] = []

  /// From the kernel's rules, ours and others': a record tells only the first that matched (AUDIT-FACTS 6).
  package init(_ rules: [Rule]) {
    let all = coverage(rules).filter { !$0.isNever && ($0.kind == .directory || $0.kind == .path) }
    scopes = all.filter { $0.isDecidable && !$0.keys.isEmpty }.map { scope in
      CoverageScope(
        object: scope.kind == .directory ? .directory : .path, path: scope.path, keys: scope.keys,
        coversWrite: scope.permissions.isEmpty || scope.permissions.contains(.write),
        coversAttribute: scope.permissions.isEmpty || scope.permissions.contains(.attributes), architecture: scope.arch,
        // a rule with perm= leaves the choice of calls to it: libaudit's mask is the same choice made earlier
        calls: scope.permissions.isEmpty && scope.syscalls != .all ? scope.syscalls.words : [])
    }
    roots = WatchedTrees.outermost(all.map(\.path))
  }

  /// Drops the paths that lie below others, and duplicates.
  package static func outermost(_ paths: [[UInt8]]) -> [[UInt8]] {
    let all = Set(paths)
    return all.sorted { $0.lexicographicallyPrecedes($1) }.filter { path in
      !path.indices.contains { path[$0] == UInt8(ascii: "/") && $0 < path.count - 1 && all.contains(Array(path[..<max(1, $0)])) }
    }
  }
}
