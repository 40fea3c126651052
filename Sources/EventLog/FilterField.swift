import AuditWire

/// What of a line a filter can ask for: the one table that the options, `--not` and the matching go by.
package enum FilterField: String, CaseIterable, Sendable {
  /// The raw value is the name: `--key`, `--not key=…`.
  case key, path, under, user, auid, pid, ppid, session, exe, comm, action, syscall, result, host, serial, inode, text

  /// How a value is compared with what a line has.
  package enum Kind: Sendable {
    /// The same text as one of the strings, or the same digits as one of the numbers.
    case word
    /// The same, or `unset` where there is none.
    case wordOrUnset
    /// A pattern for names: exact bytes, `fsaudit.raw` where the readable form is not.
    case name
    /// A pattern for text.
    case pattern
    /// A part of any of the line's values.
    case anywhere
  }

  package var kind: Kind {
    switch self {
    case .key, .user, .pid, .ppid, .comm, .action, .syscall, .result, .host, .serial, .inode: .word
    case .auid, .session: .wordOrUnset
    case .path, .under: .name
    case .exe: .pattern
    case .text: .anywhere
    }
  }

  /// Where in the line: one of them is enough.
  fileprivate var paths: [JSONPath] { Self.table[self] ?? [] }

  /// In records of user space, and of rules, who did it and the key stand among the records' own fields.
  private static let table: [FilterField: [JSONPath]] = [
    .key: ["tags", "fsaudit.records.*.key"],
    .user: ["user.name", "user.id", "user.effective.name", "user.effective.id", "user.audit.name", "user.audit.id"],
    .auid: ["user.audit.name", "user.audit.id"], .pid: ["process.pid", "fsaudit.records.*.pid"], .ppid: ["process.parent.pid"],
    .session: ["fsaudit.session"],
    .exe: ["process.executable", "process.name", "fsaudit.records.*.exe"], .comm: ["process.name", "fsaudit.records.*.comm"],
    .action: ["fsaudit.action", "event.action"],
    .syscall: ["fsaudit.syscall"], .result: ["event.outcome", "fsaudit.errno"], .host: ["host.name"], .serial: ["event.sequence"],
    .inode: ["file.inode", "fsaudit.replaced.inode"],
  ]

  /// The names that a change has: its own, the old one, the replaced file's, the target of a link; readable, and exact in hexadecimal.
  static let names: [(path: JSONPath, raw: JSONPath)] = [
    ("file.path", "fsaudit.raw.path"), ("fsaudit.previous.path", "fsaudit.raw.previous_path"),
    ("fsaudit.replaced.path", "fsaudit.raw.replaced_path"), ("fsaudit.target.path", "fsaudit.raw.target_path"),
  ]

  /// Whether it depends on nothing but who made the call, which is the same for all calls of a process, and on other records than those of a
  /// call.
  package var isAboutActor: Bool {
    switch self {
    case .key, .user, .auid, .pid, .ppid, .session, .exe, .comm: true
    default: false
    }
  }
}

/// One field's wanted values: alternatives.
package struct FilterCondition: Sendable {
  package let field: FilterField
  /// For ``FilterField/Kind/word`` and ``FilterField/Kind/anywhere``; `unset` is in ``wantsUnset``.
  package let words: [[UInt8]]
  /// For names and patterns.
  package let globs: [Glob]
  /// Whether lines without the field are meant.
  package let wantsUnset: Bool
  private let paths: [JSONPath]

  package init(_ field: FilterField, words: [[UInt8]], wantsUnset: Bool = false) {
    self.field = field
    self.words = words
    self.wantsUnset = wantsUnset
    globs = []
    paths = field.paths
  }

  package init(_ field: FilterField, globs: [Glob]) {
    self.field = field
    self.globs = globs
    words = []
    wantsUnset = false
    paths = field.paths
  }

  /// Whether one of the globs fits a name.
  package func matches(name: RawSpan) -> Bool { globs.contains { $0.matches(name) } }

  /// Whether the line has one of the values.
  package func holds(for line: LogLine) -> Bool {
    switch field.kind {
    case .word: paths.contains { line.contains(at: $0, isWanted) }
    case .wordOrUnset: paths.contains { line.contains(at: $0, isWanted) } || wantsUnset && isUnset(line)
    case .pattern: paths.contains { line.contains(at: $0, matches(name:)) }
    case .name: FilterField.names.contains { line.name($0.path, raw: $0.raw, matches(name:)) }
    case .anywhere: line.containsAnywhere(hasPart) || FilterField.names.contains { line.name($0.path, raw: $0.raw, hasPart) }
    }
  }

  private func isWanted(_ value: RawSpan) -> Bool { words.contains { value.equals($0.span.bytes) } }

  private func hasPart(_ value: RawSpan) -> Bool { words.contains { find($0, in: value) } }

  private func find(_ part: [UInt8], in value: RawSpan) -> Bool {
    guard let first = part.first else { return true }
    var at = 0
    let end = value.byteCount - part.count + 1
    while at < end, let next = value.firstIndex(of: first, from: at, before: end) {
      if value.extracting(next..<next + part.count).equals(part.span.bytes) { return true }
      at = next + 1
    }
    return false
  }

  /// The kernel's word for "none" is its largest number.
  private func isUnset(_ line: LogLine) -> Bool {
    !paths.contains { line.contains(at: $0) { !$0.equals("4294967295") } }
  }
}
