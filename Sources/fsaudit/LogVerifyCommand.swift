import ArgumentParser
import EventLog
import Glibc
import Settings
import System

/// `fsaudit log verify`: is the log as it was written?
struct LogVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Find out whether the log is as it was written.",
    usage: "fsaudit log verify [--key <file>] [--anchor <seal>] [--log <dir>] [--json]",
    discussion: """
      Reads all segments, plain, compressed and the one that is being written, and names each line that was changed, added, removed or moved, as \
      exactly as the seals tell. How much that proves depends on what is given:

        with the first key (--key)      nobody has changed what was sealed before the host was taken over, even as root
        with a kept seal (--anchor)     nobody has changed what was there when it was kept, even as root with the key
        with neither                    nobody has changed the log who did not make the seals anew, too: root can

      For the log of the settings, the first key is used if it is still on the host, and the daemon's own key tells whether the end was cut off. \
      A copy of a log tells that by an anchor alone. What came after the newest seal, nothing vouches for.

        fsaudit log verify --key /media/usb/web-1.key
        fsaudit log verify --log /mnt/copy --key web-1.key --anchor "$(tail -n 1 web-1.seals)" --json

      Exit status: 0 nothing speaks against the log, and the text says what proves that; 1 it is not, or has no seals; 2 a key or an anchor is malformed; \
      3 not permitted; 5 it cannot be read.
      """)

  @OptionGroup
  var log: SealedLogOptions

  @Option(help: ArgumentHelp("The first key, as `fsaudit log key` printed it. May be given several times.", valueName: "file"))
  var key: [String] = []

  @Option(help: ArgumentHelp("A seal that was kept, as `fsaudit log seal` printed it. May be given several times.", valueName: "seal"))
  var anchor: [String] = []

  @Flag(help: "One JSON object for each finding, then one for the whole.")
  var json = false

  func run() throws {
    let settings = try log.settings()
    let directory = try log.directory(settings)
    var keys = try key.map(Self.key)
    let anchors = try anchor.map(Self.anchor)
    // The host's own keys tell about the host's own log alone.
    let isOwn = directory == settings.log.directory
    let state = settings.daemon.stateDirectory
    let isKeyHere = isOwn && keys.isEmpty
    if isKeyHere, let own = try? SealKeyFile.initialKey(in: state) { keys = [own] }
    // Before the log is read: what it has by now must be in it.
    let next = isOwn ? try? SealKeyFile.key(in: state) : nil
    let isRunning = isOwn && (try? LocalSocket.ask("\(settings.daemon.runtimeDirectory)/control", seconds: 2)) != nil

    var verifier = SealVerifier(keys: keys, anchors: anchors)
    var printer = FindingPrinter(json: json)
    try SealedLog(directory: directory).verify(with: &verifier, next: next) { printer.print($0) }
    let text = SealText(
      report: verifier.report, directory: directory, knowsEnd: next != nil, isRunning: isRunning, isKeyHere: isKeyHere && !keys.isEmpty)
    try printer.finish(text)
    if !text.isProven { throw ExitCode(ExitStatus.findings.rawValue) }
  }

  private static func key(_ path: String) throws -> SealKey {
    let bytes: [UInt8]
    do { bytes = try contents(of: path, limitBytes: 4096) } catch { throw error.failure(advice: "--key takes the file with the first key") }
    guard let key = SealKey(text: String(decoding: bytes, as: UTF8.self)) else {
      throw Failure("--key \(printable(path)) holds no key of a seal", advice: "give what `fsaudit log key` printed", exit: .usage)
    }
    return key
  }

  private static func anchor(_ text: String) throws -> SealAnchor {
    guard let anchor = SealAnchor(text: text) else {
      throw Failure("--anchor \(printable(text)) is no seal", advice: "give what `fsaudit log seal` printed", exit: .usage)
    }
    return anchor
  }
}

/// Prints findings as they come.
private struct FindingPrinter {
  let json: Bool
  private var output = Output()
  private var fault: SystemError?

  init(json: Bool) { self.json = json }

  mutating func print(_ finding: SealFinding) {
    line(json ? finding.json : [UInt8](printable(finding.description).utf8))
  }

  mutating func finish(_ text: SealText) throws(SystemError) {
    if json {
      line(text.json)
    } else {
      for row in text.rows { line([UInt8](printable(row).utf8)) }
    }
    if let fault { throw fault }
    try output.flush()
  }

  private mutating func line(_ bytes: [UInt8]) {
    do throws(SystemError) { try output.line(bytes.span.bytes) } catch { fault = fault ?? error }
  }
}

extension SealFinding {
  fileprivate var json: [UInt8] {
    var json = JSONWriter()
    json.raw("{\"finding\":")
    json.string(kind.rawValue)
    for (name, place) in [("first", place), ("last", end)] {
      json.raw(",")
      json.string(name)
      json.raw(":{\"file\":")
      json.string(place.file)
      json.raw(",\"line\":")
      json.integer(place.line)
      json.raw("}")
    }
    if let seal {
      json.raw(",\"seal\":")
      json.integer(seal)
    }
    json.raw(",\"message\":")
    json.string(message)
    json.raw("}")
    return json.bytes
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
  var isProven: Bool { report.findings == 0 && report.seals > 0 }

  var rows: [String] {
    guard let first = report.firstNumber, let last = report.lastNumber else {
      return ["\(directory): NOT SEALED: \(count(report.lines, "line")), and no seal among them"]
    }
    var rows = [
      "\(directory): \(isProven ? good : "BROKEN, \(count(Int64(report.findings), "finding"))"): \(count(report.lines, "line")), "
        + "seals \(first) to \(last), the newest of \(time(report.lastTimeMs))"
    ]
    rows.append("  by: \(basis)")
    if report.linesBefore > 0 { rows.append("  not sealed: \(count(report.linesBefore, "line")) from before the first seal") }
    if first > 0 {
      rows.append("  older segments are gone, with the seals up to \(first - 1): by the limits of retention, or by somebody's hand")
    }
    if report.linesAfter + Int64(report.unfinishedBytes) > 0 { rows.append("  " + end) }
    if !knowsEnd && (report.anchored ?? -1) < last {
      rows.append("  whether the end was cut off after seal \(last), only the daemon's host or a newer kept seal can tell")
    }
    return rows
  }

  private var good: String { report.isSigned || report.anchored != nil ? "as it was written" : "no change found" }

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
    return isRunning
      ? "not sealed yet: \(what) at the end: the log is being written"
      : "not sealed: \(what) at the end: the log's last run was ended by force, or is not of this host; the next start seals it"
  }

  private func count(_ number: Int64, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

  private func time(_ milliseconds: Int64) -> String {
    var json = JSONWriter()
    json.timestamp(milliseconds: milliseconds)
    return String(decoding: json.bytes.dropFirst().dropLast(), as: UTF8.self)
  }

  var json: [UInt8] {
    var json = JSONWriter()
    json.raw("{\"proven\":")
    json.raw(isProven ? "true" : "false")
    json.raw(",\"log\":")
    json.string(directory)
    json.raw(report.isSigned ? ",\"signed\":true" : ",\"signed\":false")
    json.raw(knowsEnd ? ",\"end_known\":true" : ",\"end_known\":false")
    json.raw(isRunning ? ",\"running\":true" : ",\"running\":false")
    if let chain = report.chain {
      json.raw(",\"chain\":")
      json.string(chain)
      json.raw(",\"newest\":{\"time\":")
      json.timestamp(milliseconds: report.lastTimeMs)
      json.raw(",\"seal\":")
      json.string(SealAnchor(chain: chain, number: report.lastNumber ?? 0, hash: report.lastHash).text)
      json.raw("}")
    }
    let numbers: [(String, Int64?)] = [
      ("findings", Int64(report.findings)), ("lines", report.lines), ("seals", report.seals), ("first_seal", report.firstNumber),
      ("last_seal", report.lastNumber), ("anchored", report.anchored), ("lines_before", report.linesBefore),
      ("lines_after", report.linesAfter), ("unfinished_bytes", Int64(report.unfinishedBytes)),
    ]
    for (name, number) in numbers {
      guard let number else { continue }
      json.raw(",")
      json.string(name)
      json.raw(":")
      json.integer(number)
    }
    json.raw("}")
    return json.bytes
  }
}
