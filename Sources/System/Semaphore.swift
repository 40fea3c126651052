import Glibc

/// Counts what is there for threads that wait for it (sem_overview(7)).
package final class Semaphore: Sendable {
  // sem_t wants a stable address, and its calls are thread-safe by definition
  private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

  package init(_ count: UInt32 = 0) {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, count)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  /// One more is there.
  package func signal() { sem_post(semaphore) }

  /// Takes one; sleeps until there is one.
  package func wait() { while sem_wait(semaphore) == -1 {} }

  /// Takes one, if one comes within that time. (A signal handler ends the wait early.)
  func wait(milliseconds: Int64) -> Bool {
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    let nanoseconds = Int64(until.tv_nsec) + milliseconds % 1000 * 1_000_000
    until.tv_sec += Int(milliseconds / 1000 + nanoseconds / 1_000_000_000)
    until.tv_nsec = Int(nanoseconds % 1_000_000_000)
    return sem_timedwait(semaphore, &until) == 0
  }

  /// Takes one, if one is there.
  func take() -> Bool { sem_trywait(semaphore) == 0 }
}

/// How many processors this process may use.
package func availableProcessors() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

/// This host's name.
package func hostName() -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let start = buffer.baseAddress, gethostname(start, 255) == 0 else { return "localhost" }
    buffer[255] = 0
    return String(cString: start)
  }
}
