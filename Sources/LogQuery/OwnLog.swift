import AuditWire
import EventLog
import Glibc
import System

/// Our own log: the segments of a directory, those alone that can hold what is asked for.
final class OwnLog: LineStream {
  private let directory: String
  private var selection: Selection
  private var prefilter: LinePrefilter?
  private let isReversed: Bool
  private let complain: (String) -> Void
  /// What is still to be read, the next one last. Nil before the first time.
  private var segments: [(segment: Segment, source: LineSource?)]?
  private var current: SegmentScan?
  /// The segment behind the time that is asked for. It begins with the gaps that reach into it, so no more of it is read than a block.
  private var afterwards: String?

  /// How much earlier than its segment's first line a line can be, and how much later than the next one's. Lines stand in the order in which
  /// their events ended and have the time at which they began: a system call can wait (for a FIFO's other end), a clock can be put right.
  static let slackMs: Int64 = 600_000
  /// So many unreadable lines of a log are named; all are counted.
  private static let placeLimit = 5
  private var named = 0

  init(_ directory: String, _ selection: Selection, isReversed: Bool, complain: @escaping (String) -> Void) {
    self.directory = directory
    self.selection = selection
    prefilter = selection.needsEveryLine ? nil : LinePrefilter(selection.filter)
    self.isReversed = isReversed
    self.complain = complain
  }

  func more(_ matches: inout Matches, _ outcome: inout Outcome) -> Bool {
    do throws(Failure) {
      if segments == nil { segments = try wanted() }
    } catch {
      segments = []
      report(error, &outcome)
    }
    // A block at a time; backwards a segment at a time, because its end is only known when it has been read. The life of a file is told
    // forwards, and is short.
    repeat {
      if current == nil {
        guard let (segment, source) = segments?.popLast() else { return false }
        open(segment, source, &outcome)
      }
      readBlock(&matches, &outcome)
    } while isReversed && (current != nil || selection.needsEveryLine)
    return true
  }

  private func wanted() throws(Failure) -> [(segment: Segment, source: LineSource?)] {
    do throws(SystemError) {
      let listed = try list()
      if !listed.isEmpty { return inTime(listed) }
    } catch {
      let advice =
        error.code == .noSuchFileOrDirectory
        ? "start `fsaudit run`, or name the log with --log" : error.code == .notDirectory ? "--log takes the log's directory" : ""
      throw error.failure(advice: advice)
    }
    // whoever names the directory above gets told, not that nothing has happened
    let below = ((try? directoryEntries(directory)) ?? []).sorted().map { directory + "/" + $0 }
      .filter { (try? SegmentSet(directory: $0))?.segments.isEmpty == false }
    let shown = below.prefix(3).map { "--log \(printable($0))" }.joined(separator: " ")
    throw Failure(
      "\(printable(directory)): no log in this directory",
      advice: below.isEmpty
        ? "start `fsaudit run`, or name the log with --log, auditd's with --audit-log"
        : "name the logs below it: \(shown)\(below.count > 3 ? " and \(below.count - 3) more" : "")",
      exit: .inputOutput)
  }

  /// The segments, in their order.
  private func list() throws(SystemError) -> [(segment: Segment, source: LineSource?)] {
    // First, so that what is renamed from now on is still read, once.
    var live: LineSource?
    do throws(SystemError) {
      live = try LineSource(path: directory + "/" + SegmentName.live, isCompressed: false)
    } catch  where error.code == .noSuchFileOrDirectory {
    }
    var list = try SegmentSet(directory: directory).segments
    if let live, let place = list.firstIndex(where: { $0.inode == live.inode }) {
      list.removeSubrange((place + 1)...)
    } else {
      list.removeAll(where: \.isLive)
      live = nil
    }
    return list.map { ($0, $0.inode == live?.inode ? live : nil) }
  }

  /// Those that the time asked for may be in, the first to be read last.
  private func inTime(_ list: [(segment: Segment, source: LineSource?)]) -> [(segment: Segment, source: LineSource?)] {
    var result: [(segment: Segment, source: LineSource?)] = []
    for (place, (segment, source)) in list.enumerated() {
      let next = place + 1 < list.count ? list[place + 1].segment.name?.timeMs : nil
      let isAfter = afterwards == nil && !segment.isLive && isBehind(segment.name?.timeMs)
      if isAfter { afterwards = segment.path }
      if isAfter || mayHold(from: segment.name?.timeMs, to: next) { result.append((segment, source)) }
    }
    return isReversed && !selection.needsEveryLine ? result : result.reversed()
  }

  /// Whether a segment may hold lines of the time that is asked for. The times are of its first line and of the next one's; nil where unknown.
  private func mayHold(from first: Int64?, to next: Int64?) -> Bool {
    if isBehind(first) { return false }
    if let next, let since = selection.filter.sinceMs, next + Self.slackMs < since { return false }
    return true
  }

  /// Whether a segment that begins then is too late.
  private func isBehind(_ first: Int64?) -> Bool {
    if let first, let until = selection.filter.untilMs { return first - Self.slackMs > until }
    return false
  }

  private func open(_ segment: Segment, _ source: LineSource?, _ outcome: inout Outcome) {
    do throws(SystemError) {
      let bytes: LineSource
      if let source { bytes = source } else { bytes = try LineSource(segment) }
      current = SegmentScan(bytes, segment)
    } catch  where error.code == .noSuchFileOrDirectory {
      // retention has deleted it meanwhile
    } catch { report(error.failure(), &outcome) }
  }

  private func readBlock(_ matches: inout Matches, _ outcome: inout Outcome) {
    guard let scan = current else { return }
    do throws(SystemError) {
      if try !scan.readBlock() || scan.path == afterwards { current = nil }
    } catch {
      current = nil
      report(error.failure(advice: error.code == .badMessage ? "the segment is damaged: what was read before it is shown" : ""), &outcome)
    }
    let refused = Self.judge(scan, &selection, &prefilter, &matches)
    // only its gaps were asked for
    if scan.path == afterwards { return }
    outcome.corrupt += refused.count
    outcome.tooLong += scan.takeTooLong()
    for line in refused.prefix(max(0, Self.placeLimit - named)) {
      complain("fsaudit: \(printable(scan.path)):\(line): no line of the log, or a damaged one")
      named += 1
    }
  }

  /// Adds the lines of the block that match. (Static, so that nothing is looked up through the object for every line.)
  /// - Returns: the numbers of those that are none.
  private static func judge(
    _ scan: SegmentScan, _ selection: inout Selection, _ prefilter: inout LinePrefilter?, _ matches: inout Matches
  ) -> [Int] {
    prefilter?.restart()
    var refused: [Int] = []
    let filter = selection.filter
    let isTimed = !selection.needsEveryLine && (filter.sinceMs != nil || filter.untilMs != nil)
    let keyMatch = selection.needsEveryLine ? nil : KeyMatch(filter)
    let isUnchecked = selection.isUnchecked && filter.isAboutTimeOnly && !selection.needsEveryLine
    scan.eachLine { block, range, isTorn in
      let line = UnsafeRawBufferPointer(rebasing: block[range]).bytes
      // a line as our encoder writes it, that cannot be wanted: all but its ends is passed over
      if !isTorn, looksWhole(line) {
        if prefilter?.occurs(in: block, line: range) == false { return }
        let time = isTimed || isUnchecked || keyMatch != nil ? startTime(line) : nil
        if isTimed, let time, !filter.covers(time), !selection.isByPlace || time >= selection.newestMs,
          time <= filter.untilMs ?? .max || !isGapLine(line)
        {
          selection.newestMs = time
          return
        }
        if isTimed, let time { selection.newestMs = max(selection.newestMs, time) }
        if let time, isUnchecked || keyMatch?.holds(in: UnsafeRawBufferPointer(rebasing: block[range])) == true {
          return matches.add(line, timeMs: time, isGap: false)
        }
      }
      guard !isTorn, let verdict = selection.verdict(on: line) else {
        refused.append(scan.lineNumber)
        return
      }
      if verdict != .no { matches.add(line, timeMs: selection.line.timeMs ?? 0, isGap: verdict == .gap) }
    }
    return refused
  }

  private func report(_ failure: Failure, _ outcome: inout Outcome) {
    complain("fsaudit: \(failure)")
    outcome.fault = outcome.fault ?? failure.exit
  }
}

/// Whether the line begins and ends as our encoder has it.
@inline(__always)
private func looksWhole(_ line: RawSpan) -> Bool {
  let count = line.byteCount
  return count > 42 && line.word(unchecked: 0) == Swar.literal("{\"@times") && line.word(unchecked: 7) == Swar.literal("stamp\":\"")
    && line.byte(count &- 1) == UInt8(ascii: "}") && line.byte(count &- 2) == UInt8(ascii: "}")
}

/// Whether a line that ``looksWhole(_:)`` is a gap's, as our encoder has it: nothing that comes from outside stands before that.
private func isGapLine(_ line: RawSpan) -> Bool { line.hasPrefix("\"event\":{\"kind\":\"pipeline_error\"", at: 41) }

/// The time of a line that ``looksWhole(_:)``.
private func startTime(_ line: RawSpan) -> Int64? {
  line.byte(39) == UInt8(ascii: "\"") ? instant(isoUTC: line.extracting(15..<39)) : nil
}
