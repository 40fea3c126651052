import AuditControl
import AuditEvents
import AuditStream
import EventLog
import FileChanges
import Glibc
import Logging
import Settings
import System

/// The daemon, `fsaudit run`: brings up the threads, looks after them, and takes everything down again in order.
///
///     kernel → receiver thread → queue → writer thread → segments;  walker, syncer and housekeeper beside them
///
/// The main thread does what may take its time: signals, rules, the kernel's counters, status, systemd.
package final class Service {
  let settings: Settings
  let settingsPath: String?
  private let givenSource: Settings.Source.Kind?
  let version: String
  var log: Logger
  let host: String

  let queue: BatchQueue
  let mailbox: ReceiverMailbox
  let walk: TreeWalk
  let status: LogStatus
  let accounts = Accounts()
  let housekeeping = Condition()
  let stopping = Flag()
  let startedMs = milliseconds(CLOCK_REALTIME)

  var original = KernelStatus()
  /// What we set in the kernel, to be put back if it is still so.
  var ours: [KernelSetting] = []
  var source = Settings.Source.Kind.auto
  var memo = KernelMemo(directory: "")
  var trees = WatchedTrees([])
  var rules: [Rule] = []
  /// ``ReceiverCounters/ruleChanges`` when the receiver was last told what the rules cover.
  var coveredChanges: UInt64 = 0
  var kernel = KernelStatus()
  private var gapCounts: [GapReason: UInt64] = [:]
  private var rates = Rates()

  /// What is wrong with rules.d, and since when the kernel therefore has other rules than it wants, if ever since the start.
  var rulesFault: Failure?
  var faultSinceMs: Int64?
  var missing = MissingRules()
  /// Lines whose path is gone, or which the kernel refuses: told once.
  var inactive: Set<String> = []
  /// What is mounted, as far as the rules have followed.
  var mounts = MountWatch()
  var mountsPace = MountPace()
  /// Since when they cannot follow.
  var mountsFaultMs: Int64?
  /// When the rules were last looked after.
  var rulesSeenMs = milliseconds(CLOCK_REALTIME)
  private var ruleChanges: UInt64 = 0
  private var trouble = LogTrouble()
  private var toldStatus = ""

  /// - Parameters:
  ///   - settingsPath: the settings, read again at a reload; nil for the standard file.
  ///   - source: what takes the place of the settings' source.
  package init(settingsPath: String?, source: Settings.Source.Kind?, version: String) throws {
    settings = try Self.load(settingsPath, source)
    self.settingsPath = settingsPath
    givenSource = source
    self.version = version
    host = hostName()
    status = LogStatus(rotation: housekeeping)
    log = Logger(label: "fsaudit") { _ in StderrLog() }
    log.logLevel = Logger.Level(rawValue: settings.daemon.logLevel.rawValue) ?? .info
    queue = try BatchQueue(limitBytes: settings.log.queueSizeBytes)
    mailbox = try ReceiverMailbox()
    walk = try TreeWalk()
  }

  private static func load(_ path: String?, _ source: Settings.Source.Kind?) throws -> Settings {
    var settings = try Settings.load(from: path)
    if let source { settings.source.kind = source }
    return settings
  }

  /// Runs until SIGTERM or SIGINT. Throws when it cannot start, or when the stream breaks.
  package func run() throws {
    // what the loader and the reading of the command line touched, before as much again is needed
    releaseStartupText()
    // before the first thread, so that all of them leave signals to this one
    let signals = try Signals([SIGTERM, SIGINT, SIGHUP, SIGUSR1])
    guard geteuid() == 0 else {
      throw Failure("the daemon needs root", advice: "start it with systemctl start fsaudit, or with sudo", exit: .notPermitted)
    }
    try makeDirectories()
    let lock = try ProcessLock.take("\(settings.daemon.runtimeDirectory)/lock")
    defer { withExtendedLifetime(lock) {} }
    let control = try LocalSocket.listen(at: "\(settings.daemon.runtimeDirectory)/control")

    var audit = try openKernel()
    // before the kernel's settings are looked at: a killed `watch` has changed them
    try TemporaryRules.cleanStale(directory: settings.daemon.runtimeDirectory)
    original = try audit.status()
    kernel = original
    memo = KernelMemo(directory: settings.daemon.runtimeDirectory)
    original = memo.originals(now: original)
    let synchronizer = Synchronizer()
    let writer = SegmentWriter(logPolicy, host: host, status: status, sealer: openSealer(), synchronizer: synchronizer)
    try check(writer)
    let recovery = writer.recover()
    // from here on records come in, and under load what is not read soon is lost
    let input = try openInput()
    // before the first thread: what fails here is taken back, and the daemon does not start
    do {
      if source != .plugin { try configure(&audit) }
      mounts = MountWatch(mountTable() ?? [])
      try loadFirstRules()
      if source != .plugin { try enable(&audit) }
      // auditd's plugins live with what auditd has set
      auditSwitch = AuditSwitch(isOn: source != .plugin || original.enabled != 0, nowMs: milliseconds(CLOCK_REALTIME))
    } catch {
      takeBack(&audit)
      throw error
    }

    let writing = Handoff(writer)
    let queue = queue
    let unwritten = Unwritten()
    let syncThread = try Thread("syncer") { synchronizer.run() }
    let writerThread = try Thread("writer") {
      if let writer = writing.take() { unwritten.events.store(writeLog(from: queue, with: writer).events, ordering: .releasing) }
    }
    let walk = walk
    let walkerThread = try Thread("walker") { walk.run() }
    let keeperThread = try startHousekeeper()
    announceStart(recovery)
    let receiverThread = try startReceiver(input)
    // what takes time is done when the socket is being read
    followMounts()
    notifyServiceManager("READY=1")
    tellStatus()
    log.notice("started: \(source.rawValue) stream, \(rules.count) rules, logging to \(settings.log.directory)")
    releaseStartupText()
    var fault: (any Error)?
    do { try supervise(signals, control, &audit) } catch {
      fault = error
      log.critical("\(error)")
    }

    notifyServiceManager("STOPPING=1")
    stop(&audit)
    receiverThread.join()
    queue.close(deadlineMs: milliseconds(CLOCK_MONOTONIC) + 2000)
    writerThread.join()
    synchronizer.stop()
    syncThread.join()
    walk.stop()
    walkerThread.join()
    stopHousekeeper()
    keeperThread.join()
    if let fault { throw fault }
    let lost = unwritten.events.load(ordering: .acquiring)
    if lost > 0 {
      throw Failure(
        "stopped, but the log in \(settings.log.directory) could not be written: the last \(lost) events are lost",
        advice: "the next start marks the time as a gap", exit: .inputOutput)
    }
    log.notice("stopped")
  }

  // MARK: Running

  private func supervise(_ signals: borrowing Signals, _ control: borrowing LocalSocket, _ audit: inout KernelAudit) throws {
    let poll = try Poll()
    try poll.add(signals.descriptor.raw, tag: 0)
    try poll.add(control.descriptor.raw, tag: 1)
    let mountinfo = try Descriptor.open("/proc/self/mountinfo", O_RDONLY)
    try poll.add(mountinfo.raw, tag: 2, input: false)
    var haveMountsChanged = false
    let interval = settings.daemon.statusInterval.milliseconds
    var nextLook = milliseconds(CLOCK_MONOTONIC) + interval
    var heartbeat: UInt64 = 0
    var silentSince = milliseconds(CLOCK_MONOTONIC)
    while true {
      var isAsked = false
      try poll.wait(milliseconds: haveMountsChanged ? 100 : 1000) { tag, _ in
        if tag == 1 { isAsked = true }
        if tag == 2 { haveMountsChanged = true }
      }
      while let signal = signals.next() {
        switch signal {
        case SIGHUP: reload(&audit)
        case SIGUSR1: queue.request(.rotate)
        default: return
        }
      }
      let now = milliseconds(CLOCK_MONOTONIC)
      if haveMountsChanged, mountsPace.isDue(nowMs: now) {
        haveMountsChanged = false
        followMounts()
      }
      let counters = mailbox.counters
      // rules that somebody changes are looked at at once
      if now >= nextLook || counters.ruleChanges != ruleChanges {
        ruleChanges = counters.ruleChanges
        look(&audit)
        nextLook = now + interval
      }
      rates.note(counters, nowMs: now)
      if let fault = counters.fault { throw Failure("receiving failed: \(fault)", exit: .inputOutput) }
      if counters.hasEnded { return }
      if counters.heartbeat != heartbeat {
        heartbeat = counters.heartbeat
        silentSince = now
        notifyServiceManager("WATCHDOG=1")
      } else if now - silentSince > 60_000 {
        throw Failure("the receiving thread has stood still for a minute", advice: "report this with the journal", exit: .inputOutput)
      }
      if let message = trouble.note(isStalled: queue.depth.stalledBy != nil, nowMs: now) { tell(message) }
      tellStatus()
      if isAsked { control.answer(limitBytes: CheckNotice.limitBytes) { reply(to: $0, from: $1) } }
    }
  }

  /// Every few seconds: has the kernel lost anything, are we still the registered daemon, do the rules stand?
  private func look(_ audit: inout KernelAudit) {
    if let now = try? audit.status() {
      let lost = now.lost &- kernel.lost
      // the counter may have been reset (auditctl --reset-lost): then it starts again
      if now.lost > kernel.lost {
        report(Gap(.kernelLost, count: UInt64(lost), sinceMs: kernelSeenMs, untilMs: milliseconds(CLOCK_REALTIME)))
      }
      if source == .unicast, now.pid != UInt32(getpid()), kernel.pid == UInt32(getpid()) {
        let who = now.pid == 0 ? "nobody is registered" : "pid \(now.pid)"
        report(Gap(.replaced, sinceMs: kernelSeenMs, untilMs: milliseconds(CLOCK_REALTIME), detail: who))
        log.error("the kernel sends its records to somebody else now (pid \(now.pid)): restart fsaudit to read them beside it")
      }
      let switchedOffMs = mailbox.counters.switchedOffMs
      let news = switchedOffMs == toldOffMs ? nil : switchedOffMs
      toldOffMs = switchedOffMs
      if let gap = auditSwitch.look(isOn: now.enabled != 0, switchedOffMs: news, nowMs: milliseconds(CLOCK_REALTIME)) {
        report(gap)
        if now.enabled == 0 {
          log.error("somebody switched kernel audit off (enabled 0): nothing is recorded until `auditctl -e 1`")
        } else {
          log.notice("kernel audit is on again")
        }
      }
      kernel = now
      kernelSeenMs = milliseconds(CLOCK_REALTIME)
    }
    followMounts()
    repairRules()
    refreshRules()
    if accounts.haveChanged() { mailbox.post { $0.forgetNames = true } }
  }

  private var kernelSeenMs = milliseconds(CLOCK_REALTIME)
  private var auditSwitch = AuditSwitch(nowMs: milliseconds(CLOCK_REALTIME))
  /// The ``ReceiverCounters/switchedOffMs`` that is dealt with.
  private var toldOffMs: Int64?

  func report(_ gap: Gap) {
    gapCounts[gap.reason, default: 0] += 1
    mailbox.post { $0.gaps.append(gap) }
  }

  private func reload(_ audit: inout KernelAudit) {
    notifyServiceManager("RELOADING=1\nMONOTONIC_USEC=\(milliseconds(CLOCK_MONOTONIC) * 1000)")
    queue.request(.reopen)
    var notice = DaemonNotice(.reload, pid: getpid(), version: version, message: "reloaded")
    do {
      let fresh = try Self.load(settingsPath, givenSource)
      if fresh != settings {
        notice.message = "reloaded the rules and reopened the log; changed settings take effect at a restart"
      }
    } catch {
      notice.succeeded = false
      notice.message = "reload: \(error)"
      log.error("\(error)")
    }
    loadRules()
    if let rulesFault {
      log.error("rules: \(rulesFault)")
      (notice.succeeded, notice.message) = (false, "reload: \(rulesFault)")
    }
    look(&audit)
    if notice.succeeded { log.notice("\(notice.message)") }
    mailbox.post { $0.notices.append(notice) }
    notifyServiceManager("READY=1")
  }

  // MARK: Stopping

  private func stop(_ audit: inout KernelAudit) {
    look(&audit)
    reportUncovered()
    takeBack(&audit)
    if let now = try? audit.status(), now.lost > kernel.lost {
      report(Gap(.kernelLost, count: UInt64(now.lost &- kernel.lost), sinceMs: kernelSeenMs, untilMs: milliseconds(CLOCK_REALTIME)))
    }
    drainKernel(&audit)
    let notice = DaemonNotice(.stop, pid: getpid(), version: version, message: "stopped")
    mailbox.post { orders in
      orders.lastNotice = notice
      orders.stop = true
    }
  }

  /// Leaves the kernel as it was, as far as it is still as we set it.
  private func takeBack(_ audit: inout KernelAudit) {
    if settings.rules.unloadOnStop, let now = try? audit.status(), now.enabled != 2 {
      do {
        var book = try RuleBook(directory: settings.daemon.runtimeDirectory)
        _ = try book.load([], allowsEmpty: true)
      } catch { log.error("rules could not be unloaded: \(error)") }
    }
    guard let now = try? audit.status() else { return }
    for setting in ours where setting.current(in: now) == setting {
      do throws(SystemError) { try audit.set(setting.current(in: original)) } catch { log.warning("\(audit.failure(error))") }
    }
    memo.forget()
  }

  /// Waits until the kernel has sent what it has queued: once we are not registered, that goes to the kernel log instead. On a host whose other
  /// rules keep the queue filled, not longer than a stop may take.
  private func drainKernel(_ audit: inout KernelAudit) {
    let deadline = milliseconds(CLOCK_MONOTONIC) + 2000
    while let now = try? audit.status(), now.backlog > 0, milliseconds(CLOCK_MONOTONIC) < deadline { pause(microseconds: 5000) }
    // the last one is between the queue and our socket
    pause(microseconds: 5000)
  }

  // MARK: Status

  /// What `systemctl status` shows, whenever it changes.
  private func tellStatus() {
    var text = "\(source.rawValue), \(rules.count) rules"
    if let rulesFault { text += "; rules.d is not loaded: \(rulesFault)" }
    if rules.recordingCount == 0 { text += "; nothing is recorded" }
    if !missing.lines.isEmpty { text += "; somebody removed \(missing.lines.briefly)" }
    if let cause = queue.depth.stalledBy { text += "; the log cannot be written: \(cause)" }
    if text == toldStatus { return }
    toldStatus = text
    notifyServiceManager("STATUS=\(text)")
  }

  private func tell(_ message: LogTrouble.Message) {
    switch message {
    case .cannotWrite:
      let code = status.counters.lastFailure ?? .ioError
      log.error(
        "the log in \(settings.log.directory) cannot be written: \(code) (\(name(of: code))): \(LogTrouble.advice(code)); what comes is kept in memory, and beyond \(settings.log.queueSizeBytes) bytes counted as missing"
      )
    case .writesAgain(let seconds): log.notice("the log is written again, after \(seconds) s")
    }
  }

  private func statusJSON() -> [UInt8] {
    StatusReport(
      version: version, pid: getpid(), startedMs: startedMs, source: source, kernel: (try? currentKernel()) ?? kernel, rules: rules,
      ourRules: ourRuleCount, missingRules: missing.lines, rulesFault: rulesFault.map { "\($0)" }, receiver: mailbox.counters, rates: rates,
      queue: queue.depth, log: status.counters,
      logDirectory: settings.log.directory, gaps: gapCounts
    ).json()
  }

  /// A question for the status has no text; everything else is what a check counted.
  private func reply(to request: [UInt8], from peer: LocalSocket.Peer) -> [UInt8] {
    if request.isEmpty { return statusJSON() }
    guard peer.user == 0, var check = CheckNotice(request: request) else {
      log.warning("a request of process \(peer.pid), user \(peer.user), was refused")
      return Array("refused\n".utf8)
    }
    check.pid = peer.pid
    mailbox.post { $0.checks.append(check) }
    return Array("noted\n".utf8)
  }

  private func currentKernel() throws -> KernelStatus {
    var audit = try KernelAudit()
    return try audit.status()
  }

  private var ourRuleCount: Int {
    guard var book = try? RuleBook(directory: settings.daemon.runtimeDirectory), let listed = try? book.list() else { return 0 }
    return listed.count { $0.origin != nil }
  }
}
