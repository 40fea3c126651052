import CLinux
import EventLog
import Glibc

/// Reads what a file has beyond its inode: link target, access lists, extended attributes. Everything is named relative to the directory's
/// descriptor (through /proc/self/fd: the kernel has no getxattrat before 6.13), so a rename above it cannot lead elsewhere.
struct AttributeReader {
  private var buffer = [UInt8](repeating: 0, count: 65536)
  private var path: [CChar] = []
  /// The object itself, where it is open; else -1, and ``path`` leads to it.
  private var descriptor: Int32 = -1

  /// Fills in what `facts.attributes` ask for. Returns errno of the first thing that could not be read; 0 where there was none.
  /// - Parameter descriptor: the object, where it is open anyway; -1 where not.
  mutating func read(_ directory: Int32, _ name: UnsafePointer<CChar>, descriptor: Int32, into facts: inout Facts) -> Int32 {
    var fault: Int32 = 0
    if facts.kind == .symlink, facts.attributes.contains(.linkName) {
      let count = readlinkat(directory, name, &buffer, buffer.count)
      if count < 0 { fault = errno } else { facts.link = Array(buffer[..<count]) }
    }
    let wanted = facts.attributes.intersection([.acl, .xattrs, .selinux, .caps])
    if wanted.isEmpty { return fault }
    self.descriptor = descriptor
    if descriptor < 0 {
      path = Array((directory == AT_FDCWD ? "" : "/proc/self/fd/\(directory)/").utf8CString.dropLast())
      path.append(contentsOf: UnsafeBufferPointer(start: name, count: strlen(name) + 1))
    }
    let names: [[UInt8]]
    switch list() {
    case .failure(let code): return fault == 0 ? code : fault
    case .success(let found): names = found
    }
    var access: [UInt8]?
    var inherited: [UInt8]?
    var others: [String] = []
    for name in names {
      let text = String(decoding: name, as: UTF8.self)
      switch text {
      case "system.posix_acl_access": if wanted.contains(.acl) { access = value(name, &fault) }
      case "system.posix_acl_default": if wanted.contains(.acl) { inherited = value(name, &fault) }
      case "security.selinux":
        if wanted.contains(.selinux), let value = value(name, &fault) {
          facts.selinux = shortened(value.last == 0 ? value.dropLast() : value[...])
        }
      case "security.capability": if wanted.contains(.caps) { facts.capabilities = value(name, &fault) }
      default:
        // NFSv4 and others' lists under system. are the file system's own business
        if wanted.contains(.xattrs), !text.hasPrefix("system."), let value = value(name, &fault) {
          others.append(escaped(name[...]) + "=\"" + shortened(value[...]) + "\"")
        }
      }
    }
    if access != nil || inherited != nil {
      let lines = (access.map { accessList($0, "") } ?? []) + (inherited.map { accessList($0, "default:") } ?? [])
      facts.acl = lines.joined(separator: "\n")
    }
    if !others.isEmpty { facts.xattrs = others.sorted().joined(separator: "\n") }
    return fault
  }

  private enum Names {
    case success([[UInt8]])
    case failure(Int32)
  }

  private mutating func list() -> Names {
    let count = buffer.withUnsafeMutableBytes { buffer in
      let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
      return descriptor < 0 ? llistxattr(path, start, buffer.count) : flistxattr(descriptor, start, buffer.count)
    }
    if count == 0 { return .success([]) }
    if count > 0 { return .success(buffer[..<count].split(separator: 0).map(Array.init)) }
    // a file system without them, or one that is gone has none
    return errno == ENOTSUP || errno == ENOENT ? .success([]) : .failure(errno)
  }

  private mutating func value(_ name: [UInt8], _ fault: inout Int32) -> [UInt8]? {
    let count = (name + [0]).withUnsafeBytes { name -> Int in
      let start = name.baseAddress?.assumingMemoryBound(to: CChar.self)
      return buffer.withUnsafeMutableBytes {
        descriptor < 0 ? lgetxattr(path, start, $0.baseAddress, $0.count) : fgetxattr(descriptor, start, $0.baseAddress, $0.count)
      }
    }
    if count >= 0 { return Array(buffer[..<count]) }
    // removed since it was listed, or for root alone
    if errno != ENODATA, errno != ENOENT, fault == 0 { fault = errno }
    return nil
  }
}

/// The value of an attribute as ``escaped(_:)`` has it; of a long one its SHA-256, behind a `"` that no short one has.
private func shortened(_ value: ArraySlice<UInt8>) -> String {
  if value.count <= 1024 { return escaped(value) }
  return "\"\(value.count) bytes, sha256 " + value.withUnsafeBytes { SHA256.hash(of: $0.bytes).hex }
}

/// Bytes as text that is lossless and one line: what is not printable ASCII, and `"` and `\`, becomes `\xNN`.
func escaped(_ bytes: ArraySlice<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var out: [UInt8] = []
  out.reserveCapacity(bytes.count)
  for byte in bytes {
    if (0x20..<0x7f).contains(byte), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      out.append(byte)
    } else {
      out += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: out, as: UTF8.self)
}

/// The entries of a POSIX access list as the kernel keeps them (include/uapi/linux/posix_acl_xattr.h): version 2, then tag, permissions and
/// id of each, little-endian.
private func accessList(_ value: [UInt8], _ prefix: String) -> [String] {
  func number(_ at: Int, _ count: Int) -> UInt32 { value[at..<at + count].reversed().reduce(0) { $0 << 8 | UInt32($1) } }
  guard value.count >= 4, number(0, 4) == 2, value.count % 8 == 4 else { return [prefix + "?" + escaped(value[...])] }
  return stride(from: 4, to: value.count, by: 8).map { at in
    let permissions = number(at + 2, 2)
    let text = (permissions & 4 != 0 ? "r" : "-") + (permissions & 2 != 0 ? "w" : "-") + (permissions & 1 != 0 ? "x" : "-")
    let id = number(at + 4, 4)
    let who =
      switch number(at, 2) {
      case 0x01: "user:"
      case 0x02: "user:\(id)"
      case 0x04: "group:"
      case 0x08: "group:\(id)"
      case 0x10: "mask:"
      case 0x20: "other:"
      case let tag: "?\(tag):\(id)"
      }
    return "\(prefix)\(who):\(text)"
  }
}
