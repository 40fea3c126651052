import CAudit
import Glibc
import System
import SystemPackage

/// Rules, and settings of the kernel, that live as long as one process: those of `watch`.
///
/// They are recorded in a file of their own with the process and its start time, so that what a killed watcher leaves behind is known for
/// certain to be nobody's (``cleanStale(directory:)``).
package struct TemporaryRules: Sendable {
  package let rules: [Rule]
  /// The same by what they watch.
  var objects: [WatchedObject]
  private let changes: [Ledger.Change]
  let directory: String

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
  /// - Parameter settings: what the kernel is to be set to meanwhile; all but `enabled` as far as it lets us (a locked configuration).
  /// - Throws: when the kernel refuses one of `lines`; then nothing is left of them or the settings.
  package init(
    _ lines: [RuleLine], optional: [Rule] = [], settings: [KernelSetting] = [], directory: String = RuleBook.standardDirectory
  ) throws(Failure) {
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
    let now = try book.asking { audit throws(SystemError) in try audit.status() }
    changes = settings.map { Ledger.Change(from: $0.current(in: now), to: $0) }.filter { $0.from != $0.to }
    ledger.changes = changes
    let path = Self.path(directory)
    try ledger.write(to: path)
    for change in changes where !change.to.isEnabled { try? book.audit.set(change.to) }
    do throws(SystemError) {
      try book.change(wanted.map { .append($0) })
      do throws(SystemError) {
        for change in changes where change.to.isEnabled { try book.audit.set(change.to) }
      } catch {
        for rule in wanted { try? book.send(.delete(rule)) }
        throw error
      }
    } catch {
      book.restore(changes)
      unlink(path)
      throw book.audit.failure(error)
    }
    var taken: [Rule] = []
    for rule in extra where (try? book.send(.append(rule))) != nil { taken.append(rule) }
    rules = wanted + taken
    objects = WatchedObject.of(rules)
  }

  /// Takes the rules away again and puts the settings back. Rules that the kernel has dropped by itself, with their directory, are no error.
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
    book.restore(changes)
    if let fault { throw fault }
    unlink(Self.path(directory))
  }

  /// Removes the rules of watchers that no longer run, and puts back what they had set. Returns how many rules that were.
  @discardableResult
  package static func cleanStale(directory: String = RuleBook.standardDirectory) throws(Failure) -> Int {
    var book = try RuleBook(directory: directory)
    if book.watchLedgers().isEmpty { return 0 }
    let lock = try book.locked()
    defer { withExtendedLifetime(lock) {} }
    var kept = try Ledger(path: book.ledgerPath).rules
    var stale: [(path: String, ledger: Ledger)] = []
    for path in book.watchLedgers() {
      guard let ledger = try? Ledger(path: path), ledger.owner != nil else { continue }
      if ledger.ownerRuns { kept.formUnion(ledger.rules) } else { stale.append((path, ledger)) }
    }
    let kernel = Set(try book.rules())
    var count = 0
    for (path, ledger) in stale {
      for rule in ledger.entries.flatMap(\.rules) where kernel.contains(rule) && !kept.contains(rule) {
        do { try book.send(.delete(rule)) } catch {
          if error.code != .noSuchFileOrDirectory { throw book.audit.failure(error) }
        }
        count += 1
      }
      book.restore(ledger.changes)
      unlink(path)
    }
    return count
  }

  fileprivate static func path(_ directory: String) -> String { "\(directory)/watch-\(getpid())" }
}

extension Ledger {
  /// Whether the process whose ledger it is still runs.
  var ownerRuns: Bool {
    guard let words = owner?.split(separator: " "), words.count == 2, let pid = pid_t(words[0]), let start = startTime(of: pid) else {
      return false
    }
    return start == words[1]
  }
}

extension RuleBook {
  /// Puts back what a process has set, as far as it is still so and the kernel lets us.
  mutating func restore(_ changes: [Ledger.Change]) {
    guard !changes.isEmpty, let now = try? audit.status() else { return }
    for change in changes where change.to.current(in: now) == change.to {
      // whoever else reads by now would be blind
      if change.to.isEnabled, isRead(now) { continue }
      try? audit.set(change.from)
    }
  }

  /// Whether anybody but this process reads what kernel audit reports.
  private func isRead(_ now: KernelStatus) -> Bool {
    if let daemon = RegisteredDaemon(now), daemon.isAlive, daemon.pid != UInt32(getpid()) { return true }
    // `fsaudit run` beside another daemon's stream: it keeps its own record of settings here while it runs
    if access(directory + "/kernel", F_OK) == 0 { return true }
    return watchLedgers().contains { path in path != TemporaryRules.path(directory) && (try? Ledger(path: path))?.ownerRuns == true }
  }
}

extension KernelSetting {
  fileprivate var isEnabled: Bool { if case .enabled = self { true } else { false } }
}

/// When a process started, in clock ticks since boot (field 22 of /proc/PID/stat): with the number it names a process for good. Nil where it is gone.
private func startTime(of pid: pid_t) -> String? {
  guard let bytes = try? contents(of: "/proc/\(pid)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
  // The name, in parentheses, can hold anything; after it come the fields from the third on.
  let fields = String(decoding: bytes[bytes.index(after: end)...], as: UTF8.self).split(separator: " ")
  return fields.count > 19 ? String(fields[19]) : nil
}
