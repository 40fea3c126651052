import Glibc
import System
import SystemPackage

/// Appends batches to the live segment, rotates it, and survives what can happen to a file: a full or read-only disk, an
/// I/O error, somebody deleting or renaming the file or the whole directory.
///
/// Nothing here throws and nothing is given up: a batch that could not be written stays with the caller, who tries
/// again, while the queue behind it absorbs, and in the end counts, what keeps coming. Used by one thread; only
/// ``status`` may be read by others.
package final class SegmentWriter {
  private let policy: LogPolicy
  private let host: String
  package let status: LogStatus
  private let sealer: Sealer?
  /// nil where a batch is to be on the disk before the next one is written.
  private let synchronizer: Synchronizer?

  private var live: LiveFile?
  /// The newest rotated segment's time: the next one's is later.
  private var newestNameMs: Int64
  /// That segment, until it is known to end with a whole line: a power loss may have taken its end.
  private var unmended: Segment?
  private var cutBytes: Int64 = 0
  /// Gaps that this writer has found and not yet written.
  private var gaps: [Gap] = []
  private var lastSyncMs: Int64 = 0, lastCheckMs: Int64 = 0
  /// Until when a rotation is not tried again after one that failed.
  private var rotationPauseMs: Int64 = 0

  /// - Parameters:
  ///   - host: `host.name` of the lines that the writer itself has to add.
  ///   - sealer: nil for a log without seals.
  ///   - synchronizer: nil to wait for the disk.
  package init(
    _ policy: LogPolicy, host: String, status: LogStatus = LogStatus(), sealer: Sealer? = nil, synchronizer: Synchronizer? = nil
  ) {
    self.policy = policy
    self.host = host
    self.status = status
    self.sealer = sealer
    self.synchronizer = policy.sync == .everyBatch ? nil : synchronizer
    let newest = (try? SegmentSet(directory: policy.directory))?.rotated.last
    newestNameMs = newest?.name?.timeMs ?? 0
    if let newest, !newest.isCompressed { unmended = newest }
  }

  /// Whether the live segment can be opened, before anything else is done: what is in the way, or nil.
  package func probe() -> SystemError? {
    do throws(SystemError) { _ = try openLive() } catch { return error }
    return nil
  }

  /// At the start, before the first batch: repairs the live segment and says where the log ends. Whatever fails here
  /// fails again at the first batch, which reports it.
  package func recover() -> Recovery {
    _ = try? openLive()
    var recovery = lastRun(in: policy)
    recovery.truncatedBytes = cutBytes
    return recovery
  }

  /// Writes what of the batch is not written yet, rotating before if it is time.
  /// - Parameters:
  ///   - nowMs: the wall clock.
  ///   - monotonicMs: CLOCK_MONOTONIC, which paces checks and syncs.
  /// - Returns: nil once all of it is written; else what is in the way, and the batch, shorter by the lines that fitted,
  ///   is to be handed in again later.
  package func write(_ batch: inout Batch, nowMs: Int64, monotonicMs: Int64) -> SystemError? {
    do throws(SystemError) {
      check(nowMs: nowMs, monotonicMs: monotonicMs)
      let rest = batch.bytes.count - batch.writtenBytes
      let file = try rotateIfDue(try openLive(), adding: rest, nowMs: nowMs, monotonicMs: monotonicMs)
      try sealIfDue(file, nowMs: nowMs, monotonicMs: monotonicMs)
      try writeGaps(to: file, nowMs: nowMs, monotonicMs: monotonicMs)
      while batch.writtenBytes < batch.bytes.count {
        let start = batch.writtenBytes
        let kept = try append(
          batch.bytes.span.bytes.extracting(start..<batch.bytes.count), span: batch.span, to: file, nowMs: nowMs, monotonicMs: monotonicMs)
        batch.writtenBytes += kept
      }
      // The batch is written, with its seal or without: that is tried again.
      do { try sealIfDue(file, nowMs: nowMs, monotonicMs: monotonicMs) } catch { status.failed(error.code) }
      status.wrote(batch.span, segmentBytes: file.bytes)
      synchronizeIfDue(file, monotonicMs: monotonicMs, afterBatch: true)
      return nil
    } catch {
      // Open it again next time: the descriptor may be what is broken (a file system that was remounted, say).
      live = nil
      status.failed(error.code)
      return error
    }
  }

  /// What is due without a batch: the check of the file's name, the sync, a gap that the writer found.
  /// - Returns: what is in the way of it, or nil.
  @discardableResult
  package func maintain(nowMs: Int64, monotonicMs: Int64) -> SystemError? {
    check(nowMs: nowMs, monotonicMs: monotonicMs)
    do throws(SystemError) {
      let file = try rotateIfDue(try openLive(), adding: 0, nowMs: nowMs, monotonicMs: monotonicMs)
      // A run's first seal comes before any line of it.
      try sealIfDue(file, nowMs: nowMs, monotonicMs: monotonicMs)
      try writeGaps(to: file, nowMs: nowMs, monotonicMs: monotonicMs)
      synchronizeIfDue(file, monotonicMs: monotonicMs, afterBatch: false)
      return nil
    } catch {
      live = nil
      status.failed(error.code)
      return error
    }
  }

  /// Closes the live segment; the next write opens what then has its name (SIGHUP).
  package func reopen(nowMs: Int64) {
    guard let file = live else { return }
    note(place: file.place(), of: file, nowMs: nowMs)
    synchronize(file)
    live = nil
  }

  /// Closes the live segment under its rotated name, at once. An empty one stays.
  package func rotate(nowMs: Int64) {
    guard let file = try? openLive(), file.firstTimeMs != nil else { return }
    do throws(SystemError) { try rotate(file, nowMs: nowMs) } catch { status.rotationFailed(error.code) }
  }

  /// Seals everything, forces it to the disk and closes the file.
  package func finish(nowMs: Int64) {
    guard let file = live else { return }
    close(file, nowMs: nowMs)
    // The disk has lost something just now: that is said, and sealed, too.
    if !gaps.isEmpty { close(file, nowMs: nowMs) }
    live = nil
  }

  /// The last seal is there even if nothing waits for one: what comes behind it is nobody's of ours.
  private func close(_ file: LiveFile, nowMs: Int64) {
    do throws(SystemError) {
      try sealIfDue(file, nowMs: nowMs, monotonicMs: 0)
      try writeGaps(to: file, nowMs: nowMs, monotonicMs: 0)
      try seal(file, .stop, nowMs: nowMs)
    } catch { status.failed(error.code) }
    synchronize(file)
    synchronizer?.drain()
    collect()
  }

  // MARK: the file

  private func openLive() throws(SystemError) -> LiveFile {
    if let live { return live }
    if let unmended {
      cutBytes += (try? cutTornEnd(of: unmended.path)) ?? 0
      self.unmended = nil
    }
    let opened = try LiveFile(policy)
    cutBytes += opened.cutBytes
    live = opened
    sealer?.opened(opened, in: policy)
    status.opened(segmentBytes: opened.bytes)
    return opened
  }

  /// Sees to it that what is written goes into the file that has the name.
  private func check(nowMs: Int64, monotonicMs: Int64) {
    guard let file = live, monotonicMs - lastCheckMs >= policy.checkEveryMs else { return }
    lastCheckMs = monotonicMs
    let place = file.place()
    if place == .atItsName { return }
    note(place: place, of: file, nowMs: nowMs)
    live = nil
  }

  /// What was in a deleted file is lost, and the log says so; in a renamed one it is still there.
  private func note(place: LiveFile.Place, of file: LiveFile, nowMs: Int64) {
    guard place == .deleted, let firstMs = file.firstTimeMs else { return }
    var gap = Gap(.logDeleted, losing: file.written)
    // also what an earlier run has written into it
    (gap.sinceMs, gap.untilMs) = (min(firstMs, gap.sinceMs ?? nowMs), gap.untilMs ?? nowMs)
    gaps.append(gap)
  }

  /// Puts the lines of the gaps that the writer found in front of what is written next.
  private func writeGaps(to file: LiveFile, nowMs: Int64, monotonicMs: Int64) throws(SystemError) {
    while let gap = gaps.first {
      var notice = JSONWriter()
      notice.line(gap, timeMs: nowMs, host: host)
      let text = notice.bytes
      _ = try append(text.span.bytes, span: BatchSpan(), to: file, nowMs: nowMs, monotonicMs: monotonicMs)
      gaps.removeFirst()
    }
  }

  /// Appends lines, as many as fit.
  /// - Returns: how many bytes, at least one line.
  private func append(_ lines: RawSpan, span: BatchSpan, to file: LiveFile, nowMs: Int64, monotonicMs: Int64) throws(SystemError) -> Int {
    let kept = try file.append(lines, span: span, nowMs: nowMs)
    // Not one line fitted: the next write would say why, and put down the same part of a line again.
    if kept == 0 { throw SystemError("write", policy.livePath, .noSpace) }
    sealer?.add(lines.extracting(0..<kept), monotonicMs: monotonicMs)
    return kept
  }

  // MARK: the seal

  private func sealIfDue(_ file: LiveFile, nowMs: Int64, monotonicMs: Int64) throws(SystemError) {
    guard let reason = sealer?.due(monotonicMs: monotonicMs) else { return }
    try seal(file, reason, nowMs: nowMs)
  }

  /// Seals what waits for it; at the end of a run also if nothing does.
  private func seal(_ file: LiveFile, _ reason: SealReason, nowMs: Int64) throws(SystemError) {
    guard let sealer, sealer.isPending || reason == .stop else { return }
    status.sealed(try sealer.seal(file, reason, nowMs: nowMs), timeMs: nowMs)
  }

  // MARK: the disk

  private func synchronizeIfDue(_ file: LiveFile, monotonicMs: Int64, afterBatch: Bool) {
    collect()
    switch policy.sync {
    case .everyBatch: if !afterBatch { return }
    case .interval(let every): if monotonicMs - lastSyncMs < every { return }
    // for the key, which is kept all the same
    case .none: if monotonicMs - lastSyncMs < 1000 { return }
    }
    if let synchronizer, synchronizer.isBusy { return }
    lastSyncMs = monotonicMs
    synchronize(file)
  }

  /// Forces the file to the disk, then the key that follows its seals, then the names of the segments.
  private func synchronize(_ file: LiveFile, names: Bool = false) {
    let lines = policy.sync == .none ? nil : file.takeUnsynced()
    let key = sealer?.takeKeyToStore()
    if lines == nil, key == nil, !names { return }
    let work = SyncWork(file, lines: lines, key: key, directory: names && policy.sync != .none ? policy.directory : nil)
    guard let synchronizer else {
      work.run()
      return take(work)
    }
    synchronizer.add(work)
  }

  private func collect() {
    guard let synchronizer else { return }
    for work in synchronizer.takeDone() { take(work) }
  }

  /// What a failure takes is a gap: the kernel forgets the pages that it could not write.
  private func take(_ work: SyncWork) {
    if let fault = work.linesFault, let lines = work.lines {
      status.failed(fault.code)
      gaps.append(Gap(.writeFailed, losing: lines, detail: "\(name(of: fault.code)) from fdatasync"))
      if work.storesKey { sealer?.keyIsNotStored() }
    } else if work.storesKey {
      if work.keyFault != nil { sealer?.keyIsNotStored() }
      status.sealFailed(work.keyFault?.code)
    }
  }

  // MARK: rotation

  /// The file to write to: the same, or a new one if the old would become too long or too old.
  private func rotateIfDue(_ file: LiveFile, adding bytes: Int, nowMs: Int64, monotonicMs: Int64) throws(SystemError) -> LiveFile {
    guard let first = file.firstTimeMs, monotonicMs >= rotationPauseMs else { return file }
    let tooLong = bytes > 0 && file.bytes + Int64(bytes) > policy.rotateBytes
    let period = (policy.rotateEverySeconds ?? 0).multipliedReportingOverflow(by: 1000).partialValue
    guard tooLong || period > 0 && nowMs / period > first / period else { return file }
    do throws(SystemError) {
      try rotate(file, nowMs: nowMs)
    } catch {
      // A segment that is too long is better than one that is not written.
      rotationPauseMs = monotonicMs + policy.checkEveryMs
      status.rotationFailed(error.code)
      return file
    }
    return try openLive()
  }

  private func rotate(_ file: LiveFile, nowMs: Int64) throws(SystemError) {
    let place = file.place()
    guard place == .atItsName else {
      note(place: place, of: file, nowMs: nowMs)
      live = nil
      return
    }
    // A segment ends with its seal. On a full disk it does without, and the next one has it.
    try? seal(file, .rotate, nowMs: nowMs)
    let name = SegmentName(timeMs: max(file.firstTimeMs ?? nowMs, newestNameMs + 1), firstSerial: file.firstSerial)
    try rename(policy.livePath, to: policy.directory + "/" + name.fileName)
    newestNameMs = name.timeMs
    live = nil
    status.rotated()
    synchronize(file, names: true)
  }
}
