import AuditWire

/// The one place that turns lines of the log into what a command prints. It writes into a buffer that it keeps: no allocation per line.
///
/// A class, so that what holds it can be copied; it is used by one thread at a time, and lends its bytes only for the duration of a call.
package final class LineFormatter: @unchecked Sendable {
  private var state: State

  package init(_ format: LineFormat, _ style: TextStyle) {
    state = State(format, style)
  }

  /// Lends what a line is in the format, without its line end.
  /// - Parameters:
  ///   - line: of native JSON, without its `\n`. One that is none is said to be unreadable, in the words of the format.
  ///   - nowMs: what "today" is, milliseconds since 1970.
  package func format<Fault: Error>(_ line: RawSpan, nowMs: Int64, _ body: (RawSpan) throws(Fault) -> Void) throws(Fault) {
    try state.format(line, nowMs: nowMs, body)
  }

  /// Lends a line that is no JSON, said to be so in the words of the format.
  package func unreadable<Fault: Error>(_ line: RawSpan, _ body: (RawSpan) throws(Fault) -> Void) throws(Fault) {
    try state.unreadable(line, body)
  }

  /// Lends what comes before the first line: the header of CSV. Not called for the other formats.
  package func header<Fault: Error>(_ body: (RawSpan) throws(Fault) -> Void) throws(Fault) {
    try state.header(body)
  }

  private struct State: ~Copyable {
    let format: LineFormat
    var fields = LineFields()
    var text: TextFormat
    var long: LongFormat
    var csv: CSVFormat
    var ocsf = OCSFFormat()

    init(_ format: LineFormat, _ style: TextStyle) {
      self.format = format
      text = TextFormat(style)
      long = LongFormat(style)
      csv = CSVFormat(isTerminal: style.isTerminal)
    }

    mutating func header<Fault: Error>(_ body: (RawSpan) throws(Fault) -> Void) throws(Fault) {
      guard format == .csv else { return }
      csv.begin()
      csv.addHeader()
      try csv.bytes.withBytes(body)
    }

    mutating func unreadable<Fault: Error>(_ line: RawSpan, _ body: (RawSpan) throws(Fault) -> Void) throws(Fault) {
      switch format {
      case .json, .raw: try body(line)
      case .text:
        text.cells.removeAll()
        text.cells.unreadable(line)
        try text.cells.bytes.withBytes(body)
      case .long:
        long.cells.removeAll()
        long.cells.unreadable(line)
        try long.cells.bytes.withBytes(body)
      case .csv:
        csv.begin()
        csv.addUnreadable(line)
        try csv.bytes.withBytes(body)
      case .ocsf:
        ocsf.json.removeAll()
        ocsf.addUnreadable(line)
        try ocsf.json.withBytes(body)
      }
    }

    mutating func format<Fault: Error>(_ line: RawSpan, nowMs: Int64, _ body: (RawSpan) throws(Fault) -> Void) throws(Fault) {
      if format == .json || format == .raw { return try body(line) }
      guard fields.scan(line) else { return try unreadable(line, body) }
      switch format {
      case .json, .raw: break
      case .text:
        text.cells.removeAll()
        text.add(fields, line, nowMs: nowMs)
        try text.cells.bytes.withBytes(body)
      case .long:
        long.cells.removeAll()
        long.add(fields, line)
        try long.cells.bytes.withBytes(body)
      case .csv:
        csv.begin()
        csv.add(fields, line)
        try csv.bytes.withBytes(body)
      case .ocsf:
        ocsf.json.removeAll()
        ocsf.add(fields, line)
        try ocsf.json.withBytes(body)
      }
    }
  }
}

extension TextCells {
  /// A line that is not JSON: as it is, made harmless.
  fileprivate mutating func unreadable(_ line: RawSpan) {
    styled(.red) { cells in
      cells.words("unreadable line: ")
      cells.name(line)
    }
  }
}
