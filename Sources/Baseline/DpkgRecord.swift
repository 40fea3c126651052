import Glibc
import System

/// A package that was installed, upgraded or removed.
package struct PackageChange: Sendable, Equatable {
  /// `name:architecture`, as dpkg writes it.
  package let name: String
  /// nil: it was not installed before, is not any more.
  package let old: String?, new: String?

  /// `openssl:amd64 3.0.15-1 → 3.0.16-1`
  package var text: String { "\(name) \(old ?? "(none)") → \(new ?? "(none)")" }
}

/// What dpkg itself says of the files that it changed: its log for when, its database for which files and which content.
///
/// dpkg's log is in local time and whole seconds (dpkg(1) --log); files that maintainer scripts make are in no package.
package struct DpkgRecord: Sendable {
  /// What happened to one package, and from when to when, milliseconds since 1970.
  struct Transaction: Sendable {
    var change: PackageChange
    var fromMs: Int64, toMs: Int64
  }

  /// What a package says of one of its files.
  private struct Member: Sendable {
    var package: String
    /// MD5 in hexadecimal; nil for a directory, a symbolic link.
    var digest: String?
  }

  private(set) var transactions: [Transaction] = []
  private var members: [[UInt8]: [Member]] = [:]
  private let root: String
  /// `/bin` and its like are links to `/usr/bin`, and packages name their files either way.
  private var isMerged = false

  /// Reads what dpkg did since a time, milliseconds since 1970. A host without dpkg did nothing.
  /// - Parameter root: of the file system that is looked at; "" for the host's own.
  package init(since sinceMs: Int64, root: String = "") {
    self.root = root
    isMerged = ((try? System.status(of: root + "/bin"))?.st_mode ?? 0) & S_IFMT == S_IFLNK
    let logs = ((try? directoryEntries(root + "/var/log")) ?? []).filter { $0 == "dpkg.log" || $0 == "dpkg.log.1" }.sorted(by: >)
    for log in logs { read(log: root + "/var/log/" + log, sinceMs) }
    let changed = Set(transactions.map(\.change.name))
    for name in changed { readMembers(of: name) }
    readConffiles(of: changed)
  }

  /// Whether dpkg did nothing.
  package var isEmpty: Bool { transactions.isEmpty }

  /// The package whose change accounts for a file that is there now: it has that content for it, and changed it at that time.
  /// - Parameters:
  ///   - digest: the content's MD5 in hexadecimal; nil for what has no content.
  ///   - changedMs: when the file was changed, its ctime or what the trail says.
  package func account(for path: [UInt8], digest: @autoclosure () -> String?, changedMs: Int64) -> PackageChange? {
    guard let members = members(at: path) else { return nil }
    var own: String??
    for member in members {
      guard let transaction = transactions.last(where: { $0.change.name == member.package && $0.contains(changedMs) }) else { continue }
      if let wanted = member.digest {
        if own == nil { own = digest() }
        guard own == .some(wanted) else { continue }
      }
      return transaction.change
    }
    return nil
  }

  /// The package whose change accounts for a file that is gone: the only one that dpkg was working on at that time. (Its database knows
  /// only the files that there are.)
  /// - Parameter removedMs: when dpkg removed it, as the trail says.
  package func account(forRemovalAt removedMs: Int64) -> PackageChange? {
    let candidates = transactions.filter { $0.change.old != nil && $0.contains(removedMs) }
    return candidates.count == 1 ? candidates.first?.change : nil
  }

  private func members(at path: [UInt8]) -> [Member]? {
    if let found = members[path] { return found }
    guard isMerged, path.starts(with: Array("/usr/".utf8)) else { return nil }
    return members[Array(path.dropFirst(4))]
  }

  // MARK: Reading

  private mutating func read(log path: String, _ sinceMs: Int64) {
    guard let bytes = try? contents(of: path, limitBytes: 64 << 20) else { return }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
      guard words.count >= 5, let ms = localTime(words[0], words[1]), ms >= sinceMs - 1000 else { continue }
      switch words[2] {
      case "install", "upgrade", "remove", "purge":
        guard words.count >= 6 else { continue }
        let (old, new) = (words[4] == "<none>" ? nil : words[4], words[5] == "<none>" ? nil : words[5])
        transactions.append(Transaction(change: PackageChange(name: words[3], old: old, new: new), fromMs: ms, toMs: ms))
      case "status", "configure", "trigproc":
        // `status STATE PACKAGE VERSION`, `configure PACKAGE VERSION <none>`: it is still being worked on
        let name = words[2] == "status" ? words[4] : words[3]
        if let index = transactions.lastIndex(where: { $0.change.name == name }) {
          transactions[index].toMs = max(transactions[index].toMs, ms)
        }
      default: break
      }
    }
  }

  private mutating func readMembers(of name: String) {
    let base = root + "/var/lib/dpkg/info/"
    // `name:arch` for a package that may be there for several architectures
    let short = String(name.prefix { $0 != ":" })
    let prefix = access(base + name + ".list", R_OK) == 0 ? base + name : base + short
    var digests: [[UInt8]: String] = [:]
    for line in lines(prefix + ".md5sums") where line.count > 34 {
      digests[[UInt8(ascii: "/")] + line.dropFirst(34)] = String(decoding: line.prefix(32), as: UTF8.self)
    }
    for line in lines(prefix + ".list") where line.first == UInt8(ascii: "/") {
      members[Array(line), default: []].append(Member(package: name, digest: digests[Array(line)]))
    }
  }

  /// Configuration files are not among the MD5 sums but in the status file: `Conffiles:`, then ` PATH MD5` lines.
  private mutating func readConffiles(of names: Set<String>) {
    var name = ""
    var architecture = ""
    var isInside = false
    for line in lines(root + "/var/lib/dpkg/status") {
      if line.first != UInt8(ascii: " ") {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("Package: ") { name = String(text.dropFirst(9)) }
        if text.hasPrefix("Architecture: ") { architecture = String(text.dropFirst(14)) }
        isInside = text.hasPrefix("Conffiles:")
        continue
      }
      let full = "\(name):\(architecture)"
      guard isInside, names.contains(full) else { continue }
      let words = line.split(separator: UInt8(ascii: " "))
      guard words.count >= 2, let path = words.first else { continue }
      let digest = String(decoding: words[1], as: UTF8.self)
      if let index = members[Array(path)]?.firstIndex(where: { $0.package == full }) {
        members[Array(path)]?[index].digest = digest
      }
    }
  }

  private func lines(_ path: String) -> [ArraySlice<UInt8>] {
    ((try? contents(of: path, limitBytes: 256 << 20)) ?? []).split(separator: UInt8(ascii: "\n"))
  }
}

extension DpkgRecord.Transaction {
  /// The log has whole seconds, and a file's time may be that of its unpacking.
  func contains(_ ms: Int64) -> Bool { ms >= fromMs - 1000 && ms <= toMs + 2000 }
}

/// `2026-11-27 06:08:49` in local time, in milliseconds since 1970.
private func localTime(_ date: String, _ time: String) -> Int64? {
  let numbers = (date.split(separator: "-") + time.split(separator: ":")).map { Int32($0) }
  guard numbers.count == 6, let year = numbers[0], let month = numbers[1], let day = numbers[2], let hour = numbers[3],
    let minute = numbers[4],
    let second = numbers[5], year > 1900, year < 10_000
  else { return nil }
  var parts = tm()
  (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day)
  (parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_isdst) = (hour, minute, second, -1)
  let seconds = mktime(&parts)
  return seconds == -1 ? nil : Int64(seconds) * 1000
}
