import EventLog
import FileChanges

/// Finds in the event log who caused the differences.
///
/// The log is read twice: first to know which lines concern which path, through all renames, then for who it was, of the few
/// that matter. So memory grows with the paths that changed, not with the lines.
package struct Explainer {
  /// Reads the log from its beginning, oldest line first. `body` says whether it could read a line; the result, whether all was read.
  package typealias Lines = (_ body: (RawSpan) -> Bool) throws -> Bool

  /// How many causes a difference names at least, where there are so many: the newest ones. Older ones only where they account for more.
  package static let causeCount = 5
  /// How far back a difference is followed.
  private static let chainLimit = 1000
  /// How much is kept of the lines that say who it was: who changes a lot can make them many and long.
  private static let causesLimitBytes = 64 << 20

  /// When the baseline was made, milliseconds since 1970: what was before is no cause.
  private let sinceMs: Int64
  private let watching: (_ path: [UInt8]) -> Watching
  private let beginsMs: Int64?
  private var trail = Trail()
  private var line = LogLine()
  /// The latest time of a line so far.
  private var newestMs = Int64.min
  /// The last time in which something may have been missed, and how many there are.
  private var hole: (ms: Int64, text: String)?
  private var holeCount = 0
  /// When rules of a key were loaded; those without one count as of "".
  private var loaded: [String: Int64] = [:]

  /// - Parameters:
  ///   - since: when the baseline was made, milliseconds since 1970.
  ///   - beginsMs: the time of the log's first line; nil where it has none.
  ///   - isRunning: whether the daemon runs now; what happened since the log's last line is unknown otherwise.
  ///   - watching: whether the rules that there are now watch a path.
  package init(since sinceMs: Int64, beginsMs: Int64?, isRunning: Bool, watching: @escaping (_ path: [UInt8]) -> Watching) {
    self.sinceMs = sinceMs
    self.beginsMs = beginsMs
    self.watching = watching
    if !isRunning { addHole(.max, "fsaudit is not running now") }
  }

  private mutating func addHole(_ ms: Int64, _ text: String) {
    hole = (ms, text)
    holeCount += 1
  }

  /// One explanation a subject, in their order.
  package mutating func explain(_ subjects: [Subject], reading lines: Lines) throws -> [Explanation] {
    var parsed = line
    let isWhole = try lines { bytes in
      guard parsed.parse(bytes) else { return false }
      note(parsed, Explainer.identity(of: bytes))
      return true
    }
    if !isWhole { addHole(.max, "the log is damaged, some of it cannot be read") }
    let accounts = subjects.map { account(for: $0) }
    let causes = try read(Set(accounts.lazy.flatMap(\.parts).map(\.line)), lines)
    return zip(subjects, accounts).map { explanation($0, $1, causes) }
  }

  // MARK: Reading

  private mutating func note(_ line: borrowing LogLine, _ identity: Int) {
    guard let timeMs = line.timeMs else { return }
    // behind a line of that time it was later, whatever the clock said then
    newestMs = max(newestMs, timeMs)
    guard newestMs >= sinceMs else { return }
    switch line.dataset {
    case .file: trail.add(line, identity: identity)
    case .gap:
      // the gap of a start begins where the last run ended, which may be long ago
      let untilMs = line.string("fsaudit.gap.until").flatMap { instant(isoUTC: Array($0.utf8).span.bytes) } ?? timeMs
      if untilMs >= sinceMs { addHole(timeMs, line.string("message") ?? "events may be missing") }
    case .rules:
      guard line.string("fsaudit.records.0.op", equals: "add_rule") else { break }
      // several keys of one rule are joined by U+0001 (audit_add_rule_data(3)); the kernel writes (null) for none
      let key = line.string("fsaudit.records.0.key") ?? "(null)"
      for key in key == "(null)" ? [""] : key.split(separator: "\u{1}") { loaded[String(key)] = timeMs }
    default: break
    }
  }

  private mutating func read(_ wanted: Set<Int>, _ lines: Lines) throws -> [Int: Cause] {
    if wanted.isEmpty { return [:] }
    var causes: [Int: Cause] = [:]
    var parsed = line
    var bytesLeft = Explainer.causesLimitBytes
    _ = try lines { bytes in
      let identity = Explainer.identity(of: bytes)
      guard bytesLeft > 0, wanted.contains(identity), causes[identity] == nil, parsed.parse(bytes) else { return true }
      bytesLeft -= bytes.byteCount
      causes[identity] = Cause(parsed)
      return true
    }
    if causes.count < wanted.count {
      addHole(.max, bytesLeft > 0 ? "some of the log went away while it was read" : "more was done to what differs than can be told")
    }
    return causes
  }

  /// Tells a line from others, also when segments come and go between the two readings. Seeded at every start: lines are anybody's.
  private static func identity(of bytes: RawSpan) -> Int {
    var hasher = Hasher()
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  // MARK: Judging

  /// A change that had a part in a difference.
  private struct Part {
    var line: Int
    /// What it can have changed.
    var aspects: Aspects
    /// It took the name away.
    var leaves: Bool
    /// It was done in the directory, not to it.
    var isInside: Bool
  }

  /// The changes that account for a difference.
  private struct Account {
    /// Newest first.
    var parts: [Part] = []
    /// Whether everything that the log tells of the object was looked at.
    var isWhole = true
  }

  private func account(for subject: Subject) -> Account {
    let limit = Explainer.chainLimit
    var chain = trail.chain(of: subject.path, limit: limit)
    let within = subject.isDirectory ? trail.inside(of: subject.path, limit: limit) : Trail.Chain()
    let inside = Set(within.entries)
    if chain.entries.isEmpty, inside.isEmpty, subject.isThere, !subject.device.isEmpty {
      // the file has other names, or had one
      chain = trail.chain(ofObject: Trail.ObjectID(device: subject.device, inode: subject.inode), limit: limit)
    }
    var account = Account(isWhole: chain.isWhole && within.isWhole)
    var accounted: Aspects = []
    for number in chain.entries + within.entries {
      let entry = trail.entries[Int(number)]
      let part = Part(
        line: entry.line, aspects: Aspects(entry.action, inside: inside.contains(number)), leaves: entry.leaves,
        isInside: inside.contains(number))
      // how it came to be there is the whole story
      guard subject.aspects.contains(.presence) || !part.aspects.isDisjoint(with: subject.aspects) else { continue }
      if account.parts.count < Explainer.causeCount || !part.aspects.intersection(subject.aspects).isSubset(of: accounted) {
        account.parts.append(part)
      }
      accounted.formUnion(part.aspects)
    }
    return account
  }

  private func explanation(_ subject: Subject, _ account: Account, _ causes: [Int: Cause]) -> Explanation {
    var accounted: Aspects = []
    var found: [Cause] = []
    var newest: Part?
    for part in account.parts {
      guard let cause = causes[part.line] else { continue }
      if newest == nil, !part.isInside, part.aspects.contains(.presence) { newest = part }
      accounted.formUnion(part.aspects)
      if !found.contains(where: {
        $0.timeMs == cause.timeMs && $0.serial == cause.serial && $0.action == cause.action && $0.path == cause.path
      }) {
        found.append(cause)
      }
    }
    var missing = subject.aspects.subtracting(accounted)
    // the chain has to lead to what is there
    if subject.aspects.contains(.presence), let newest, newest.leaves == subject.isThere { missing.insert(.presence) }
    missing.formUnion(contradictions(subject, found))
    if missing.isEmpty { return Explanation(verdict: .explained, causes: found) }
    let hole = whyUnknown(subject) ?? (account.isWhole ? nil : "the log has more changes of it than are followed")
    if missing != subject.aspects, !found.isEmpty {
      return Explanation(
        verdict: .partly, causes: found, reason: "not accounted for: \(missing.names)" + (hole.map { "; \($0)" } ?? ""))
    }
    if let hole { return Explanation(verdict: .uncovered, causes: found, reason: hole) }
    return Explanation(
      verdict: .unexplained, causes: found, reason: "the trail covered this path all the time and shows nothing that did it")
  }

  /// What the newest change that tells of it says otherwise than what is there.
  private func contradictions(_ subject: Subject, _ causes: [Cause]) -> Aspects {
    guard subject.isThere else { return [] }
    var result: Aspects = []
    let own = causes.filter { $0.path == String(decoding: subject.path, as: UTF8.self) }
    if subject.aspects.contains(.mode), let mode = subject.mode,
      let told = own.first(where: { $0.mode != nil })?.mode.flatMap({ UInt32($0, radix: 8) }),
      told != mode & 0o7777
    {
      result.insert(.mode)
    }
    if subject.aspects.contains(.owner), let uid = subject.uid, let told = own.first(where: { $0.uid != nil })?.uid, told != Int64(uid) {
      result.insert(.owner)
    }
    if subject.aspects.contains(.group), let gid = subject.gid, let told = own.first(where: { $0.gid != nil })?.gid, told != Int64(gid) {
      result.insert(.group)
    }
    if subject.aspects.contains(.inode), !subject.device.isEmpty, let told = own.first(where: { $0.object != nil })?.object,
      told != Trail.ObjectID(device: subject.device, inode: subject.inode)
    {
      result.insert(.inode)
    }
    return result
  }

  /// Why the trail cannot have seen everything that was done to the path since the baseline; nil where it has.
  private func whyUnknown(_ subject: Subject) -> String? {
    let keys: [String]
    switch watching(subject.path) {
    case .lacking(let reason): return reason
    case .whole(let found): keys = found
    }
    guard let beginsMs else { return "the log is empty" }
    if beginsMs > sinceMs { return "the log begins after the baseline was made" }
    if let late = keys.compactMap({ loaded[$0] }).max() {
      return "its rule was loaded after the baseline was made, at \(isoUTC(milliseconds: late))"
    }
    if let hole {
      return (hole.ms == .max ? "" : "\(isoUTC(milliseconds: hole.ms)): ") + hole.text
        + (holeCount > 1 ? " (and \(holeCount - 1) more)" : "")
    }
    return trail.isWhole ? nil : "the log has more paths than could be followed"
  }
}

extension Aspects {
  /// In words.
  package var names: String {
    let all: [(Aspects, String)] = [
      (.presence, "presence"), (.content, "content"), (.mode, "mode"), (.owner, "owner"), (.group, "group"), (.accessList, "access list"),
      (.extended, "extended attributes"), (.modified, "time of modification"), (.changed, "time of change"), (.accessed, "time of access"),
      (.inode, "inode"), (.links, "links"), (.kind, "type"), (.flags, "flags"),
    ]
    return all.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
  }
}

extension Cause {
  init(_ line: borrowing LogLine) {
    timeMs = line.timeMs ?? 0
    serial = line.sequence
    action = line.string("fsaudit.action") ?? ""
    path = line.string("file.path") ?? ""
    previousPath = line.string("fsaudit.previous.path")
    login = line.string("user.audit.name") ?? line.auditID
    user = line.string("user.name") ?? line.string("user.id")
    executable = line.string("process.executable")
    arguments = line.strings("process.args")
    keys = line.strings("tags")
    host = line.string("host.name")
    mode = line.string("file.mode")
    uid = line.integer("file.uid")
    gid = line.integer("file.gid")
    if let device = line.string("file.device"), let inode = line.integer("file.inode"), inode > 0 {
      object = Trail.ObjectID(device: device, inode: UInt64(inode))
    }
  }
}
