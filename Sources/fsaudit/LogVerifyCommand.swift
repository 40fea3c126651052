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

      For the log of the settings, the first key is used if it is still on the host, and the daemon's own key tells whether the end was cut off; \
      that there is none is a finding. A copy of a log tells that by an anchor alone. What came after the newest seal, nothing vouches for.

        fsaudit log verify --key /media/usb/web-1.key
        fsaudit log verify --log /mnt/copy --anchor "$(tail -n 1 web-1.seals)"

      In the last object of --json, `proven` is true if nothing speaks against the log and the first key or a kept seal says so (`signed`; \
      `anchored`: up to that seal); with the chain alone it is false, and `findings` 0.

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
    var check = SealCheck(directory: directory, settings: settings)
    check.keys = try key.map(Self.key)
    check.anchors = try anchor.map(Self.anchor)
    var printer = FindingPrinter(json: json)
    let text = try check.run { printer.print($0) }
    try printer.finish(text)
    if !text.isGood { throw ExitCode(ExitStatus.findings.rawValue) }
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
      if place.line > 0 { json.member("line", Int64(place.line)) }
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
