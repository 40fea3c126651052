import Synchronization
import System
import SystemPackage

/// What the writer thread has done: written by it, read by `status` and the metrics.
package final class LogStatus: Sendable {
  package struct Counters: Equatable, Sendable {
    /// Events written, and the serial and time of the last.
    package var writtenEvents: UInt64 = 0
    package var lastSerial: UInt32 = 0
    package var lastTimeMs: Int64 = 0
    /// The live segment's length.
    package var segmentBytes: Int64 = 0
    package var rotations: UInt64 = 0
    /// Attempts that failed, by errno name (`ENOSPC`).
    package var writeFailures: [String: UInt64] = [:]
    package var rotationFailures: [String: UInt64] = [:]
    /// What the last attempt that failed met with.
    package var lastFailure: Errno?
    /// The newest seal and its time; nil before the first one of this run.
    package var seal: Int64?
    package var sealTimeMs: Int64 = 0
    /// Why the seal's key on disk cannot be brought up to date, or there is no seal although there should be.
    package var sealFault: String?
  }

  private let state = Mutex(Counters())
  private let rotation: Condition?

  /// - Parameter rotation: signalled after every rotation: there is work for the ``Housekeeper``.
  package init(rotation: Condition? = nil) { self.rotation = rotation }

  package var counters: Counters { state.withLock { $0 } }

  func wrote(_ span: BatchSpan, segmentBytes: Int64) {
    state.withLock {
      $0.segmentBytes = segmentBytes
      guard span.events > 0 else { return }
      $0.writtenEvents += UInt64(span.events)
      ($0.lastSerial, $0.lastTimeMs) = (span.lastSerial, span.lastTimeMs)
    }
  }

  func opened(segmentBytes: Int64) { state.withLock { $0.segmentBytes = segmentBytes } }

  func rotated() {
    state.withLock { $0.rotations += 1 }
    rotation?.signal()
  }

  func failed(_ code: Errno) {
    state.withLock {
      $0.writeFailures[name(of: code), default: 0] += 1
      $0.lastFailure = code
    }
  }

  func sealed(_ number: Int64, timeMs: Int64) { state.withLock { ($0.seal, $0.sealTimeMs) = (number, timeMs) } }

  func sealFailed(_ code: Errno?) { state.withLock { $0.sealFault = code.map { "\(SealKeyFile.name): \(name(of: $0))" } } }

  /// No seal is written in this run.
  package func cannotSeal(_ why: String) { state.withLock { $0.sealFault = why } }

  func rotationFailed(_ code: Errno) { state.withLock { $0.rotationFailures[name(of: code), default: 0] += 1 } }
}
