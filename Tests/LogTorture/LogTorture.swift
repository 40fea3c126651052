import EventLog
import Glibc
import Synchronization
import System

/// Writes a log as the daemon does, until it has written enough or is killed: what the crash, disk-full and rotation tests
/// drive.
///
///     log-torture DIRECTORY FIRST-SERIAL EVENTS ROTATE-BYTES MICROSECONDS-BETWEEN-BATCHES [compress] [STATE-DIRECTORY]
///
/// With a state directory, the log is sealed every 50 lines or 20 ms.
///
/// Prints one line: events dropped, events given up.
@main
enum LogTorture {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst().map { $0 }
    guard arguments.count >= 5, let first = UInt32(arguments[1]), let events = UInt32(arguments[2]), let rotate = Int64(arguments[3]),
      let pause = UInt32(arguments[4])
    else { throw Failure("wrong arguments", exit: .usage) }
    var policy = LogPolicy(directory: arguments[0])
    policy.rotateBytes = rotate
    policy.sync = .interval(milliseconds: 50)
    policy.checkEveryMs = 100
    let keepsHouse = arguments.dropFirst(5).contains("compress")
    let stateDirectory = arguments.dropFirst(5).first { $0 != "compress" }
    let queue = try BatchQueue(bufferBytes: 16 << 10, buffers: 4, limitBytes: 1 << 20)
    let writer = try Writer(policy, queue, stateDirectory: stateDirectory)
    let thread = try Thread("log") {
      let lost = writeLog(from: writer.queue, with: writer.writer)
      writer.abandoned.store(lost.events, ordering: .relaxed)
    }
    let housekeeper = Housekeeper(directory: arguments[0], policy: RetentionPolicy())
    var feed = BatchFeed(queue, host: "torture")
    if writer.recovery.hasHistory {
      var gap = Gap(.notRunning, firstSerial: writer.recovery.lastSerial.map { $0 &+ 1 }, sinceMs: writer.recovery.lastTimeMs)
      gap.detail = writer.recovery.wasCleanStop ? "clean" : "killed, \(writer.recovery.truncatedBytes) bytes cut"
      feed.report(gap)
    }
    var lines = JSONWriter()
    var (span, padding) = (BatchSpan(), 0)
    for serial in first..<first &+ events {
      let now = milliseconds(CLOCK_REALTIME)
      lines.raw("{\"@timestamp\":")
      lines.timestamp(milliseconds: now)
      lines.raw(",\"event\":{\"dataset\":\"fsaudit.file\",\"sequence\":")
      lines.integer(serial)
      lines.raw("},\"file\":{\"path\":\"/srv/")
      padding = (padding + 37) % 400
      for _ in 0..<padding { lines.raw("x") }
      lines.raw("\"}}\n")
      span.add(serial: serial, timeMs: now)
      if serial % 20 == 0 || lines.count > 8 << 10 {
        feed.flush(&lines, &span, nowMs: now)
        if pause > 0 { usleep(pause) }
        if keepsHouse && serial % 200 == 0 { _ = housekeeper.run() }
      }
    }
    let now = milliseconds(CLOCK_REALTIME)
    lines.line(DaemonNotice(.stop, pid: getpid(), version: "0", message: "stopped"), timeMs: now, host: "torture")
    feed.flush(&lines, &span, nowMs: now)
    queue.close(deadlineMs: milliseconds(CLOCK_MONOTONIC) + 3000)
    thread.join()
    var output = Output()
    try output.line("\(feed.droppedEvents) \(writer.abandoned.load(ordering: .relaxed))")
    try output.flush()
  }
}

/// What the writer thread needs; handed to it whole.
private final class Writer: @unchecked Sendable {
  let queue: BatchQueue
  let writer: SegmentWriter
  let recovery: Recovery
  private let syncer: Thread
  let abandoned = Atomic<Int>(0)

  init(_ policy: LogPolicy, _ queue: BatchQueue, stateDirectory: String?) throws {
    self.queue = queue
    var seal = SealPolicy()
    (seal.lines, seal.everyMs) = (50, 20)
    let sealer = try stateDirectory.map { try Sealer(seal, stateDirectory: $0, host: "torture") }
    let synchronizer = Synchronizer()
    syncer = try Thread("syncer") { synchronizer.run() }
    writer = SegmentWriter(policy, host: "torture", sealer: sealer, synchronizer: synchronizer)
    recovery = writer.recover()
  }
}
