/// What is recorded and compared of a file: AIDE's attributes, a bit for each.
package struct Attributes: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  private init(_ bit: Int) { rawValue = 1 << UInt64(bit) }

  package static let linkName = Attributes(0)
  package static let permissions = Attributes(1)
  package static let user = Attributes(2)
  package static let group = Attributes(3)
  package static let size = Attributes(4)
  package static let atime = Attributes(5)
  package static let ctime = Attributes(6)
  package static let mtime = Attributes(7)
  package static let inode = Attributes(8)
  package static let blocks = Attributes(9)
  package static let linkCount = Attributes(10)
  package static let md5 = Attributes(11)
  package static let sha1 = Attributes(12)
  package static let rmd160 = Attributes(13)
  package static let acl = Attributes(14)
  package static let sha256 = Attributes(15)
  package static let sha512 = Attributes(16)
  package static let selinux = Attributes(17)
  package static let xattrs = Attributes(18)
  package static let ftype = Attributes(19)
  package static let e2fsattrs = Attributes(20)
  package static let caps = Attributes(21)
  package static let sha512_256 = Attributes(22)
  package static let sha3_256 = Attributes(23)
  package static let sha3_512 = Attributes(24)
  /// The file system's type (AIDE 0.19).
  package static let fstype = Attributes(25)
  /// A moved file is looked for by its inode: its new name is no difference.
  package static let ignoreName = Attributes(26)
  /// A new file is no difference.
  package static let allowNewFile = Attributes(27)
  /// A missing file is no difference.
  package static let allowRemovedFile = Attributes(28)
  /// Growth (size, blocks, times, contents behind the old end) is no difference.
  package static let growing = Attributes(29)
  /// A compressed copy of the earlier file, beside it, is no difference.
  package static let compressed = Attributes(30)

  /// Every digest that can be computed.
  package static let hashes: Attributes = [.md5, .sha1, .rmd160, .sha256, .sha512, .sha512_256, .sha3_256, .sha3_512]

  /// The spelling in a configuration and in reports, in the order in which AIDE prints them: the one table of names.
  package static let table: [(name: String, attribute: Attributes)] = [
    ("l", .linkName), ("p", .permissions), ("u", .user), ("g", .group), ("s", .size), ("a", .atime), ("c", .ctime), ("m", .mtime),
    ("i", .inode), ("b", .blocks), ("n", .linkCount), ("md5", .md5), ("sha1", .sha1), ("rmd160", .rmd160), ("acl", .acl),
    ("sha256", .sha256), ("sha512", .sha512), ("selinux", .selinux), ("xattrs", .xattrs), ("ftype", .ftype), ("e2fsattrs", .e2fsattrs),
    ("caps", .caps), ("sha512_256", .sha512_256), ("sha3_256", .sha3_256), ("sha3_512", .sha3_512), ("fstype", .fstype), ("I", .ignoreName),
    ("ANF", .allowNewFile), ("ARF", .allowRemovedFile), ("growing", .growing), ("compressed", .compressed),
  ]

  /// The names of the attributes in the set, as a configuration spells them.
  package var names: [String] { Self.table.filter { contains($0.attribute) }.map(\.name) }

  /// The names joined by `+`: an expression that means this set; `E`, AIDE's empty group, for none.
  package var expression: String { isEmpty ? "E" : names.joined(separator: "+") }
}

extension Attributes {
  /// Digests that AIDE once knew and nobody should rely on: SHA-256 takes the place of each.
  static let obsoleteHashes = ["tiger", "haval", "crc32", "crc32b", "whirlpool", "gost", "stribog256", "stribog512"]
  /// One bit for each of them, only while an expression is worked out, so that `H-tiger` does not take SHA-256 away. Eight bits further on
  /// they stand once more for those that are only there as a part of `H`: nobody asked for them, and nothing takes their place.
  static let firstObsoleteBit: UInt64 = 48
  /// `S`, which AIDE has as an attribute of its own: growing and size. Also only while an expression is worked out.
  static let growingSize = Attributes(47)

  /// AIDE 0.18's predefined groups.
  static let extras: Attributes = [.acl, .selinux, .xattrs, .e2fsattrs, .caps]
  static let defaultGroups: [(name: String, attributes: Attributes)] = [
    ("R", [.permissions, .ftype, .inode, .linkName, .linkCount, .user, .group, .size, .mtime, .ctime, .md5, extras]),
    ("L", [.permissions, .ftype, .inode, .linkName, .linkCount, .user, .group, extras]),
    (">", [.permissions, .ftype, .linkName, .user, .group, .inode, .linkCount, .size, .growing, extras]),
    ("H", [.md5, .sha1, .rmd160, .sha256, .sha512, Attributes(rawValue: 0xff << 56)]), ("X", extras), ("E", []),
  ]

  /// The set with each obsolete digest replaced by SHA-256, and `S` by what it means.
  var resolved: Attributes {
    var result = Attributes(rawValue: rawValue & ((1 << 47) - 1))
    if rawValue >> Self.firstObsoleteBit & 0xff != 0 { result.insert(.sha256) }
    if contains(.growingSize) { result.formUnion([.growing, .size]) }
    return result
  }

  /// The set without another, whichever way either holds an obsolete digest.
  func without(_ other: Attributes) -> Attributes {
    let obsolete = (other.rawValue >> Self.firstObsoleteBit | other.rawValue >> (Self.firstObsoleteBit + 8)) & 0xff
    return subtracting(other).subtracting(Attributes(rawValue: obsolete << Self.firstObsoleteBit | obsolete << (Self.firstObsoleteBit + 8)))
  }
}

/// What kind of object a path names, with AIDE's letters.
package enum FileKind: UInt8, Sendable, CaseIterable {
  case regular
  case directory
  case symlink
  case characterDevice
  case blockDevice
  case fifo
  case socket
  /// Solaris only: never met on Linux, accepted in configurations.
  case door
  /// Solaris only: never met on Linux, accepted in configurations.
  case port

  /// The letter that restricts a rule to this kind: `f d l c b p s D P`.
  package var letter: Character {
    switch self {
    case .regular: "f"
    case .directory: "d"
    case .symlink: "l"
    case .characterDevice: "c"
    case .blockDevice: "b"
    case .fifo: "p"
    case .socket: "s"
    case .door: "D"
    case .port: "P"
    }
  }

  package init?(letter: Character) {
    guard let kind = Self.allCases.first(where: { $0.letter == letter }) else { return nil }
    self = kind
  }

  /// In `st_mode`'s terms; nil for a kind that Linux does not have.
  package init?(mode: UInt32) {
    switch mode & 0o170000 {
    case 0o100000: self = .regular
    case 0o040000: self = .directory
    case 0o120000: self = .symlink
    case 0o020000: self = .characterDevice
    case 0o060000: self = .blockDevice
    case 0o010000: self = .fifo
    case 0o140000: self = .socket
    default: return nil
    }
  }
}

/// The kinds that a rule is restricted to.
package struct FileKinds: OptionSet, Sendable, Hashable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }
  package init(_ kind: FileKind) { rawValue = 1 << UInt16(kind.rawValue) }

  /// AIDE's letters, comma-separated.
  package var letters: String {
    FileKind.allCases.filter { contains(FileKinds($0)) }.map { String($0.letter) }.joined(separator: ",")
  }
}
