import Glibc
import System

/// What dpkg itself says of the files that it changed: its log for when, its database for which files and which content. A host without
/// dpkg did nothing.
///
/// dpkg's log is in local time and whole seconds (dpkg(1) --log); files that maintainer scripts make are in no package.
/// - Parameters:
///   - wanted: the paths that are looked for; no others are kept.
///   - sinceMs: milliseconds since 1970.
func dpkgRecord(of wanted: Set<[UInt8]>, since sinceMs: Int64, root: String) -> PackageRecord {
  var reader = DpkgReader(root: root, wanted: wanted)
  reader.read(since: sinceMs)
  return reader.record
}

private struct DpkgReader {
  let root: String
  let wanted: Set<[UInt8]>
  var record = PackageRecord { $0.executable == "/usr/bin/dpkg" }

  mutating func read(since sinceMs: Int64) {
    let logs = ((try? directoryEntries(root + "/var/log")) ?? []).filter { $0 == "dpkg.log" || $0 == "dpkg.log.1" }.sorted(by: >)
    for log in logs { read(log: root + "/var/log/" + log, sinceMs) }
    let changed = Set(record.transactions.map(\.change.name))
    for name in changed { readMembers(of: name) }
    readConffiles(of: changed)
  }

  private mutating func read(log path: String, _ sinceMs: Int64) {
    guard let bytes = try? contents(of: path, limitBytes: 64 << 20) else { return }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
      guard words.count >= 5, let ms = localTime(words[0], words[1]), ms >= sinceMs - 1000 else { continue }
      switch words[2] {
      case "install", "upgrade", "remove", "purge":
        guard words.count >= 6 else { continue }
        let (old, new) = (words[4] == "<none>" ? nil : words[4], words[5] == "<none>" ? nil : words[5])
        record.transactions.append(.init(change: PackageChange(name: words[3], old: old, new: new), fromMs: ms, toMs: ms))
      case "status", "configure", "trigproc":
        // `status STATE PACKAGE VERSION`, `configure PACKAGE VERSION <none>`: it is still being worked on
        let name = words[2] == "status" ? words[4] : words[3]
        if let index = record.transactions.lastIndex(where: { $0.change.name == name }) {
          record.transactions[index].toMs = max(record.transactions[index].toMs, ms)
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
      let path = [UInt8(ascii: "/")] + line.dropFirst(34)
      if wanted.contains(path) { digests[path] = String(decoding: line.prefix(32), as: UTF8.self) }
    }
    for line in lines(prefix + ".list") where wanted.contains(Array(line)) {
      record.members[Array(line), default: []].append(.init(package: name, digest: digests[Array(line)].map { (.md5, $0) }))
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
      if let index = record.members[Array(path)]?.firstIndex(where: { $0.package == full }) {
        record.members[Array(path)]?[index].digest = (.md5, digest)
      }
    }
  }

  private func lines(_ path: String) -> [ArraySlice<UInt8>] {
    ((try? contents(of: path, limitBytes: 256 << 20)) ?? []).split(separator: UInt8(ascii: "\n"))
  }
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
