import AuditControl
import AuditEvents
import AuditStream
import EventLog
import FileChanges
import Glibc
import Logging
import Settings
import System

/// What the daemon opens, sets and starts before it runs.
extension Service {
  /// Opens what the settings name, and notes in `source` what became of it.
  func openInput() throws -> RecordInput {
    let wanted: KernelSource
    switch settings.source.kind {
    case .auto: wanted = .auto
    case .unicast: wanted = .unicast
    case .multicast: wanted = .multicast
    case .plugin:
      source = .plugin
      return RecordInput(try PluginStream.standardInput())
    }
    let stream = try KernelStream.open(wanted, registered: kernel.pid, receiveBufferBytes: settings.source.receiveBufferBytes)
    source = stream.source == .unicast ? .unicast : .multicast
    return RecordInput(stream)
  }

  var logPolicy: LogPolicy {
    var policy = LogPolicy(directory: settings.log.directory)
    policy.group = settings.log.groupID
    policy.rotateBytes = Int64(settings.log.rotateSizeBytes)
    policy.rotateEverySeconds = settings.log.rotateEvery.map { $0.components.seconds }
    policy.sync =
      switch settings.log.sync {
      case .none: .none
      case .interval: .interval(milliseconds: settings.log.syncInterval.milliseconds)
      case .batch: .everyBatch
      }
    return policy
  }

  /// nil where the log is not to be sealed, or cannot be: a log without seals is better than none.
  func openSealer() -> Sealer? {
    guard settings.seal.enabled else { return nil }
    var policy = SealPolicy()
    policy.everyMs = settings.seal.every.milliseconds
    policy.lines = settings.seal.lines
    do { return try Sealer(policy, stateDirectory: settings.daemon.stateDirectory, host: host) } catch {
      log.error("the log is not sealed: \(error)")
      status.cannotSeal("\(error)")
      return nil
    }
  }

  /// Refuses to start where the log can never be written. A disk that is full, read-only or failing may get well again: until then the
  /// kernel's records are kept or counted.
  func check(_ writer: SegmentWriter) throws(Failure) {
    guard let fault = writer.probe(), ![.noSpace, .diskQuotaExceeded, .readOnlyFileSystem, .ioError].contains(fault.code) else { return }
    throw Failure(
      "the log cannot be written: \(fault)",
      advice: fault.code == .tooManySymbolicLinkLevels
        ? "a symbolic link is not followed there: remove it, and name the directory that is meant as `directory` of [log]"
        : "make \(printable(settings.log.directory)) a directory that root can write, or name another as `directory` of [log]",
      exit: .inputOutput)
  }

  func makeDirectories() throws {
    for (path, mode) in [(settings.daemon.runtimeDirectory, 0o755), (settings.daemon.stateDirectory, 0o700)] as [(String, mode_t)] {
      do { try makeDirectory(path, mode: mode) } catch {
        if error.code != .fileExists { throw error.failure(advice: "create it, or name another in \(settingsPath ?? "fsaudit.toml")") }
      }
    }
  }

  func openKernel() throws -> KernelAudit {
    do { return try KernelAudit() } catch { throw KernelAudit.failure(error, enabled: nil) }
  }

  /// Queue length and waiting time, as the settings want them; refused in a locked configuration, which is said and lived with.
  func configure(_ audit: inout KernelAudit) throws {
    let wanted: [KernelSetting] = [
      .backlogLimit(settings.source.backlogLimitRecords), .backlogWaitTime(try settings.source.backlogWaitJiffies()),
    ]
    memo.remember(original)
    for setting in wanted where setting != setting.current(in: original) {
      do {
        try audit.set(setting)
        ours.append(setting)
      } catch { log.warning("\(audit.failure(error)); going on with what the kernel has") }
    }
  }

  func enable(_ audit: inout KernelAudit) throws {
    guard original.enabled == 0 else { return }
    do {
      try audit.set(.enabled(1))
      ours.append(.enabled(1))
    } catch { throw audit.failure(error) }
  }

  /// The first lines of this run: what may be missing since the last one, then that it begins.
  func announceStart(_ recovery: Recovery) {
    let pid = getpid()
    var start = DaemonNotice(.start, pid: pid, version: version, message: "started, reading the \(source.rawValue) stream")
    start.details = [("source", source.rawValue), ("kernel_lost", "\(original.lost)")]
    mailbox.post { orders in
      if recovery.hasHistory {
        orders.gaps.append(
          Gap(
            .notRunning, firstSerial: recovery.lastSerial.map { $0 &+ 1 }, sinceMs: recovery.lastTimeMs, untilMs: startedMs,
            detail: recovery.wasCleanStop
              ? "stopped in order" : "the log has no stop: killed, the machine went down, or the log could not be written"))
      }
      if recovery.hasHistory, !recovery.wasCleanStop {
        var mended = DaemonNotice(
          .recovered, pid: pid, version: version,
          message: recovery.truncatedBytes > 0
            ? "the last run ended without a stop; an incomplete last line was cut off" : "the last run ended without a stop")
        mended.details = [("truncated_bytes", "\(recovery.truncatedBytes)")]
        orders.notices.append(mended)
      }
      orders.notices.append(start)
    }
  }

  func startReceiver(_ input: consuming RecordInput) throws -> Thread {
    let handoff = Handoff(input)
    let (queue, mailbox, walk, host, accounts) = (queue, mailbox, walk, host, accounts)
    let capacity = settings.directoryMap.maxEntries
    return try Thread("receiver") {
      guard let input = handoff.take() else { return }
      let pipeline = Pipeline(
        assembler: Assembler(endsAtProctitle: false),
        interpreter: Interpreter(map: FileChanges.DirectoryMap(capacity: capacity), lookup: LiveSources.lookup),
        encoder: NativeEncoder(hostName: host, names: LiveSources.names(accounts)))
      let receiver = Receiver(
        input: input, pipeline: pipeline, feed: BatchFeed(queue, host: host), mailbox: mailbox, walk: walk, host: host)
      do { try receiver.run() } catch { mailbox.fail("\(error)") }
    }
  }

  func startHousekeeper() throws -> Thread {
    var policy = RetentionPolicy()
    policy.compressionLevel = settings.log.compress == .zstd ? Int32(settings.log.compressLevel) : nil
    policy.maximumSegments = settings.log.keepCount
    policy.maximumAgeSeconds = settings.log.keepAge.map { $0.components.seconds }
    policy.maximumBytes = settings.log.keepSizeBytes.map { Int64($0) }
    let keeper = Housekeeper(directory: settings.log.directory, policy: policy)
    let (housekeeping, stopping, log) = (housekeeping, stopping, log)
    return try Thread("housekeeper") {
      var trouble = LogTrouble()
      while !stopping.isSet {
        let report = keeper.run(stop: { stopping.isSet })
        for deleted in report.deleted {
          log.notice("removed \(deleted.fileName) (\(deleted.bytes) bytes): limit by \(deleted.limit.rawValue)")
        }
        switch trouble.note(isStalled: !report.failures.isEmpty, nowMs: milliseconds(CLOCK_MONOTONIC)) {
        case .cannotWrite:
          for failure in report.failures.prefix(1) {
            let others = report.failures.count > 1 ? ", and \(report.failures.count - 1) more" : ""
            log.error(
              "a closed segment cannot be compressed or removed: \(failure)\(others): \(LogTrouble.advice(failure.code)); it is tried again"
            )
          }
        case .writesAgain(let seconds): log.notice("closed segments are compressed and removed again, after \(seconds) s")
        case nil: break
        }
        housekeeping.wait(milliseconds: 10_000)
      }
    }
  }

  func stopHousekeeper() {
    stopping.set()
    housekeeping.signal()
  }
}
