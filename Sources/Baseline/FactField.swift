import CLinux
import Glibc

/// An attribute as reports show it. One table: titles, JSON keys and values.
struct FactField: Sendable {
  let attribute: Attributes
  /// The word in the text report and the key in JSON.
  let title: String
  /// Nil where the file has no such thing.
  let text: @Sendable (Facts) -> String?

  static let all: [FactField] =
    [
      FactField(attribute: .ftype, title: "type") { $0.kind.word },
      FactField(attribute: .permissions, title: "mode") { octal($0.status.mode & 0o7777) },
      FactField(attribute: .user, title: "uid") { "\($0.status.uid)" },
      FactField(attribute: .group, title: "gid") { "\($0.status.gid)" },
      FactField(attribute: .size, title: "size") { "\($0.status.size)" },
      FactField(attribute: .blocks, title: "blocks") { "\($0.status.blocks)" },
      FactField(attribute: .linkCount, title: "links") { "\($0.status.links)" },
      FactField(attribute: .inode, title: "inode") { "\($0.status.inode)" },
      FactField(attribute: .mtime, title: "mtime") { timeText(nanoseconds: $0.status.mtime) },
      FactField(attribute: .ctime, title: "ctime") { timeText(nanoseconds: $0.status.ctime) },
      FactField(attribute: .atime, title: "atime") { timeText(nanoseconds: $0.status.atime) },
      FactField(attribute: .linkName, title: "target") { $0.link.map { escaped($0[...]) } },
      FactField(attribute: .acl, title: "acl") { $0.attributes.contains(.acl) ? $0.effectiveAccess : nil },
      FactField(attribute: .xattrs, title: "xattrs") { $0.xattrs },
      FactField(attribute: .selinux, title: "selinux") { $0.selinux },
      FactField(attribute: .caps, title: "capabilities") { $0.capabilities.map { hexadecimal($0) } },
      FactField(attribute: .e2fsattrs, title: "inode_flags") { $0.inodeFlags.map { "0x" + String($0, radix: 16) } },
    ]
    + Digest.all.enumerated().map { index, digest in
      FactField(attribute: digest.attribute, title: digest.name) { $0.digests[index].map { hexadecimal($0) } }
    }
}

extension FileKind {
  /// A word for reports.
  package var word: String {
    switch self {
    case .regular: "file"
    case .directory: "directory"
    case .symlink: "symlink"
    case .characterDevice: "character device"
    case .blockDevice: "block device"
    case .fifo: "fifo"
    case .socket: "socket"
    case .door, .port: "unknown"
    }
  }
}

private func octal(_ mode: UInt32) -> String {
  let digits = String(mode, radix: 8)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// `2026-11-20T23:32:51.738123456Z`.
func timeText(nanoseconds: Int64) -> String {
  var (seconds, part) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
  if part < 0 { (seconds, part) = (seconds - 1, part + 1_000_000_000) }
  var (clock, time) = (time_t(seconds), tm())
  gmtime_r(&clock, &time)
  func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
  let fraction = String(String(1_000_000_000 + part).dropFirst())
  return
    "\(Int(time.tm_year) + 1900)-\(two(time.tm_mon + 1))-\(two(time.tm_mday))T\(two(time.tm_hour)):\(two(time.tm_min)):\(two(time.tm_sec)).\(fraction)Z"
}
