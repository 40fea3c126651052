import CAudit
import Glibc
import System
import SystemPackage

/// The record of which kernel rules are ours, below /run: like the kernel's rules it does not outlive a reboot.
///
/// The kernel does not say who added a rule, and two programs that add the same rule share it (AUDIT-FACTS 6). So what we add is written down before it is
/// added, and what is not written down is never touched.
package struct Ledger: Sendable {
  /// Why a line's rules are in the kernel.
  package enum Origin: String, Sendable {
    /// `rule load`: the next load removes it if its line is gone.
    case load
    /// `rule add`: stays until `rule remove`.
    case add
    /// A running `watch`.
    case watch
  }

  /// One line and what became of it.
  package struct Entry: Sendable {
    package var origin: Origin
    package var whenCreated: Bool
    /// The line as ``RuleLine/text``.
    package var line: [UInt8]
    /// Its rules; none while it waits for its path.
    package var rules: [Rule]
    /// The directory that the rules hang on, as it was when they were added (``identity(of:)``); empty where they hang on none.
    package var identity: String

    /// Whether the line puts its rules in front of the others (`-A`).
    var isPrepended: Bool { ruleArguments(line: line).flatMap { try? RuleLine($0) }?.operation == .prepend }
  }

  /// A setting of the kernel that the ledger's process has changed, and puts back.
  package struct Change: Sendable, Equatable {
    package let from: KernelSetting
    package let to: KernelSetting
  }

  package var entries: [Entry] = []
  /// None in the main ledger.
  package var changes: [Change] = []
  /// The process whose rules these are, `PID STARTTIME`; nil in the main ledger.
  package var owner: String?

  package init() {}

  /// The largest ledger that is read, and so that is written: 120,000 rules.
  private static let limitBytes = 256 << 20

  package var rules: Set<Rule> { Set(entries.flatMap(\.rules)) }

  /// Reads a ledger; an absent one is empty.
  package init(path: String) throws(Failure) {
    let bytes: [UInt8]
    do { bytes = try contents(of: path, limitBytes: Self.limitBytes) } catch {
      if error.code == .noSuchFileOrDirectory { return }
      throw error.failure()
    }
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
      if words.count == 3, words[0] == "process" {
        owner = "\(words[1]) \(words[2])"
        continue
      }
      if words.count == 4, words[0] == "setting", let from = UInt32(words[2]), let to = UInt32(words[3]),
        let from = KernelSetting(option: String(words[1]), value: from), let to = KernelSetting(option: String(words[1]), value: to)
      {
        changes.append(Change(from: from, to: to))
        continue
      }
      let rules = words.count > 4 ? words[4].split(separator: ",").map { unhex($0).flatMap(Rule.init(data:)) } : []
      guard words.count > 4, let origin = Origin(rawValue: String(words[0])), let text = unhex(words[3]), !rules.contains(nil) else {
        throw Failure(
          "\(path):\(index + 1): damaged", advice: "remove the file; rules that it named are then no longer taken for fsaudit's",
          exit: .inputOutput)
      }
      entries.append(
        Entry(
          origin: origin, whenCreated: words[1] == "when-created", line: text, rules: rules.compactMap { $0 },
          identity: words[2] == "-" ? "" : String(words[2])))
    }
  }

  /// Replaces the file at `path` in one step.
  package func write(to path: String) throws(Failure) {
    var text = owner.map { "process \($0)\n" } ?? ""
    for change in changes { text += "setting \(change.from.parts.option) \(change.from.parts.value) \(change.to.parts.value)\n" }
    for entry in entries {
      let rules = entry.rules.map { hex($0.data) }.joined(separator: ",")
      let identity = entry.identity.isEmpty ? "-" : entry.identity
      // The last word is for people; hexadecimal carries what the line holds.
      text +=
        "\(entry.origin.rawValue) \(entry.whenCreated ? "when-created" : "now") \(identity) \(hex(entry.line)) \(rules) "
        + "# \(printable(String(decoding: entry.line, as: UTF8.self)))\n"
    }
    if text.utf8.count > Self.limitBytes {
      throw Failure(
        "\(rules.count) rules are more than fsaudit can keep account of", advice: "watch directories instead of files", exit: .usage)
    }
    let new = path + ".new"
    do throws(SystemError) {
      let file = try Descriptor.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
      try Array(text.utf8).withUnsafeBufferPointer { bytes throws(SystemError) in try file.writeAll(UnsafeRawBufferPointer(bytes)) }
      try call("rename", path) { rename(new, path) }
    } catch {
      throw error.failure()
    }
  }

  /// The ``PathIdentity`` of the directory on which the kernel hangs a rule: dir='s own, path='s parent. When it changes, the rule must be added anew: one
  /// with dir= follows a renamed directory, and both go when theirs is deleted (AUDIT-FACTS 7). Empty for rules without, nil where it does not exist.
  static func identity(of rules: [Rule]) -> String? {
    guard let object = rules.lazy.flatMap(\.fields).first(where: { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) }) else { return "" }
    var path = object.text
    if object.id == AUDIT_WATCH { path = path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[...$0]) } ?? path }
    return PathIdentity(path: path)?.description
  }
}

/// Two lower-case digits a byte.
func hex(_ bytes: [UInt8]) -> String {
  var result = ""
  result.reserveCapacity(bytes.count * 2)
  for byte in bytes {
    for digit in [byte >> 4, byte & 15] { result.unicodeScalars.append(Unicode.Scalar(digit < 10 ? 48 + digit : 87 + digit)) }
  }
  return result
}

/// The bytes that ``hex(_:)`` wrote; nil for anything else.
func unhex(_ text: Substring) -> [UInt8]? {
  let digits = text.utf8.map { byte -> UInt8? in
    switch byte {
    case 48...57: byte - 48
    case 97...102: byte - 87
    default: nil
    }
  }
  guard digits.count % 2 == 0 else { return nil }
  var result: [UInt8] = []
  for index in stride(from: 0, to: digits.count, by: 2) {
    guard let high = digits[index], let low = digits[index + 1] else { return nil }
    result.append(high << 4 | low)
  }
  return result
}
