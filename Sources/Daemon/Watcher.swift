import AuditControl
import AuditEvents
import AuditStream
import AuditWire
import EventLog
import FileChanges
import Glibc
import System

/// `fsaudit watch`: rules for as long as one looks, and what they show, at once.
///
/// One thread does everything in turn; whatever ends it, the rules go with it, and the kernel's settings are as before. A SIGKILL alone
/// leaves them behind, recorded, and the next `watch` or `run` puts them right.
package final class Watcher {
  package struct Options: Sendable {
    /// Bytes: a path need not be UTF-8.
    package var paths: [[UInt8]]
    package var permissions: FilePermissions
    /// The rule key to record the changes under; nil for one of our own that is not shown.
    package var key: String?
    /// Show changes of the time stamps as well (most programs set them when they copy).
    package var times: Bool
    package var runtimeDirectory = RuleBook.standardDirectory

    package init(paths: [[UInt8]], permissions: FilePermissions, key: String?, times: Bool) {
      self.paths = paths
      self.permissions = permissions
      self.key = key
      self.times = times
    }
  }

  private let options: Options
  private let key: String
  private let print: (RawSpan) throws -> Void
  private let flush: () throws -> Void

  private var lost: UInt32 = 0

  /// - Parameters:
  ///   - print: gets each line of native JSON that is to be shown, without its newline.
  ///   - flush: called when nothing more is waiting.
  package init(_ options: Options, print: @escaping (RawSpan) throws -> Void, flush: @escaping () throws -> Void) {
    self.options = options
    key = options.key ?? "fsaudit-watch-\(getpid())"
    self.print = print
    self.flush = flush
  }

  /// Watches until a signal comes or the reader of stdout goes away.
  package func run() throws {
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP, SIGQUIT])
    guard geteuid() == 0 else { throw Failure("watching needs root", advice: "try: sudo fsaudit watch …", exit: .notPermitted) }
    try TemporaryRules.cleanStale(directory: options.runtimeDirectory)
    let lines = try options.paths.flatMap { path in
      try TemporaryRules.lines(
        path: path, permissions: options.permissions, times: options.times, key: Array(key.utf8))
    }
    var audit: KernelAudit
    do { audit = try KernelAudit() } catch { throw KernelAudit.failure(error, enabled: nil) }
    let original = try audit.status()
    lost = original.lost
    var book = try RuleBook(directory: options.runtimeDirectory)
    if try book.list().compactMap(\.rule).blocksEverything {
      complain(
        "fsaudit: a rule `-a never,task` is loaded: the kernel does not audit processes started under it; remove it with `auditctl -d never,task`"
      )
    }
    let stream = try KernelStream.open(.auto, registered: original.pid, receiveBufferBytes: 16 << 20)
    let rules = try TemporaryRules(
      lines, optional: TemporaryRules.ringRules(for: lines, key: Array(key.utf8)),
      settings: Self.settings(original, isRegistered: stream.source == .unicast), directory: options.runtimeDirectory)
    defer { do { try rules.remove() } catch { complain("fsaudit: the rules could not be removed: \(error)") } }
    let watched = lines.compactMap(\.watchedPath)
    try show(stream, WatchedTrees(rules.rules), signals, &audit, count: Set(watched).count)
  }

  // MARK: -

  /// What the kernel is set to: the queue is the registered daemon's affair.
  private static func settings(_ now: KernelStatus, isRegistered: Bool) -> [KernelSetting] {
    (isRegistered ? [.backlogLimit(max(now.backlogLimit, 16384)), .backlogWaitTime(60)] : []) + (now.enabled == 0 ? [.enabled(1)] : [])
  }

  private func show(
    _ kernelStream: consuming KernelStream, _ trees: WatchedTrees, _ signals: borrowing Signals, _ audit: inout KernelAudit, count: Int
  ) throws {
    var stream = kernelStream
    let accounts = Accounts()
    var pipeline = Pipeline(
      assembler: Assembler(endsAtProctitle: false),
      interpreter: Interpreter(map: DirectoryMap(), coverage: Coverage(trees.scopes), lookup: LiveSources.lookup),
      encoder: NativeEncoder(hostName: hostName(), names: LiveSources.names(accounts)))
    let walk = try TreeWalk()
    pipeline.interpreter.map.beginWalk()
    for root in trees.roots { walk.request(root) }
    let walker = try Thread("walker") { walk.run() }
    defer { walk.stop() }
    let poll = try Poll()
    try poll.add(stream.descriptor, tag: 0)
    try poll.add(signals.descriptor.raw, tag: 1)
    try poll.add(walk.descriptor, tag: 2)
    // a reader that goes away while nothing happens is noticed too; a file cannot be polled and never goes away
    try? poll.add(1, tag: 3, input: false)
    var isAnnounced = false
    var isToldToWait = false
    let patience = milliseconds(CLOCK_MONOTONIC) + 5000
    var nextTick = milliseconds(CLOCK_MONOTONIC) + 1000
    var ends = false
    while !ends {
      try poll.wait(milliseconds: isAnnounced ? 500 : 20) { tag, hangUp in
        if tag == 1 { ends = true }
        if tag == 2 { walk.apply(to: &pipeline.interpreter.map) }
        if tag == 3, hangUp { ends = true }
      }
      let now = milliseconds(CLOCK_MONOTONIC)
      if !isAnnounced, !isToldToWait, now > patience - 4000, isatty(2) == 1 {
        isToldToWait = true
        complain("fsaudit: reading the watched directories first; there are many")
      }
      if !isAnnounced, walk.isIdle || now > patience {
        isAnnounced = true
        complain("fsaudit: watching \(count) path\(count == 1 ? "" : "s") (\(stream.source.rawValue))")
      }
      if isAnnounced { try receive(&stream, &pipeline, now) }
      if now >= nextTick {
        nextTick = now + 1000
        pipeline.expire(now: now)
        noteLoss(&audit, &pipeline)
        for path in pipeline.interpreter.walkRequests {
          pipeline.interpreter.map.beginWalk()
          walk.request(path)
        }
        pipeline.interpreter.walkRequests.removeAll()
        if accounts.haveChanged() { pipeline.encoder.forgetNames() }
      }
      try emit(&pipeline)
    }
    // what was done before the signal is still in the kernel's queue: once we are not registered it goes elsewhere
    let deadline = milliseconds(CLOCK_MONOTONIC) + 2000
    repeat {
      let isEmpty = (try? audit.status().backlog == 0) ?? true
      pause(microseconds: 5000)
      let received = try receive(&stream, &pipeline, milliseconds(CLOCK_MONOTONIC))
      try emit(&pipeline)
      if isEmpty && received == 0 { break }
    } while milliseconds(CLOCK_MONOTONIC) < deadline
    stream.unregister()
    try receive(&stream, &pipeline, milliseconds(CLOCK_MONOTONIC))
    pipeline.finish()
    try emit(&pipeline)
    walk.stop()
    walker.join()
  }

  @discardableResult
  private func receive(_ stream: inout KernelStream, _ pipeline: inout Pipeline, _ now: Int64) throws -> Int {
    let empty = [UInt8]()
    var total = 0
    while total < 4096 {
      let outcome = try stream.receive { type, text in
        pipeline.add(type: RecordType(rawValue: type), text: text, node: empty.span.bytes, now: now)
      }
      total += outcome.records
      if outcome.overrun {
        pipeline.encoder.lines.line(
          Gap(.overrun, untilMs: milliseconds(CLOCK_REALTIME)), timeMs: milliseconds(CLOCK_REALTIME), host: hostName())
      }
      if !outcome.isFull { break }
    }
    return total
  }

  private func noteLoss(_ audit: inout KernelAudit, _ pipeline: inout Pipeline) {
    guard let now = try? audit.status() else { return }
    if now.lost > lost {
      let time = milliseconds(CLOCK_REALTIME)
      pipeline.encoder.lines.line(Gap(.kernelLost, count: UInt64(now.lost - lost), untilMs: time), timeMs: time, host: hostName())
    }
    lost = now.lost
  }

  /// Shows the lines that are about the watched paths: beside another daemon, everybody's events come.
  private func emit(_ pipeline: inout Pipeline) throws {
    if pipeline.encoder.lines.isEmpty { return }
    var line = LogLine()
    try pipeline.encoder.lines.withBytes { all in
      var start = 0
      while let end = all.firstIndex(of: UInt8(ascii: "\n"), from: start, before: all.byteCount) {
        let text = all.extracting(start..<end)
        start = end + 1
        guard line.parse(text) else { continue }
        let isOurs = line.dataset == .file && line.strings("tags").contains(key)
        if isOurs || line.dataset == .gap { try print(text) }
      }
    }
    pipeline.encoder.lines.removeAll()
    try flush()
  }
}
