import AuditControl
import EventLog
import Settings
import System

/// Events and records a second, over the last minute.
struct Rates: Sendable {
  private var samples: [(ms: Int64, events: UInt64, records: UInt64)] = []

  mutating func note(_ counters: ReceiverCounters, nowMs: Int64) {
    samples.append((nowMs, counters.events, counters.records))
    samples.removeAll { nowMs - $0.ms > 60_000 }
  }

  func perSecond(_ value: (events: Bool, Void)) -> Double {
    guard let first = samples.first, let last = samples.last, last.ms > first.ms else { return 0 }
    let count = value.events ? last.events &- first.events : last.records &- first.records
    return Double(count) * 1000 / Double(last.ms - first.ms)
  }
}

/// What `fsaudit status` shows, as the daemon sends it through its control socket: one JSON object.
struct StatusReport {
  var version: String
  var pid: Int32
  var startedMs: Int64
  var source: Settings.Source.Kind
  var kernel: KernelStatus
  /// The kernel's.
  var rules: [Rule]
  var ourRules: Int
  /// Lines whose rules somebody removed.
  var missingRules: [String]
  var rulesFault: String?
  var receiver: ReceiverCounters
  var rates: Rates
  var queue: BatchQueue.Depth
  var log: LogStatus.Counters
  var logDirectory: String
  var gaps: [GapReason: UInt64]

  func json() -> [UInt8] {
    var json = JSONWriter()
    json.raw("{\"version\":")
    json.string(version)
    json.raw(",\"pid\":")
    json.integer(pid)
    json.raw(",\"started\":")
    json.timestamp(milliseconds: startedMs)
    json.raw(",\"source\":")
    json.string(source.rawValue)
    json.member("kernel", kernelFields)
    json.member(
      "rules",
      [
        ("total", Int64(rules.count)), ("ours", Int64(ourRules)), ("recording", Int64(rules.recordingCount)),
        ("missing", Int64(missingRules.count)),
      ])
    json.member("missing_rules", missingRules.isEmpty ? nil : missingRules.briefly)
    json.member("rules_fault", rulesFault)
    json.member("received", receivedFields)
    json.raw(",\"last_event\":{\"sequence\":")
    json.integer(UInt64(receiver.lastSerial))
    if receiver.lastTimeMs > 0 {
      json.raw(",\"time\":")
      json.timestamp(milliseconds: receiver.lastTimeMs)
    }
    json.raw("}")
    json.member("directory_map", mapFields)
    json.member(
      "queue",
      [("bytes", Int64(queue.queuedBytes)), ("highest_bytes", Int64(queue.highestBytes)), ("limit_bytes", Int64(queue.limitBytes))])
    if let cause = queue.stalledBy {
      json.raw(",\"stalled_by\":")
      json.string(cause)
    }
    logPart(&json)
    json.member("gaps", gaps.map { ($0.key.rawValue, Int64(truncatingIfNeeded: $0.value)) }.sorted { $0.0 < $1.0 })
    json.raw("}\n")
    return json.bytes
  }

  private var kernelFields: [(String, Int64)] {
    [
      ("enabled", Int64(kernel.enabled)), ("pid", Int64(kernel.pid)), ("failure", Int64(kernel.failure)), ("lost", Int64(kernel.lost)),
      ("backlog", Int64(kernel.backlog)), ("backlog_limit", Int64(kernel.backlogLimit)),
      ("backlog_wait_time", Int64(kernel.backlogWaitTime)),
      ("rate_limit", Int64(kernel.rateLimit)),
    ]
  }

  private var receivedFields: [(String, Int64)] {
    [
      ("records", Int64(truncatingIfNeeded: receiver.records)), ("events", Int64(truncatingIfNeeded: receiver.events)),
      ("records_per_second", Int64(rates.perSecond((false, ())))), ("events_per_second", Int64(rates.perSecond((true, ())))),
      ("overruns", Int64(truncatingIfNeeded: receiver.overruns)), ("missing_serials", Int64(truncatingIfNeeded: receiver.missingSerials)),
      ("incomplete_events", Int64(truncatingIfNeeded: receiver.incomplete)),
      ("dropped_events", Int64(truncatingIfNeeded: receiver.droppedEvents)),
      ("malformed_records", Int64(truncatingIfNeeded: receiver.malformed)),
      ("foreign_messages", Int64(truncatingIfNeeded: receiver.foreign)), ("cut_records", Int64(truncatingIfNeeded: receiver.cut)),
    ]
  }

  private var mapFields: [(String, Int64)] {
    [
      ("entries", Int64(receiver.mapEntries)), ("directories", Int64(receiver.mapDirectories)), ("bytes", Int64(receiver.mapBytes)),
      ("evicted", Int64(receiver.mapEvicted)), ("refused", Int64(receiver.mapRefused)), ("walking", receiver.isWalking ? 1 : 0),
    ]
  }

  private func logPart(_ json: inout JSONWriter) {
    json.raw(",\"log\":{\"directory\":")
    json.string(logDirectory)
    let segments = try? SegmentSet(directory: logDirectory)
    json.member(
      "written",
      [
        ("events", Int64(truncatingIfNeeded: log.writtenEvents)), ("segment_bytes", log.segmentBytes),
        ("rotations", Int64(truncatingIfNeeded: log.rotations)), ("segments", Int64(segments.map { $0.rotated.count + 1 } ?? 0)),
      ])
    json.member("write_failures", log.writeFailures.map { ($0.key, Int64(truncatingIfNeeded: $0.value)) }.sorted { $0.0 < $1.0 })
    sealPart(&json)
    json.raw("}")
  }

  private func sealPart(_ json: inout JSONWriter) {
    if log.seal == nil && log.sealFault == nil { return }
    json.raw(",\"seal\":{\"number\":")
    json.integer(log.seal ?? -1)
    if log.seal != nil {
      json.raw(",\"time\":")
      json.timestamp(milliseconds: log.sealTimeMs)
    }
    json.member("fault", log.sealFault)
    json.raw("}")
  }
}
