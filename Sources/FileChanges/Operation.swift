/// What a system call means to a file, and where its arguments are.
package struct Operation: Sendable {
  package enum Kind: UInt8, Sendable {
    case none, open, creat, openByHandle, mkdir, mknod, unlink, rmdir, rename, link, symlink, truncate, allocate, chmod, chown, setxattr,
      removexattr, utimes, mount, umount, setFlags, ioctl, bind, uringEnter, execve
  }

  package var kind: Kind = .none
  /// The argument with the directory descriptor that the (first) name is relative to; -1 where that is the working directory.
  package var directory: Int8 = -1
  /// The same for a rename's or link's second name.
  package var secondDirectory: Int8 = -1
  /// The argument with open's flags, chmod's mode, chown's owner or ioctl's command; -1 where there is none.
  package var value: Int8 = -1
  /// The argument with the descriptor of the object itself; -1 where the call names it.
  package var descriptor: Int8 = -1
  package var name: StaticString = ""

  /// The operation of a call, `.none` for one that does not change files. `architecture` is AUDIT_ARCH_*.
  package static func of(architecture: UInt32, number: Int32) -> Operation {
    guard number >= 0, number < 512 else { return Operation() }
    let index: UInt8
    switch architecture {
    case 0xc000_003e: index = tables.x86[Int(number)]
    case 0x4000_0003: index = tables.i386[Int(number)]
    case 0xc000_00b7: index = tables.arm[Int(number)]
    default: return Operation()
    }
    return index == 0 ? Operation() : tables.rows[Int(index) &- 1]
  }

  /// The operation that io_uring performed: IORING_OP_* (include/uapi/linux/io_uring.h). Its arguments are not logged.
  package static func ofUring(_ number: Int32) -> Operation {
    let row: (Kind, StaticString) =
      switch number {
      case 17: (.allocate, "io_uring:fallocate")
      case 18: (.open, "io_uring:openat")
      case 28: (.open, "io_uring:openat2")
      case 35: (.rename, "io_uring:renameat")
      case 36: (.unlink, "io_uring:unlinkat")
      case 37: (.mkdir, "io_uring:mkdirat")
      case 38: (.symlink, "io_uring:symlinkat")
      case 39: (.link, "io_uring:linkat")
      case 41: (.setxattr, "io_uring:fsetxattr")
      case 42: (.setxattr, "io_uring:setxattr")
      case 55: (.truncate, "io_uring:ftruncate")
      case 56: (.bind, "io_uring:bind")
      default: (.none, "")
      }
    var operation = Operation()
    operation.kind = row.0
    operation.name = row.1
    return operation
  }

  private struct Tables {
    var rows: [Operation] = []
    var x86 = [UInt8](repeating: 0, count: 512)
    var i386 = [UInt8](repeating: 0, count: 512)
    var arm = [UInt8](repeating: 0, count: 512)
  }

  private static let tables: Tables = {
    var tables = Tables()
    for call in calls {
      var row = Operation()
      row.name = call.name
      row.kind = call.kind
      row.directory = call.directory
      row.secondDirectory = call.second
      row.value = call.value
      row.descriptor = call.descriptor
      tables.rows.append(row)
      let index = UInt8(truncatingIfNeeded: tables.rows.count)
      for number in [call.x86] where number >= 0 { tables.x86[number] = index }
      for number in call.i386 { tables.i386[number] = index }
      for number in [call.arm] where number >= 0 { tables.arm[number] = index }
    }
    return tables
  }()

  private struct Call {
    var name: StaticString
    var kind: Kind
    var x86: Int
    var i386: [Int]
    var arm: Int
    var directory: Int8 = -1
    var second: Int8 = -1
    var value: Int8 = -1
    var descriptor: Int8 = -1
  }

  /// Numbers from arch/x86/entry/syscalls/syscall_{64,32}.tbl and include/uapi/asm-generic/unistd.h (aarch64).
  /// The 16-bit chown family of i386 passes -1 as 0xffff; ``Interpreter`` knows.
  private static let calls: [Call] = [
    Call(name: "openat", kind: .open, x86: 257, i386: [295], arm: 56, directory: 0, value: 2),
    Call(name: "open", kind: .open, x86: 2, i386: [5], arm: -1, value: 1),
    Call(name: "openat2", kind: .open, x86: 437, i386: [437], arm: 437, directory: 0),
    Call(name: "creat", kind: .creat, x86: 85, i386: [8], arm: -1),
    Call(name: "open_by_handle_at", kind: .openByHandle, x86: 304, i386: [342], arm: 265, value: 2),
    Call(name: "mkdir", kind: .mkdir, x86: 83, i386: [39], arm: -1),
    Call(name: "mkdirat", kind: .mkdir, x86: 258, i386: [296], arm: 34, directory: 0),
    Call(name: "mknod", kind: .mknod, x86: 133, i386: [14], arm: -1),
    Call(name: "mknodat", kind: .mknod, x86: 259, i386: [297], arm: 33, directory: 0),
    Call(name: "unlink", kind: .unlink, x86: 87, i386: [10], arm: -1),
    Call(name: "unlinkat", kind: .unlink, x86: 263, i386: [301], arm: 35, directory: 0),
    Call(name: "rmdir", kind: .rmdir, x86: 84, i386: [40], arm: -1),
    Call(name: "rename", kind: .rename, x86: 82, i386: [38], arm: -1),
    Call(name: "renameat", kind: .rename, x86: 264, i386: [302], arm: 38, directory: 0, second: 2),
    Call(name: "renameat2", kind: .rename, x86: 316, i386: [353], arm: 276, directory: 0, second: 2),
    Call(name: "link", kind: .link, x86: 86, i386: [9], arm: -1),
    Call(name: "linkat", kind: .link, x86: 265, i386: [303], arm: 37, directory: 0, second: 2),
    Call(name: "symlink", kind: .symlink, x86: 88, i386: [83], arm: -1),
    Call(name: "symlinkat", kind: .symlink, x86: 266, i386: [304], arm: 36, directory: 1),
    Call(name: "truncate", kind: .truncate, x86: 76, i386: [92, 193], arm: 45),
    Call(name: "ftruncate", kind: .truncate, x86: 77, i386: [93, 194], arm: 46, descriptor: 0),
    Call(name: "fallocate", kind: .allocate, x86: 285, i386: [324], arm: 47, descriptor: 0),
    Call(name: "chmod", kind: .chmod, x86: 90, i386: [15], arm: -1, value: 1),
    Call(name: "fchmod", kind: .chmod, x86: 91, i386: [94], arm: 52, value: 1, descriptor: 0),
    Call(name: "fchmodat", kind: .chmod, x86: 268, i386: [306], arm: 53, directory: 0, value: 2),
    Call(name: "fchmodat2", kind: .chmod, x86: 452, i386: [452], arm: 452, directory: 0, value: 2),
    Call(name: "chown", kind: .chown, x86: 92, i386: [182, 212], arm: -1, value: 1),
    Call(name: "fchown", kind: .chown, x86: 93, i386: [95, 207], arm: 55, value: 1, descriptor: 0),
    Call(name: "lchown", kind: .chown, x86: 94, i386: [16, 198], arm: -1, value: 1),
    Call(name: "fchownat", kind: .chown, x86: 260, i386: [298], arm: 54, directory: 0, value: 2),
    Call(name: "setxattr", kind: .setxattr, x86: 188, i386: [226], arm: 5),
    Call(name: "lsetxattr", kind: .setxattr, x86: 189, i386: [227], arm: 6),
    Call(name: "fsetxattr", kind: .setxattr, x86: 190, i386: [228], arm: 7, descriptor: 0),
    Call(name: "setxattrat", kind: .setxattr, x86: 463, i386: [463], arm: 463, directory: 0),
    Call(name: "removexattr", kind: .removexattr, x86: 197, i386: [235], arm: 14),
    Call(name: "lremovexattr", kind: .removexattr, x86: 198, i386: [236], arm: 15),
    Call(name: "fremovexattr", kind: .removexattr, x86: 199, i386: [237], arm: 16, descriptor: 0),
    Call(name: "removexattrat", kind: .removexattr, x86: 466, i386: [466], arm: 466, directory: 0),
    Call(name: "utime", kind: .utimes, x86: 132, i386: [30], arm: -1),
    Call(name: "utimes", kind: .utimes, x86: 235, i386: [271], arm: -1),
    Call(name: "futimesat", kind: .utimes, x86: 261, i386: [299], arm: -1, directory: 0),
    Call(name: "utimensat", kind: .utimes, x86: 280, i386: [320, 412], arm: 88, directory: 0),
    Call(name: "mount", kind: .mount, x86: 165, i386: [21], arm: 40),
    Call(name: "move_mount", kind: .mount, x86: 429, i386: [429], arm: 429, directory: 0, second: 2),
    Call(name: "umount2", kind: .umount, x86: 166, i386: [22, 52], arm: 39),
    Call(name: "ioctl", kind: .ioctl, x86: 16, i386: [54], arm: 29, value: 1, descriptor: 0),
    Call(name: "file_setattr", kind: .setFlags, x86: 469, i386: [469], arm: 469, directory: 0),
    Call(name: "bind", kind: .bind, x86: 49, i386: [361], arm: 200),
    Call(name: "io_uring_enter", kind: .uringEnter, x86: 426, i386: [426], arm: 426),
    Call(name: "execve", kind: .execve, x86: 59, i386: [11], arm: 221),
    Call(name: "execveat", kind: .execve, x86: 322, i386: [358], arm: 281),
  ]
}
