import AuditControl
import AuditEvents
import AuditWire
import CFuzzer
import Daemon
import EventLog
import FileChanges
import Glibc
import Settings
import System

/// `fuzz TARGET [libFuzzer's arguments]`: hostile bytes into what reads them. A trap, a hang or a broken promise is a finding.
@main
enum Fuzz {
  private static let targets: [String: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32] = [
    "settings": { data, count in
      settings(Array(UnsafeBufferPointer(start: data, count: count)))
      return 0
    },
    "rules": { data, count in
      rules(Array(UnsafeBufferPointer(start: data, count: count)))
      return 0
    },
    "events": { data, count in
      events(Array(UnsafeBufferPointer(start: data, count: count)))
      return 0
    },
  ]

  static func main() {
    guard CommandLine.argc > 1, let target = targets[CommandLine.arguments[1]] else {
      complain("usage: fuzz \(targets.keys.sorted().joined(separator: "|")) [libFuzzer's arguments]")
      return
    }
    // libFuzzer does not know the first argument; it skips its own name, which this one becomes.
    var count = CommandLine.argc - 1
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
    LLVMFuzzerRunDriver(&count, &arguments, target)
  }

  /// precondition(_:_:) would not say its message in a release build.
  private static func promise(_ holds: Bool, _ message: @autoclosure () -> String) {
    if !holds { broken(message()) }
  }

  private static func broken(_ message: String) -> Never {
    complain("broken promise: \(message)")
    abort()
  }

  /// A settings file is accepted, or refused with a message that names it.
  private static func settings(_ bytes: [UInt8]) {
    do { _ = try Settings.parse(bytes, file: "f") } catch let failure as Failure {
      promise(failure.message.hasPrefix("f:") && failure.exit == .usage, "\(failure)")
      promise(printable(failure.description) == failure.description, "control bytes in a message")
    } catch {
      broken("\(error)")
    }
  }

  /// A rule that was read and printed is read as the same rule again.
  private static func rules(_ bytes: [UInt8]) {
    let anywhere = PathResolver { path in path.contains(UInt8(ascii: "d")) ? .directory(path) : .file(path) }
    for line in RuleFile.parse(bytes, file: "f", paths: anywhere) {
      switch line.content {
      case .failure(let failure): promise(printable(failure.description) == failure.description, "control bytes in a message")
      case .success(let parsed):
        for rule in parsed.rules where rule.isLoadable {
          let again = RuleFile.parse(rule.line, file: "f", paths: anywhere).first
          guard case .success(let second)? = again?.content, second.rules == [rule] else {
            broken("printed as \(rule) and read as \(String(describing: again?.content))")
          }
        }
      }
    }
  }

  /// Whatever the kernel or a log file says, what comes out is whole JSON lines of bounded length.
  private static func events(_ bytes: [UInt8]) {
    var pipeline = Pipeline(
      assembler: Assembler(limits: Assembler.Limits(), endsAtProctitle: false), interpreter: Interpreter(),
      encoder: NativeEncoder(hostName: "h"))
    var now: Int64 = 0
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let text = Array(line)
      let whole = text.span.bytes
      now += 1
      if let prefix = LinePrefix(whole) {
        pipeline.add(
          type: prefix.type, text: whole.extracting(prefix.headerStart..<whole.byteCount),
          node: whole.extracting(Int(prefix.node.start)..<prefix.node.end), now: now)
      } else {
        // As the kernel sends it: the type apart.
        pipeline.add(type: .syscall, text: whole, node: whole.extracting(0..<0), now: now)
      }
    }
    pipeline.expire(now: now + 1000)
    pipeline.finish()
    let lines = pipeline.encoder.lines.bytes
    promise(lines.isEmpty || lines.last == UInt8(ascii: "\n"), "the last line is not whole")
    var parsed = LogLine()
    for line in lines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      promise(line.count <= NativeEncoder.lineLimitBytes, "a line of \(line.count) bytes")
      promise(parsed.parse(line.span.bytes), "not a JSON object: \(printable(String(decoding: line, as: UTF8.self)))")
    }
  }
}
