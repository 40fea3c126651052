import CAudit
import Glibc
import System
import SystemPackage

/// A setting or action that rule files contain beside rules.
package enum RuleControl: Sendable, Hashable {
  /// `-e -f -r -b --backlog_wait_time`
  case set(KernelSetting)
  /// `-D`, perhaps with `-k`: only the rules whose key holds this text.
  case deleteAll(key: [UInt8])
  /// `-q mount,subtree`
  case makeEquivalent(mountPoint: [UInt8], subtree: [UInt8])
  /// `-t`
  case trim
  case loginuidImmutable
  case resetLost
  case resetBacklogWaitTimeActual
  /// `-i`: what fails from here on is reported and skipped.
  case ignoreErrors
  /// `-c`: the same, but the command fails at the end.
  case continueAfterErrors
}

/// What one line of a rule file, or the arguments of one `rule add`, asks for.
package struct RuleLine: Sendable {
  package enum Operation: Sendable { case append, prepend, remove }

  /// What to do with the rules; nil where the line has none.
  package var operation: Operation?
  /// One rule, or for a watch one for each architecture; empty for a watch that waits for its path.
  package var rules: [Rule] = []
  package var controls: [RuleControl] = []
  /// `--when-created`: what cannot be added because its path does not exist is kept until it does.
  package var whenCreated = false
  /// The path of a `-w` or `-W` as written; nil for other lines.
  package var watchedPath: [UInt8]?
  /// What auditctl accepts in silence and the writer should know.
  package var notes: [String] = []
  /// The line itself.
  package var arguments: [[UInt8]] = []

  /// The line as text that ``ruleArguments(line:)`` splits again.
  package var text: [UInt8] { Array(arguments.map(escapedRuleArgument).joined(separator: [UInt8(ascii: " ")])) }
}

/// What a path leads to, for `-w`. A parameter of the parser, so that tests need no files.
package struct PathResolver: Sendable {
  package enum Target: Sendable {
    case file([UInt8]), directory([UInt8])
    /// It leads nowhere, and why: ENOENT, or that a link leads in circles, that something on the way is no directory …
    case unreachable(Errno)
    package static let missing = Target.unreachable(.noSuchFileOrDirectory)
  }
  package let resolve: @Sendable ([UInt8]) -> Target
  package init(_ resolve: @escaping @Sendable ([UInt8]) -> Target) { self.resolve = resolve }

  /// realpath(3): the kernel would put a rule for a symbolic link on the link's own inode, where it never fires (AUDIT-FACTS 7).
  package static let system = PathResolver { path in
    guard
      let resolved = (path + [0]).withUnsafeBufferPointer({ bytes in
        bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.flatMap { realpath($0, nil) } }
      })
    else { return .unreachable(Errno(rawValue: errno)) }
    defer { free(resolved) }
    var status = stat()
    guard stat(resolved, &status) == 0 else { return .unreachable(Errno(rawValue: errno)) }
    let bytes = UnsafeBufferPointer(start: resolved, count: strlen(resolved)).map { UInt8(bitPattern: $0) }
    return status.st_mode & S_IFMT == S_IFDIR ? .directory(bytes) : .file(bytes)
  }

  /// What a person is told of an unreachable path.
  /// - Parameter missingAdvice: what to do about one that does not exist.
  static func failure(_ path: [UInt8], _ code: Errno, missingAdvice: String) -> Failure {
    let name = printable(String(decoding: path, as: UTF8.self))
    return switch code {
    case .noSuchFileOrDirectory: Failure("\(name): it does not exist", advice: missingAdvice, exit: .usage)
    case .permissionDenied: Failure("\(name): \(code)", advice: "run it as root", exit: .notPermitted)
    default: Failure("\(name): \(code)", advice: "name a path that leads to a file or directory", exit: .usage)
    }
  }
}

extension RuleLine {
  /// Parses auditctl's arguments. Their order does not matter, except that fields keep theirs; keys come last, as auditctl puts them.
  /// - Parameter removing: the line is read to remove its rules, so that a watched path need not exist any more.
  package init(_ arguments: [[UInt8]], removing: Bool = false, paths: PathResolver = .system) throws(Failure) {
    self.arguments = arguments
    var list: RuleList?
    var action = RuleAction.always
    var conditions: [RuleOption] = []
    var syscalls: [RuleOption] = []
    var keys: [[UInt8]] = []
    var deletesAll = false
    for option in try RuleOption.parse(arguments) {
      switch option.name {
      case "a", "A", "d":
        (list, action) = try Self.listAndAction(option)
        try setOperation(option.name == "a" ? .append : option.name == "A" ? .prepend : .remove)
      case "w", "W":
        list = .exit
        action = .always
        try setOperation(option.name == "w" ? .append : .remove)
        watchedPath = option.value
      // in any case, as libaudit reads the names of fields: a second key field would be EINVAL to the kernel
      case "F" where String(decoding: option.value.prefix(4), as: UTF8.self).lowercased() == "key=":
        keys.append(Array(option.value.dropFirst(4)))
      case "k": keys.append(option.value)
      case "F", "C", "p": conditions.append(option)
      case "S": syscalls.append(option)
      case "D": deletesAll = true
      case "when-created": whenCreated = true
      default: try addControl(option)
      }
    }
    let key = try Self.joined(keys)
    if deletesAll {
      guard operation == nil, conditions.isEmpty, syscalls.isEmpty else {
        throw Failure("-D stands alone or with -k", advice: "put the rule on a line of its own", exit: .usage)
      }
      controls.append(.deleteAll(key: key))
      return
    }
    guard let list else {
      if let stray = conditions.first ?? syscalls.first {
        throw Failure("-\(stray.name) without a rule", advice: "begin the rule with -a list,action or -w path", exit: .usage)
      }
      if !key.isEmpty { throw Failure("-k without a rule", advice: "begin the rule with -a list,action or -w path", exit: .usage) }
      if controls.isEmpty { throw Failure("no rule", advice: "begin it with -a list,action or -w path", exit: .usage) }
      return
    }
    var rule = Rule(list, action, syscalls: .none, fields: [])
    if watchedPath != nil { rule.fields.append(RuleField(AUDIT_PERM, value: FilePermissions.all.rawValue)) }
    try addConditions(conditions, to: &rule)
    if watchedPath == nil { rule.syscalls = try Self.syscallSet(syscalls, rule, &notes) }
    if !key.isEmpty { rule.fields.append(RuleField(AUDIT_FILTERKEY, text: key)) }
    rules = try watchedPath.map { path throws(Failure) in try watchRules(path, rule, removing || operation == .remove, paths) } ?? [rule]
    let own = Array("/proc/\(getpid())".utf8)
    if watchedPath != nil, let object = rules.first?.fields.first(where: { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) })?.text,
      object.starts(with: own), [nil, UInt8(ascii: "/")].contains(object.dropFirst(own.count).first)
    {
      notes.append("the path leads to /proc/self, which is fsaudit itself here: it is gone when the command ends")
    }
    if rules.contains(where: { $0.fields.count > Rule.greatestFieldCount }) {
      throw Failure("more than \(Rule.greatestFieldCount) fields", advice: "make two rules of it", exit: .usage)
    }
  }

  private mutating func setOperation(_ new: Operation) throws(Failure) {
    if operation != nil { throw Failure("two rules in one line", advice: "give each its own line", exit: .usage) }
    operation = new
  }

  /// `list,action` or `action,list`.
  private static func listAndAction(_ option: RuleOption) throws(Failure) -> (RuleList, RuleAction) {
    let words = option.text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    func wrong(_ what: String) -> Failure {
      Failure(
        "-\(option.name) \(printable(option.text)): \(what)",
        advice: "write always or never, and one of \(RuleList.allCases.map(\.name).joined(separator: ", ")), with a comma between",
        exit: .usage)
    }
    guard words.count == 2 else { throw wrong("not a list and an action") }
    func list(_ word: String) -> RuleList? { RuleList.allCases.first { $0.name == word } }
    func action(_ word: String) -> RuleAction? { word == "always" ? .always : word == "never" ? .never : nil }
    if words.contains("possible") { throw wrong("the action \"possible\" no longer exists") }
    if words.contains("entry") { throw wrong("the entry list no longer exists, the exit list does its work") }
    if let list = list(words[0]), let action = action(words[1]) { return (list, action) }
    if let list = list(words[1]), let action = action(words[0]) { return (list, action) }
    throw wrong("not a list and an action")
  }

  /// All keys of a rule in one text, as the kernel keeps them.
  private static func joined(_ keys: [[UInt8]]) throws(Failure) -> [UInt8] {
    let text = Array(keys.filter { !$0.isEmpty }.joined(separator: [UInt8(AUDIT_KEY_SEPARATOR)]))
    guard text.count <= AUDIT_MAX_KEY_LEN else {
      throw Failure(
        "the keys take \(text.count) bytes, and all keys of a rule together can take \(AUDIT_MAX_KEY_LEN)", advice: "shorten them",
        exit: .usage)
    }
    return text
  }

  private mutating func addConditions(_ options: [RuleOption], to rule: inout Rule) throws(Failure) {
    var parser = RuleFieldParser(list: rule.list)
    for option in options {
      switch option.name {
      case "F": rule.fields.append(try parser.field(option.value))
      case "C": rule.fields.append(try parser.comparison(option.value))
      default:
        // -p changes the permissions that are there already: a watch's own.
        let field = try parser.field(Array("perm=".utf8) + option.value)
        if let index = rule.fields.firstIndex(where: { $0.id == AUDIT_PERM }) {
          rule.fields[index] = field
        } else {
          rule.fields.append(field)
        }
      }
    }
    notes += parser.notes
    // The kernel takes one of them (kernel/auditfilter.c: each needs that no other is set).
    let objects = rule.fields.filter {
      [AUDIT_WATCH, AUDIT_DIR].contains($0.id) || ($0.id == AUDIT_INODE && $0.operation == RuleField.equal)
    }
    if objects.count > (watchedPath == nil ? 1 : 0) {
      throw Failure("more than one path=, dir= or inode= in a rule", advice: "make a rule of each", exit: .usage)
    }
  }

  private static func syscallSet(_ options: [RuleOption], _ rule: Rule, _ notes: inout [String]) throws(Failure) -> SyscallSet {
    guard rule.list.selectsSyscalls else {
      guard options.isEmpty else {
        throw Failure("-S in the \(rule.list.name) list", advice: "only the exit and io_uring lists select system calls", exit: .usage)
      }
      // auditctl's own choice; the kernel does not look at it.
      return rule.list == .task ? .none : .all
    }
    if options.isEmpty { return .all }
    // The last arch= counts, whatever its operator: auditctl does the same.
    let machine = LibAudit.machine(elf: rule.fields.last { $0.id == AUDIT_ARCH }?.value)
    var result = SyscallSet.none
    for name in options.flatMap({ $0.text.split(separator: ",").map(String.init) }) {
      if name == "all" {
        result = .all
        continue
      }
      let named = rule.list == .ring ? RingOperation.names.first { $0.name == name }?.number : LibAudit.syscall(name, machine: machine)
      guard let number = named ?? Number(name).map({ Int($0.value) }) else {
        throw Failure(
          "-S \(printable(name)): no such \(rule.list == .ring ? "io_uring operation" : "system call on this architecture")",
          advice: "check the name and arch=, or give its number", exit: .usage)
      }
      guard result.insert(number) else {
        throw Failure("-S \(printable(name)): a rule can name 0 to \(SyscallSet.greatest)", advice: "use another number", exit: .usage)
      }
    }
    guard result != .none else { throw Failure("-S without a system call", advice: "name one", exit: .usage) }
    return result
  }

  /// A watch as the rules that do the same and cost less: with arch= and the system calls that its permissions mean, so that the kernel passes over
  /// every other call with one bit test. One rule for each architecture that this host runs, or 32-bit programs would go unseen.
  private func watchRules(_ path: [UInt8], _ rule: Rule, _ removing: Bool, _ paths: PathResolver) throws(Failure) -> [Rule] {
    let name = printable(String(decoding: path, as: UTF8.self))
    guard path.first == UInt8(ascii: "/") else { throw Failure("\(name): not an absolute path", advice: "begin it with /", exit: .usage) }
    let object: RuleField
    switch paths.resolve(path) {
    case .file(let path): object = RuleField(AUDIT_WATCH, text: path)
    case .directory(let path): object = RuleField(AUDIT_DIR, text: path)
    case .unreachable where removing:
      let trimmed = path.lastIndex { $0 != UInt8(ascii: "/") }.map { Array(path[...$0]) } ?? path
      object = RuleField(AUDIT_WATCH, text: trimmed)
    case .unreachable(.noSuchFileOrDirectory) where whenCreated, .unreachable(.notDirectory) where whenCreated: return []
    case .unreachable(let code):
      throw PathResolver.failure(path, code, missingAdvice: "create it first, or add --when-created to wait for it")
    }
    let permissions = FilePermissions(rawValue: rule.field(AUDIT_PERM)?.value ?? 0)
    var result: [Rule] = []
    for elf in ["b64", "b32"].compactMap(LibAudit.elf(arch:)) {
      var one = rule
      one.syscalls = permissions.syscalls(arch: elf)
      one.fields.insert(contentsOf: [RuleField(AUDIT_ARCH, value: elf), object], at: 0)
      result.append(one)
    }
    return result
  }

  private mutating func addControl(_ option: RuleOption) throws(Failure) {
    func wrong(_ advice: String) -> Failure { Failure("\(option.dashed) \(printable(option.text))", advice: advice, exit: .usage) }
    func number(_ make: (UInt32) -> KernelSetting) throws(Failure) -> RuleControl {
      guard !option.text.hasPrefix("-"), let number = Number(option.text), number.oddity == nil else { throw wrong("give a number") }
      return .set(make(number.value))
    }
    func flag(_ make: (UInt32) -> KernelSetting) throws(Failure) -> RuleControl {
      guard ["0", "1", "2"].contains(option.text), let number = UInt32(option.text) else { throw wrong("give 0, 1 or 2") }
      return .set(make(number))
    }
    switch option.name {
    case "e": controls.append(try flag { .enabled($0) })
    case "f": controls.append(try flag { .failure($0) })
    case "r": controls.append(try number { .rateLimit($0) })
    case "b": controls.append(try number { .backlogLimit($0) })
    case "backlog_wait_time": controls.append(try number { .backlogWaitTime($0) })
    case "q":
      let parts = option.value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map(Array.init)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { throw wrong("give mount-point,subtree") }
      controls.append(.makeEquivalent(mountPoint: parts[0], subtree: parts[1]))
    case "t": controls.append(.trim)
    case "i": controls.append(.ignoreErrors)
    case "c": controls.append(.continueAfterErrors)
    case "loginuid-immutable": controls.append(.loginuidImmutable)
    case "reset-lost": controls.append(.resetLost)
    case "reset_backlog_wait_time_actual": controls.append(.resetBacklogWaitTimeActual)
    default:
      throw Failure(
        "\(option.dashed) is an order to auditctl, not a rule", advice: "remove it from the rules",
        exit: .usage)
    }
  }
}
