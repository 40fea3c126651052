import CAudit

/// What `perm=` and `-p` select: kinds of access, not permission bits of a file.
package struct FilePermissions: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let execute = FilePermissions(rawValue: UInt32(AUDIT_PERM_EXEC))
  package static let write = FilePermissions(rawValue: UInt32(AUDIT_PERM_WRITE))
  package static let read = FilePermissions(rawValue: UInt32(AUDIT_PERM_READ))
  package static let attributes = FilePermissions(rawValue: UInt32(AUDIT_PERM_ATTR))
  package static let all: FilePermissions = [.execute, .write, .read, .attributes]

  /// Reads letters of `rwxa`, at least one and at most four, in either case.
  package init?(letters: String) {
    var result: FilePermissions = []
    for letter in letters.lowercased() {
      guard let row = Self.table.first(where: { $0.letter == letter }) else { return nil }
      result.insert(row.permission)
    }
    guard !letters.isEmpty, letters.utf8.count <= 4 else { return nil }
    self = result
  }

  /// The letters in auditctl's order.
  package var letters: String { String(Self.table.filter { contains($0.permission) }.map(\.letter)) }

  /// The system calls that the kernel judges for these permissions on an architecture (AUDIT_ARCH_*).
  ///
  /// The kernel has no system call list of a `perm=` rule: it runs every call's exit through the rule and then asks the class tables. A rule that names
  /// the calls itself is skipped with one bit test. Members: include/asm-generic/audit_{dir_write,write,read,change_attr}.h of 6.18 and the
  /// open family of kernel/auditsc.c audit_match_perm. More than the kernel's own class does no harm, since the class decides in the end:
  /// so calls that a later kernel may add are here as well (file_setattr, quotactl_fd).
  func syscalls(arch: UInt32) -> SyscallSet {
    var result = SyscallSet.none
    let machine = LibAudit.machine(elf: arch)
    for row in Self.table where contains(row.permission) {
      for name in row.syscalls.split(separator: " ") {
        if let number = LibAudit.syscall(String(name), machine: machine) { result.insert(number) }
      }
    }
    return result
  }

  private static let table: [(letter: Character, permission: FilePermissions, syscalls: String)] = [
    (
      "r", .read,
      """
      readlink readlinkat quotactl quotactl_fd listxattr llistxattr flistxattr listxattrat getxattr lgetxattr fgetxattr getxattrat \
      file_getattr open openat openat2
      """
    ),
    (
      "w", .write,
      """
      rename renameat renameat2 mkdir mkdirat rmdir creat link linkat unlink unlinkat symlink symlinkat mknod mknodat acct swapon \
      quotactl quotactl_fd truncate truncate64 ftruncate ftruncate64 bind socketcall fallocate open openat openat2
      """
    ),
    ("x", .execute, "execve execveat"),
    (
      "a", .attributes,
      """
      chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat chown32 lchown32 fchown32 setxattr lsetxattr fsetxattr setxattrat \
      removexattr lremovexattr fremovexattr removexattrat file_setattr link linkat
      """
    ),
  ]
}
