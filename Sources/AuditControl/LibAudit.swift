import CAudit
import Glibc
import Synchronization

/// libaudit's translation tables: names to numbers and back.
///
/// Rules are assembled here and not by `audit_rule_fieldpair_data`, because that keeps state in globals between rules (`_audit_elf`,
/// `_audit_syscalladded`…, which later versions hide), asks the kernel while it parses (so that it refuses `exe=` and `sessionid=` to who is not
/// root), writes on stderr, and splits `path=/a!=b` at the wrong place. The tables are constant and can be used from any thread; only the user and
/// group databases need the lock.
enum LibAudit {
  /// The machine of this host (MACH_*), or -1.
  static let nativeMachine: Int32 = audit_detect_machine()

  /// The machine of an architecture's name (`b64`, `b32`, `x86_64`…) or of its number in AUDIT_ARCH_* form.
  static func elf(arch text: String) -> UInt32? {
    if let first = text.utf8.first, isdigit(Int32(first)) != 0 {
      guard let elf = Number(text)?.value, audit_elf_to_machine(elf) >= 0 else { return nil }
      return elf
    }
    let machine = audit_determine_machine(text)
    guard machine >= 0 else { return nil }
    let elf = audit_machine_to_elf(machine)
    return elf == 0 ? nil : elf
  }

  /// The machine whose table of system calls belongs to an architecture; this host's for nil.
  static func machine(elf: UInt32?) -> Int32 { elf.map { audit_elf_to_machine($0) } ?? nativeMachine }

  static func syscall(_ name: String, machine: Int32) -> Int? {
    let number = audit_name_to_syscall(name, machine)
    return number >= 0 ? Int(number) : newerSyscalls.first { $0.name == name }?.number
  }

  /// The name that libaudit itself would translate back to `number`.
  static func syscallName(_ number: Int, machine: Int32) -> String? {
    guard machine >= 0, let name = audit_syscall_to_name(Int32(number), machine).map({ String(cString: $0) }),
      audit_name_to_syscall(name, machine) == Int32(number)
    else { return nil }
    return name
  }

  static func name(field id: Int32) -> String? { audit_field_to_name(id).map { String(cString: $0) } }

  static func symbol(_ operation: UInt32) -> String? { audit_operator_to_symbol(Int32(bitPattern: operation)).map { String(cString: $0) } }

  /// A user's number.
  static func user(_ name: String) -> UInt32? {
    databases.withLock { _ in getpwnam(name).map { $0.pointee.pw_uid } }
  }

  /// A group's number.
  static func group(_ name: String) -> UInt32? {
    databases.withLock { _ in getgrnam(name).map { $0.pointee.gr_gid } }
  }

  private static let databases = Mutex(())

  /// System calls newer than libaudit 3.0.9's tables. Since 424 every architecture gives a new call the same number
  /// (include/uapi/asm-generic/unistd.h, scripts/syscall.tbl).
  static let newerSyscalls: [(name: String, number: Int)] = [
    ("cachestat", 451), ("fchmodat2", 452), ("map_shadow_stack", 453), ("futex_wake", 454), ("futex_wait", 455), ("futex_requeue", 456),
    ("statmount", 457), ("listmount", 458), ("lsm_get_self_attr", 459), ("lsm_set_self_attr", 460), ("lsm_list_modules", 461),
    ("mseal", 462),
    ("setxattrat", 463), ("getxattrat", 464), ("listxattrat", 465), ("removexattrat", 466), ("open_tree_attr", 467), ("file_getattr", 468),
    ("file_setattr", 469),
  ]
}

/// A number as strtoul(3) with base 0 reads it: decimal, 0x… or 0…, a sign in front.
struct Number {
  /// Cut to the 32 bits that a rule can hold.
  let value: UInt32
  /// What auditctl takes in silence and hardly anybody means: text after the digits, or more than 32 bits. Nil for a plain number.
  let oddity: String?

  /// Nil where the text does not begin with a digit, or a minus sign and a digit.
  init?(_ text: String) {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    guard let first = digits.utf8.first, isdigit(Int32(first)) != 0 else { return nil }
    var rest = 0
    let number = text.withCString { start in
      var end: UnsafeMutablePointer<CChar>?
      let number = strtol(start, &end, 0)
      rest = end.map { strlen($0) } ?? 0
      return number
    }
    value = UInt32(truncatingIfNeeded: number)
    if rest > 0 {
      oddity = "only its beginning is a number"
    } else if number > Int(UInt32.max) || number < Int(Int32.min) {
      oddity = "it does not fit the 32 bits of a rule and is cut to \(value)"
    } else {
      oddity = nil
    }
  }
}

/// The operations of io_uring that the kernel can audit, by their names in audit-userspace's uringop table and numbers in linux/io_uring.h.
/// Reading, writing and polling are not audited by design (io_uring/opdef.c, audit_skip); other operations can be given by number.
enum RingOperation {
  static let names: [(name: String, number: Int)] = [
    ("sendmsg", 9), ("recvmsg", 10), ("accept", 13), ("connect", 16), ("fallocate", 17), ("openat", 18), ("close", 19), ("openat2", 28),
    ("shutdown", 34), ("renameat", 35), ("unlinkat", 36), ("mkdirat", 37), ("symlinkat", 38), ("linkat", 39), ("msg_ring", 40),
    ("fsetxattr", 41), ("setxattr", 42), ("fgetxattr", 43), ("getxattr", 44), ("socket", 45), ("uring_cmd", 46), ("sendmsg_zc", 48),
    ("waitid", 50), ("fixed_fd_install", 54), ("ftruncate", 55), ("bind", 56), ("listen", 57), ("pipe", 62),
  ]
}
