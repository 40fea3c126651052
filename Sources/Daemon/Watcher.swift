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
/// One thread does everything in turn but print; whatever ends it, the rules go with it, and the kernel's settings are as before. A SIGKILL alone
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
  private let host = hostName()

  private var lost: UInt32 = 0
  private var auditSwitch = AuditSwitch(nowMs: milliseconds(CLOCK_REALTIME))
  /// When a record has said that kernel audit was switched off.
  private var switchedOffMs: Int64?
  /// Somebody has changed rules, perhaps ours.
  private var rulesMayDiffer = false
  /// When all paths were last known to be watched, and since when those are not that are not.
  private var lastSoundMs = milliseconds(CLOCK_REALTIME)
  private var unwatchedSinceMs: [[UInt8]: Int64] = [:]
  private var line = LogLine()
  private var shown = JSONWriter()

  package init(_ options: Options) {
    self.options = options
    key = options.key ?? "fsaudit-watch-\(getpid())"
  }

  /// Watches until a signal comes or the reader of stdout goes away; the lines go to `sink`.
  package func run(_ sink: some LineSink) throws {
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP, SIGQUIT])
    guard geteuid() == 0 else { throw Failure("watching needs root", advice: "try: sudo fsaudit watch …", exit: .notPermitted) }
    try TemporaryRules.cleanStale(directory: options.runtimeDirectory)
    let lines = try options.paths.flatMap { path in
      try TemporaryRules.lines(
        path: path, permissions: options.permissions, times: options.times, key: Array(key.utf8))
    }
    let printer = try PrinterThread(sink)
    try watch(lines, signals, printer)
    // by now the rules are gone
    try printer.finish()
  }

  private func watch(_ lines: [RuleLine], _ signals: borrowing Signals, _ printer: PrinterThread) throws {
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
    var rules = try TemporaryRules(
      lines, optional: TemporaryRules.ringRules(for: lines, key: Array(key.utf8)),
      settings: Self.settings(original, isRegistered: stream.source == .unicast), directory: options.runtimeDirectory)
    defer { do { try rules.remove() } catch { complain("fsaudit: the rules could not be removed: \(error)") } }
    let watched = lines.compactMap(\.watchedPath)
    try show(stream, &rules, signals, printer, &audit, count: Set(watched).count)
  }

  // MARK: -

  /// What the kernel is set to: the queue is the registered daemon's affair.
  private static func settings(_ now: KernelStatus, isRegistered: Bool) -> [KernelSetting] {
    (isRegistered ? [.backlogLimit(max(now.backlogLimit, 16384)), .backlogWaitTime(60)] : []) + (now.enabled == 0 ? [.enabled(1)] : [])
  }

  private func show(
    _ kernelStream: consuming KernelStream, _ rules: inout TemporaryRules, _ signals: borrowing Signals, _ printer: PrinterThread,
    _ audit: inout KernelAudit, count: Int
  ) throws {
    var stream = kernelStream
    let trees = WatchedTrees(rules.rules)
    var feed = BatchFeed(printer.queue, host: host)
    let accounts = Accounts()
    var pipeline = Pipeline(
      assembler: Assembler(endsAtProctitle: false),
      interpreter: Interpreter(map: DirectoryMap(), coverage: Coverage(trees.scopes), lookup: LiveSources.lookup),
      encoder: NativeEncoder(hostName: host, names: LiveSources.names(accounts)))
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
    try poll.add(printer.ended.descriptor.raw, tag: 4)
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
        if tag == 4 { ends = true }
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
      if isAnnounced { try receive(&stream, &pipeline, &feed, now) }
      if now >= nextTick {
        nextTick = now + 1000
        pipeline.expire(now: now)
        noteLoss(&audit, &feed)
        follow(&rules, &pipeline, &feed)
        for path in pipeline.interpreter.walkRequests {
          pipeline.interpreter.map.beginWalk()
          walk.request(path)
        }
        pipeline.interpreter.walkRequests.removeAll()
        if accounts.haveChanged() { pipeline.encoder.forgetNames() }
      }
      show(&pipeline, &feed)
    }
    // what was done before the signal is still in the kernel's queue: once we are not registered it goes elsewhere
    let deadline = milliseconds(CLOCK_MONOTONIC) + 2000
    repeat {
      let isEmpty = (try? audit.status().backlog == 0) ?? true
      pause(microseconds: 5000)
      let received = try receive(&stream, &pipeline, &feed, milliseconds(CLOCK_MONOTONIC))
      show(&pipeline, &feed)
      if isEmpty && received == 0 { break }
    } while milliseconds(CLOCK_MONOTONIC) < deadline
    stream.unregister()
    try receive(&stream, &pipeline, &feed, milliseconds(CLOCK_MONOTONIC))
    pipeline.finish()
    show(&pipeline, &feed)
    walk.stop()
    walker.join()
  }

  @discardableResult
  private func receive(_ stream: inout KernelStream, _ pipeline: inout Pipeline, _ feed: inout BatchFeed, _ now: Int64) throws -> Int {
    let empty = [UInt8]()
    var total = 0
    while total < 4096 {
      let outcome = try stream.receive { type, text in
        let type = RecordType(rawValue: type)
        if type == .configChange {
          rulesMayDiffer = true
          if ConfigChange(text).switchesOff { switchedOffMs = milliseconds(CLOCK_REALTIME) }
        }
        pipeline.add(type: type, text: text, node: empty.span.bytes, now: now)
      }
      total += outcome.records
      if outcome.overrun { feed.report(Gap(.overrun, untilMs: milliseconds(CLOCK_REALTIME))) }
      if !outcome.isFull { break }
    }
    return total
  }

  private func noteLoss(_ audit: inout KernelAudit, _ feed: inout BatchFeed) {
    guard let now = try? audit.status() else { return }
    if now.lost > lost {
      feed.report(Gap(.kernelLost, count: UInt64(now.lost - lost), untilMs: milliseconds(CLOCK_REALTIME)))
    }
    lost = now.lost
    if let gap = auditSwitch.look(isOn: now.enabled != 0, switchedOffMs: switchedOffMs, nowMs: milliseconds(CLOCK_REALTIME)) {
      if now.enabled == 0 { complain("fsaudit: somebody switched kernel audit off: nothing is shown until `auditctl -e 1`") }
      feed.report(gap)
    }
    switchedOffMs = nil
  }

  /// Once a second: sees to it that the rules are where their paths lead, and says where they are not.
  private func follow(_ rules: inout TemporaryRules, _ pipeline: inout Pipeline, _ feed: inout BatchFeed) {
    let now = milliseconds(CLOCK_REALTIME)
    defer { lastSoundMs = now }
    guard rulesMayDiffer || rules.haveMoved else { return }
    rulesMayDiffer = false
    do {
      for (path, fate) in try rules.repair() {
        let name = printable(String(decoding: path, as: UTF8.self))
        let since = unwatchedSinceMs[path] ?? lastSoundMs
        let what: String
        switch fate {
        case .removed:
          what = "\(name) was removed"
          complain("fsaudit: \(what): it is watched again when it comes back")
        case .rearmed:
          what = "\(name) was replaced"
          complain("fsaudit: \(what): it is watched again, but what happened meanwhile is not shown")
          pipeline.interpreter.walkRequests.append(path)
        case .refused(let failure):
          what = "\(name) was replaced"
          complain("fsaudit: \(what) and cannot be watched again: \(failure)")
        case .stripped:
          what = "somebody removed the rules for \(name)"
          complain("fsaudit: \(what): to see it again, start fsaudit watch again")
        }
        if case .rearmed = fate { unwatchedSinceMs[path] = nil } else { unwatchedSinceMs[path] = since }
        feed.report(Gap(.coverage, sinceMs: since, untilMs: now, detail: what))
      }
    } catch { complain("fsaudit: the rules cannot be looked after: \(error)") }
  }

  /// Hands the lines about the watched paths to the printer: beside another daemon, everybody's events come. What the printer has no room
  /// for is counted, and becomes a gap.
  private func show(_ pipeline: inout Pipeline, _ feed: inout BatchFeed) {
    pipeline.span = BatchSpan()
    var span = BatchSpan()
    pipeline.encoder.lines.withBytes { all in
      var start = 0
      while let end = all.firstIndex(of: UInt8(ascii: "\n"), from: start, before: all.byteCount) {
        let text = all.extracting(start..<end)
        // an event is what `-p r` and `-p x` show: a program started, an attribute read
        if line.parse(text), line.dataset == .file || line.dataset == .event, line.strings("tags").contains(key) {
          shown.raw(bytes: all.extracting(start..<(end + 1)))
          span.add(serial: line.sequence ?? 0, timeMs: line.timeMs ?? 0)
        }
        start = end + 1
      }
    }
    pipeline.encoder.lines.removeAll()
    feed.flush(&shown, &span, nowMs: milliseconds(CLOCK_REALTIME))
  }
}
