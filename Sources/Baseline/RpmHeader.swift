/// One package, as rpm's database keeps it: two counts, the index, the data, all big-endian ("Package Header format" of rpm's manual; its
/// magic number is left out in the database).
///
/// Anybody's bytes: what is out of bounds is not there.
package struct RpmHeader {
  /// What is read of it, by the number that the manual's "RPM Tags" has for it.
  private enum Tag: UInt32 {
    case name = 1000, version, release, epoch
    case installTime = 1008
    case architecture = 1022
    case fileStates = 1029, fileModes
    case fileDigests = 1035, fileLinks, fileFlags
    case fileUsers = 1039, fileGroups
    case directoryIndexes = 1116, baseNames, directoryNames
    case transaction = 1128
    case digestAlgorithm = 5011
  }

  private struct Entry {
    var type: UInt32
    /// Where its values begin, in ``bytes``.
    var start: Int
    var count: Int
  }

  /// What a package says of one of its files.
  package struct File {
    /// st_mode.
    var mode: UInt32
    /// Of the content, in hexadecimal; empty of what has none.
    var digest: String
    var user: String, group: String
    var link: [UInt8]
  }

  private let bytes: [UInt8]
  private var entries: [Tag: Entry] = [:]

  /// nil where it is not a header.
  package init?(_ bytes: [UInt8]) {
    self.bytes = bytes
    guard let count = Self.number(bytes, 0, 4), let size = Self.number(bytes, 4, 4) else { return nil }
    let (begin, indexBytes) = (8 + Int(count) * 16, Int(count) * 16)
    guard indexBytes < bytes.count, begin + Int(size) == bytes.count else { return nil }
    for at in stride(from: 8, to: begin, by: 16) {
      guard let tag = Self.number(bytes, at, 4).flatMap(Tag.init), let type = Self.number(bytes, at + 4, 4),
        let offset = Self.number(bytes, at + 8, 4), let count = Self.number(bytes, at + 12, 4), offset < size
      else { continue }
      // what was added at installation comes last, and replaces what the package itself says
      entries[tag] = Entry(type: type, start: begin + Int(offset), count: Int(count))
    }
  }

  /// `name.architecture`, as rpm and dnf write it.
  package var name: String? {
    guard let name = string(.name) else { return nil }
    return string(.architecture).map { "\(name).\($0)" } ?? name
  }

  /// `[epoch:]version-release`; nil where it has none.
  package var version: String? {
    guard let version = string(.version), let release = string(.release) else { return nil }
    return rpmVersion(epoch: Int64(number(.epoch) ?? 0), version, release)
  }

  /// When the package got into the database, after its files, seconds since 1970; nil for a package that is not installed.
  package var installTime: Int64? { number(.installTime).map(Int64.init) }
  /// When the transaction that it was installed in began, seconds since 1970.
  package var transaction: Int64? { number(.transaction).map(Int64.init) }

  /// What its files' digests are; nil for one that we have no name for.
  var digestAlgorithm: Attributes? {
    // OpenPGP's numbers (RFC 9580, 9.5); none is MD5
    let known: [UInt32: Attributes] = [
      0: .md5, 1: .md5, 2: .sha1, 3: .rmd160, 8: .sha256, 10: .sha512, 12: .sha3_256, 14: .sha3_512,
    ]
    return known[number(.digestAlgorithm) ?? 0]
  }

  /// The files that are on the disk, by their absolute path.
  /// - Parameter isWanted: asked with every path.
  package func files(where isWanted: ([UInt8]) -> Bool) -> [[UInt8]: File] {
    var directories: [Range<Int>] = []
    var names = strings(.directoryNames)
    while directories.count < Self.countLimit, let name = names.next() { directories.append(name) }
    names = strings(.baseNames)
    var (digests, links, users, groups) = (strings(.fileDigests), strings(.fileLinks), strings(.fileUsers), strings(.fileGroups))
    var files: [[UInt8]: File] = [:]
    var index = 0
    while index < Self.countLimit, let name = names.next() {
      let (digest, link, user, group) = (digests.next(), links.next(), users.next(), groups.next())
      defer { index += 1 }
      guard let directory = number(.directoryIndexes, index), directory < directories.count, let mode = number(.fileModes, index),
        let user, let group
      else { continue }
      // 0: as the package has it (not left out, not replaced by another's)
      if let state = number(.fileStates, index), state != 0 { continue }
      let path = Array(bytes[directories[Int(directory)]]) + bytes[name]
      guard isWanted(path), (number(.fileFlags, index) ?? 0) & Self.ghost == 0 else { continue }
      files[path] = File(
        mode: mode, digest: text(digest), user: text(user), group: text(group), link: link.map { Array(bytes[$0]) } ?? [])
    }
    return files
  }

  /// Of files and of directories, far beyond what any package has: time and memory have a bound.
  private static let countLimit = 1 << 20

  /// The flag of a file that belongs to the package but is not in it (a log, a cache).
  private static let ghost: UInt32 = 1 << 6

  // MARK: Values

  private static func number(_ bytes: [UInt8], _ at: Int, _ size: Int) -> UInt32? {
    guard at >= 0, at <= bytes.count - size else { return nil }
    return bytes[at..<at + size].reduce(0) { $0 << 8 | UInt32($1) }
  }

  private func number(_ tag: Tag, _ index: Int = 0) -> UInt32? {
    // CHAR, INT8, INT16, INT32
    let sizes: [UInt32: Int] = [1: 1, 2: 1, 3: 2, 4: 4]
    guard let entry = entries[tag], index < entry.count, let size = sizes[entry.type] else { return nil }
    return Self.number(bytes, entry.start + index * size, size)
  }

  /// Of a STRING, no longer than a package's name or version is.
  private func string(_ tag: Tag) -> String? {
    guard entries[tag]?.type == 6 else { return nil }
    var strings = strings(tag)
    guard let range = strings.next(), !range.isEmpty, range.count < 1024 else { return nil }
    return text(range)
  }

  private func text(_ range: Range<Int>?) -> String { range.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "" }

  /// STRING and STRING_ARRAY.
  private func strings(_ tag: Tag) -> Strings {
    guard let entry = entries[tag], entry.type == 6 || entry.type == 8 else { return Strings(bytes: bytes, at: 0, left: 0) }
    return Strings(bytes: bytes, at: entry.start, left: entry.count)
  }

  /// Where strings are that end with a NUL, one after the other.
  private struct Strings {
    let bytes: [UInt8]
    var at: Int
    var left: Int

    mutating func next() -> Range<Int>? {
      guard left > 0, let end = bytes[at...].firstIndex(of: 0) else {
        // not looked for a second time
        left = 0
        return nil
      }
      defer { (at, left) = (end + 1, left - 1) }
      return at..<end
    }
  }
}

/// `1:3.0.7-27.el9`: no epoch is epoch 0, and is not written.
func rpmVersion(epoch: Int64, _ version: String, _ release: String) -> String {
  (epoch == 0 ? "" : "\(epoch):") + "\(version)-\(release)"
}
