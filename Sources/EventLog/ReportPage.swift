import AuditWire

/// A report as one HTML page that needs nothing else: no network, no other file.
///
/// Whatever comes from the log is escaped for terminals first and for HTML then, so it is text to the browser. Should that ever fail, the page's
/// policy lets run only the script below, whose hash it names, and lets nothing be loaded.
struct ReportPage: ~Copyable {
  private(set) var html = ByteBuffer(capacity: 64 << 10)
  private var cells = TextCells(colour: false)
  private var clock: LineClock

  init(isUTC: Bool) { clock = LineClock(isUTC: isUTC) }

  /// Writes the whole page.
  /// - Parameter top: how many rows of each table.
  mutating func add(_ report: borrowing Report, top: Int, origin: ReportOrigin) {
    raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"")
    raw(Self.policy)
    raw("\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>fsaudit report</title>\n<style>")
    raw(Self.style)
    raw("</style>\n</head>\n<body>\n<header><div><h1>What changed</h1>\n")
    overview(report, origin)
    raw("</div>\n<label>Filter <input id=\"filter\" type=\"search\" placeholder=\"a path, a user, a program\"> ")
    raw("<span id=\"shown\" class=\"dim\"></span></label></header>\n")
    timeline(report)
    for kind in ReportKind.tables {
      if let table = report.table(kind) { add(table, top: top) }
    }
    raw("<script>")
    raw(Self.script)
    raw("</script>\n</body>\n</html>\n")
  }

  private mutating func overview(_ report: borrowing Report, _ origin: ReportOrigin) {
    let totals = report.totals
    raw("<p class=\"dim\">")
    if totals.firstMs <= totals.lastMs {
      time(totals.firstMs)
      raw(" to ")
      time(totals.lastMs)
    } else {
      raw("Nothing happened")
    }
    raw("</p>\n<p>")
    number(totals.changes)
    raw(" changes of files, ")
    number(totals.openings)
    raw(" files opened, ")
    number(totals.events)
    raw(" other events, ")
    number(totals.failed)
    raw(" of them refused, ")
    number(totals.rules)
    raw(" about rules</p>\n")
    if let last = totals.lastCheck {
      raw("<p>Checks of the baseline: ")
      number(totals.checks)
      raw(", the last ")
      if let ms = last.ms { time(ms) }
      raw(" ")
      name(last.text)
      raw("</p>\n")
    }
    if totals.gaps == 0 {
      raw(origin == .log ? "<p>No gaps: nothing is known to be missing.</p>\n" : "<p>auditd&#39;s log does not tell what was lost.</p>\n")
    } else {
      raw("<p class=\"bad\" id=\"gaps\">Gaps: ")
      number(totals.gaps)
      raw("</p>\n")
      for gap in totals.gapMessages {
        raw("<p class=\"bad\">")
        if let ms = gap.ms { time(ms) }
        raw(" ")
        name(gap.text)
        raw("</p>\n")
      }
    }
    if totals.unreadable > 0 {
      raw("<p class=\"bad\">Lines that could not be read: ")
      number(totals.unreadable)
      raw("</p>\n")
    }
  }

  private mutating func timeline(_ report: borrowing Report) {
    let rows = report.timeline.rows
    guard let first = rows.first, let last = rows.last else { return }
    let most = max(rows.map(\.step.count).max() ?? 1, 1)
    raw("<section id=\"timeline\"><h2>Timeline</h2>\n<svg viewBox=\"0 0 ")
    number(UInt64(rows.count) * 10)
    raw(" 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"changes over time\">")
    for (index, row) in rows.enumerated() where row.step.count > 0 {
      raw("<g><title>")
      time(row.startMs)
      raw(": ")
      number(row.step.count)
      raw("</title>")
      bar(index, row.step.count, most, isBad: false)
      if row.step.failed > 0 { bar(index, row.step.failed, most, isBad: true) }
      raw("</g>")
    }
    raw("</svg>\n<div class=\"axis\"><span>")
    time(first.startMs)
    raw("</span><span>")
    raw(report.timeline.step == .hour ? "by the hour, at most " : "by the day, at most ")
    number(most)
    raw("</span><span>")
    time(last.startMs)
    raw("</span></div></section>\n")
  }

  private mutating func bar(_ index: Int, _ count: UInt64, _ most: UInt64, isBad: Bool) {
    let height = max(1, UInt64(Double(count) / Double(most) * 100))
    raw(isBad ? "<rect class=\"bad\" x=\"" : "<rect x=\"")
    number(UInt64(index) * 10)
    raw("\" y=\"")
    number(100 - min(height, 100))
    raw("\" width=\"9\" height=\"")
    number(min(height, 100))
    raw("\"/>")
  }

  private mutating func add(_ table: ReportTable, top: Int) {
    let (shown, rest) = table.counts.ranked(top: top)
    raw("<section id=\"")
    raw(Array(table.kind.rawValue.utf8))
    raw("\"><h2>")
    raw(table.kind.title)
    raw("</h2>\n")
    if shown.isEmpty { return raw("<p class=\"dim\">none</p></section>\n") }
    raw("<div class=\"wide\"><table><thead><tr><th class=\"n\">count</th><th class=\"n\">refused</th><th>first</th><th>last</th>")
    for column in table.kind.columns {
      raw("<th>")
      raw(column)
      raw("</th>")
    }
    raw("</tr></thead><tbody>\n")
    for row in shown {
      numbers(row)
      for part in table.parts(of: row) {
        raw("<td class=\"name\">")
        if part.isEmpty { raw("<span class=\"dim\">none</span>") } else { name(part) }
        raw("</td>")
      }
      raw("</tr>\n")
    }
    raw("</tbody>")
    if let rest {
      raw("<tfoot>")
      numbers(rest.row)
      raw("<td class=\"dim\">")
      number(UInt64(rest.rows))
      raw(" others</td></tr></tfoot>")
    }
    raw("</table></div></section>\n")
  }

  private mutating func numbers(_ row: CountTable.Row) {
    raw("<tr><td class=\"n\">")
    number(row.count)
    raw("</td><td class=\"n\">")
    if row.failed > 0 { number(row.failed) }
    for ms in [row.firstMs, row.lastMs] {
      raw("</td><td class=\"t\">")
      if row.firstMs <= row.lastMs { time(ms) }
    }
    raw("</td>")
  }

  // MARK: pieces

  /// Text of the log, harmless in a terminal and in HTML.
  private mutating func name(_ text: [UInt8]) {
    cells.removeAll()
    cells.name(text.span.bytes)
    escaped()
  }

  private mutating func time(_ ms: Int64) {
    cells.removeAll()
    clock.second(ms, &cells)
    escaped()
  }

  private mutating func escaped() {
    let text = cells.bytes.withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
    for byte in text {
      switch byte {
      case UInt8(ascii: "&"): raw("&amp;")
      case UInt8(ascii: "<"): raw("&lt;")
      case UInt8(ascii: ">"): raw("&gt;")
      case UInt8(ascii: "\""): raw("&quot;")
      case UInt8(ascii: "'"): raw("&#39;")
      default: html.append(byte)
      }
    }
  }

  private mutating func number(_ value: UInt64) { raw(Array(String(value).utf8)) }

  private mutating func raw(_ text: StaticString) {
    html.append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func raw(_ text: [UInt8]) { html.append(text.span.bytes) }

  // MARK: what is the same in every page

  /// The hashes are those of ``style`` and ``script``: a browser that finds others applies and runs nothing (the test in Chromium sees to it).
  private static let policy: StaticString =
    "default-src 'none'; style-src 'sha256-0BPT5/EXH8pckvFMNNdUWl0c2K8GavtshfuaNrWq0/g='; script-src 'sha256-bWifuOVDrKdIZlUlBglJsfzlGwRg3SmNjcjLG7JzMao='; base-uri 'none'; form-action 'none'"

  private static let style: StaticString = """

    :root{color-scheme:light dark;--text:#1c2024;--dim:#60646c;--line:#e0e1e6;--back:#fff;--bar:#3e63dd;--bad:#ce2c31}
    @media(prefers-color-scheme:dark){:root{--text:#edeef0;--dim:#b0b4ba;--line:#363a3f;--back:#111113;--bar:#849dff;--bad:#ff9592}}
    body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:72rem;margin:2rem auto;padding:0 1rem}
    h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.3rem 0}.dim{color:var(--dim)}.bad{color:var(--bad);font-weight:600}
    header{display:flex;flex-wrap:wrap;gap:1rem;justify-content:space-between;align-items:end}
    input{font:inherit;padding:.4rem .6rem;width:16rem;max-width:100%}
    table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
    th{color:var(--dim);font-weight:500}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    td.t{white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--dim)}td.name{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
    svg{width:100%;height:9rem;border-bottom:1px solid var(--line)}rect{fill:var(--bar)}rect.bad{fill:var(--bad)}
    .axis{display:flex;justify-content:space-between;color:var(--dim)}div.wide{overflow-x:auto}

    """

  private static let script: StaticString = """

    const box=document.getElementById('filter'),shown=document.getElementById('shown'),rows=[...document.querySelectorAll('tbody tr')];
    function filter(){const term=box.value.toLowerCase();let count=0;
    for(const row of rows){row.hidden=term!==''&&!row.textContent.toLowerCase().includes(term);if(!row.hidden)count++}
    shown.textContent=term===''?'':count+' of '+rows.length+' rows'}
    box.addEventListener('input',filter);
    if(location.hash.length>1){try{box.value=decodeURIComponent(location.hash.slice(1))}catch{box.value=location.hash.slice(1)}}
    filter();

    """
}

extension Report {
  /// Lends the finished report as one HTML page with every table.
  /// - Parameter top: how many rows of each.
  package mutating func writePage(top: Int?, isUTC: Bool = false, origin: ReportOrigin, _ body: (RawSpan) throws -> Void) throws {
    finish()
    var page = ReportPage(isUTC: isUTC)
    page.add(self, top: top ?? 100, origin: origin)
    try page.html.withBytes(body)
  }
}
