import Glibc
import System
import SystemPackage

/// Reads a log directory for its seals.
package struct SealedLog: Sendable {
  private let directory: String

  package init(directory: String) { self.directory = directory }

  /// Checks every segment, the oldest first, also while the log is being written, rotated and compressed.
  /// - Parameters:
  ///   - next: what ``SealKeyFile/kept(in:)`` said before this was called.
  ///   - body: gets the findings as they come.
  package func verify(with verifier: inout SealVerifier, next: KeptKey, _ body: (SealFinding) -> Void) throws(SystemError) {
    let (live, segments) = try snapshot()
    for segment in segments {
      let source: LineSource
      do throws(SystemError) {
        source = try LineSource(segment)
      } catch  where error.code == .noSuchFileOrDirectory {
        // Retention takes the oldest; if older ones are still there, it was not retention, and the seals tell what is missing.
        if try isOldest(segment) { verifier.startAnew() }
        continue
      }
      read(source, segment.path, isLive: false, &verifier, body)
    }
    if let live { read(live, directory + "/" + SegmentName.live, isLive: true, &verifier, body) }
    verifier.finish(next: next)
    for finding in verifier.takeFindings() { body(finding) }
  }

  /// Whether no older segment than this one is there.
  private func isOldest(_ segment: Segment) throws(SystemError) -> Bool {
    guard let name = segment.name, let oldest = try SegmentSet(directory: directory).rotated.first?.name else { return true }
    return name < oldest
  }

  /// The newest seal; nil if there is none.
  package func newest() throws(SystemError) -> (anchor: SealAnchor, timeMs: Int64)? {
    let (live, segments) = try snapshot()
    var found: (anchor: SealAnchor, timeMs: Int64)?
    var line = LogLine()
    func look(_ bytes: RawSpan) {
      guard SealLine.isSeal(bytes), let seal = SealLine(bytes, &line) else { return }
      found = (SealAnchor(chain: seal.chain, number: seal.seal.number, hash: seal.hash), seal.timeMs)
    }
    if let live {
      var reader = LineReader(live)
      while try reader.next(look) {}
    }
    for segment in segments.reversed() where found == nil {
      var reader = try LineReader(segment)
      while try reader.next(look) {}
    }
    return found
  }

  /// The live segment, opened, and the rotated ones that are older than it: all that there were at one moment.
  private func snapshot() throws(SystemError) -> (live: LineSource?, rotated: [Segment]) {
    let path = directory + "/" + SegmentName.live
    while true {
      var live: LineSource?
      do throws(SystemError) {
        live = try LineSource(path: path, isCompressed: false)
      } catch  where error.code == .noSuchFileOrDirectory {
      }
      let rotated = try SegmentSet(directory: directory).rotated
      // Rotated meanwhile: it may be in the list, or not.
      let now = try? status(of: path).st_ino
      if now.map(UInt64.init) == live?.inode { return (live, rotated) }
    }
  }

  private func read(
    _ source: LineSource, _ path: String, isLive: Bool, _ verifier: inout SealVerifier, _ body: (SealFinding) -> Void
  ) {
    verifier.begin(path.split(separator: "/").last.map(String.init) ?? path)
    var buffer: [UInt8] = []
    do throws(SystemError) {
      while try source.read(into: &buffer) {
        verifier.feed(buffer.span.bytes)
        buffer.removeAll(keepingCapacity: true)
        for finding in verifier.takeFindings() { body(finding) }
      }
    } catch { verifier.fail("the segment cannot be read to its end: \(name(of: error.code))") }
    verifier.end(isLive: isLive)
    for finding in verifier.takeFindings() { body(finding) }
  }
}
