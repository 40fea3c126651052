import ArgumentParser
import Daemon
import EventLog
import Glibc
import LogQuery
import System

/// Which logs are asked, of every command that reads whole logs.
struct LogSources: ParsableArguments {
  @Option(
    name: .customLong("log"), help: ArgumentHelp("A directory of the daemon's log (default: \(LogPolicy().directory)).", valueName: "dir"))
  var logs: [String] = []

  @Option(name: .customLong("audit-log"), parsing: .upToNextOption, help: ArgumentHelp("Logs of auditd.", valueName: "file"))
  var auditLogs: [String] = []

  /// Whether only auditd's logs are read.
  var isOfAuditd: Bool { logs.isEmpty && !auditLogs.isEmpty }

  func sources() throws(Failure) -> [Source] {
    let directories = logs.isEmpty && auditLogs.isEmpty ? [LogPolicy().directory] : logs
    return directories.map { .log(directory: $0) } + (try Source.auditLogs(auditLogs))
  }

  /// Asks the logs; what cannot be read is told on stderr.
  /// - Parameter body: gets whole lines with their `\n`, one at a time unless the question takes blocks.
  func ask(
    _ question: Question, _ filters: FilterOptions, _ body: (_ lines: RawSpan) throws(SystemError) -> Void
  ) throws -> Outcome {
    var question = question
    question.filter = try filters.filter()
    // of processes that are long gone the host knows nothing
    var names = LiveSources.names(Accounts())
    names.process = { _ in [] }
    let query = LogQuery(try sources(), question, names: names, hostName: hostName(), complain: complain)
    let outcome = try query.run(body)
    if outcome.corrupt > 0 { complain("fsaudit: \(outcome.corrupt) lines could not be read: the answer may lack what they held") }
    if outcome.tooLong > 0 { complain("fsaudit: \(outcome.tooLong) lines were too long and were cut: the answer may lack what they held") }
    return outcome
  }
}
