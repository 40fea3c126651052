import Glibc
import System
import SystemPackage

/// Why a run read every file, however untouched it looked.
package enum FullReason: String, Sendable {
  case asked
  /// The last complete run that did is longer ago than ``BaselineOptions/fullEveryMs``, or none is known.
  case due
}

/// When a database's files were last all read and compared with its newest generation, and how far the trail has been followed.
///
/// Kept in the file of ``RunLock``, because that is there wherever somebody may write beside the database, one run at a time has it, and a check
/// leaves the database itself alone.
///
/// It is as good as the database: who can write one can write the other. Whatever is wrong with it makes the next check a full one.
struct FullCheck: Equatable, Sendable {
  /// When the last run began that read everything, milliseconds since 1970; 0 for none.
  var ms: Int64
  /// When the last run began that read whatever the trail told of: older events have nothing to tell any more.
  var followedMs: Int64
  /// The database's file, so that a copy or another one by the same name begins anew.
  var inode: UInt64
  /// SHA-256 of the rules, in hexadecimal.
  var rules: String
  /// Whether mounted file systems were left out.
  var oneFileSystem: Bool

  static let limitBytes = 256

  init(_ selection: SelectionConfig, _ options: BaselineOptions) throws(Failure) {
    (ms, followedMs) = (options.nowMs, options.nowMs)
    rules = selection.fingerprint
    oneFileSystem = options.scan.oneFileSystem
    do throws(SystemError) { inode = UInt64(try status(of: options.database).st_ino) } catch { throw error.failure() }
  }

  /// Nil unless the text is exactly what ``text`` makes.
  init?(_ text: some Collection<UInt8>) {
    let words = String(decoding: text, as: UTF8.self).dropLast().split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 6, let ms = Int64(words[1]), let followed = Int64(words[2]), let inode = UInt64(words[3]) else { return nil }
    (self.ms, followedMs, self.inode) = (ms, followed, inode)
    (rules, oneFileSystem) = (String(words[4]), words[5] == "one-file-system")
    guard self.text.utf8.elementsEqual(text) else { return nil }
  }

  var text: String { "full \(ms) \(followedMs) \(inode) \(rules) \(oneFileSystem ? "one-file-system" : "all")\n" }

  /// How long before a run an event may have been that was not in the log yet.
  private static let slackMs: Int64 = 60_000

  /// What is to be kept after a run that could examine everything; nil for what is there. What it found that a fast check without the trail cannot
  /// see is to be found by the next one, too: until there is a new generation, no run counts.
  func note(
    after known: FullCheck?, _ reason: FullReason?, _ counts: ScanCounts, _ touched: TouchedFiles?, _ followedMs: Int64
  ) -> FullCheck? {
    var note = self
    if reason != nil {
      if counts.hidden > 0 { (note.ms, note.followedMs) = (0, followedMs) }
      return note
    }
    guard counts.hidden == 0, let touched, touched.isWhole else { return nil }
    note.ms = known?.ms ?? 0
    note.followedMs = max(followedMs, ms - Self.slackMs)
    return note
  }

  /// Whether it is about the same database, rules and file systems.
  func isAlike(_ other: FullCheck) -> Bool {
    inode == other.inode && rules == other.rules && oneFileSystem == other.oneFileSystem
  }
}

extension RunLock {
  /// What ``note(_:)`` kept last; nil where there is nothing that can be read.
  var fullCheck: FullCheck? {
    var bytes = [UInt8](repeating: 0, count: FullCheck.limitBytes)
    let count = pread(file.raw, &bytes, bytes.count, 0)
    return count > 0 ? FullCheck(bytes[..<count]) : nil
  }

  /// Keeps when everything was read. Where that fails, the next check reads everything once more.
  func note(_ check: FullCheck) {
    let bytes = Array(check.text.utf8)
    if pwrite(file.raw, bytes, bytes.count, 0) == bytes.count { ftruncate(file.raw, off_t(bytes.count)) }
  }
}
