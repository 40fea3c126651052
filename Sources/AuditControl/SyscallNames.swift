/// The name of a system call as libaudit knows it, nil where it does not. `architecture` is AUDIT_ARCH_*.
package func syscallName(_ number: Int32, architecture: UInt32) -> String? {
  LibAudit.syscallName(Int(number), machine: LibAudit.machine(elf: architecture))
}
