import Glibc
import System
import SystemPackage

/// What a run on a baseline needs to know.
package struct BaselineOptions {
  package var database: String
  package var scan = ScanOptions()
  package var host = ""
  /// The program's version, kept with what it wrote.
  package var program = ""
  /// When the run began, milliseconds since 1970.
  package var nowMs: Int64 = 0
  /// How many generations are kept, and for how long, in milliseconds.
  package var keepCount = 100
  package var keepMs: Int64 = 30 * 86_400_000
  /// update, check: what is compared with has to be signed with this key.
  package var publicKey: PublicKey?
  /// check: how long ago, in milliseconds, every file may have been read last; nil for ever.
  package var fullEveryMs: Int64?
  /// check: what the trail tells of since a time, milliseconds since 1970; nil where there is none.
  package var touched: (_ sinceMs: Int64) -> TouchedFiles? = { _ in nil }
  /// init: take the place of a baseline that is there.
  package var replaces = false

  package init(database: String) { self.database = database }
}

/// What a run found and did.
package struct BaselineOutcome: Sendable {
  /// What was compared with; nil for an init.
  package var base: Generation?
  /// What was written; nil for a check.
  package var written: Generation?
  /// Whether what was written has yet to be signed, as what it was compared with is.
  package var isUnsigned = false
  package var counts: ScanCounts
  package var differences: [Difference] = []
  /// Why every file was read; nil where only those were that may have changed.
  package var fullReason: FullReason?
  /// check: when that was done last before, milliseconds since 1970; nil where nothing is known of it.
  package var lastFullMs: Int64?
  /// check: what the trail told, where it was asked.
  package var touched: TouchedFiles?

  package var isFull: Bool { fullReason != nil }

  package func count(_ kind: Difference.Kind) -> Int { differences.count { $0.kind == kind } }
}

/// Called with each problem and, now and then, with how far the scan is.
package struct ScanObserver {
  package var problem: (ScanProblem) -> Void
  package var progress: (ScanCounts) -> Void

  package init(problem: @escaping (ScanProblem) -> Void, progress: @escaping (ScanCounts) -> Void) {
    (self.problem, self.progress) = (problem, progress)
  }
}

/// The three runs: first baseline, next generation, comparison.
package enum BaselineRun {
  /// Makes the first generation. It is written to a file of its own, which takes the database's name when it is whole and on the disk.
  package static func initialize(
    _ selection: SelectionConfig, _ options: BaselineOptions, _ observer: ScanObserver
  ) throws(Failure) -> BaselineOutcome {
    let path = options.database
    do throws(SystemError) { try makeParent(of: path) } catch { throw error.failure() }
    let lock = try RunLock(database: path)
    defer { withExtendedLifetime(lock) {} }
    if !options.replaces, (try? status(of: path)) != nil {
      throw Failure(
        "\(printable(path)): there is a baseline already",
        advice: "`fsaudit baseline update` adds a generation to it; --replace begins anew and forgets the old ones", exit: .usage)
    }
    try checkDigests(selection)
    let temporary = path + ".new"
    do throws(SystemError) {
      for name in [temporary, temporary + "-journal", temporary + "-wal", temporary + "-shm"] where (try? status(of: name)) != nil {
        try removeFile(name)
      }
      _ = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    } catch { throw error.failure() }
    do throws(Failure) {
      let outcome = try write(selection, options, observer, temporary)
      do throws(SystemError) {
        try Descriptor.open(temporary, O_RDWR).synchronizeData()
        // a log that belongs to the file which is about to go must not be taken for the new one's
        for name in [path + "-wal", path + "-shm"] where (try? status(of: name)) != nil { try removeFile(name) }
        try rename(temporary, to: path)
        try synchronizeDirectory(parent(of: path))
      } catch { throw error.failure() }
      if outcome.counts.problems == 0 { lock.note(try FullCheck(selection, options)) }
      return outcome
    } catch {
      try? removeFile(temporary)
      throw error
    }
  }

  private static func write(
    _ selection: SelectionConfig, _ options: BaselineOptions, _ observer: ScanObserver, _ path: String
  ) throws(Failure) -> BaselineOutcome {
    let store = try Store(creating: path)
    let scan = Scan(
      selection, store, base: nil, next: 1, isSameSelection: false, options.scan, report: observer.problem, progress: observer.progress)
    try scan.run()
    let generation = generation(1, selection, options, scan.counts)
    try store.add(generation, program: options.program)
    try store.commit()
    return BaselineOutcome(base: nil, written: generation, counts: scan.counts, fullReason: .asked)
  }

  /// Adds a generation, in one transaction.
  package static func update(
    _ selection: SelectionConfig, _ options: BaselineOptions, _ observer: ScanObserver
  ) throws(Failure) -> BaselineOutcome {
    try Store.require(options.database)
    let lock = try RunLock(database: options.database)
    defer { withExtendedLifetime(lock) {} }
    try checkDigests(selection)
    let store = try Store(options.database, writing: true)
    let base = try store.generation(.latest)
    if let key = options.publicKey { try store.verify(base, key) }
    let isSame = base.config == selection.fingerprint
    let scan = Scan(
      selection, store, base: base.id, next: base.id + 1, isSameSelection: isSame, options.scan, report: observer.problem,
      progress: observer.progress)
    try scan.run()
    let written = generation(base.id + 1, selection, options, scan.counts)
    try store.add(written, program: options.program)
    let isUnsigned = try !store.signers(of: base).isEmpty
    try store.forget(keepCount: options.keepCount, before: options.nowMs - options.keepMs)
    try store.commit()
    let reason: FullReason? = options.scan.isFull ? .asked : nil
    if reason != nil, scan.counts.problems == 0 { lock.note(try FullCheck(selection, options)) }
    return BaselineOutcome(
      base: base, written: written, isUnsigned: isUnsigned, counts: scan.counts, differences: scan.differences, fullReason: reason)
  }

  /// Compares, and leaves the database alone.
  package static func check(
    _ selection: SelectionConfig, against choice: GenerationChoice, _ options: BaselineOptions, _ observer: ScanObserver
  ) throws(Failure) -> BaselineOutcome {
    try Store.require(options.database)
    // who may not make the lock's file may not update either, and reads what is there
    let lock: RunLock?
    do { lock = try RunLock(database: options.database) } catch {
      if error.exit == .locked { throw error }
      lock = nil
    }
    defer { withExtendedLifetime(lock) {} }
    let store = try Store(options.database, writing: false)
    let base = try store.generation(choice)
    if let key = options.publicKey { try store.verify(base, key) }
    let now = try FullCheck(selection, options)
    let known = lock?.fullCheck.flatMap { $0.isAlike(now) ? $0 : nil }
    let lastFull = known.flatMap { $0.ms > 0 ? $0.ms : nil }
    let reason: FullReason? = options.scan.isFull ? .asked : isDue(lastFull, options) ? .due : nil
    let isSame = base.config == selection.fingerprint
    // an older generation does not know the files that came later
    let newest = try store.generation(.latest)
    let isNewest = isSame && base.id == newest.id
    let followedMs = isNewest ? known?.followedMs ?? base.createdMs : base.createdMs
    var scanning = options.scan
    scanning.isFull = reason != nil
    if reason == nil { scanning.touched = options.touched(followedMs) }
    let scan = Scan(
      selection, store, base: base.id, next: nil, isSameSelection: isSame, scanning, report: observer.problem, progress: observer.progress)
    try scan.run()
    if isNewest, scan.counts.problems == 0 {
      if let note = now.note(after: known, reason, scan.counts, scanning.touched, followedMs) { lock?.note(note) }
    }
    return BaselineOutcome(
      base: base, counts: scan.counts, differences: scan.differences, fullReason: reason, lastFullMs: lastFull, touched: scanning.touched)
  }

  /// Whether everything was last read too long ago, as far as anybody knows; a time that is yet to come proves nothing.
  private static func isDue(_ lastMs: Int64?, _ options: BaselineOptions) -> Bool {
    guard let every = options.fullEveryMs else { return false }
    guard let lastMs, lastMs <= options.nowMs else { return true }
    return options.nowMs - lastMs > every
  }

  private static func generation(
    _ id: Int64, _ selection: SelectionConfig, _ options: BaselineOptions, _ counts: ScanCounts
  ) -> Generation {
    Generation(
      id: id, createdMs: options.nowMs, host: options.host, config: selection.fingerprint, files: counts.objects, bytes: counts.bytes)
  }

  /// A run is not to begin that could not say afterwards what it was asked for.
  private static func checkDigests(_ selection: SelectionConfig) throws(Failure) {
    let missing = Digester.missing(of: selection.asked)
    if missing.isEmpty { return }
    throw Failure(
      "this host's libcrypto has no \(missing.joined(separator: ", "))", advice: "use sha256 in the configuration instead", exit: .usage)
  }

  private static func makeParent(of path: String) throws(SystemError) {
    let directory = parent(of: path)
    if (try? status(of: directory)) == nil { try makeDirectory(directory, mode: 0o700) }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
