/// The lines that are not file changes, in the same Elastic Common Schema shape. Rare: these may allocate.
extension JSONWriter {
  /// Appends the line of a gap, with its `\n`.
  package mutating func line(_ gap: Gap, timeMs: Int64, host: String) {
    // "pipeline_error": ECS's kind for "event data may be missing".
    open(timeMs: timeMs, kind: "pipeline_error", category: "host", type: "error", dataset: .gap)
    action("gap", outcome: "unknown", sequence: nil)
    close(message: gap.message, host: host)
    raw(",\"fsaudit\":{\"gap\":{\"reason\":")
    string(gap.reason.rawValue)
    if let count = gap.count {
      raw(",\"count\":")
      integer(count)
      raw(",\"unit\":\"")
      raw(gap.reason.unit)
      raw("\"")
    }
    if let serial = gap.firstSerial {
      raw(",\"first_serial\":")
      integer(serial)
    }
    if let serial = gap.lastSerial {
      raw(",\"last_serial\":")
      integer(serial)
    }
    if let time = gap.sinceMs {
      raw(",\"since\":")
      timestamp(milliseconds: time)
    }
    if let time = gap.untilMs {
      raw(",\"until\":")
      timestamp(milliseconds: time)
    }
    member("detail", gap.detail)
    raw("}}}\n")
  }

  /// Appends the line of a daemon notice, with its `\n`.
  package mutating func line(_ notice: DaemonNotice, timeMs: Int64, host: String) {
    let type: StaticString =
      switch notice.action {
      case .start: "start"
      case .stop: "end"
      case .reload: "change"
      case .recovered: "info"
      }
    open(timeMs: timeMs, kind: "event", category: "process", type: type, dataset: .daemon)
    action(notice.action.rawValue, outcome: notice.succeeded ? "success" : "failure", sequence: nil)
    close(message: notice.message, host: host)
    raw(",\"process\":{\"pid\":")
    integer(notice.pid)
    raw(",\"name\":\"fsaudit\"},\"fsaudit\":{\"version\":")
    string(notice.version)
    raw(",\"daemon\":{")
    for (index, detail) in notice.details.enumerated() {
      if index > 0 { raw(",") }
      string(detail.name)
      raw(":")
      string(detail.value)
    }
    raw("}}}\n")
  }

  /// The beginning of every line that is no change, up to the action.
  mutating func open(timeMs: Int64, kind: StaticString, category: StaticString, type: StaticString, dataset: Dataset) {
    raw("{\"@timestamp\":")
    timestamp(milliseconds: timeMs)
    raw(",\"event\":{\"kind\":\"")
    raw(kind)
    raw("\",\"category\":[\"")
    raw(category)
    raw("\"],\"type\":[\"")
    raw(type)
    raw("\"],\"dataset\":")
    string(dataset.rawValue)
  }

  /// What goes on with ``open(timeMs:kind:category:type:dataset:)`` and ends `event`.
  mutating func action(_ action: String, outcome: StaticString, sequence: UInt32?) {
    raw(",\"action\":")
    string(action)
    raw(",\"outcome\":\"")
    raw(outcome)
    raw("\"")
    if let sequence {
      raw(",\"sequence\":")
      integer(sequence)
    }
    raw("}")
  }

  /// The sentence for people and the host; `fsaudit` follows.
  mutating func close(message: String, host: String) {
    member("message", message)
    raw(",\"host\":{\"name\":")
    string(host)
    raw("}")
  }
}
