import Glibc
import System

/// What rpm itself says of the files that it changed: its database for which files, with content, mode, owner and link, and for when;
/// dnf's history, where dnf did it, for the version before and for what was removed. A host without rpm's database did nothing.
///
/// - Parameters:
///   - wanted: the paths that are looked for; no others are kept.
///   - sinceMs: milliseconds since 1970.
///   - complain: told once why the database, or a part of it, cannot be read.
func rpmRecord(of wanted: Set<[UInt8]>, since sinceMs: Int64, root: String, complain: (String) -> Void) -> PackageRecord {
  var reader = RpmReader(wanted: wanted, sinceMs: sinceMs)
  let path: String
  switch RpmDatabase.find(below: root) {
  case .none: return reader.record
  case .unsupported(let path, let kind):
    complain("fsaudit: \(printable(path)): \(kind) of rpm is not read: nothing is ascribed to rpm's packages")
    return reader.record
  case .sqlite(let found): path = found
  }
  do throws(Failure) {
    try reader.read(packages: path)
  } catch {
    complain("fsaudit: \(error.message): nothing is ascribed to rpm's packages")
    return PackageRecord(isOwn: \.isRpm)
  }
  let history = root + "/var/lib/dnf/history.sqlite"
  do throws(Failure) {
    if access(history, F_OK) == 0 { try reader.read(history: history) }
  } catch {
    complain("fsaudit: \(error.message): what rpm's packages were before is not known")
  }
  if reader.refused > 0 {
    complain("fsaudit: \(printable(path)): \(reader.refused) rows are no package, or one over 32 MiB: their files are not ascribed to them")
  }
  reader.join()
  return reader.record
}

/// Where rpm keeps what is installed, and how.
private enum RpmDatabase {
  case none
  case sqlite(String)
  case unsupported(String, String)

  static func find(below root: String) -> RpmDatabase {
    // Fedora since 36; RHEL 9, Amazon Linux 2023. One may be a link to the other.
    let directories = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"].map { root + $0 }
    if let found = directories.map({ $0 + "/rpmdb.sqlite" }).first(where: { access($0, F_OK) == 0 }) { return .sqlite(found) }
    // RHEL 8, Amazon Linux 2; SUSE
    for (name, kind) in [("/Packages", "the Berkeley DB"), ("/Packages.db", "the ndb database")] {
      if let found = directories.map({ $0 + name }).first(where: { access($0, F_OK) == 0 }) { return .unsupported(found, kind) }
    }
    return .none
  }
}

private struct RpmReader {
  /// A package that rpm installed since the baseline.
  struct Package {
    var name: String, version: String
    /// When its transaction began, and when it was installed, milliseconds since 1970.
    var beganMs: Int64, installedMs: Int64
  }

  /// rpm refuses headers of more than 256 MiB; the largest of real packages, with tens of thousands of files, have a few.
  static let headerLimitBytes = 32 << 20

  let wanted: Set<[UInt8]>
  let sinceMs: Int64
  var record = PackageRecord(isOwn: \.isRpm)
  var packages: [Package] = []
  /// How many rows are no header, or one beyond ``headerLimitBytes``.
  var refused = 0
  private var users: [String: UInt32] = [:]
  private var groups: [String: UInt32] = [:]

  init(wanted: Set<[UInt8]>, sinceMs: Int64) { (self.wanted, self.sinceMs) = (wanted, sinceMs) }

  /// One header at a time.
  mutating func read(packages path: String) throws(Failure) {
    let database = try foreign(path, tables: ["Packages"])
    let rows = try database.statement("SELECT CASE WHEN length(blob) <= \(Self.headerLimitBytes) THEN blob END FROM Packages")
    while try rows.step() {
      guard let header = RpmHeader(rows.bytes(0) ?? []) else {
        refused += 1
        continue
      }
      // gpg-pubkey: a key, kept as if it were a package
      guard let installed = header.installTime, installed * 1000 + 1000 >= sinceMs, let name = header.name, name != "gpg-pubkey",
        let version = header.version
      else { continue }
      let began = min(header.transaction ?? installed, installed)
      packages.append(Package(name: name, version: version, beganMs: began * 1000, installedMs: installed * 1000))
      let algorithm = header.digestAlgorithm
      for (path, file) in header.files(where: wanted.contains) {
        let kind = FileKind(mode: file.mode)
        record.members[path, default: []].append(
          .init(
            package: name, version: version, digest: algorithm.map { ($0, file.digest) }, mode: file.mode,
            // rpm gives to root what the host has no user or group for
            uid: Self.find(file.user, &users, userID), gid: Self.find(file.group, &groups, groupID),
            link: kind == .symlink ? file.link : nil))
      }
    }
  }

  private static func find(_ name: String, _ known: inout [String: UInt32], _ ask: (String) throws(SystemError) -> UInt32?) -> UInt32 {
    if let id = known[name] { return id }
    let id = (try? ask(name)) ?? 0
    known[name] = id
    return id
  }

  /// What dnf did, one transaction a package.
  mutating func read(history path: String) throws(Failure) {
    let database = try foreign(path, tables: ["trans", "trans_item", "rpm", "item_replaced_by"])
    // actions: 1 install, 2 downgrade, 4 obsolete, 6 upgrade, 9 reinstall bring a package, the others take one away
    let rows = try database.statement(
      """
      SELECT t.dt_begin, t.dt_end, i.id, i.action IN (1, 2, 4, 6, 9), r.name, r.arch, r.epoch, r.version, r.release, b.by_trans_item_id
      FROM trans t JOIN trans_item i ON i.trans_id = t.id JOIN rpm r ON r.item_id = i.item_id
      LEFT JOIN item_replaced_by b ON b.trans_item_id = i.id
      WHERE t.dt_end >= ? AND t.dt_begin BETWEEN 0 AND t.dt_end AND t.dt_end < 1 << 40 AND i.state = 1
      ORDER BY t.id, i.action IN (1, 2, 4, 6, 9) DESC, i.id LIMIT 100000
      """)
    rows.bind(1, sinceMs / 1000 - 1)
    /// What came, by its row: its name without the architecture, and its place among the transactions.
    var came: [Int64: (name: String, index: Int)] = [:]
    while try rows.step() {
      guard let name = rows.text(4), let architecture = rows.text(5), let version = rows.text(7), let release = rows.text(8) else {
        continue
      }
      let whole = rpmVersion(epoch: rows.integer(6), version, release)
      var transaction = PackageRecord.Transaction(
        change: PackageChange(name: "\(name).\(architecture)"), fromMs: rows.integer(0) * 1000, toMs: rows.integer(1) * 1000)
      if rows.integer(3) == 1 {
        transaction.change.new = whole
        came[rows.integer(2)] = (name, record.transactions.count)
      } else if let successor = came[rows.integer(9)], successor.name == name {
        record.transactions[successor.index].change.old = whole
        continue
      } else {
        transaction.change.old = whole
      }
      record.transactions.append(transaction)
    }
  }

  /// Adds what rpm did without dnf.
  mutating func join() {
    let known = Dictionary(grouping: record.transactions) { $0.change.name }
    /// When the last package of a transaction was installed, by when it began.
    let ends = Dictionary(packages.map { ($0.beganMs, $0.installedMs) }, uniquingKeysWith: max)
    for package in packages {
      let isKnown = known[package.name]?.contains { $0.change.new == package.version && $0.contains(package.installedMs) } ?? false
      if isKnown { continue }
      record.transactions.append(
        PackageRecord.Transaction(
          change: PackageChange(name: package.name, new: package.version, isOldUnknown: true),
          fromMs: package.beganMs, toMs: ends[package.beganMs] ?? package.installedMs))
    }
  }

  /// A database of somebody else, to be read only, and nothing left beside it: without a journal nobody is writing it.
  private func foreign(_ path: String, tables: [String]) throws(Failure) -> Database {
    let journal = (try? System.status(of: path + "-wal").st_size) ?? 0
    let database = try Database(path, journal == 0 ? .readUnchanging : .read)
    database.limitValues(bytes: Self.headerLimitBytes + 1024)
    let names = tables.map { "'\($0)'" }.joined(separator: ", ")
    // a view could be anything
    guard try database.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN (\(names))") == tables.count else {
      throw Failure("\(printable(path)): it has not the tables that it should have", exit: .inputOutput)
    }
    return database
  }
}

extension Cause {
  /// Whether rpm did it, by itself or as dnf's library.
  fileprivate var isRpm: Bool {
    switch executable {
    case "/usr/bin/rpm", "/usr/bin/dnf5", "/usr/bin/microdnf", "/usr/sbin/dnf5daemon-server", "/usr/bin/dnf5daemon-server",
      "/usr/libexec/packagekitd":
      return true
    case .some(let program) where program.hasPrefix("/usr/bin/python3"):
      // dnf and yum are Python's: the script comes after options that name no other code
      guard program.dropFirst(16).allSatisfy({ $0 == "." || $0.isNumber }),
        let script = arguments.dropFirst().first(where: { !($0.hasPrefix("-") && $0.dropFirst().allSatisfy("sPEIBO".contains)) })
      else { return false }
      let places = ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"]
      return places.contains { place in ["dnf", "dnf-3", "dnf4", "yum", "dnf-automatic"].contains { script == place + $0 } }
    default: return false
    }
  }
}
