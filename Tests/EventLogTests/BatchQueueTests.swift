import Glibc
import System
import Testing

@testable import EventLog

@Suite struct BatchQueueTests {
  private func take(_ queue: BatchQueue, _ batch: inout Batch) throws -> String? {
    try queue.take(into: &batch, waitMs: 0) == .batch ? String(decoding: batch.bytes, as: UTF8.self) : nil
  }

  private func push(_ queue: BatchQueue, _ text: String, serial: UInt32) -> Bool {
    let bytes = Array(text.utf8)
    return queue.push(bytes.span.bytes, BatchSpan(events: 1, firstSerial: serial, lastSerial: serial, firstTimeMs: 5, lastTimeMs: 5))
  }

  @Test func smallBatchesThatWaitBecomeOne() throws {
    let queue = try BatchQueue(bufferBytes: 10, buffers: 2, limitBytes: 1000)
    var batch = Batch()
    for (serial, text) in [(UInt32(1), "aaaa\n"), (2, "bbb\n"), (3, "cc\n"), (4, "d\n")] { #expect(push(queue, text, serial: serial)) }
    #expect(try take(queue, &batch) == "aaaa\nbbb\n")
    #expect(batch.span == BatchSpan(events: 2, firstSerial: 1, lastSerial: 2, firstTimeMs: 5, lastTimeMs: 5))
    #expect(try take(queue, &batch) == "cc\nd\n")
    #expect(try take(queue, &batch) == nil)
  }

  @Test func refusesWhenFullUntilHalfHasDrained() throws {
    let queue = try BatchQueue(bufferBytes: 100, buffers: 2, limitBytes: 1000)
    var accepted = 0
    let line = String(repeating: "x", count: 99) + "\n"
    while push(queue, line, serial: 1) { accepted += 1 }
    #expect(accepted > 2 && accepted <= 10)
    #expect(queue.depth.queuedBytes <= 1000 && queue.depth.refuses)
    var batch = Batch()
    #expect(try take(queue, &batch) != nil)
    #expect(!push(queue, line, serial: 1), "one place is free, but half is not")
    while queue.depth.queuedBytes > 500 { #expect(try take(queue, &batch) != nil) }
    #expect(push(queue, line, serial: 1))
  }

  @Test func whatIsLargerThanTheLimitIsRefused() throws {
    let queue = try BatchQueue(bufferBytes: 8, buffers: 1, limitBytes: 16)
    let bytes = Array("0123456789012345678901234567890\n".utf8)
    let isAccepted = queue.push(bytes.span.bytes, BatchSpan())
    #expect(!isAccepted)
    #expect(queue.depth.queuedBytes == 0)
  }

  @Test func buffersComeBack() throws {
    let queue = try BatchQueue(bufferBytes: 4096, buffers: 2, limitBytes: 1 << 20)
    var addresses = Set<UInt>()
    var batch = Batch()
    let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 3000)
    for round in 0..<1000 {
      let isAccepted = queue.push(bytes.span.bytes, BatchSpan())
      #expect(isAccepted)
      if round % 2 == 0 { continue }
      for _ in 0..<2 {
        #expect(try take(queue, &batch) != nil)
        addresses.insert(batch.bytes.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) })
      }
    }
    #expect(addresses.count <= 6, "a steady flow allocates nothing")
  }

  @Test func closingLetsTheRestOut() throws {
    let queue = try BatchQueue()
    var batch = Batch()
    #expect(push(queue, "a\n", serial: 1))
    queue.close(deadlineMs: 1000)
    #expect(!push(queue, "b\n", serial: 2))
    #expect(try take(queue, &batch) == "a\n")
    #expect(try queue.take(into: &batch, waitMs: 60_000) == .closed)
    #expect(!queue.isOverdue(nowMs: 999) && queue.isOverdue(nowMs: 1000))
  }

  @Test func aRequestEndsTheWait() throws {
    let queue = try BatchQueue()
    var batch = Batch()
    queue.request(.reopen)
    queue.request(.rotate)
    #expect(try queue.take(into: &batch, waitMs: 60_000) == .nothing)
    #expect(queue.takeRequests() == [.reopen, .rotate])
    #expect(queue.takeRequests() == [])
  }

  @Test func spansJoinAcrossTheSerialsWrap() {
    var span = BatchSpan()
    for (serial, time) in [(UInt32.max - 1, Int64(70)), (1, 50), (UInt32.max, 60)] { span.add(serial: serial, timeMs: time) }
    #expect(span == BatchSpan(events: 3, firstSerial: .max - 1, lastSerial: 1, firstTimeMs: 50, lastTimeMs: 70))
    span.join(BatchSpan())
    #expect(span.events == 3)
  }

  /// Two real threads: everything accepted arrives, once, in order.
  @Test func nothingIsLostBetweenTwoThreads() async throws {
    let queue = try BatchQueue(bufferBytes: 64, buffers: 2, limitBytes: 1024)
    let producer = Task.detached {
      var refused = 0
      for number in 0..<50_000 {
        let bytes = Array("\(number)\n".utf8)
        while !queue.push(bytes.span.bytes, BatchSpan(events: 1, firstSerial: 0, lastSerial: 0, firstTimeMs: 0, lastTimeMs: 0)) {
          refused += 1
          usleep(200)  // spinning on the lock would keep the other thread out of it
        }
      }
      queue.close(deadlineMs: .max)
      return refused
    }
    let (text, events) = try await Task.detached {
      var (batch, text, events) = (Batch(), [UInt8](), 0)
      while true {
        switch try queue.take(into: &batch, waitMs: 1000) {
        case .batch:
          text += batch.bytes
          events += batch.span.events
        case .nothing: continue
        case .closed: return (text, events)
        }
      }
    }.value
    _ = await producer.value
    #expect(events == 50_000)
    #expect(String(decoding: text, as: UTF8.self) == (0..<50_000).map { "\($0)\n" }.joined())
  }
}

@Suite struct BatchFeedTests {
  private func gapReasons(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { parsed($0) }.map { line in
      line.string("fsaudit.gap.reason").map { "\($0) \(line.integer("fsaudit.gap.count") ?? -1)" } ?? "\(line.sequence ?? 0)"
    }
  }

  private func feedChange(_ feed: inout BatchFeed, _ serial: UInt32, padding: Int = 0) -> Bool {
    var lines = JSONWriter()
    var span = BatchSpan()
    lines.raw(bytes: changeLine(serial, padding: padding).span.bytes)
    span.add(serial: serial, timeMs: Int64(serial))
    let accepted = feed.flush(&lines, &span, nowMs: 0)
    #expect(lines.isEmpty && span.events == 0)
    return accepted
  }

  @Test func whatIsRefusedBecomesOneGapAtItsPlace() throws {
    let queue = try BatchQueue(bufferBytes: 1000, buffers: 1, limitBytes: 4000)
    var feed = BatchFeed(queue, host: "web-1")
    var serial: UInt32 = 1
    while feedChange(&feed, serial, padding: 700) { serial += 1 }
    let firstLost = serial
    queue.stall(by: "ENOSPC")
    var accepted = [feedChange(&feed, serial + 1), feedChange(&feed, serial + 2)]
    feed.report(Gap(.kernelLost, count: 4))
    feed.flushGaps(nowMs: 0)  // refused as well, and kept
    #expect(accepted == [false, false])
    feed.report(Gap(.kernelLost, count: 3))
    feed.report(Gap(.coverage, detail: "/a"))
    feed.report(Gap(.coverage, detail: "/b"))
    let dropped = feed.droppedEvents
    #expect(dropped == 3)
    var (batch, bytes) = (Batch(), [UInt8]())
    while try queue.take(into: &batch, waitMs: 0) == .batch { bytes += batch.bytes }
    accepted.append(feedChange(&feed, serial + 3))
    #expect(accepted.last == true)
    while try queue.take(into: &batch, waitMs: 0) == .batch { bytes += batch.bytes }
    let before = (1..<firstLost).map { "\($0)" }
    #expect(
      gapReasons(bytes) == before + ["queue_full 1", "write_failed 2", "kernel_lost 7", "coverage -1", "coverage -1", "\(serial + 3)"])
  }

  @Test func aGapJoinsAnother() {
    var gap = Gap(.serialGap, count: 2, firstSerial: .max, lastSerial: 3, sinceMs: 10, untilMs: 20)
    gap.join(Gap(.serialGap, count: nil, firstSerial: 5, lastSerial: 9, sinceMs: 5, untilMs: 15, detail: "x"))
    #expect(gap == Gap(.serialGap, count: nil, firstSerial: .max, lastSerial: 9, sinceMs: 5, untilMs: 20, detail: "x"))
  }
}
