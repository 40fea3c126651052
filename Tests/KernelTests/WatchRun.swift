import Glibc
import TestSupport
import Testing

/// `fsaudit watch`, started and watching.
final class WatchRun {
  let program: RunningProgram

  init(_ arguments: [String], output: Int32? = nil) throws {
    program = try RunningProgram(fsauditBinary, ["watch"] + arguments, output: output)
    let isUp = try program.wait(seconds: 20) { try messages().contains("fsaudit: watching ") || !program.isRunning() }
    let said = try messages()
    try #require(isUp && program.isRunning(), "watch does not start: \(said)")
  }

  func messages() throws -> String { String(decoding: try program.errors(), as: UTF8.self) }

  /// Waits until its output holds `text`.
  func wait(for text: String, seconds: Int = 10) throws {
    let isThere = program.wait(seconds: seconds) { (try? program.output().contains(Array(text.utf8))) ?? false }
    let shown = String(decoding: try program.output(), as: UTF8.self)
    try #require(isThere, "\(text) does not appear: \(shown)")
  }

  /// Ends it by a signal and returns what it wrote.
  func stop(_ signal: Int32 = SIGINT) throws -> ProgramResult {
    program.signal(signal)
    return try program.wait(seconds: 10)
  }
}
