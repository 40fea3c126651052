import CLinux

/// A property of a file as the store keeps it. One table makes the schema, writes rows and reads them.
struct Column: Sendable {
  let name: String
  let type: String
  let write: @Sendable (Statement, Int32, Facts) -> Void
  let read: @Sendable (Statement, Int32, inout Facts) -> Void

  /// A number that is always there. (Closures: a key path is worked out anew at each use, which took a third of the time of writing a row.)
  private static func number(
    _ name: String, _ get: @escaping @Sendable (linux_status) -> Int64, _ set: @escaping @Sendable (inout linux_status, Int64) -> Void
  ) -> Column {
    Column(name: name, type: "INTEGER NOT NULL", write: { $0.bind($1, get($2.status)) }, read: { set(&$2.status, $0.integer($1)) })
  }

  private static func text(
    _ name: String, _ get: @escaping @Sendable (Facts) -> String?, _ set: @escaping @Sendable (inout Facts, String?) -> Void
  ) -> Column {
    Column(name: name, type: "TEXT", write: { $0.bind(text: $1, get($2)) }, read: { set(&$2, $0.text($1)) })
  }

  /// What an unchanged file is recognised by comes first: the rest of a row is then not even decoded.
  static let all: [Column] =
    [
      Column(
        name: "attributes", type: "INTEGER NOT NULL",
        write: { $0.bind($1, Int64(bitPattern: $2.attributes.rawValue)) },
        read: { $2.attributes = Attributes(rawValue: UInt64(bitPattern: $0.integer($1))) }),
      Column(
        name: "descends", type: "INTEGER NOT NULL",
        write: { $0.bind($1, $2.descends ? 1 : 0) },
        read: { $2.descends = $0.integer($1) != 0 }),
      number("mode", { Int64($0.mode) }, { $0.mode = UInt32(truncatingIfNeeded: $1) }),
      number("inode", { Int64(bitPattern: $0.inode) }, { $0.inode = UInt64(bitPattern: $1) }),
      number("device", { Int64(bitPattern: $0.device) }, { $0.device = UInt64(bitPattern: $1) }),
      number("size", { Int64(bitPattern: $0.size) }, { $0.size = UInt64(bitPattern: $1) }),
      number("mtime_ns", { $0.mtime }, { $0.mtime = $1 }), number("ctime_ns", { $0.ctime }, { $0.ctime = $1 }),
      number("blocks", { Int64(bitPattern: $0.blocks) }, { $0.blocks = UInt64(bitPattern: $1) }),
      Column(
        // reading a file changes it, so it would make every row new: kept only where a rule asks for it
        name: "atime_ns", type: "INTEGER",
        write: { $0.bind($1, $2.attributes.contains(.atime) ? $2.status.atime : nil) },
        read: { $2.status.atime = $0.integer($1) }),
      number("btime_ns", { $0.btime }, { $0.btime = $1 }), number("uid", { Int64($0.uid) }, { $0.uid = UInt32(truncatingIfNeeded: $1) }),
      number("gid", { Int64($0.gid) }, { $0.gid = UInt32(truncatingIfNeeded: $1) }),
      number("links", { Int64($0.links) }, { $0.links = UInt32(truncatingIfNeeded: $1) }),
      Column(
        name: "link", type: "",
        write: { if let link = $2.link { $0.bind(name: $1, link) } else { $0.bind($1, nil) } },
        read: { $2.link = $0.bytes($1) }),
      text("acl", { $0.acl }, { $0.acl = $1 }), text("xattrs", { $0.xattrs }, { $0.xattrs = $1 }),
      text("selinux", { $0.selinux }, { $0.selinux = $1 }),
      Column(
        name: "capabilities", type: "BLOB",
        write: { $0.bind(blob: $1, $2.capabilities) },
        read: { $2.capabilities = $0.bytes($1) }),
      Column(
        name: "inode_flags", type: "INTEGER",
        write: { $0.bind($1, $2.inodeFlags.map { Int64($0) }) },
        read: { $2.inodeFlags = $0.optionalInteger($1).map { UInt32(truncatingIfNeeded: $0) } }),
    ]
    + Digest.all.indices.map { index in
      Column(
        name: Digest.all[index].name, type: "BLOB",
        write: { $0.bind(blob: $1, $2.digests[index]) },
        read: { $2.digests[index] = $0.bytes($1) })
    }
}
