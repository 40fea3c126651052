import AuditWire
import EventLog
import Glibc
import Synchronization
import System

/// Where `watch` shows its lines. Used by one thread.
package protocol LineSink: Sendable {
  /// Takes a line of native JSON, without its newline.
  mutating func print(_ line: RawSpan) throws(SystemError)
  /// Nothing more is waiting: what has been taken is to be seen.
  mutating func flush() throws(SystemError)
}

/// A thread that prints: stdout may be a pipe that nobody reads, and who waits for it can neither read the kernel's records nor end.
final class PrinterThread: Sendable {
  /// Where the lines come from; closed by ``finish()``.
  let queue: BatchQueue
  /// Readable once printing has ended by itself.
  let ended: Wakeup
  private let outcome = Mutex<Result<Void, SystemError>?>(nil)
  private let done = Condition()

  init(_ sink: some LineSink) throws {
    queue = try BatchQueue()
    ended = try Wakeup()
    // not joined: where it is stuck, it goes with the process
    _ = try Thread("printer") { [self] in
      var sink = sink
      let result = Result { () throws(SystemError) in try printLines(to: &sink) }
      outcome.withLock { $0 = result }
      ended.signal()
      done.signal()
    }
  }

  private func printLines(to sink: inout some LineSink) throws(SystemError) {
    var batch = Batch()
    while true {
      switch try queue.take(into: &batch, waitMs: 1000) {
      case .closed: return
      case .nothing: continue
      case .batch:
        let all = batch.bytes.span.bytes
        var start = 0
        while let end = all.firstIndex(of: UInt8(ascii: "\n"), from: start, before: all.byteCount) {
          try sink.print(all.extracting(start..<end))
          start = end + 1
        }
        try sink.flush()
      }
    }
  }

  /// No more lines come. What waits is printed, but a reader that does not read is not waited for.
  /// - Throws: what went wrong with printing.
  func finish() throws {
    queue.close(deadlineMs: 0)
    if outcome.withLock({ $0 == nil }) { done.wait(milliseconds: 1000) }
    guard let result = outcome.withLock({ $0 }) else {
      complain("fsaudit: the last lines were not shown: nobody reads them")
      return
    }
    try result.get()
  }
}
