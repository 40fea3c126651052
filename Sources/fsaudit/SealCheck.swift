import EventLog
import Settings
import System

/// Verifies the seals of one log.
struct SealCheck {
  let directory: String
  let settings: Settings
  /// Keys that somebody has kept, and seals.
  var keys: [SealKey] = []
  var anchors: [SealAnchor] = []

  /// Reads the whole log; `each` gets what is wrong as it is found.
  func run(_ each: (SealFinding) -> Void) throws -> SealText {
    // The host's own keys tell about the host's own log alone, by whatever name.
    let place = PathIdentity(path: Array(directory.utf8))
    let isOwn = place != nil && place == PathIdentity(path: Array(settings.log.directory.utf8))
    let state = settings.daemon.stateDirectory
    var keys = keys
    let isKeyHere = isOwn && keys.isEmpty
    if isKeyHere, let own = try? SealKeyFile.initialKey(in: state) { keys = [own] }
    // Before the log is read: what it has by now must be in it.
    let next = isOwn ? SealKeyFile.kept(in: state) : .unknown
    let isRunning = isOwn && (try? LocalSocket.ask("\(settings.daemon.runtimeDirectory)/control", seconds: 2)) != nil
    var verifier = SealVerifier(keys: keys, anchors: anchors)
    try SealedLog(directory: directory).verify(with: &verifier, next: next, each)
    var knowsEnd = false
    if case .key = next { knowsEnd = true }
    return SealText(
      report: verifier.report, directory: directory, knowsEnd: knowsEnd, isRunning: isRunning, isKeyHere: isKeyHere && !keys.isEmpty)
  }
}

/// The answer, after the findings.
struct SealText {
  let report: SealReport
  let directory: String
  /// Whether it is known how many seals there have been.
  let knowsEnd: Bool
  let isRunning: Bool
  /// Whether the first key is still on the host.
  let isKeyHere: Bool

  /// Whether there is a chain of seals, and nothing against it.
  var isGood: Bool { report.findings == 0 && report.seals > 0 }
  /// Whether that is proven by more than the chain, which root can make anew.
  private var isProven: Bool { isGood && (report.isSigned || report.anchored != nil) }

  var rows: [String] {
    guard let first = report.firstNumber, let last = report.lastNumber else {
      return ["\(directory): NOT SEALED: \(count(report.lines, "line")), and no seal among them"]
    }
    var rows = [
      "\(directory): \(isProven ? "as it was written" : isGood ? "no change found" : "BROKEN, \(count(Int64(report.findings), "finding"))"): \(count(report.lines, "line")), "
        + "seals \(first) to \(last), the newest of \(isoUTC(milliseconds: report.lastTimeMs))"
    ]
    rows.append("  by: \(basis)")
    if report.linesBefore > 0 { rows.append("  not sealed: \(count(report.linesBefore, "line")) from before the first seal") }
    if first > 0 {
      rows.append("  older segments are gone, with the seals up to \(first - 1): by the limits of retention, or by somebody's hand")
    }
    if report.adoptions > 0 {
      let seals = report.adoptedBy.map(String.init).joined(separator: ", ")
      let more = report.adoptions - report.adoptedBy.count
      rows.append(
        "  sealed as found: \(count(report.linesAdopted, "line")) that runs ended by force had left, by the next start's seal: \(seals)"
          + (more > 0 ? " and \(more) more" : ""))
    }
    if report.linesAfter + Int64(report.unfinishedBytes) > 0 { rows.append("  " + end) }
    if !knowsEnd && (report.anchored ?? -1) < last {
      rows.append("  whether the end was cut off after seal \(last), only the daemon's host or a newer kept seal can tell")
    }
    return rows
  }

  private var basis: String {
    var parts: [String] = []
    if report.isSigned {
      parts.append(isKeyHere ? "its first key, which is still on this host: take it away with `fsaudit log key`" : "its first key")
    }
    if let anchored = report.anchored { parts.append("the kept seal \(anchored), up to there") }
    return parts.isEmpty
      ? "the chain alone, which root can make anew: give the first key (--key) or a kept seal (--anchor)" : parts.joined(separator: "; ")
  }

  private var end: String {
    let what = report.linesAfter > 0 ? count(report.linesAfter, "line") : "the beginning of a line"
    if report.isClosed && report.linesAfter > 0 { return "not sealed: \(what) at the end, behind the seal that closed the log" }
    return isRunning
      ? "not sealed yet: \(what) at the end: the log is being written"
      : "not sealed: \(what) at the end: the log's last run was ended by force, or is not of this host; the next start seals it"
  }

  private func count(_ number: Int64, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

  var json: [UInt8] {
    var json = JSONWriter()
    json.raw("{\"proven\":")
    json.raw(isProven ? "true" : "false")
    json.raw(",\"log\":")
    json.string(directory)
    json.member("signed", report.isSigned)
    json.member("end_known", knowsEnd)
    json.member("running", isRunning)
    if let chain = report.chain {
      json.member("chain", chain)
      json.raw(",\"newest\":{\"time\":")
      json.timestamp(milliseconds: report.lastTimeMs)
      json.member("seal", SealAnchor(chain: chain, number: report.lastNumber ?? 0, hash: report.lastHash).text)
      json.raw("}")
    }
    json.member("findings", Int64(report.findings))
    json.member("lines", report.lines)
    json.member("seals", report.seals)
    json.member("first_seal", report.firstNumber)
    json.member("last_seal", report.lastNumber)
    json.member("anchored", report.anchored)
    json.member("lines_before", report.linesBefore)
    json.member("lines_after", report.linesAfter)
    json.member("lines_adopted", report.linesAdopted)
    json.raw(",\"adopted_by\":[")
    for (index, number) in report.adoptedBy.enumerated() {
      if index > 0 { json.raw(",") }
      json.integer(number)
    }
    json.raw("]")
    json.member("unfinished_bytes", Int64(report.unfinishedBytes))
    json.raw("}")
    return json.bytes
  }
}
