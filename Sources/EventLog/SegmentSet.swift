import Glibc
import System

/// One segment of the log on disk.
package struct Segment: Equatable, Sendable {
  package let path: String
  /// nil for the live one.
  package let name: SegmentName?
  /// Its length on disk.
  package let bytes: Int64
  /// When it was last written, seconds since 1970.
  package let modifiedSeconds: Int64
  package let inode: UInt64

  package var isCompressed: Bool { name?.isCompressed ?? false }
  package var isLive: Bool { name == nil }
}

/// The segments of a log directory, oldest first, the live one last. Everything else in the directory is passed over.
package struct SegmentSet: Sendable {
  package private(set) var segments: [Segment] = []

  package init(directory: String) throws(SystemError) {
    var names = try Set(directoryEntries(directory))
    for _ in 0..<100 {
      let isWhole: Bool
      (segments, isWhole) = Self.segments(in: directory, names)
      // Rotated or compressed while it was looked at: a segment may have been passed over between its two names.
      let after = try Set(directoryEntries(directory))
      if isWhole && after == names { return }
      names = after
    }
    segments = Self.segments(in: directory, names).found
  }

  /// What is there of these names, and whether all of them are.
  private static func segments(in directory: String, _ fileNames: Set<String>) -> (found: [Segment], isWhole: Bool) {
    var isWhole = true
    var found: [SegmentName: Segment] = [:]
    var live: Segment?
    for fileName in fileNames {
      let name = SegmentName(fileName: fileName)
      guard name != nil || fileName == SegmentName.live else { continue }
      let path = directory + "/" + fileName
      guard let status = try? status(of: path) else {
        isWhole = false
        continue
      }
      guard status.st_mode & S_IFMT == S_IFREG else { continue }
      let segment = Segment(
        path: path, name: name, bytes: Int64(status.st_size), modifiedSeconds: Int64(status.st_mtim.tv_sec), inode: UInt64(status.st_ino))
      guard let name else {
        live = segment
        continue
      }
      // Both forms are there for a moment after compression. They say the same; the plain one is quicker to read.
      let plain = SegmentName(timeMs: name.timeMs, firstSerial: name.firstSerial)
      if !name.isCompressed || found[plain] == nil { found[plain] = segment }
    }
    return (found.sorted { $0.key < $1.key }.map(\.value) + (live.map { [$0] } ?? []), isWhole)
  }

  /// The rotated ones.
  package var rotated: [Segment] { segments.filter { !$0.isLive } }
}
