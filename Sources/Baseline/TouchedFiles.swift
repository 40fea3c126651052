import AuditWire
import EventLog
import System

/// The inodes that the event log tells of: what they hold may have changed, whatever their times say.
///
/// By inode number alone: that costs nothing to compare, follows every rename, and holds where the log and statx(2) name a device differently
/// (btrfs, overlayfs). An event that changed nothing, or another file system's file of that number, costs reading one file.
package struct TouchedFiles: Sendable {
  /// No more are remembered: some 32 MB.
  private let inodeLimit: Int
  /// No more of the log is looked at, so that a check ends in its time: some seconds.
  private let lineLimit: Int

  /// Since when the log was looked at, milliseconds since 1970.
  package let sinceMs: Int64
  /// Whether it was looked at to its end.
  package private(set) var isWhole = true
  private(set) var inodes: Set<UInt64> = []
  private var lines = 0

  package init(since ms: Int64, lineLimit: Int = 10_000_000, inodeLimit: Int = 1_000_000) {
    (sinceMs, self.lineLimit, self.inodeLimit) = (ms, lineLimit, inodeLimit)
  }

  /// Takes a line of the log.
  /// - Returns: whether the next one is wanted.
  package mutating func add(_ line: RawSpan) -> Bool {
    lines += 1
    line.withUnsafeBytes { bytes in
      // most events are about files that had some before
      guard let (inode, place) = Self.inode(in: bytes), !inodes.contains(inode), !Self.hasFailed(bytes[..<place]) else { return }
      if inodes.count < inodeLimit { inodes.insert(inode) } else { isWhole = false }
    }
    if lines >= lineLimit { isWhole = false }
    return isWhole
  }

  /// The log could not be read to its end.
  package mutating func cut() { isWhole = false }

  private static let label = Array("\"inode\":\"".utf8)
  private static let failure = Array("\"outcome\":\"failure\"".utf8)

  /// The inode of a change, and where it stands. As they stand in the line these words mean nothing else: inside a string a quote has a backslash
  /// before it.
  private static func inode(in line: UnsafeRawBufferPointer) -> (inode: UInt64, place: Int)? {
    guard let place = firstOccurrence(of: label, in: line, from: 0) else { return nil }
    var number: UInt64 = 0
    for byte in line[(place + label.count)...] {
      if byte == UInt8(ascii: "\"") { return number == 0 ? nil : (number, place) }
      let (product, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- UInt8(ascii: "0")))
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), !overflow, !carry else { return nil }
      number = sum
    }
    return nil
  }

  /// Whether it was refused: that stands before the file.
  private static func hasFailed(_ head: UnsafeRawBufferPointer.SubSequence) -> Bool {
    firstOccurrence(of: failure, in: UnsafeRawBufferPointer(rebasing: head), from: 0) != nil
  }
}
