import Glibc
import System
import SystemPackage

/// Compresses rotated segments and deletes the oldest beyond the limits. It runs on a thread of its own: it may take long
/// and never touches the live segment.
package struct Housekeeper: Sendable {
  /// What one run did, for the daemon to log.
  package struct Report: Equatable, Sendable {
    package var compressed: [Compressed] = []
    package var deleted: [Deleted] = []
    /// What could not be done; it is tried again at the next run.
    package var failures: [SystemError] = []
  }

  package struct Compressed: Equatable, Sendable {
    package let fileName: String
    package let bytesBefore: Int64, bytesAfter: Int64
  }

  package struct Deleted: Equatable, Sendable {
    package let fileName: String
    package let bytes: Int64
    package let limit: Limit
  }

  /// Which limit of ``RetentionPolicy`` a segment was beyond.
  package enum Limit: String, Sendable { case count, age, bytes }

  private let directory: String
  private let policy: RetentionPolicy

  package init(directory: String, policy: RetentionPolicy) {
    self.directory = directory
    self.policy = policy
  }

  /// One round: clear up after a crash, compress all but the newest (which stays plain for whoever is still reading
  /// it), delete what is too old or too much.
  /// - Parameter stop: asked between segments, so that the daemon's end does not wait for all of them.
  package func run(nowSeconds: Int64 = milliseconds(CLOCK_REALTIME) / 1000, stop: () -> Bool = { false }) -> Report {
    var report = Report()
    do throws(SystemError) {
      try clearUp(&report)
      // First compression, which may bring the rest below its limit.
      if let level = policy.compressionLevel {
        for segment in try SegmentSet(directory: directory).rotated.dropLast() where !segment.isCompressed && !stop() {
          compress(segment, level, &report)
        }
      }
      delete(from: try SegmentSet(directory: directory), nowSeconds, &report)
    } catch {
      report.failures.append(error)
    }
    return report
  }

  /// Removes unfinished compressions, and plain segments whose compressed form is complete.
  private func clearUp(_ report: inout Report) throws(SystemError) {
    let names = Set(try directoryEntries(directory))
    for name in names {
      let isLeftOver =
        name.hasPrefix(temporaryPrefix)
        || SegmentName(fileName: name).map { !$0.isCompressed && names.contains($0.compressed.fileName) } ?? false
      if isLeftOver { attempt(&report) { _ throws(SystemError) in try removeFile(directory + "/" + name) } }
    }
  }

  private func compress(_ segment: Segment, _ level: Int32, _ report: inout Report) {
    guard let name = segment.name else { return }
    attempt(&report) { report throws(SystemError) in
      let after = try EventLog.compress(segment, to: name.compressed, in: directory, level: level)
      report.compressed.append(Compressed(fileName: name.fileName, bytesBefore: segment.bytes, bytesAfter: after))
    }
  }

  private func delete(from set: SegmentSet, _ nowSeconds: Int64, _ report: inout Report) {
    var bytes = set.segments.reduce(0) { $0 + $1.bytes }
    var left = set.rotated.count
    for segment in set.rotated {
      guard let name = segment.name, let limit = limitPassed(by: segment, left: left, bytes: bytes, nowSeconds) else { return }
      attempt(&report) { report throws(SystemError) in
        try removeFile(segment.path)
        report.deleted.append(Deleted(fileName: name.fileName, bytes: segment.bytes, limit: limit))
        bytes -= segment.bytes
        left -= 1
      }
    }
  }

  private func limitPassed(by segment: Segment, left: Int, bytes: Int64, _ nowSeconds: Int64) -> Limit? {
    if let most = policy.maximumSegments, left > most { return .count }
    if let age = policy.maximumAgeSeconds, nowSeconds - segment.modifiedSeconds > age { return .age }
    if let most = policy.maximumBytes, bytes > most { return .bytes }
    return nil
  }

  private func attempt(_ report: inout Report, _ body: (inout Report) throws(SystemError) -> Void) {
    do throws(SystemError) { try body(&report) } catch { report.failures.append(error) }
  }
}
