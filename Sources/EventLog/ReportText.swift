import AuditWire

/// `--format` of `fsaudit report`.
package enum ReportFormat: String, CaseIterable, Sendable { case text, json, csv }

/// Where the lines of a report come from, which says what it can know of gaps.
package enum ReportOrigin: Sendable {
  /// Our own log, which has a line for every gap.
  case log
  /// auditd's: what it lost is not in it.
  case auditd
}

/// A report as text for people, aligned.
struct ReportText: ~Copyable {
  private(set) var cells: TextCells
  private var clock: LineClock
  private static let numberWidth = 9, barWidth = 40

  init(_ style: TextStyle) {
    cells = TextCells(colour: style.colour)
    clock = LineClock(isUTC: style.isUTC)
  }

  /// Writes a table or the timeline, with its heading.
  mutating func add(_ kind: ReportKind, _ report: borrowing Report, top: Int?) {
    heading(kind, report)
    if kind == .timeline { timeline(report) } else if let table = report.table(kind) { rows(table, top: top) }
  }

  private mutating func heading(_ kind: ReportKind, _ report: borrowing Report) {
    let totals = report.totals
    cells.styled(.cyan) { $0.words(kind.title) }
    cells.words(": ")
    amounts(totals)
    if totals.firstMs <= totals.lastMs {
      cells.words(", ")
      clock.second(totals.firstMs, &cells)
      cells.words(" to ")
      clock.second(totals.lastMs, &cells)
    }
    cells.words("\n\n")
  }

  private mutating func amounts(_ totals: Report.Totals) {
    count(totals.changes, "change of files", "changes of files")
    if totals.openings > 0 {
      cells.words(", ")
      count(totals.openings, "file opened", "files opened")
    }
    if totals.events > 0 {
      cells.words(", ")
      count(totals.events, "other event", "other events")
    }
    if totals.failed > 0 {
      cells.words(", ")
      number(totals.failed)
      cells.words(" of them refused")
    }
  }

  private mutating func count(_ value: UInt64, _ one: StaticString, _ many: StaticString) {
    number(value)
    cells.words(" ")
    cells.words(value == 1 ? one : many)
  }

  /// - Parameter width: to which it is filled with blanks on its left.
  private mutating func number(_ value: UInt64, width: Int = 0) {
    let digits = Array(String(value).utf8)
    for _ in 0..<max(0, width - digits.count) { cells.words(" ") }
    cells.ascii(digits.span.bytes)
  }

  // MARK: tables

  private mutating func rows(_ table: ReportTable, top: Int?) {
    let (shown, rest) = table.counts.ranked(top: top)
    if shown.isEmpty { return cells.words("  none\n") }
    cells.styled(.dim) { cells in
      cells.words("    count   failed first               last                ")
      for column in table.kind.columns {
        cells.words(" ")
        cells.words(column)
      }
    }
    cells.words("\n")
    for row in shown {
      numbers(row)
      name(table, row)
      cells.words("\n")
    }
    guard let rest else { return }
    numbers(rest.row)
    cells.words(" (")
    if rest.rows > 0 { number(UInt64(rest.rows)) }
    cells.words(rest.rows > 0 ? " others" : "others")
    if table.counts.others.count > 0 { cells.words(", and names beyond those that are told apart") }
    cells.words(")\n")
  }

  private mutating func numbers(_ row: CountTable.Row) {
    number(row.count, width: Self.numberWidth)
    if row.failed > 0 {
      number(row.failed, width: Self.numberWidth)
    } else {
      cells.words("         ")
    }
    for ms in [row.firstMs, row.lastMs] {
      cells.words(" ")
      if row.firstMs <= row.lastMs { clock.second(ms, &cells) } else { cells.words("an unknown time    ") }
    }
  }

  private mutating func name(_ table: ReportTable, _ row: CountTable.Row) {
    for (index, part) in table.parts(of: row).enumerated() {
      if table.kind == .users, index == 1 {
        if part != Array("yes".utf8) { cells.words(" (no login)") }
        continue
      }
      cells.words(" ")
      if part.isEmpty { cells.words("(none)") } else { cells.quoted(part.span.bytes) }
    }
  }

  // MARK: the timeline

  private mutating func timeline(_ report: borrowing Report) {
    let rows = report.timeline.rows
    let most = rows.map(\.step.count).max() ?? 0
    if rows.isEmpty { cells.words("  none\n") }
    for row in rows {
      clock.second(row.startMs, columns: report.timeline.step == .hour ? 16 : 10, &cells)
      number(row.step.count, width: Self.numberWidth)
      if row.step.count > 0 {
        cells.words(" ")
        let length = max(1, Int(Double(row.step.count) / Double(max(most, 1)) * Double(Self.barWidth)))
        cells.styled(.green) { cells in for _ in 0..<length { cells.words("#") } }
      }
      if row.step.failed > 0 {
        cells.words(" (")
        number(row.step.failed)
        cells.words(" refused)")
      }
      cells.words("\n")
    }
  }

  // MARK: the summary

  /// Writes what one mails every morning.
  mutating func addSummary(_ report: borrowing Report, top: Int, origin: ReportOrigin) {
    let totals = report.totals
    label("Time")
    if totals.firstMs <= totals.lastMs {
      clock.second(totals.firstMs, &cells)
      cells.words(" to ")
      clock.second(totals.lastMs, &cells)
    } else {
      cells.words("nothing happened")
    }
    label("\nCounted")
    amounts(totals)
    if totals.rules > 0 {
      label("\nRules")
      count(totals.rules, "line about rules that changed", "lines about rules that changed")
    }
    if let hosts = report.table(.hosts) {
      label("\nHosts")
      let (shown, rest) = hosts.counts.ranked(top: 10)
      for (index, row) in shown.enumerated() {
        if index > 0 { cells.words(", ") }
        let name = hosts.parts(of: row)[0]
        cells.quoted(name.span.bytes)
      }
      if let rest {
        cells.words(" and ")
        number(UInt64(rest.rows))
        cells.words(" others")
      }
    }
    if let last = totals.lastCheck {
      label("\nChecks")
      number(totals.checks)
      cells.words(totals.checks == 1 ? ": " : ", the last: ")
      told(last)
    }
    gaps(totals, origin)
    if totals.unreadable > 0 {
      label("\nUnreadable")
      cells.styled(.alarm) { $0.words("some lines of the log could not be read: ") }
      number(totals.unreadable)
    }
    cells.words("\n")
    for kind in [ReportKind.files, .users, .executables, .keys, .actions, .failures] {
      guard let table = report.table(kind) else { continue }
      cells.words("\n")
      cells.styled(.cyan) { $0.words(kind.title) }
      cells.words("\n")
      rows(table, top: top)
    }
    if !report.timeline.rows.isEmpty {
      cells.words("\n")
      cells.styled(.cyan) { $0.words(ReportKind.timeline.title) }
      cells.words("\n")
      timeline(report)
    }
  }

  private mutating func label(_ words: StaticString) {
    cells.words(words)
    let length = words.utf8CodeUnitCount - (words.utf8Start[0] == 0x0a ? 1 : 0)
    for _ in length..<12 { cells.words(" ") }
  }

  /// A message, after its time.
  private mutating func told(_ message: (ms: Int64?, text: [UInt8])) {
    if let ms = message.ms {
      clock.second(ms, &cells)
      cells.words(" ")
    }
    cells.name(message.text.span.bytes)
  }

  /// Whether anything was missed.
  private mutating func gaps(_ totals: Report.Totals, _ origin: ReportOrigin) {
    label("\nGaps")
    if totals.gaps == 0 {
      return cells.words(origin == .log ? "none: nothing is known to be missing" : "unknown: auditd's log does not tell what was lost")
    }
    cells.styled(.alarm) { cells in
      cells.words(totals.gaps == 1 ? "1 gap: " : "gaps: ")
    }
    if totals.gaps > 1 {
      number(totals.gaps)
      cells.words(", ")
    }
    if totals.missing > 0 {
      cells.words(totals.missesUncounted ? "at least " : "")
      number(totals.missing)
      cells.words(" events or records are missing")
    } else {
      cells.words("events may be missing")
    }
    for gap in totals.gapMessages {
      cells.words("\n            ")
      told(gap)
    }
    if totals.gaps > UInt64(totals.gapMessages.count) { cells.words("\n            …") }
  }
}
