import CLinux
import Glibc
import SystemPackage

/// A thread that can be waited for. Signals stay blocked in it if they were blocked where it was started.
package struct Thread: ~Copyable, Sendable {
  private nonisolated(unsafe) var handle: pthread_t

  private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void
    init(_ name: String, _ run: @escaping @Sendable () -> Void) { (self.name, self.run) = (name, run) }
  }

  /// Starts `body`. `name` (at most 15 bytes) shows in ps and top.
  package init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let argument = Unmanaged.passRetained(Body(name, body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer else { return nil }
        let body = Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue()
        linux_name_thread(body.name)
        body.run()
        return nil
      }, argument.toOpaque())
    if code != 0 {
      argument.release()
      throw SystemError("pthread_create", name, Errno(rawValue: code))
    }
    handle = thread
  }

  /// Waits until the thread has ended.
  package consuming func join() { pthread_join(handle, nil) }
}

/// Carries a value that cannot be copied into a thread's body, once.
package final class Handoff<Value: ~Copyable>: @unchecked Sendable {
  // written before the thread starts, taken by that thread alone
  private var value: Value?

  package init(_ value: consuming Value) { self.value = consume value }

  /// The value; nil the second time.
  package func take() -> Value? {
    var taken: Value? = nil
    swap(&taken, &value)
    return taken
  }
}
