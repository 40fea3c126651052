import CLinux
import Glibc
import SystemPackage

/// epoll(7), level-triggered: which of the registered descriptors can be read now.
package struct Poll: ~Copyable, Sendable {
  private let epoll: Descriptor

  package init() throws(SystemError) {
    epoll = Descriptor(adopting: try call("epoll_create1", "epoll") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
  }

  /// Watches `descriptor` for input (and, always, for errors and hang-ups); `tag` comes back from ``wait``.
  /// - Parameter input: false to hear of errors and hang-ups alone (a pipe's reader going away; a change of /proc/self/mountinfo, which
  ///   is told once).
  package borrowing func add(_ descriptor: Int32, tag: UInt64, input: Bool = true) throws(SystemError) {
    var event = epoll_event()
    event.events = input ? EPOLLIN.rawValue : 0
    event.data.u64 = tag
    let number = epoll.raw
    try call("epoll_ctl", "descriptor \(descriptor)") { epoll_ctl(number, EPOLL_CTL_ADD, descriptor, &event) }
  }

  /// Stops watching `descriptor`.
  package borrowing func remove(_ descriptor: Int32) throws(SystemError) {
    var event = epoll_event()
    let number = epoll.raw
    try call("epoll_ctl", "descriptor \(descriptor)") { epoll_ctl(number, EPOLL_CTL_DEL, descriptor, &event) }
  }

  /// Waits until something is ready; `milliseconds` -1 waits for ever. Calls `body` with each ready tag.
  /// An interrupted wait returns without calling it.
  package borrowing func wait(milliseconds: Int32, _ body: (_ tag: UInt64, _ hangUp: Bool) -> Void) throws(SystemError) {
    let number = epoll.raw
    let outcome: Result<Int32, SystemError> = withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 16) { events in
      let count = epoll_wait(number, events.baseAddress, 16, milliseconds)
      if count < 0 { return errno == EINTR ? .success(0) : .failure(SystemError("epoll_wait", "epoll", Errno(rawValue: errno))) }
      for event in events.prefix(Int(count)) {
        body(event.data.u64, event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0)
      }
      return .success(count)
    }
    _ = try outcome.get()
  }
}

/// signalfd(2): signals as something to read. They are blocked for the calling thread and for every thread that it
/// starts afterwards, so make it before the first thread.
package struct Signals: ~Copyable, Sendable {
  package let descriptor: Descriptor

  package init(_ numbers: [Int32]) throws(SystemError) {
    var set = sigset_t()
    sigemptyset(&set)
    for number in numbers {
      sigaddset(&set, number)
      // an ignored signal is discarded even where it is blocked; a shell starts background jobs with SIGINT ignored
      signal(number, SIG_DFL)
    }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    descriptor = Descriptor(adopting: try call("signalfd", "signals") { signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK)) })
  }

  /// The next pending signal's number, or nil.
  package borrowing func next() -> Int32? {
    var info = signalfd_siginfo()
    let wanted = MemoryLayout<signalfd_siginfo>.size
    return Glibc.read(descriptor.raw, &info, wanted) == wanted ? Int32(truncatingIfNeeded: info.ssi_signo) : nil
  }
}

/// eventfd(2): one thread wakes another that sleeps in ``Poll/wait(milliseconds:_:)``.
package struct Wakeup: ~Copyable, Sendable {
  package let descriptor: Descriptor

  package init() throws(SystemError) {
    descriptor = Descriptor(adopting: try call("eventfd", "eventfd") { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) })
  }

  /// Makes the descriptor readable. Cannot block: a counter that is already full is readable as well.
  package borrowing func signal() {
    var one: UInt64 = 1
    _ = Glibc.write(descriptor.raw, &one, 8)
  }

  /// Makes it unreadable again.
  package borrowing func clear() {
    var count: UInt64 = 0
    _ = Glibc.read(descriptor.raw, &count, 8)
  }
}

/// A clock reading in milliseconds: `CLOCK_REALTIME` counts from 1970, `CLOCK_MONOTONIC` from the boot.
package func milliseconds(_ clock: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
