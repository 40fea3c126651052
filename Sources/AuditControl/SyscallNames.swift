/// The name of a system call as libaudit knows it, nil where it does not. `architecture` is AUDIT_ARCH_*.
package func syscallName(_ number: Int32, architecture: UInt32) -> String? {
  LibAudit.syscallName(Int(number), machine: LibAudit.machine(elf: architecture))
}

/// Whether some architecture that this host runs has a system call of that name.
package func isSyscallName(_ name: String) -> Bool {
  ["b64", "b32"].compactMap(LibAudit.elf(arch:)).contains { LibAudit.syscall(name, machine: LibAudit.machine(elf: $0)) != nil }
}
