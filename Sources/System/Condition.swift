import Glibc

/// A wake-up for one sleeping thread: remembered if nobody sleeps, so a signal before the wait is not lost.
package final class Condition: Sendable {
  private let signals = Semaphore()

  package init() {}

  /// Ends the present wait, or the next one.
  package func signal() { signals.signal() }

  /// Sleeps until ``signal()`` or for that long. Signals that came since the last wait count once.
  /// - Returns: whether there was one.
  @discardableResult
  package func wait(milliseconds: Int64) -> Bool {
    guard signals.wait(milliseconds: milliseconds) else { return false }
    while signals.take() {}
    return true
  }
}

/// Sleeps for about that long.
package func pause(microseconds: UInt32) { usleep(microseconds) }
