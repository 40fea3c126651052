import AuditWire

/// What happened to a file. One row an action: everything that names, groups or filters actions reads this table.
package enum Action: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case create, delete, rename, exchange, write, truncate, chmod, chown, setxattr, removexattr, setacl, utimes, link, symlink, mkdir,
    rmdir, mknod, mount, umount, chattr, open

  /// The classes of auditctl's `-p`: which watch shows the action.
  package enum Class: Sendable { case write, attribute, other }

  private typealias Row = (name: StaticString, past: StaticString, type: StaticString, group: Class)

  /// The table, by raw value.
  private static let rows: [Row] = allCases.map(\.definition)
  private var row: Row { Action.rows[Int(rawValue)] }

  private var definition: Row {
    switch self {
    case .create: ("create", "created", "creation", .write)
    case .delete: ("delete", "deleted", "deletion", .write)
    case .rename: ("rename", "renamed", "change", .write)
    case .exchange: ("exchange", "exchanged", "change", .write)
    case .write: ("write", "written", "change", .write)
    case .truncate: ("truncate", "truncated", "change", .write)
    case .chmod: ("chmod", "mode-changed", "change", .attribute)
    case .chown: ("chown", "owner-changed", "change", .attribute)
    case .setxattr: ("setxattr", "xattr-set", "change", .attribute)
    case .removexattr: ("removexattr", "xattr-removed", "change", .attribute)
    case .setacl: ("setacl", "acl-set", "change", .attribute)
    case .utimes: ("utimes", "times-changed", "change", .other)
    case .link: ("link", "linked", "creation", .write)
    case .symlink: ("symlink", "symlinked", "creation", .write)
    case .mkdir: ("mkdir", "directory-created", "creation", .write)
    case .rmdir: ("rmdir", "directory-removed", "deletion", .write)
    case .mknod: ("mknod", "node-created", "creation", .write)
    case .mount: ("mount", "mounted", "change", .other)
    case .umount: ("umount", "unmounted", "change", .other)
    case .chattr: ("chattr", "flags-changed", "change", .other)
    case .open: ("open", "opened", "access", .write)
    }
  }

  /// The word of our own vocabulary, in logs, filters and reports.
  package var name: StaticString { row.name }
  /// Elastic Common Schema's `event.action`: a past participle.
  package var past: StaticString { row.past }
  /// Elastic Common Schema's `event.type`.
  package var type: StaticString { row.type }
  package var group: Class { row.group }

  private static let named: [String: Action] = Dictionary(uniqueKeysWithValues: allCases.map { ("\($0.name)", $0) })

  /// The action called `name`, nil for any other word.
  package init?(named name: String) {
    guard let match = Action.named[name] else { return nil }
    self = match
  }

  /// The same of bytes, without an allocation.
  package init?(named name: RawSpan) {
    guard let match = Action.allCases.first(where: { name.equals($0.name) }) else { return nil }
    self = match
  }
}
