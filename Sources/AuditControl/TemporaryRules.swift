import CAudit
import Glibc
import System
import SystemPackage

/// Rules that live as long as one process: those of `watch`.
///
/// They are recorded in a file of their own with the process and its start time, so that what a killed watcher leaves behind is known for
/// certain to be nobody's (``cleanStale(directory:)``).
package struct TemporaryRules: Sendable {
  package let rules: [Rule]
  private let directory: String

  /// The lines that watch a path: what `-w PATH -p … -k KEY` means, and what `perm=` misses although it changes a file (AUDIT-FACTS 10): creating and
  /// truncating with a read-only descriptor, file_setattr, and where `times` says so, setting times.
  /// - Throws: a path that does not exist.
  package static func lines(path: [UInt8], permissions: FilePermissions, times: Bool, key: [UInt8]) throws(Failure) -> [RuleLine] {
    // The command's paths may be relative; a rule's may not.
    let resolved: [UInt8]
    switch PathResolver.system.resolve(path) {
    case .file(let target), .directory(let target): resolved = target
    case .unreachable(let code): throw PathResolver.failure(path, code, missingAdvice: "create it first")
    }
    let watch = try RuleLine([Array("-w".utf8), resolved, Array("-p".utf8), Array(permissions.letters.utf8), Array("-k".utf8), key])
    var more: [Rule] = []
    for rule in watch.rules {
      guard let arch = rule.arch, let object = rule.fields.first(where: { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) }) else { continue }
      let machine = LibAudit.machine(elf: arch)
      func add(_ names: [String], _ conditions: [RuleField] = []) {
        var calls = SyscallSet.none
        for number in names.compactMap({ LibAudit.syscall($0, machine: machine) }) { calls.insert(number) }
        if calls == .none { return }
        more.append(
          Rule(
            .exit, .always, syscalls: calls,
            fields: [RuleField(AUDIT_ARCH, value: arch)] + conditions + [object, RuleField(AUDIT_FILTERKEY, text: key)]))
      }
      if permissions.contains(.write) {
        let createOrTruncate = UInt32(O_CREAT | O_TRUNC)
        add(["open"], [RuleField(AUDIT_ARG1, UInt32(AUDIT_BIT_MASK), value: createOrTruncate)])
        add(["openat", "open_by_handle_at"], [RuleField(AUDIT_ARG2, UInt32(AUDIT_BIT_MASK), value: createOrTruncate)])
      }
      if permissions.contains(.attributes) { add(["file_setattr"]) }
      if times { add(["utime", "utimes", "futimesat", "utimensat", "utimensat_time64"]) }
    }
    var supplement = watch
    supplement.rules = more
    return more.isEmpty ? [watch] : [watch, supplement]
  }

  /// What shows changes that io_uring makes below the watched directories (AUDIT-FACTS 8): rules of the io_uring list, with `dir=` only, because
  /// `path=` matches the wrong thing there. Kernels before 5.16, or without io_uring, refuse them.
  package static func ringRules(for lines: [RuleLine], key: [UInt8]) -> [Rule] {
    // IORING_OP_*: fallocate openat openat2 renameat unlinkat mkdirat symlinkat linkat fsetxattr setxattr ftruncate
    var operations = SyscallSet.none
    for number in [17, 18, 28, 35, 36, 37, 38, 39, 41, 42, 55] { operations.insert(number) }
    let directories = Set(lines.flatMap(\.rules).compactMap { $0.fields.first { $0.id == AUDIT_DIR } })
    return directories.map { Rule(.ring, .always, syscalls: operations, fields: [$0, RuleField(AUDIT_FILTERKEY, text: key)]) }
  }

  /// Adds the rules of `lines` to the kernel for this process, and those of `optional` that the kernel takes.
  /// - Throws: when the kernel refuses one of `lines`; then none of them is left.
  package init(_ lines: [RuleLine], optional: [Rule] = [], directory: String = RuleBook.standardDirectory) throws(Failure) {
    self.directory = directory
    var book = try RuleBook(directory: directory)
    let lock = try book.locked()
    defer { withExtendedLifetime(lock) {} }
    let kernel = Set(try book.rules())
    var seen: Set<Rule> = []
    let wanted = lines.flatMap(\.rules).filter { !kernel.contains($0) && seen.insert($0).inserted }
    let extra = optional.filter { !kernel.contains($0) && seen.insert($0).inserted }
    var ledger = Ledger()
    ledger.owner = "\(getpid()) \(startTime(of: getpid()) ?? "0")"
    ledger.entries = (wanted + extra).map { Ledger.Entry(origin: .watch, whenCreated: false, line: $0.line, rules: [$0], identity: "") }
    let path = Self.path(directory)
    try ledger.write(to: path)
    do { try book.change(wanted.map { .append($0) }) } catch {
      unlink(path)
      throw book.audit.failure(error)
    }
    var taken: [Rule] = []
    for rule in extra where (try? book.send(.append(rule))) != nil { taken.append(rule) }
    rules = wanted + taken
  }

  /// Takes the rules away again. Those that the kernel has dropped by itself, with their directory, are no error.
  package func remove() throws(Failure) {
    var book = try RuleBook(directory: directory)
    let lock = try book.locked()
    defer { withExtendedLifetime(lock) {} }
    var fault: Failure?
    for rule in rules {
      do { try book.send(.delete(rule)) } catch {
        if error.code != .noSuchFileOrDirectory { fault = book.audit.failure(error) }
      }
    }
    if let fault { throw fault }
    unlink(Self.path(directory))
  }

  /// Removes the rules of watchers that no longer run. Returns how many rules that were.
  @discardableResult
  package static func cleanStale(directory: String = RuleBook.standardDirectory) throws(Failure) -> Int {
    var book = try RuleBook(directory: directory)
    if book.watchLedgers().isEmpty { return 0 }
    let lock = try book.locked()
    defer { withExtendedLifetime(lock) {} }
    var kept = try Ledger(path: book.ledgerPath).rules
    var stale: [(path: String, rules: [Rule])] = []
    for path in book.watchLedgers() {
      guard let ledger = try? Ledger(path: path), let owner = ledger.owner else { continue }
      let words = owner.split(separator: " ")
      if words.count == 2, let pid = pid_t(words[0]), let start = startTime(of: pid), start == words[1] {
        kept.formUnion(ledger.rules)
      } else {
        stale.append((path, ledger.entries.flatMap(\.rules)))
      }
    }
    let kernel = Set(try book.rules())
    var count = 0
    for (path, rules) in stale {
      for rule in rules where kernel.contains(rule) && !kept.contains(rule) {
        do { try book.send(.delete(rule)) } catch {
          if error.code != .noSuchFileOrDirectory { throw book.audit.failure(error) }
        }
        count += 1
      }
      unlink(path)
    }
    return count
  }

  private static func path(_ directory: String) -> String { "\(directory)/watch-\(getpid())" }
}

/// When a process started, in clock ticks since boot (field 22 of /proc/PID/stat): with the number it names a process for good. Nil where it is gone.
private func startTime(of pid: pid_t) -> String? {
  guard let bytes = try? contents(of: "/proc/\(pid)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
  // The name, in parentheses, can hold anything; after it come the fields from the third on.
  let fields = String(decoding: bytes[bytes.index(after: end)...], as: UTF8.self).split(separator: " ")
  return fields.count > 19 ? String(fields[19]) : nil
}
