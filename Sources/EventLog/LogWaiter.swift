import Glibc
import System

/// Waits for a log to grow: by inotify, or by looking every 200 ms where there is none (no directory yet, no watches
/// left, a file system of another host).
package final class LogWaiter {
  private let directory: String
  private let poll: Poll
  private var watch: DirectoryWatch?

  private enum Tag: UInt64 { case signal, log, reader }

  /// - Parameter signals: a signalfd; ``wait()`` ends when it can be read.
  package init(directory: String, signals: Int32) throws(SystemError) {
    self.directory = directory
    let poll = try Poll()
    try poll.add(signals, tag: Tag.signal.rawValue)
    // Whether the reader of our output has gone away. A regular file cannot be asked, and needs not be.
    try? poll.add(1, tag: Tag.reader.rawValue, input: false)
    self.poll = poll
    beginWatch()
  }

  private func beginWatch() {
    guard let fresh = try? DirectoryWatch(directory) else { return }
    try? poll.add(fresh.descriptor.raw, tag: Tag.log.rawValue)
    watch = consume fresh
  }

  /// Waits until something may have happened.
  /// - Returns: false when it is time to end: a signal, or nobody reads our output any more.
  package func wait() throws(SystemError) -> Bool {
    var ends = false
    if watch == nil { beginWatch() }
    // With a watch the time is for what it cannot see: events lost, another file system mounted over the directory.
    try poll.wait(milliseconds: watch == nil ? 200 : 1000) { tag, hangUp in
      if tag == Tag.signal.rawValue || tag == Tag.reader.rawValue && hangUp { ends = true }
    }
    if watch?.clear() ?? false { watch = nil }
    return !ends
  }
}
