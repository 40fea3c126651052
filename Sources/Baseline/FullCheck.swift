import Glibc
import System
import SystemPackage

/// Why a run read every file, however untouched it looked.
package enum FullReason: Sendable, Equatable {
  case asked
  /// The last complete run that did is longer ago than ``BaselineOptions/fullEveryMs``, or none is known.
  case due

  /// The word for it in the JSON report.
  var word: String {
    switch self {
    case .asked: "asked"
    case .due: "due"
    }
  }
}

/// When a database's files were last all read and compared with its newest generation. Kept in the file of ``RunLock``, because that is there
/// wherever somebody may write beside the database, one run at a time has it, and a check leaves the database itself alone.
///
/// It is as good as the database: who can write one can write the other. Whatever is wrong with it makes the next check a full one.
struct FullCheck: Equatable, Sendable {
  /// When the run began, milliseconds since 1970.
  var ms: Int64
  /// The database's file, so that a copy or another one by the same name begins anew.
  var inode: UInt64
  /// SHA-256 of the rules, in hexadecimal.
  var rules: String
  /// Whether mounted file systems were left out.
  var oneFileSystem: Bool

  static let limitBytes = 256

  init(_ selection: SelectionConfig, _ options: BaselineOptions) throws(Failure) {
    ms = options.nowMs
    rules = selection.fingerprint
    oneFileSystem = options.scan.oneFileSystem
    do throws(SystemError) { inode = UInt64(try status(of: options.database).st_ino) } catch { throw error.failure() }
  }

  /// Nil unless the text is exactly what ``text`` makes.
  init?(_ text: some Collection<UInt8>) {
    let words = String(decoding: text, as: UTF8.self).dropLast().split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 5, let ms = Int64(words[1]), let inode = UInt64(words[2]) else { return nil }
    (self.ms, self.inode, rules, oneFileSystem) = (ms, inode, String(words[3]), words[4] == "one-file-system")
    guard self.text.utf8.elementsEqual(text) else { return nil }
  }

  var text: String { "full \(ms) \(inode) \(rules) \(oneFileSystem ? "one-file-system" : "all")\n" }

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
