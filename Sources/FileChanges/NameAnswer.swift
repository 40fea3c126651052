import AuditEvents
import AuditWire

/// What the running system said of a file with two paths, the one in the event and the map's: consecutive events tend to share it.
///
/// It is forgotten when an event changes any name, and after a second: what is outside of what is watched changes unseen.
struct NameAnswer: Sendable {
  /// Under which of the two the file is.
  enum Verdict: UInt8, Sendable { case named, known, neither }

  private var verdict = Verdict.neither
  private var identity = FileIdentity.unknown
  private var timeMs: Int64 = 0
  /// Both paths, back to back, and where the second one begins.
  private var paths = ByteScratch()
  private var split = 0

  /// The answer about these, if it is this one; the paths are parts of `other`, and `timeMs` is the event's.
  func verdict(_ file: FileIdentity, _ named: Slice, _ known: Slice, of other: ByteScratch, timeMs now: Int64) -> Verdict? {
    guard identity == file, !identity.isUnknown, 0..<1000 ~= now &- timeMs else { return nil }
    let text = paths.storage.span.bytes
    let both = other.storage.span.bytes
    guard text.extracting(0..<split).equals(both.extracting(named.range)),
      text.extracting(split..<paths.count).equals(both.extracting(known.range))
    else { return nil }
    return verdict
  }

  /// Keeps an answer; the paths are parts of `text`.
  mutating func keep(_ verdict: Verdict, _ file: FileIdentity, _ named: Slice, _ known: Slice, of text: ByteScratch, timeMs: Int64) {
    (self.verdict, identity, self.timeMs) = (verdict, file, timeMs)
    paths.truncate(to: 0)
    paths.append(text, named.range)
    split = paths.count
    paths.append(text, known.range)
  }

  mutating func forget() { identity = .unknown }
}
