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
    var names = try Self.names(in: directory)
    for _ in 0..<100 {
      let isWhole: Bool
      (segments, isWhole) = try Self.segments(in: directory, names)
      // Rotated or compressed while it was looked at: a segment may have been passed over between its two names.
      let after = try Self.names(in: directory)
      if isWhole && after == names { return }
      names = after
    }
    segments = try Self.segments(in: directory, names).found
  }

  /// The names of segments, nil for the live one's.
  private static func names(in directory: String) throws(SystemError) -> Set<SegmentName?> {
    var names: Set<SegmentName?> = []
    for fileName in try directoryEntries(directory) {
      if fileName == SegmentName.live { names.insert(nil) }
      if let name = SegmentName(fileName: fileName) { names.insert(name) }
    }
    return names
  }

  /// What is there of these names, and whether none of them has gone meanwhile.
  private static func segments(
    in directory: String, _ names: Set<SegmentName?>
  ) throws(SystemError) -> (found: [Segment], isWhole: Bool) {
    var isWhole = true
    var found: [SegmentName: Segment] = [:]
    var live: Segment?
    for name in names {
      let path = directory + "/" + (name?.fileName ?? SegmentName.live)
      let status: stat
      do throws(SystemError) { status = try System.status(of: path) } catch {
        guard error.code == .noSuchFileOrDirectory else { throw error }
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
