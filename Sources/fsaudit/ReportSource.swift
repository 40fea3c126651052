import ArgumentParser
import AuditStream
import AuditWire
import Daemon
import EventLog
import Glibc
import System
import SystemPackage

/// The logs that a report is made of.
struct ReportSource: ParsableArguments {
  @Option(
    name: .customLong("audit-log"), parsing: .upToNextOption,
    help: ArgumentHelp("Logs of auditd, read as they are, instead of ours; '-' is stdin.", valueName: "file"))
  var auditLog: [String] = []

  @OptionGroup
  var log: LogOptions

  /// Which kind of log it is.
  var origin: ReportOrigin { auditLog.isEmpty ? .log : .auditd }

  /// Gives `body` every line of the log that the filters want, and gaps.
  /// - Returns: what kept it from reading all of the log, which stderr tells more of; nil if nothing did.
  func read(_ filters: FilterOptions, _ body: (RawSpan) -> Void) throws -> ExitStatus? {
    let filter = try filters.filter(auditLog.isEmpty ? .ofTheLog : .ofThisHost)
    var line = LogLine()
    // who wants everything also hears of lines that are none
    let wanted = { (bytes: RawSpan) in if filter.wantsEverything || line.parse(bytes) && filter.verdict(on: line) != .no { body(bytes) } }
    return auditLog.isEmpty ? try readLog(wanted) : try readAuditLogs(wanted)
  }

  private func readLog(_ body: (RawSpan) -> Void) throws -> ExitStatus? {
    if (try? status(of: log.directory)) == nil {
      throw SystemError("lstat", log.directory, .noSuchFileOrDirectory)
        .failure(advice: "start `fsaudit run`, name the log with --log, or auditd's with --audit-log")
    }
    var follower = LogFollower(directory: log.directory)
    do throws(SystemError) {
      try follower.start(last: nil) { _ in
        true
      } _: {
        body($0)
      }
    } catch {
      if error.code == .notDirectory { throw error.failure(advice: "--log takes the log's directory") }
      throw error.failure()
    }
    return nil
  }

  private func readAuditLogs(_ body: (RawSpan) -> Void) throws -> ExitStatus? {
    var source = LogSource(auditLog)
    var conversion = LogConversion(hostName: hostName(), names: LiveSources.names(Accounts()))
    var fault: ExitStatus?
    func give(_ lines: RawSpan) {
      var start = 0
      while let end = lines.firstIndex(of: UInt8(ascii: "\n"), from: start, before: lines.byteCount) {
        body(lines.extracting(start..<end))
        start = end + 1
      }
    }
    var isMore = true
    while isMore {
      do throws(Failure) {
        isMore = try source.read { conversion.add($0) }
      } catch {
        complain("fsaudit: \(error)")
        fault = error.exit
      }
      if !isMore { conversion.finish() }
      try conversion.take(atLeast: isMore ? 1 << 16 : 1) { bytes throws(SystemError) in give(bytes) }
    }
    for place in source.refused.places { complain("fsaudit: \(place): no record of auditd's, or a damaged one") }
    let lost = source.refused.count + source.oversized
    if lost > 0 { complain("fsaudit: \(lost) lines could not be read, or not whole: the report may lack what they held") }
    return fault ?? (lost > 0 ? .inputOutput : nil)
  }
}
