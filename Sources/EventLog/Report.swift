import AuditWire
import Glibc

/// Counts of what a log holds, made in one pass over its lines, in memory that grows with the number of different names and is bounded.
///
/// What somebody did counts: file changes, and events that are none (a program that was started, a rule that was changed). A file counts once for each
/// change that names it: a rename counts for its old and for its new name. Lines about the log itself (gaps, the daemon) only count in ``Totals``.
package struct Report: ~Copyable {
  /// What the whole log holds.
  struct Totals {
    /// Lines of file changes, of files that were opened and no more, and of other things that somebody did.
    var changes: UInt64 = 0, openings: UInt64 = 0, events: UInt64 = 0
    var failed: UInt64 = 0
    /// Of what somebody did, milliseconds since 1970.
    var firstMs = Int64.max, lastMs = Int64.min
    var gaps: UInt64 = 0
    /// How much the gaps say is missing, in events or records; and whether some cannot tell.
    var missing: UInt64 = 0
    var missesUncounted = false
    /// The first gaps: when, and what they say.
    var gapMessages: [(ms: Int64?, text: [UInt8])] = []
    var rules: UInt64 = 0
    /// Checks of the baseline, and what the last one says.
    var checks: UInt64 = 0
    var lastCheck: (ms: Int64?, text: [UInt8])?
    var unreadable: UInt64 = 0
  }

  let kinds: Set<ReportKind>
  private(set) var totals = Totals()
  private(set) var tables: [ReportTable]
  private(set) var timeline: Timeline
  private var fields = LineFields()
  private var clock = LineClock()
  private var scratch = ByteBuffer()
  private static let gapMessageLimit = 10

  /// - Parameters:
  ///   - kinds: what to count.
  ///   - step: of the timeline.
  package init(_ kinds: some Sequence<ReportKind>, by step: ReportStep, isUTC: Bool = false) {
    self.kinds = Set(kinds)
    tables = ReportKind.tables.filter(self.kinds.contains).map(ReportTable.init)
    timeline = Timeline(step, isUTC: isUTC)
  }

  /// Those for `kind`: the summary and the page need all.
  package static func needed(for kind: ReportKind) -> [ReportKind] { kind == .summary ? ReportKind.allCases : [kind] }

  /// Counts a line of native JSON, without its `\n`.
  package mutating func add(_ line: RawSpan) {
    guard fields.scan(line) else {
      totals.unreadable += 1
      return
    }
    let ms = clock.ms(fields[.timestamp], line)
    let isChange = fields.equals(.dataset, "fsaudit.file", line)
    guard isChange || countOther(line, ms) else { return }
    let failed = fields.equals(.outcome, "failure", line)
    totals.failed += failed ? 1 : 0
    let isOpening = isChange && fields.equals(.eventAction, "opened", line)
    if isOpening { totals.openings += 1 } else if isChange { totals.changes += 1 } else { totals.events += 1 }
    if let ms {
      totals.firstMs = min(totals.firstMs, ms)
      totals.lastMs = max(totals.lastMs, ms)
      if kinds.contains(.timeline) { timeline.add(ms, failed: failed) }
    }
    for table in tables { table.add(fields, line, isChange: isChange, ms: ms, failed: failed, &scratch) }
  }

  /// Counts what is no file change.
  /// - Returns: whether somebody did something.
  private mutating func countOther(_ line: RawSpan, _ ms: Int64?) -> Bool {
    if fields.equals(.dataset, "fsaudit.event", line) { return true }
    if fields.equals(.dataset, "fsaudit.rules", line) {
      totals.rules += 1
      return true
    }
    if fields.equals(.dataset, "fsaudit.check", line), let message = fields.text(.message) {
      totals.checks += 1
      totals.lastCheck = (ms, line.decoded(message))
    }
    guard fields.equals(.dataset, "fsaudit.gap", line) else { return false }
    totals.gaps += 1
    if let value = fields.text(.gapCount), let count = UInt64(String(decoding: line.decoded(value), as: UTF8.self)), count > 0 {
      totals.missing = totals.missing.addingReportingOverflow(count).partialValue
    } else {
      totals.missesUncounted = true
    }
    if totals.gapMessages.count < Self.gapMessageLimit, let message = fields.text(.message) {
      totals.gapMessages.append((ms, line.decoded(message)))
    }
    return false
  }

  /// Whether anybody did anything.
  package var isEmpty: Bool { totals.changes == 0 && totals.openings == 0 && totals.events == 0 }

  /// Counts lines that could not be read where they came from, and so never came here.
  package mutating func add(unreadable lines: Int) { totals.unreadable += UInt64(max(lines, 0)) }

  /// Counts what waits, before it is shown.
  mutating func finish() { timeline.finish() }

  /// The table of a kind; nil for one that was not counted.
  func table(_ kind: ReportKind) -> ReportTable? { tables.first { $0.kind == kind } }
}

/// The rows of one kind of report. A class, because an array cannot hold what cannot be copied.
final class ReportTable {
  let kind: ReportKind
  private(set) var counts = CountTable()

  init(_ kind: ReportKind) { self.kind = kind }

  func add(
    _ fields: borrowing LineFields, _ line: RawSpan, isChange: Bool, ms: Int64?, failed: Bool, _ scratch: inout ByteBuffer
  ) {
    switch kind {
    case .files:
      guard isChange else { return }
      file(.path, .rawPath, fields, line, ms, failed)
      if fields.text(.previousPath) != nil { file(.previousPath, .rawPrevious, fields, line, ms, failed) }
    case .users:
      scratch.truncate(to: 0)
      if let login = fields.login(line) { Self.append(login, line, to: &scratch) }
      scratch.append(0)
      Self.append(fields.loginID(line) == nil ? "no" : "yes", to: &scratch)
      add(scratch, ms, failed)
    case .executables: add(fields.text(.executable) ?? fields.text(.processName), line, ms, failed)
    case .keys:
      var items = JSONItems(fields[.tags])
      var isFirst = true
      while let (_, key) = items.next(line) {
        add(key, line, ms, failed)
        isFirst = false
      }
      if isFirst { add(nil, line, ms, failed) }
    case .actions: add(fields.actionName, line, ms, failed)
    case .hosts: add(fields.text(.host), line, ms, failed)
    case .syscalls: add(fields.text(.syscall), line, ms, failed)
    case .failures:
      guard failed else { return }
      scratch.truncate(to: 0)
      if let errno = fields.text(.errno) { Self.append(errno, line, to: &scratch) }
      scratch.append(0)
      if let action = fields.actionName { Self.append(action, line, to: &scratch) }
      scratch.append(0)
      if let path = fields.text(.path) {
        if let exact = Self.exact(fields[.rawPath], line) {
          scratch.append(exact.span.bytes)
        } else {
          Self.append(path, line, to: &scratch)
        }
      }
      add(scratch, ms, failed)
    case .timeline, .summary: break
    }
  }

  private func file(
    _ path: LineField, _ raw: LineField, _ fields: borrowing LineFields, _ line: RawSpan, _ ms: Int64?, _ failed: Bool
  ) {
    if let exact = Self.exact(fields[raw], line) { return counts.add(exact.span.bytes, ms: ms, failed: failed) }
    add(fields.text(path), line, ms, failed)
  }

  /// The bytes of a name that is not UTF-8.
  private static func exact(_ raw: JSONValue, _ line: RawSpan) -> [UInt8]? { raw.kind == .string ? line.hex(raw) : nil }

  private func add(_ value: JSONValue?, _ line: RawSpan, _ ms: Int64?, _ failed: Bool) {
    guard let value else { return counts.add(line.extracting(0..<0), ms: ms, failed: failed) }
    if value.isEscaped { return counts.add(line.decoded(value).span.bytes, ms: ms, failed: failed) }
    counts.add(line.extracting(value.range), ms: ms, failed: failed)
  }

  private func add(_ key: borrowing ByteBuffer, _ ms: Int64?, _ failed: Bool) {
    key.withBytes { counts.add($0, ms: ms, failed: failed) }
  }

  private static func append(_ value: JSONValue, _ line: RawSpan, to key: inout ByteBuffer) {
    if value.isEscaped { key.append(line.decoded(value).span.bytes) } else { key.append(line.extracting(value.range)) }
  }

  private static func append(_ word: StaticString, to key: inout ByteBuffer) {
    key.append(contentsOf: UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
  }

  /// The parts of a row's name.
  func parts(of row: CountTable.Row) -> [[UInt8]] {
    let key = counts.keys.withBytes { bytes in bytes.extracting(row.key.range).withUnsafeBytes { Array($0) } }
    return kind.columns.count == 1
      ? [key] : key.split(separator: 0, maxSplits: kind.columns.count - 1, omittingEmptySubsequences: false).map(Array.init)
  }
}

/// Counts by hours or days of the local zone.
struct Timeline {
  struct Step {
    var count: UInt64 = 0, failed: UInt64 = 0
  }

  /// By the first millisecond of each.
  private(set) var steps: [Int64: Step] = [:]
  let step: ReportStep
  private let isUTC: Bool
  /// The step that was counted last, and what is not yet in ``steps``.
  private var current: Range<Int64> = 0..<0
  private var pending = Step()
  private static let maximumSteps = 100_000

  init(_ step: ReportStep, isUTC: Bool) { (self.step, self.isUTC) = (step, isUTC) }

  mutating func add(_ ms: Int64, failed: Bool) {
    if !current.contains(ms) {
      finish()
      current = range(around: ms)
    }
    pending.count += 1
    if failed { pending.failed += 1 }
  }

  /// Counts what waits.
  mutating func finish() {
    guard pending.count > 0 else { return }
    if steps[current.lowerBound] != nil || steps.count < Self.maximumSteps {
      steps[current.lowerBound, default: Step()].count += pending.count
      steps[current.lowerBound, default: Step()].failed += pending.failed
    }
    pending = Step()
  }

  /// The step that a moment lies in.
  private func range(around ms: Int64) -> Range<Int64> {
    let seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0)
    var (wanted, time) = (time_t(seconds), tm())
    if isUTC { gmtime_r(&wanted, &time) } else { localtime_r(&wanted, &time) }
    let intoHour = Int64(time.tm_min) * 60 + Int64(time.tm_sec)
    if step == .hour {
      let start = (seconds - intoHour) * 1000
      return start..<start + 3_600_000
    }
    if isUTC {
      let start = (seconds - intoHour - Int64(time.tm_hour) * 3600) * 1000
      return start..<start + 86_400_000
    }
    (time.tm_hour, time.tm_min, time.tm_sec, time.tm_isdst) = (0, 0, 0, -1)
    var next = time
    next.tm_mday += 1
    let (start, end) = (Int64(mktime(&time)) * 1000, Int64(mktime(&next)) * 1000)
    if start <= ms && ms < end { return start..<end }
    // a day that begins twice, or does not, as mktime(3) sees it: its hours are told one by one
    let hour = (seconds - intoHour) * 1000
    return hour..<hour + 3_600_000
  }

  /// The steps in order of time. Where there are not too many, those without anything in between as well: what is quiet is seen.
  var rows: [(startMs: Int64, step: Step)] {
    let known = steps.keys.sorted()
    guard let first = known.first, let last = known.last else { return [] }
    let lengthMs: Int64 = step == .hour ? 3_600_000 : 86_400_000
    guard (last - first) / lengthMs < 1000 else { return known.map { ($0, steps[$0] ?? Step()) } }
    var rows: [(Int64, Step)] = []
    for (index, start) in known.enumerated() {
      rows.append((start, steps[start] ?? Step()))
      guard index + 1 < known.count else { break }
      var quiet = range(around: start).upperBound
      while quiet < known[index + 1], rows.count < 2000 {
        rows.append((quiet, Step()))
        quiet = range(around: quiet).upperBound
      }
    }
    return rows
  }
}
