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
}

/// How many processors this process may use.
package func availableProcessors() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
