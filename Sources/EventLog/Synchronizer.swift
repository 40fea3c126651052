import Glibc
import Synchronization
import System

/// What is to be forced to the disk, in this order: lines, the key that follows their seals, names in the log's directory.
/// Used by one thread at a time.
final class SyncWork: @unchecked Sendable {
  private let file: LiveFile
  /// What is lost if the lines cannot be forced; nil if there are none.
  let lines: BatchSpan?
  private let key: (file: SealKeyFile, key: SealKey)?
  private let directory: String?
  private(set) var linesFault: SystemError?
  private(set) var keyFault: SystemError?

  init(_ file: LiveFile, lines: BatchSpan?, key: (SealKeyFile, SealKey)?, directory: String?) {
    self.file = file
    self.lines = lines
    self.key = key
    self.directory = directory
  }

  var storesKey: Bool { key != nil }

  /// Does it. Once only: after a failure the kernel holds the pages clean, and a second fdatasync(2) would report success.
  func run() {
    do throws(SystemError) { if lines != nil { try file.file.synchronizeData() } } catch {
      linesFault = error
      return
    }
    do throws(SystemError) { if let key { try key.file.store(key.key) } } catch { keyFault = error }
    if let directory { try? synchronizeDirectory(directory) }
  }
}

/// Forces the log to the disk on a thread of its own, in the order asked for: that takes as long as the disk has other things to do, and the
/// queue in front of the writer is not that long.
package final class Synchronizer: Sendable {
  private struct State {
    var waiting: [SyncWork] = []
    var done: [SyncWork] = []
    var isRunning = false
    var isStopping = false
    var isBusy: Bool { isRunning || !waiting.isEmpty }
  }

  private let state = Mutex(State())
  private let arrived = Condition()
  private let ended = Condition()
  /// A rotation that finds as many waiting waits, too.
  private static let mostWaiting = 8

  package init() {}

  /// The thread's body.
  package func run() {
    while true {
      let (work, isStopping) = state.withLock { state in
        let work = state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        state.isRunning = work != nil
        return (work, state.isStopping)
      }
      if let work {
        work.run()
        state.withLock { state in
          state.done.append(work)
          state.isRunning = false
        }
        ended.signal()
      } else if isStopping {
        return
      } else {
        arrived.wait(milliseconds: 60_000)
      }
    }
  }

  // MARK: the writer's side

  var isBusy: Bool { state.withLock { $0.isBusy } }

  func add(_ work: SyncWork) {
    while state.withLock({ $0.waiting.count >= Self.mostWaiting }) { ended.wait(milliseconds: 1000) }
    state.withLock { $0.waiting.append(work) }
    arrived.signal()
  }

  /// What has been done since the last time.
  func takeDone() -> [SyncWork] {
    state.withLock { state in
      if state.done.isEmpty { return [] }
      defer { state.done.removeAll() }
      return state.done
    }
  }

  /// Waits until everything is done.
  func drain() { while isBusy { ended.wait(milliseconds: 1000) } }

  /// Ends the thread, once everything is done.
  package func stop() {
    state.withLock { $0.isStopping = true }
    arrived.signal()
  }
}
