import EventLog
import Glibc
import System

extension Aspects {
  /// What AIDE's attributes are about.
  init(_ attributes: Attributes) {
    self = []
    let table: [(Attributes, Aspects)] = [
      (.permissions, .mode), (.user, .owner), (.group, .group), (.acl, .accessList), (.mtime, .modified), (.ctime, .changed),
      (.atime, .accessed), (.inode, .inode), (.linkCount, .links), (.linkName, .kind), (.ftype, .kind), (.e2fsattrs, .flags),
      (.size, .content), (.blocks, .content), (.xattrs, .extended), (.selinux, .extended), (.caps, .extended),
    ]
    for (attribute, aspect) in table where attributes.contains(attribute) { insert(aspect) }
    if !attributes.isDisjoint(with: .hashes) { insert(.content) }
  }
}

extension Subject {
  /// What of a difference is to be explained.
  package init(_ difference: Difference) {
    let aspects = difference.kind == .changed ? Aspects(difference.changed) : Aspects(difference.changed).union(.presence)
    self.init(path: difference.path, aspects: aspects)
    isThere = difference.kind != .removed
    isDirectory = (difference.new ?? difference.old)?.kind == .directory
    guard let now = difference.new?.status else { return }
    (mode, uid, gid, inode) = (now.mode, now.uid, now.gid, now.inode)
    // makedev(3)
    let major = now.device >> 8 & 0xfff | now.device >> 32 & 0xffff_f000
    let minor = now.device & 0xff | now.device >> 12 & 0xfff_ff00
    device = hexadecimal(major) + ":" + hexadecimal(minor)
  }
}

/// At least two digits, as the kernel's audit has them.
private func hexadecimal(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return digits.count < 2 ? "0" + digits : digits
}

extension Annotation {
  /// - Parameter package: whose installation accounts for the difference.
  package init(_ explanation: Explanation, package: PackageChange?) {
    var lines: [String] = []
    if let package { lines.append("package \(printable(package.text))") }
    if !explanation.reason.isEmpty { lines.append("because: \(printable(explanation.reason))") }
    lines += explanation.causes.map { "by " + $0.text }
    self.init(verdict: explanation.verdict.rawValue, lines: lines, json: Self.json(explanation, package), package: package)
  }

  private static func json(_ explanation: Explanation, _ package: PackageChange?) -> [UInt8] {
    var json = JSONWriter()
    json.raw("{\"reason\":")
    json.string(explanation.reason)
    if let package {
      json.raw(",\"package\":{\"name\":")
      json.string(package.name)
      json.member("old", package.old)
      json.member("new", package.new)
      json.raw("}")
    }
    json.raw(",\"causes\":[")
    for (index, cause) in explanation.causes.enumerated() {
      json.raw(index > 0 ? ",{\"time\":" : "{\"time\":")
      json.timestamp(milliseconds: cause.timeMs)
      if let serial = cause.serial {
        json.raw(",\"sequence\":")
        json.integer(serial)
      }
      json.member("action", cause.action)
      json.member("path", cause.path)
      json.member("previous_path", cause.previousPath)
      json.member("login", cause.login)
      json.member("user", cause.user)
      json.member("executable", cause.executable)
      json.member("host", cause.host)
      json.member("args", cause.arguments)
      json.member("keys", cause.keys)
      json.raw("}")
    }
    json.raw("]}")
    return json.bytes
  }
}

extension Cause {
  /// `2026-11-27T06:08:51.000Z chmod /srv/a: alice as root, /usr/bin/chmod (chmod 600 a), key srv`
  var text: String {
    var text = isoUTC(milliseconds: timeMs) + " \(action) " + (previousPath.map { printable($0) + " → " } ?? "") + printable(path)
    text += ": " + (login.map(printable) ?? "nobody logged in")
    if let user, user != login { text += " as " + printable(user) }
    if let executable { text += ", " + printable(executable) }
    if !arguments.isEmpty { text += " (" + printable(arguments.joined(separator: " ")) + ")" }
    if !keys.isEmpty { text += ", key " + printable(keys.joined(separator: ", ")) }
    return text
  }
}
