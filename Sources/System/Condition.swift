import Glibc

/// A wake-up for one sleeping thread: remembered if nobody sleeps, so a signal before the wait is not lost.
package final class Condition: Sendable {
  // sem_t wants a stable address, and its calls are thread-safe by definition (sem_overview(7))
  private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

  package init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  /// Ends the present wait, or the next one.
  package func signal() { sem_post(semaphore) }

  /// Sleeps until ``signal()`` or for that long. Signals that came since the last wait count once.
  /// - Returns: whether there was one.
  @discardableResult
  package func wait(milliseconds: Int64) -> Bool {
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    let nanoseconds = Int64(until.tv_nsec) + milliseconds % 1000 * 1_000_000
    until.tv_sec += Int(milliseconds / 1000 + nanoseconds / 1_000_000_000)
    until.tv_nsec = Int(nanoseconds % 1_000_000_000)
    guard sem_timedwait(semaphore, &until) == 0 else { return false }
    while sem_trywait(semaphore) == 0 {}
    return true
  }
}

/// Sleeps for about that long.
package func pause(microseconds: UInt32) { usleep(microseconds) }
