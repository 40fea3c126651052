import Glibc
import System

/// The writer thread: takes batches from the queue and writes them until the queue is closed and empty.
///
/// A batch that cannot be written is tried again and again, ever less often (50 ms to 1 s), while the queue fills up behind
/// it; the producer counts what the queue refuses. That keeps the oldest events of an outage instead of none of them,
/// and leaves one gap, at its right place in the stream.
/// - Returns: what was given up because the queue's deadline had passed; empty after a clean end.
package func writeLog(from queue: BatchQueue, with writer: SegmentWriter) -> BatchSpan {
  var batch = Batch()
  while true {
    let taken: BatchQueue.Taken
    do {
      taken = try queue.take(into: &batch, waitMs: 500)
    } catch {
      // epoll itself fails only when the machine is out of memory; do not spin meanwhile.
      usleep(50_000)
      continue
    }
    serve(queue.takeRequests(), writer)
    switch taken {
    case .closed:
      writer.finish(nowMs: milliseconds(CLOCK_REALTIME))
      return BatchSpan()
    case .nothing:
      let fault = writer.maintain(nowMs: milliseconds(CLOCK_REALTIME), monotonicMs: milliseconds(CLOCK_MONOTONIC))
      queue.stall(by: (fault?.code).map { name(of: $0) })
    case .batch:
      if !persist(&batch, queue, writer) { return rest(of: batch, in: queue) }
    }
  }
}

/// Writes one batch, however long it takes.
/// - Returns: false if the deadline passed first.
private func persist(_ batch: inout Batch, _ queue: BatchQueue, _ writer: SegmentWriter) -> Bool {
  var pauseMs: Int32 = 50
  while let fault = writer.write(&batch, nowMs: milliseconds(CLOCK_REALTIME), monotonicMs: milliseconds(CLOCK_MONOTONIC)) {
    queue.stall(by: name(of: fault.code))
    if queue.isOverdue(nowMs: milliseconds(CLOCK_MONOTONIC)) { return false }
    do { try queue.pause(waitMs: pauseMs) } catch { usleep(50_000) }
    serve(queue.takeRequests(), writer)
    pauseMs = min(pauseMs * 2, 1000)
  }
  if pauseMs > 50 { queue.stall(by: nil) }
  return true
}

private func serve(_ requests: BatchQueue.Requests, _ writer: SegmentWriter) {
  if requests.contains(.reopen) { writer.reopen(nowMs: milliseconds(CLOCK_REALTIME)) }
  if requests.contains(.rotate) { writer.rotate(nowMs: milliseconds(CLOCK_REALTIME)) }
}

/// Everything that is given up: the batch in hand and what waits behind it.
private func rest(of batch: Batch, in queue: BatchQueue) -> BatchSpan {
  var span = batch.span
  var next = Batch()
  _ = queue.takeRequests()
  while (try? queue.take(into: &next, waitMs: 0)) == .batch { span.join(next.span) }
  return span
}
