/// What a line is about: `event.dataset`.
package enum Dataset: String, Sendable {
  /// A file change, and what a rule shows without being one.
  case file = "fsaudit.file"
  case event = "fsaudit.event"
  /// Events may be missing.
  case gap = "fsaudit.gap"
  /// The daemon started, stopped, reloaded, recovered.
  case daemon = "fsaudit.daemon"
  /// The kernel's rules changed.
  case rules = "fsaudit.rules"
  /// What a check of the baseline counted.
  case check = "fsaudit.check"
  /// What proves later that the lines before it are as they were written.
  case seal = "fsaudit.seal"
}

/// Why events may be missing. The raw value is the label in the log, in `status` and in metrics.
package enum GapReason: String, CaseIterable, Sendable {
  case kernelLost = "kernel_lost"
  case overrun
  case serialGap = "serial_gap"
  case incompleteEvent = "incomplete_event"
  case queueFull = "queue_full"
  case writeFailed = "write_failed"
  case logDeleted = "log_deleted"
  case notRunning = "not_running"
  case replaced
  case coverage

  /// What ``Gap/count`` counts: the kernel drops records, everything else is lost by the event.
  package var unit: StaticString { self == .kernelLost ? "records" : "events" }

  /// The cause as the end of a sentence.
  package var explanation: String {
    switch self {
    case .kernelLost: "the kernel dropped them: raise backlog_limit"
    case .overrun: "they came faster than they were read and the socket overflowed: raise receive_buffer"
    case .serialGap: "their serials never arrived"
    case .incompleteEvent: "some of their records never arrived"
    case .queueFull: "they were written more slowly than they came"
    case .writeFailed: "the log could not be written"
    case .logDeleted: "the log file they were in was deleted"
    case .notRunning: "fsaudit was not running"
    case .replaced: "another audit daemon held the stream"
    case .coverage: "a watched path was not covered by its rule"
    }
  }
}

/// A stretch in which events may be missing.
package struct Gap: Equatable, Sendable {
  package var reason: GapReason
  /// How many, in the reason's unit; nil where nobody can know.
  package var count: UInt64?
  package var firstSerial: UInt32?, lastSerial: UInt32?
  /// The interval, milliseconds since 1970.
  package var sinceMs: Int64?, untilMs: Int64?
  /// What else helps: an errno name, the path that was not covered, the other daemon.
  package var detail: String?

  package init(
    _ reason: GapReason, count: UInt64? = nil, firstSerial: UInt32? = nil, lastSerial: UInt32? = nil, sinceMs: Int64? = nil,
    untilMs: Int64? = nil, detail: String? = nil
  ) {
    self.reason = reason
    self.count = count
    (self.firstSerial, self.lastSerial) = (firstSerial, lastSerial)
    (self.sinceMs, self.untilMs) = (sinceMs, untilMs)
    self.detail = detail
  }

  /// The gap that the loss of a batch leaves.
  package init(_ reason: GapReason, losing span: BatchSpan, detail: String? = nil) {
    self.init(reason, count: UInt64(span.events), detail: detail)
    guard span.events > 0 else { return }
    (firstSerial, lastSerial) = (span.firstSerial, span.lastSerial)
    (sinceMs, untilMs) = (span.firstTimeMs, span.lastTimeMs)
  }

  /// One clear sentence, without the times (each reader shows those in its own zone).
  package var message: String {
    var text = count.map { $0 == 0 ? "events may be missing" : "\($0) \(reason.unit) are missing" } ?? "events may be missing"
    if count == 1 { text = "1 \(reason == .kernelLost ? "record" : "event") is missing" }
    if let firstSerial, let lastSerial {
      text += firstSerial == lastSerial ? ", serial \(firstSerial)" : ", serials \(firstSerial) to \(lastSerial)"
    } else if let firstSerial {
      text += ", from serial \(firstSerial) on"
    }
    return text + ": \(reason.explanation)" + (detail.map { " (\($0))" } ?? "")
  }
}

/// What the daemon does that a reader of the log needs to know.
package enum DaemonAction: String, CaseIterable, Sendable {
  case start, stop, reload
  /// At a start: the last run ended without a stop line, and what was mended.
  case recovered
}

/// A line about the daemon itself.
package struct DaemonNotice: Sendable {
  package var action: DaemonAction
  package var succeeded = true
  package var pid: Int32
  package var version: String
  package var message: String
  /// More, as members of `fsaudit.daemon`: `("truncated_bytes", "17")`.
  package var details: [(name: String, value: String)] = []

  package init(_ action: DaemonAction, pid: Int32, version: String, message: String) {
    self.action = action
    self.pid = pid
    self.version = version
    self.message = message
  }
}
