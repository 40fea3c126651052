import System

/// What a configuration states, in order: enough to write it again.
enum ConfigStatement: Sendable {
  case group(name: String, expression: String, ConfigPlace)
  /// Index into the rules.
  case rule(Int)
  /// What a native configuration does without, and why.
  case dropped(ConfigNotice)
}

/// Reads AIDE's configuration language (aide.conf(5) of AIDE 0.18, and what 0.19 added to rules).
struct ConfigParser: ~Copyable {
  let host: ConfigHost
  private(set) var rules: [SelectionRule] = []
  private(set) var statements: [ConfigStatement] = []
  var warnings: [ConfigNotice] = []
  var notes: [ConfigNotice] = []
  private(set) var rootPrefix: [UInt8] = []

  var groups = Dictionary(uniqueKeysWithValues: Attributes.defaultGroups.map { ($0.name, $0.attributes) })
  var macros: [String: [UInt8]]
  /// What `@@include DIRECTORY REGEX PREFIX` puts before every rule.
  var rulePrefix: [UInt8] = []
  /// How many files are being read, each included by the one before.
  var depth = 0
  /// How many have been read in all.
  var filesRead = 0
  /// How many bytes have been read, and made by macros; and how many either may become.
  private var bytesRead = 0, bytesMade = 0
  var mostBytes = 64 << 20
  private var undefined: Set<String> = []
  /// Equal expressions are compiled once: configurations repeat themselves.
  private var patterns: [[UInt8]: Pattern] = [:]

  /// AIDE's own version, for `@@if version_ge` and `@@{AIDE_VERSION}`: that of the language read here.
  static let version = [0, 18, 3]

  init(host: ConfigHost) {
    self.host = host
    macros = ["HOSTNAME": Array(host.name.utf8), "AIDE_VERSION": Array(Self.version.map(String.init).joined(separator: ".").utf8)]
  }

  /// Reads a text. A condition that is opened in it has to be closed in it.
  mutating func parse(_ bytes: [UInt8], file: String) throws(Failure) {
    bytesRead += bytes.count
    if bytesRead > mostBytes {
      throw Failure(
        "\(printable(file)): with it the configuration has more than \(mostBytes) bytes", advice: "is a file included many times?",
        exit: .usage)
    }
    var conditions = Conditions()
    var number = 0
    for text in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      var line = ConfigLine(text, file: file, number: number)
      if line.isAtEnd() { continue }
      // C, and so PCRE2's own tools, would take the line to end there
      if let zero = text.firstIndex(of: 0) { throw line.fault(at: zero, "a NUL byte", "is this a configuration?") }
      if line.bytes.starts(with: "@@".utf8) {
        try directive(&line, &conditions)
      } else if conditions.isActive {
        try statement(&line)
      }
    }
    if let open = conditions.innermost {
      throw Failure("\(open.description): this condition is never closed", advice: "add @@endif in the same file", exit: .usage)
    }
  }

  private mutating func statement(_ line: inout ConfigLine) throws(Failure) {
    switch line.next {
    case UInt8(ascii: "/"): try rule(&line, .selective)
    case UInt8(ascii: "="): try rule(&line, .equal)
    case UInt8(ascii: "!"), UInt8(ascii: "-"): try rule(&line, .negative)
    case let byte? where isAlphanumeric(byte) || byte == UInt8(ascii: "_"): try assignment(&line)
    default:
      throw line.fault(
        "\(line.found) begins no line", "a rule begins with /, !/ or =/, a group is NAME = ATTRIBUTES, a macro line begins with @@")
    }
  }

  /// An option or a group.
  private mutating func assignment(_ line: inout ConfigLine) throws(Failure) {
    let start = line.at
    let name = line.name()
    line.skipBlanks()
    guard line.take("=") else {
      throw line.fault("\(line.found) follows \(name)", "write NAME = ATTRIBUTES for a group; a rule begins with /, !/ or =/")
    }
    if let meaning = ConfigOption.all[name] {
      if line.isAtEnd() { throw line.fault("\(name) has no value", "give it one, or leave the line out") }
      if name == "root_prefix" {
        rootPrefix = try string(&line)
        while rootPrefix.last == UInt8(ascii: "/") { rootPrefix.removeLast() }
      } else {
        drop(ConfigNotice(place: line.place(at: start), text: "\(name): \(meaning)"))
      }
      return
    }
    if Self.isReserved(name) {
      throw line.fault(at: start, "\(name) is an attribute, and no group can have its name", "choose another name")
    }
    // AIDE tells an option from a group by its first letter
    if let first = name.utf8.first, first >= UInt8(ascii: "_") {
      throw line.fault(
        at: start, "\(name) is no option, and the name of a group begins with a capital letter or a digit",
        suggestion(for: name, among: Array(ConfigOption.all.keys), or: "aide.conf(5) lists the options"))
    }
    if name.contains("_") {
      warnings.append(
        ConfigNotice(
          place: line.place(at: start), text: "\(name): newer versions of AIDE want letters and digits only in the name of a group"))
    }
    let expression = try expression(&line)
    if let earlier = groups[name], earlier != expression.attributes {
      notes.append(ConfigNotice(place: line.place(at: start), text: "\(name) is defined anew; lines above keep what it was"))
    }
    groups[name] = expression.attributes
    statements.append(.group(name: name, expression: expression.text, line.place(at: start)))
  }

  private mutating func rule(_ line: inout ConfigLine, _ kind: SelectionRule.Kind) throws(Failure) {
    let place = line.place
    if kind != .selective { line.at += 1 }
    guard line.next == UInt8(ascii: "/") else {
      throw line.fault("\(line.found) where a path begins", "the expression of a rule begins with /, directly behind ! or =")
    }
    let word = try string(&line, withIndices: true)
    let restriction = try restriction(&line, isNegative: kind == .negative)
    var attributes = ConfigExpression()
    if kind != .negative {
      attributes = try expression(&line)
      if attributes.attributes.contains(.compressed), attributes.attributes.resolved.isDisjoint(with: .hashes) {
        warnings.append(ConfigNotice(place: place, text: "compressed has no effect without a digest, sha256 for example"))
      }
    } else if !line.isAtEnd() {
      throw line.fault(
        "\(line.found) follows a negative rule", "it takes no attributes, only kinds of files: !\(printable(word.bytes)) f,d")
    }
    let bytes = rulePrefix + word.bytes
    let node = nodePath(of: bytes)
    if zip(node, node.dropFirst()).contains(where: { $0 == UInt8(ascii: "/") && $1 == $0 }) || bytes.starts(with: "//".utf8) {
      warnings.append(
        ConfigNotice(place: place, text: "\(printable(bytes)) has two slashes and matches no path: is a macro empty that should not be?"))
    }
    let pattern = try pattern(bytes, line, word.indices, skipping: rulePrefix.count)
    statements.append(.rule(rules.count))
    rules.append(
      SelectionRule(
        kind: kind, place: place, text: line.text, expression: bytes, kinds: restriction.kinds, fileSystem: restriction.fileSystem,
        attributes: attributes.attributes.resolved, attributesText: attributes.text, pattern: pattern, literal: Literal(bytes),
        node: node))
  }

  private mutating func pattern(
    _ bytes: [UInt8], _ line: ConfigLine, _ indices: [Int], skipping prefix: Int
  ) throws(Failure) -> Pattern {
    if let known = patterns[bytes] { return known }
    do throws(Pattern.Fault) {
      let pattern = try Pattern(bytes)
      patterns[bytes] = pattern
      return pattern
    } catch {
      let at = error.offset - prefix
      let index = indices.indices.contains(at) ? indices[at] : indices.last
      throw line.fault(
        at: index, "the regular expression \(printable(bytes)) is wrong here: \(error.message)",
        "a special character stands for itself behind a backslash, \\( for example")
    }
  }

  /// `f,d`, `0`, and since AIDE 0.19 `f=ext4` and `=ext4`, where there is such a restriction.
  private mutating func restriction(_ line: inout ConfigLine, isNegative: Bool) throws(Failure) -> (kinds: FileKinds, fileSystem: String?) {
    line.skipBlanks()
    let start = line.at
    var words: [(name: String, at: Int)] = []
    var isList = isNegative
    repeat {
      line.skipBlanks()
      if line.next == UInt8(ascii: "="), words.isEmpty { break }
      if line.isAtEnd(), words.isEmpty { break }
      let at = line.at
      let name = line.name("_>")
      if name.isEmpty { throw line.fault("\(line.found) where a kind of file is expected", Self.kindsAdvice) }
      words.append((name, at))
      line.skipBlanks()
      if line.next == UInt8(ascii: ",") { isList = true }
    } while line.take(",")
    var fileSystem: String?
    if line.take("=") {
      isList = true
      fileSystem = line.name("._-")
      if fileSystem?.isEmpty == true { throw line.fault("\(line.found) where a file system is expected", "its type: =ext4 for example") }
    }
    line.skipBlanks()
    // one word and nothing but attributes can follow: it was a restriction
    if !isList, let byte = line.next, isAlphanumeric(byte) || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "_") { isList = true }
    guard isList else {
      line.at = start
      return ([], nil)
    }
    var kinds: FileKinds = []
    for word in words where word.name != "0" {
      guard word.name.count == 1, let kind = FileKind(letter: Character(word.name)) else {
        let wrong =
          isNegative ? "\(word.name) is no kind of file, and a negative rule takes no attributes" : "\(word.name) is no kind of file"
        throw line.fault(at: word.at, wrong, Self.kindsAdvice)
      }
      kinds.insert(FileKinds(kind))
    }
    return (kinds, fileSystem)
  }

  private static let kindsAdvice = "f, d, l, c, b, p, s, D and P, joined by commas, or 0 for any"

  /// The next word, macros resolved.
  mutating func string(_ line: inout ConfigLine) throws(Failure) -> [UInt8] { try string(&line, withIndices: true).bytes }

  private mutating func string(_ line: inout ConfigLine, withIndices: Bool) throws(Failure) -> (bytes: [UInt8], indices: [Int]) {
    var missing: [(String?, Int)] = []
    let macros = macros
    let result = try line.string { name, index in
      if let name, let value = macros[name] { return value }
      missing.append((name, index))
      return []
    }
    bytesMade += result.bytes.count
    if bytesMade > mostBytes { throw line.fault("macros have made more than \(mostBytes) bytes of this", "use shorter ones") }
    // one warning for each name is enough: a program that was skipped may have defined what a hundred rules use
    for (name, index) in missing where name.map({ undefined.insert($0).inserted }) ?? true {
      let text =
        name.map { "\($0) is not defined: nothing is put in its place" } ?? "@@{ begins no macro here (@@{NAME}): it is taken for text"
      warnings.append(ConfigNotice(place: line.place(at: index), text: text))
    }
    return result
  }

  /// Notes something that has no effect here.
  mutating func drop(_ notice: ConfigNotice, warning: Bool = false) {
    if warning { warnings.append(notice) } else { notes.append(notice) }
    statements.append(.dropped(notice))
  }
}

/// AIDE's options, with what becomes of them here.
enum ConfigOption {
  private static let database = "no effect: fsaudit keeps its own database"
  private static let report = "no effect: `fsaudit check --format` says how it reports"
  private static let log = "no effect: fsaudit says what is wrong on stderr"

  static let all: [String: String] = [
    "database": database, "database_in": database, "database_out": database, "database_new": database, "database_attrs": database,
    "database_add_metadata": database, "gzip_dbout": database, "log_level": log, "verbose": log, "report_url": report,
    "report_level": report, "report_format": report, "report_base16": report, "report_detailed_init": report, "report_quiet": report,
    "report_append": report, "report_grouped": report, "grouped": report, "report_summarize_changes": report,
    "summarize_changes": report, "report_ignore_added_attrs": report, "report_ignore_removed_attrs": report,
    "report_ignore_changed_attrs": report, "report_force_attrs": report, "report_ignore_e2fsattrs": report, "report_attributes": report,
    "ignore_list": report, "root_prefix": "taken off paths before the rules are asked",
    "acl_no_symlink_follow": "no effect: links are never followed",
    "warn_dead_symlinks": "no effect: a link's target is its text", "config_version": "no effect", "syslog_format": report,
    "config_check_warn_unrestricted_rules": "no effect", "num_workers": "no effect: all processors but one are used",
  ]
}
