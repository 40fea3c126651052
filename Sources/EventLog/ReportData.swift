import AuditWire

/// Reports as JSON and CSV.
struct ReportData: ~Copyable {
  private(set) var json = JSONWriter(capacityBytes: 4 << 10)
  private var csv: CSVField
  private var scratch = ByteBuffer()

  init(isTerminal: Bool) { csv = CSVField(isTerminal: isTerminal) }

  // MARK: JSON: one object

  /// `{"report":"files","from":…,"to":…,"changes":…,"rows":[{"file":…,"count":…,"failed":…,"first":…,"last":…}],"others":{…}}`
  mutating func addJSON(_ kind: ReportKind, _ report: borrowing Report, top: Int?) {
    open(kind, report)
    json.raw(",")
    rows(kind, report, top: top)
    json.raw("}\n")
  }

  /// The same of all tables: `{"report":"summary",…,"gaps":{…},"files":{"rows":[…],"others":{…}},"users":…}`
  mutating func addSummaryJSON(_ report: borrowing Report, top: Int, origin: ReportOrigin) {
    open(.summary, report)
    let totals = report.totals
    json.raw(",\"rules\":")
    json.integer(totals.rules)
    json.raw(",\"gaps\":{\"known\":")
    json.raw(origin == .log ? "true" : "false")
    json.raw(",\"count\":")
    json.integer(totals.gaps)
    json.raw(",\"missing\":")
    json.integer(totals.missing)
    json.raw(",\"messages\":[")
    for (index, gap) in totals.gapMessages.enumerated() {
      if index > 0 { json.raw(",") }
      told(gap)
    }
    json.raw("]},\"checks\":{\"count\":")
    json.integer(totals.checks)
    json.raw(",\"last\":")
    if let last = totals.lastCheck { told(last) } else { json.raw("null") }
    json.raw("}")
    for kind in ReportKind.tables + [.timeline] {
      json.raw(",")
      json.string(kind.rawValue)
      json.raw(":{")
      rows(kind, report, top: top)
      json.raw("}")
    }
    json.raw("}\n")
  }

  private mutating func told(_ message: (ms: Int64?, text: [UInt8])) {
    json.raw("{\"time\":")
    if let ms = message.ms { json.timestamp(milliseconds: ms) } else { json.raw("null") }
    json.raw(",\"message\":")
    json.string(message.text.span.bytes)
    json.raw("}")
  }

  private mutating func open(_ kind: ReportKind, _ report: borrowing Report) {
    let totals = report.totals
    json.raw("{\"report\":")
    json.string(kind.rawValue)
    let isKnown = totals.firstMs <= totals.lastMs
    time(",\"from\":", isKnown ? totals.firstMs : nil)
    time(",\"to\":", isKnown ? totals.lastMs : nil)
    for (name, value) in [
      (",\"changes\":" as StaticString, totals.changes), (",\"opened\":", totals.openings), (",\"events\":", totals.events),
      (",\"failed\":", totals.failed),
      (",\"unreadable\":", totals.unreadable),
    ] {
      json.raw(name)
      json.integer(value)
    }
  }

  private mutating func time(_ name: StaticString, _ ms: Int64?) {
    json.raw(name)
    if let ms { json.timestamp(milliseconds: ms) } else { json.raw("null") }
  }

  private mutating func rows(_ kind: ReportKind, _ report: borrowing Report, top: Int?) {
    json.raw("\"rows\":[")
    if kind == .timeline {
      for (index, row) in report.timeline.rows.enumerated() {
        if index > 0 { json.raw(",") }
        time("{\"time\":", row.startMs)
        numbers(row.step.count, row.step.failed)
        json.raw("}")
      }
    } else if let table = report.table(kind) {
      let (shown, rest) = table.counts.ranked(top: top)
      for (index, row) in shown.enumerated() {
        json.raw(index > 0 ? ",{" : "{")
        for (name, part) in zip(kind.columns, table.parts(of: row)) { member(name, part) }
        // behind the names' last comma
        numbers(row, isFirst: true)
        json.raw("}")
      }
      if let rest {
        json.raw("],\"others\":{\"rows\":")
        json.integer(UInt64(rest.rows))
        numbers(rest.row, isFirst: false)
        return json.raw("}")
      }
    }
    json.raw("]")
  }

  /// A name and the comma behind it; one that is not UTF-8 has its bytes beside it.
  private mutating func member(_ name: StaticString, _ part: [UInt8]) {
    json.raw("\"")
    json.raw(name)
    json.raw("\":")
    if name.description == "login" {
      json.raw(part == Array("yes".utf8) ? "true" : "false")
    } else if part.isEmpty {
      json.raw("null")
    } else if !json.string(part.span.bytes) {
      json.raw(",\"raw\":")
      json.hexString(part.span.bytes)
    }
    json.raw(",")
  }

  private mutating func numbers(_ row: CountTable.Row, isFirst: Bool) {
    json.raw(isFirst ? "\"count\":" : ",\"count\":")
    json.integer(row.count)
    json.raw(",\"failed\":")
    json.integer(row.failed)
    let isKnown = row.firstMs <= row.lastMs
    time(",\"first\":", isKnown ? row.firstMs : nil)
    time(",\"last\":", isKnown ? row.lastMs : nil)
  }

  private mutating func numbers(_ count: UInt64, _ failed: UInt64) {
    json.raw(",\"count\":")
    json.integer(count)
    json.raw(",\"failed\":")
    json.integer(failed)
  }

  // MARK: CSV: a header and a row for each name

  mutating func addCSV(_ kind: ReportKind, _ report: borrowing Report, top: Int?) {
    json.raw("count,failed,first,last")
    for column in kind.columns {
      json.raw(",")
      json.raw(column)
    }
    json.raw("\r\n")
    addCSVRows(kind, report, top: top, label: nil)
  }

  /// All tables under one header; the first column says which a row is of.
  mutating func addSummaryCSV(_ report: borrowing Report, top: Int) {
    json.raw("report,count,failed,first,last,name,detail,file\r\n")
    for kind in ReportKind.tables + [.timeline] { addCSVRows(kind, report, top: top, label: kind) }
  }

  /// - Parameter label: begins each row; those of all kinds then have as many fields.
  private mutating func addCSVRows(_ kind: ReportKind, _ report: borrowing Report, top: Int?, label: ReportKind?) {
    func begin(_ json: inout JSONWriter) {
      guard let label else { return }
      json.raw(Array(label.rawValue.utf8))
      json.raw(",")
    }
    func end(_ json: inout JSONWriter) {
      if label != nil { for _ in kind.columns.count..<3 { json.raw(",") } }
      json.raw("\r\n")
    }
    if kind == .timeline {
      for row in report.timeline.rows {
        begin(&json)
        json.integer(row.step.count)
        json.raw(",")
        json.integer(row.step.failed)
        json.raw(",,,")
        plainTime(row.startMs)
        end(&json)
      }
    }
    guard let table = report.table(kind) else { return }
    let (shown, rest) = table.counts.ranked(top: top)
    for row in shown {
      begin(&json)
      csvNumbers(row)
      for part in table.parts(of: row) {
        json.raw(",")
        field(part)
      }
      end(&json)
    }
    guard let rest else { return }
    begin(&json)
    csvNumbers(rest.row)
    json.raw(",(others)")
    for _ in 1..<kind.columns.count { json.raw(",") }
    end(&json)
  }

  private mutating func csvNumbers(_ row: CountTable.Row) {
    json.integer(row.count)
    json.raw(",")
    json.integer(row.failed)
    for ms in [row.firstMs, row.lastMs] {
      json.raw(",")
      if row.firstMs <= row.lastMs { plainTime(ms) }
    }
  }

  private mutating func plainTime(_ ms: Int64) {
    let start = json.count
    json.timestamp(milliseconds: ms)
    let text = json.withBytes(from: start + 1) { bytes in bytes.withUnsafeBytes { Array($0.dropLast()) } }
    json.truncate(to: start)
    json.raw(text)
  }

  private mutating func field(_ text: [UInt8]) {
    if text.isEmpty { return }
    scratch.truncate(to: 0)
    csv.put(text.span.bytes, to: &scratch)
    scratch.withBytes { json.raw(bytes: $0) }
  }
}

extension Report {
  /// Lends the finished report, whole lines.
  /// - Parameters:
  ///   - top: how many rows; nil for all (of the summary, ten of each table).
  ///   - origin: where the lines came from.
  package mutating func write(
    _ kind: ReportKind, _ format: ReportFormat, top: Int?, style: TextStyle, origin: ReportOrigin,
    _ body: (RawSpan) throws -> Void
  ) throws {
    finish()
    if format == .text {
      var text = ReportText(style)
      if kind == .summary { text.addSummary(self, top: top ?? 10, origin: origin) } else { text.add(kind, self, top: top) }
      return try text.cells.bytes.withBytes(body)
    }
    var data = ReportData(isTerminal: style.isTerminal)
    switch (format, kind) {
    case (.json, .summary): data.addSummaryJSON(self, top: top ?? 10, origin: origin)
    case (.json, _): data.addJSON(kind, self, top: top)
    case (_, .summary): data.addSummaryCSV(self, top: top ?? 10)
    default: data.addCSV(kind, self, top: top)
    }
    try data.json.withBytes(body)
  }
}
