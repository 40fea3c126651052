import CAudit
import Glibc
import System

/// Something that `rule check` has to say about a line.
package struct RuleFinding: Sendable, CustomStringConvertible {
  package enum Severity: String, Sendable {
    /// The line cannot be loaded.
    case error
    /// It can, but does not do what it says, or costs much.
    case warning
    /// Worth knowing.
    case note
  }

  /// `file:line`
  package let place: String
  package let severity: Severity
  package let message: String

  package var description: String { "\(place): \(severity.rawValue): \(message)" }
}

/// Looks for errors and costs in rules, without asking the kernel and without being root.
package struct RuleCheck {
  package private(set) var findings: [RuleFinding] = []
  private var earlier = EarlierRules()
  private let treeLimit: Int
  /// The directories whose trees were counted: many rules may name the same.
  private var counted: [String: Int?] = [:]

  /// - Parameter treeLimit: directories with more entries below them count as huge.
  package init(treeLimit: Int = 100_000) { self.treeLimit = treeLimit }

  /// Checks one more line, which comes after those before.
  package mutating func check(_ line: RuleFileLine) {
    let place = line.place
    switch line.content {
    case .failure(let failure):
      // The failure's message begins with the place already.
      let message = failure.description.dropFirst(failure.message.hasPrefix(place + ": ") ? place.utf8.count + 2 : 0)
      // a path that only root can look at may well be right
      let isHidden = failure.exit == .notPermitted && geteuid() != 0
      add(isHidden ? .note : .error, place, isHidden ? "not checked: \(message)" : String(message))
    case .success(let line):
      for note in line.notes { add(.warning, place, note) }
      for control in line.controls { check(control, place) }
      if line.text.count > 6143 { add(.warning, place, "longer than 6143 bytes: auditctl cuts it there; make two rules of it") }
      if line.operation == .remove {
        add(.note, place, "removes a rule of these files if it comes before, and nothing else")
        for rule in line.rules { earlier.remove(rule) }
        return
      }
      if line.rules.isEmpty, line.watchedPath != nil { add(.note, place, "waits until its path exists") }
      // The rules of a watch differ in arch= alone: one says what is to be said.
      if let rule = line.rules.first { check(rule, line, place) }
      for rule in line.rules where rule != line.rules.first { compare(rule, line, place, quiet: true) }
    }
  }

  private mutating func add(_ severity: RuleFinding.Severity, _ place: String, _ message: String) {
    findings.append(RuleFinding(place: place, severity: severity, message: message))
  }

  private mutating func check(_ control: RuleControl, _ place: String) {
    switch control {
    case .set(.enabled(2)): add(.warning, place, "-e 2 locks the rules until reboot: `rule load` refuses it without --allow-lock")
    case .set(.failure(2)): add(.warning, place, "-f 2 panics when a record is lost: `rule load` refuses it without --allow-panic")
    case .set(.enabled(0)): add(.warning, place, "-e 0 turns audit off")
    case .set(.backlogLimit(let limit)) where limit < 1024:
      add(.warning, place, "-b \(limit) loses records in a burst: 8192 or more is usual")
    case .set(.rateLimit(let rate)) where rate > 0: add(.warning, place, "-r \(rate) drops what comes faster than that")
    case .deleteAll: add(.note, place, "-D does nothing here: `rule load` applies the difference and never removes what is not fsaudit's")
    case .ignoreErrors, .continueAfterErrors: add(.note, place, "lines with errors from here on are passed over")
    default: break
    }
  }

  private mutating func check(_ rule: Rule, _ line: RuleLine, _ place: String) {
    compare(rule, line, place, quiet: false)
    checkObject(rule, place)
    if [rule].blocksEverything {
      add(.warning, place, "no process that starts from now on is audited at all, also not by other rules")
    }
    guard rule.list == .exit, rule.action == .always else { return }
    let object = rule.fields.contains { [AUDIT_DIR, AUDIT_WATCH, AUDIT_INODE, AUDIT_EXE].contains($0.id) }
    if !rule.fields.contains(where: { $0.id == AUDIT_ARCH }) {
      if rule.syscalls != .all {
        add(.warning, place, "no arch=: the numbers mean other calls to 32-bit programs; write the rule for arch=b64 and for arch=b32")
      } else if object {
        add(
          .warning, place,
          "no arch= and no -S: the kernel tries this rule at the end of every system call; `-w` is installed in a cheaper form")
      }
    } else if rule.syscalls == .all, rule.field(AUDIT_PERM) != nil {
      add(.note, place, "no -S: the kernel tries this rule at the end of every system call; name those that you mean, or use -w")
    }
    if rule.syscalls == .all, !object, rule.field(AUDIT_PERM) == nil, rule.arch == nil || rule.arch == LibAudit.elf(arch: "b64") {
      add(.warning, place, "records every system call: name some with -S, or a path")
    }
  }

  /// What can be wrong with the path of a rule.
  private mutating func checkObject(_ rule: Rule, _ place: String) {
    guard let object = rule.fields.first(where: { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) }) else { return }
    let isDirectoryRule = object.id == AUDIT_DIR
    if rule.list == .ring, !isDirectoryRule {
      add(.warning, place, "path= does not work in the io_uring list (the kernel compares it with the wrong number): use dir=")
    }
    let path = String(decoding: object.text, as: UTF8.self)
    let name = printable(path)
    var status = stat()
    if lstat(path, &status) != 0 {
      guard errno == ENOENT || errno == ENOTDIR else { return }
      if isDirectoryRule {
        add(.error, place, "\(name) does not exist: create it first, or put --when-created in front of the line")
      } else if Ledger.identity(of: [rule]) == nil {
        add(.error, place, "the directory of \(name) does not exist: create it first, or put --when-created in front of the line")
      } else {
        add(.note, place, "\(name) does not exist yet")
      }
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFLNK:
      add(
        .warning, place, "\(name) is a symbolic link: the rule is for the link itself and never matches what it leads to; name the target")
    case S_IFDIR where !isDirectoryRule:
      add(.warning, place, "\(name) is a directory: path= sees the directory itself but nothing in it; use dir=")
    case S_IFDIR:
      if ["/proc", "/sys", "/dev"].contains(where: { path == $0 || path.hasPrefix($0 + "/") }) {
        add(.warning, place, "\(name) is no ordinary file system: most of what happens in it is not audited")
      } else if rule.action == .always, let count = treeSize(path), count >= treeLimit {
        add(
          .warning, place,
          "\(name) holds \(treeLimit) files or more: expect many events, and exclude what is busy with never,exit rules before it")
      }
    default: break
    }
  }

  private mutating func treeSize(_ path: String) -> Int? {
    if let known = counted[path] { return known }
    let count = TreeSize.count(path, limit: treeLimit)
    counted[path] = count
    return count
  }

  /// Duplicates, and rules that an earlier one leaves nothing to.
  private mutating func compare(_ rule: Rule, _ line: RuleLine, _ place: String, quiet: Bool) {
    defer { earlier.add(rule, place, inFront: line.operation == .prepend) }
    if quiet || line.operation == .prepend { return }
    if let same = earlier.place(of: rule) {
      add(.warning, place, "the same rule as \(same)")
    } else if let shadow = earlier.first(covering: rule) {
      if shadow.rule.action == .never {
        add(.warning, place, "never reached: \(shadow.place) says never for all that it matches")
      } else if rule.action == .never {
        add(.warning, place, "never reached: \(shadow.place) records all that it matches")
      } else {
        add(.warning, place, "its key is never recorded: \(shadow.place) comes first and matches all that it matches")
      }
    }
  }
}

/// How many entries a tree has.
enum TreeSize {
  /// Counts up to `limit`, on one file system and without following links; nil where the directory cannot be read.
  static func count(_ path: String, limit: Int) -> Int? {
    var count = 0
    var pending = [path]
    var device: dev_t?
    while let directory = pending.popLast(), count < limit {
      var status = stat()
      guard lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, device == nil || status.st_dev == device else { continue }
      device = status.st_dev
      guard let stream = opendir(directory) else {
        if pending.isEmpty, count == 0 { return nil }
        continue
      }
      defer { closedir(stream) }
      while let entry = readdir(stream), count < limit {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name == "." || name == ".." { continue }
        count += 1
        if Int32(entry.pointee.d_type) == DT_DIR { pending.append(directory + "/" + name) }
      }
    }
    return count
  }
}
