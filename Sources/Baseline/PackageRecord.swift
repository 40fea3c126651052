import CLinux
import Glibc
import System

/// A package that was installed, upgraded or removed.
package struct PackageChange: Sendable, Equatable {
  /// `name:architecture` as dpkg writes it, `name.architecture` as rpm does.
  package let name: String
  /// nil: it was not installed before, is not any more.
  package var old: String?, new: String?
  /// rpm's database does not say what was there before; dnf's history does.
  package var isOldUnknown = false

  /// `openssl:amd64 3.0.15-1 → 3.0.16-1`, `openssl.x86_64 → 3.0.16-1` where the old one is not known.
  package var text: String { name + (isOldUnknown ? "" : " " + (old ?? "(none)")) + " → " + (new ?? "(none)") }
}

/// A file as it is now, as far as packages know files.
struct InstalledFile {
  var path: [UInt8]
  /// st_mode.
  var mode: UInt32
  var uid: UInt32, gid: UInt32
  /// When it was changed, milliseconds since 1970: its ctime.
  var changedMs: Int64
  /// Where a symbolic link points.
  var link: () -> [UInt8]?
  /// The content's, in hexadecimal; nil where it cannot be read.
  var digest: (Attributes) -> String?
}

extension InstalledFile {
  init(_ path: [UInt8], _ facts: Facts) {
    let status = facts.status
    self.init(
      path: path, mode: status.mode, uid: status.uid, gid: status.gid, changedMs: status.ctime / 1_000_000,
      link: { facts.link ?? linkTarget(String(decoding: path, as: UTF8.self)) }, digest: { contentDigest(of: path, $0, status) })
  }
}

/// What one package manager did, by its own word: which packages changed, when, and what they say of their files.
struct PackageRecord {
  /// What happened to one package, and from when to when, milliseconds since 1970.
  struct Transaction {
    var change: PackageChange
    var fromMs: Int64, toMs: Int64

    /// Logs and databases have whole seconds, and a file's time may be that of its unpacking.
    func contains(_ ms: Int64) -> Bool { ms >= fromMs - 1000 && ms <= toMs + 2000 }
  }

  /// What a package says of one of its files. nil: nothing (dpkg knows contents alone; a directory has none).
  struct Member {
    var package: String
    /// Of the package; nil where the manager keeps one version of each at a time.
    var version: String?
    var digest: (algorithm: Attributes, value: String)?
    var mode: UInt32?
    var uid: UInt32?, gid: UInt32?
    var link: [UInt8]?

    /// Whether the file is what the package brought.
    func isSame(as file: InstalledFile) -> Bool {
      if let mode, mode != file.mode { return false }
      if let uid, uid != file.uid { return false }
      if let gid, gid != file.gid { return false }
      switch FileKind(mode: file.mode) {
      case .directory: return true
      case .symlink: return link == nil || link == file.link()
      case .regular:
        guard let digest else { return false }
        return digest.value == file.digest(digest.algorithm)
      default: return false
      }
    }
  }

  /// Whose record it is: whether that manager did what the trail shows.
  let isOwn: @Sendable (Cause) -> Bool
  var transactions: [Transaction] = []
  /// By path.
  var members: [[UInt8]: [Member]] = [:]

  /// The package whose change accounts for a file that is there now: it is what the package brought, and changed when the package did.
  /// - Parameter names: all that the package may call it.
  func account(for file: InstalledFile, names: [[UInt8]]) -> PackageChange? {
    for member in names.lazy.flatMap({ members[$0] ?? [] }) {
      let transaction = transactions.last {
        $0.change.name == member.package && (member.version == nil || $0.change.new == member.version) && $0.contains(file.changedMs)
      }
      if let transaction, member.isSame(as: file) { return transaction.change }
    }
    return nil
  }

  /// The package whose change accounts for a file that is gone: the only one that was being worked on at that time. (The databases know
  /// only the files that there are.)
  /// - Parameter removedMs: when the manager removed it, as the trail says.
  func account(forRemovalAt removedMs: Int64) -> PackageChange? {
    let candidates = transactions.filter { ($0.change.old != nil || $0.change.isOldUnknown) && $0.contains(removedMs) }
    return candidates.count == 1 ? candidates.first?.change : nil
  }
}

/// What the package managers of a host did since the baseline.
package struct PackageRecords {
  private let records: [PackageRecord]
  private let aliases: PathAliases

  /// Reads what they say of the files that differ. A host without a manager is one where it did nothing.
  /// - Parameters:
  ///   - sinceMs: milliseconds since 1970.
  ///   - root: of the file system that is looked at; "" for the host's own.
  ///   - complain: told once of what cannot be read.
  package init(of differences: [Difference], since sinceMs: Int64, root: String = "", complain: (String) -> Void) {
    self.init(paths: differences.lazy.filter { $0.new != nil }.map(\.path), since: sinceMs, root: root, complain: complain)
  }

  init(paths: some Sequence<[UInt8]>, since sinceMs: Int64, root: String, complain: (String) -> Void) {
    aliases = PathAliases(below: root)
    let wanted = Set(paths.flatMap(aliases.names))
    records = [dpkgRecord(of: wanted, since: sinceMs, root: root), rpmRecord(of: wanted, since: sinceMs, root: root, complain: complain)]
      .filter { !$0.transactions.isEmpty }
  }

  /// The package that accounts for a difference. Who changed a file last, as far as the trail knows, must not have been anybody else; a
  /// directory is everybody's.
  package func account(for difference: Difference, _ explanation: Explanation) -> PackageChange? {
    let last = explanation.causes.first
    guard let new = difference.new else {
      guard let last else { return nil }
      return records.first { $0.isOwn(last) }?.account(forRemovalAt: last.timeMs)
    }
    let suspects = records.filter { record in new.kind == .directory || last.map(record.isOwn) ?? true }
    return account(for: InstalledFile(difference.path, new), by: suspects)
  }

  /// Without regard to the trail.
  func account(for file: InstalledFile) -> PackageChange? { account(for: file, by: records) }

  private func account(for file: InstalledFile, by records: [PackageRecord]) -> PackageChange? {
    let names = aliases.names(of: file.path)
    return records.lazy.compactMap { $0.account(for: file, names: names) }.first
  }
}

/// The other names of files: `/bin` and its like are links to `/usr/bin`, and packages call their files either way.
private struct PathAliases {
  /// With a `/` at the end.
  private let links: [(name: [UInt8], place: [UInt8])]

  init(below root: String) {
    guard let base = resolved(root + "/") else {
      links = []
      return
    }
    links = ["/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib64", "/var/lock", "/var/run"].compactMap { name in
      guard let place = resolved(root + name), place.starts(with: base) else { return nil }
      let inside = [UInt8(ascii: "/")] + place.dropFirst(base.count)
      let named = Array(name.utf8) + [UInt8(ascii: "/")]
      return inside == named ? nil : (named, inside)
    }
  }

  func names(of path: [UInt8]) -> [[UInt8]] {
    [path] + links.filter { path.starts(with: $0.place) }.map { $0.name + path.dropFirst($0.place.count) }
  }
}

/// realpath(3), with one `/` at the end; nil for what is not there.
private func resolved(_ path: String) -> [UInt8]? {
  guard let place = realpath(path, nil) else { return nil }
  defer { free(place) }
  let text = String(cString: place)
  return Array((text == "/" ? text : text + "/").utf8)
}

/// A digest of a file's content in hexadecimal, to compare with a package's; nil where it cannot be read, or is no longer the file
/// that was examined.
private func contentDigest(of path: [UInt8], _ algorithm: Attributes, _ examined: linux_status) -> String? {
  let descriptor = openForReading(AT_FDCWD, path.map { CChar(bitPattern: $0) } + [0])
  if descriptor < 0 { return nil }
  defer { close(descriptor) }
  var reader = FileReader()
  let result = reader.read(HashJob(descriptor: descriptor, digests: algorithm, prefixBytes: nil, keepBytes: 0, slot: 0))
  guard result.status.isSameState(as: examined) else { return nil }
  return result.digests?.lazy.compactMap { $0 }.first.map { hexadecimal($0) }
}
