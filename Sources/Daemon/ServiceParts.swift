import Glibc
import Logging
import Synchronization
import System
import SystemPackage

/// The daemon's own messages, on stderr in the form that systemd's journal takes apart (sd-daemon(3): `<priority>text`).
struct StderrLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  /// Whether stderr is the journal: it wants the priority in front.
  private let isJournal = getenv("JOURNAL_STREAM") != nil

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let priority =
      switch event.level {
      case .trace, .debug: 7
      case .info: 6
      case .notice: 5
      case .warning: 4
      case .error: 3
      case .critical: 2
      }
    let text = printable("\(event.message)")
    complain(isJournal ? "<\(priority)>\(text)" : "fsaudit: \(text)")
  }
}

/// Set once, seen by all threads.
final class Flag: Sendable {
  private let value = Atomic(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}

/// How many events the writer thread had to give up at the end.
final class Unwritten: Sendable {
  let events = Atomic(0)
}

/// One daemon a runtime directory: flock(2) on a file that holds the pid. The lock goes with the process, however it ends.
struct ProcessLock: ~Copyable {
  private let file: Descriptor

  static func take(_ path: String) throws -> ProcessLock {
    let lock = ProcessLock(file: try Descriptor.open(path, O_RDWR | O_CREAT, mode: 0o644))
    let number = lock.file.raw
    guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
      let holder = (try? contents(of: path, limitBytes: 64)) ?? []
      throw Failure(
        "another fsaudit daemon runs already (pid \(printable(String(decoding: holder, as: UTF8.self))))",
        advice: "stop it first: systemctl stop fsaudit", exit: .kernelRefused)
    }
    ftruncate(number, 0)
    let pid = Array("\(getpid())".utf8)
    _ = pid.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
    return lock
  }
}

extension Duration {
  /// Whole milliseconds, as far as they fit.
  var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
