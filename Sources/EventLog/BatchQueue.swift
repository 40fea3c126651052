import Synchronization
import System

/// The bounded hand-over of batches from one producer thread (it reads the kernel and must never wait) to one writer
/// thread (it writes to a disk that may stall).
///
/// Buffers are swapped, never copied, and come back empty, so that a steady flow allocates nothing. A batch that fits
/// into the last one still waiting is appended to it instead: when the disk is slow, writes become larger, not more
/// numerous. Memory grows up to the limit while the disk stalls and shrinks back afterwards.
package final class BatchQueue: Sendable {
  /// What ``take(into:waitMs:)`` came back with.
  package enum Taken: Equatable, Sendable {
    /// The batch is filled.
    case batch
    /// Nothing came within the time given, or somebody asked for attention: look at ``takeRequests()``.
    case nothing
    /// The producer has closed the queue and everything in it has been taken.
    case closed
  }

  /// What other threads ask of the writer thread.
  package struct Requests: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Close the log file and open it again by its name (SIGHUP).
    package static let reopen = Requests(rawValue: 1)
    /// Begin a new segment now.
    package static let rotate = Requests(rawValue: 2)
  }

  /// For `status`.
  package struct Depth: Equatable, Sendable {
    /// Memory of the batches that wait, now and at the most so far.
    package var queuedBytes = 0, highestBytes = 0
    package var limitBytes = 0
    /// Whether batches are refused, and what the writer is stuck on, an errno name, if it is.
    package var refuses = false
    package var stalledBy: String?
  }

  private struct State {
    /// A ring: `count` batches from `head` on.
    var slots: [Batch]
    var head = 0, count = 0
    /// Empty buffers, at most as many as are kept when nothing waits.
    var spare: [[UInt8]] = []
    var depth = Depth()
    var sleeps = false
    var requests: Requests = []
    var closed = false
    /// When to give up, on CLOCK_MONOTONIC; meaningful once closed.
    var deadlineMs = Int64.max
  }

  private let state: Mutex<State>
  private let arrived: Wakeup
  private let poll: Poll
  /// The size from which a waiting batch is not appended to any more, and of a fresh buffer.
  package let bufferBytes: Int
  private let keptBuffers: Int

  /// - Parameters:
  ///   - buffers: how many buffers are kept when nothing waits.
  ///   - limitBytes: of the waiting batches; raised to two buffers if it is less.
  package init(bufferBytes: Int = 128 << 10, buffers: Int = 4, limitBytes: Int = 4 << 20) throws(SystemError) {
    self.bufferBytes = bufferBytes
    keptBuffers = buffers
    let limitBytes = max(limitBytes, 2 * bufferBytes)
    var initial = State(slots: Array(repeating: Batch(), count: limitBytes / bufferBytes))
    initial.spare.reserveCapacity(buffers)
    initial.depth.limitBytes = limitBytes
    state = Mutex(initial)
    let arrived = try Wakeup()
    let poll = try Poll()
    try poll.add(arrived.descriptor.raw, tag: 0)
    self.arrived = arrived
    self.poll = poll
  }

  // MARK: the producer's side

  /// Hands a batch over; never waits.
  ///
  /// Once full, the queue refuses until it has drained to half: a few long gaps say more than many short ones.
  /// - Parameter bytes: whole lines; copied.
  /// - Returns: false if the batch was refused; the caller counts it as lost.
  package func push(_ bytes: RawSpan, _ span: BatchSpan) -> Bool {
    if bytes.isEmpty { return true }
    let (accepted, wake) = state.withLock { state in
      if state.closed { return (false, false) }
      if state.depth.refuses {
        if state.depth.queuedBytes > state.depth.limitBytes / 2 { return (false, false) }
        state.depth.refuses = false
      }
      if !append(bytes, span, &state) && !enqueue(bytes, span, &state) {
        state.depth.refuses = true
        return (false, false)
      }
      let wake = state.sleeps
      state.sleeps = false
      return (true, wake)
    }
    if wake { arrived.signal() }
    return accepted
  }

  /// Puts the lines behind those of the last waiting batch, if they fit.
  private func append(_ bytes: RawSpan, _ span: BatchSpan, _ state: inout State) -> Bool {
    if state.count == 0 { return false }
    let last = (state.head + state.count - 1) % state.slots.count
    if state.slots[last].bytes.count + bytes.byteCount > bufferBytes { return false }
    state.depth.queuedBytes -= state.slots[last].bytes.capacity
    bytes.withUnsafeBytes { state.slots[last].bytes.append(contentsOf: $0) }
    state.slots[last].span.join(span)
    state.depth.queuedBytes += state.slots[last].bytes.capacity
    return true
  }

  /// Puts the lines into an empty buffer of their own.
  private func enqueue(_ bytes: RawSpan, _ span: BatchSpan, _ state: inout State) -> Bool {
    var buffer = state.spare.popLast() ?? []
    buffer.reserveCapacity(max(bytes.byteCount, bufferBytes))
    if state.count == state.slots.count || state.depth.queuedBytes + buffer.capacity > state.depth.limitBytes {
      if buffer.capacity <= 2 * bufferBytes { state.spare.append(buffer) }
      return false
    }
    bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
    let next = (state.head + state.count) % state.slots.count
    swap(&state.slots[next].bytes, &buffer)
    state.slots[next].span = span
    state.count += 1
    state.depth.queuedBytes += state.slots[next].bytes.capacity
    state.depth.highestBytes = max(state.depth.highestBytes, state.depth.queuedBytes)
    return true
  }

  /// Takes no more batches. The writer has until `deadlineMs` (CLOCK_MONOTONIC) to write what waits.
  package func close(deadlineMs: Int64) {
    state.withLock {
      $0.closed = true
      $0.deadlineMs = deadlineMs
    }
    arrived.signal()
  }

  // MARK: any thread

  /// Asks the writer thread for something and wakes it.
  package func request(_ what: Requests) {
    state.withLock { $0.requests.formUnion(what) }
    arrived.signal()
  }

  package var depth: Depth { state.withLock { $0.depth } }

  // MARK: the writer's side

  /// Waits for the next batch and swaps it into `batch`, whose old buffer goes back to the producer.
  package func take(into batch: inout Batch, waitMs: Int32) throws(SystemError) -> Taken {
    batch.clear()
    let first = attempt(&batch, sleeps: true)
    if first != .nothing || waitMs == 0 { return first }
    try pause(waitMs: waitMs)
    return attempt(&batch, sleeps: false)
  }

  /// Waits until something happens or the time has passed, without taking anything.
  package func pause(waitMs: Int32) throws(SystemError) {
    try poll.wait(milliseconds: waitMs) { _, _ in }
    arrived.clear()
  }

  private func attempt(_ batch: inout Batch, sleeps: Bool) -> Taken {
    var surplus: [UInt8] = []  // freed after the lock is
    return state.withLock { state in
      state.sleeps = false
      if !state.requests.isEmpty { return .nothing }
      if state.count == 0 {
        state.sleeps = sleeps
        return state.closed ? .closed : .nothing
      }
      swap(&batch, &state.slots[state.head])
      state.depth.queuedBytes -= batch.bytes.capacity
      // What was in the writer's hand is in the slot now: an empty buffer.
      swap(&surplus, &state.slots[state.head].bytes)
      if surplus.capacity > 0 && surplus.capacity <= 2 * bufferBytes && state.spare.count < keptBuffers {
        state.spare.append(surplus)
        surplus = []
      }
      state.head = (state.head + 1) % state.slots.count
      state.count -= 1
      return .batch
    }
  }

  /// What has been asked for since the last call.
  package func takeRequests() -> Requests {
    state.withLock { state in
      defer { state.requests = [] }
      return state.requests
    }
  }

  /// Tells the producer, and `status`, what the writer is stuck on; nil when it is not.
  package func stall(by cause: String?) { state.withLock { $0.depth.stalledBy = cause } }

  /// Whether the queue is closed and its deadline has passed: what is left is given up.
  package func isOverdue(nowMs: Int64) -> Bool { state.withLock { $0.closed && nowMs >= $0.deadlineMs } }
}
