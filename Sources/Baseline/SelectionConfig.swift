import System

/// What the configuration says about one path.
package struct Decision: Sendable, Equatable {
  /// What is recorded of it; nil: it is not selected.
  package let attributes: Attributes?
  /// Whether anything below it can be selected: only then a walk enters it. Always false for what is no directory.
  package let descends: Bool
  /// The rule that decided, a negative one where that is why it is not selected; nil where no rule matched. See ``SelectionConfig/rules``.
  package let rule: Int?
}

/// Something in a configuration that its reader should know.
package struct ConfigNotice: Sendable {
  package let place: ConfigPlace
  package let text: String

  /// `file:line:column: text`
  package var description: String { "\(place.description): \(text)" }
}

/// A configuration in AIDE's language, read and compiled: which objects belong to the baseline, and what of each counts.
///
/// The rules of AIDE 0.18.3 hold. Every rule is filed under the directory that its literal start names. A path is looked up from its own
/// directory up to the root; the first match, in the order of the file within a directory, selects it. Then the negative rules on that way,
/// from the root down, may take it back: they win wherever they stand, and what they take back takes everything below it along. An equal
/// rule (`=`) is asked only for what lies directly in the directory it is filed under.
///
/// It may be used from several threads, each with a ``Selector`` of its own.
package final class SelectionConfig: Sendable {
  /// In the order of the file.
  package let rules: [SelectionRule]
  /// What probably is not meant: obsolete names, rules that can never match, files that were skipped. One is no error.
  package let warnings: [ConfigNotice]
  /// What has no effect here: AIDE's options about databases and reports.
  package let notes: [ConfigNotice]
  /// What AIDE's `root_prefix` says: this much is taken off a path before the rules are asked. Empty where it says nothing.
  package let rootPrefix: [UInt8]
  /// What was read, in order, as a native configuration has it.
  let statements: [ConfigStatement]

  let tree: SelectionTree
  /// The parts of the rules that a decision looks at for nearly every path, close together.
  let quick: [QuickRule]
  /// The literals of all rules, one after the other.
  let literals: [UInt8]

  struct QuickRule: Sendable {
    let start: Int
    let count: Int
    let rest: Literal.Rest
    let isUnrestricted: Bool
  }

  init(_ parsed: borrowing ConfigParser) {
    rules = parsed.rules
    notes = parsed.notes
    rootPrefix = parsed.rootPrefix
    statements = parsed.statements
    tree = SelectionTree(rules)
    warnings = parsed.warnings + unreachable(rules)
    var literals: [UInt8] = []
    var quick: [QuickRule] = []
    for rule in rules {
      quick.append(
        QuickRule(
          start: literals.count, count: rule.literal.bytes.count, rest: rule.literal.rest, isUnrestricted: rule.isUnrestricted))
      literals += rule.literal.bytes
    }
    self.literals = literals
    self.quick = quick
  }

  /// Where the configuration is when nobody says otherwise.
  package static let defaultPath = "/etc/fsaudit/baseline.conf"

  /// Reads a configuration and what it includes.
  /// - Parameter host: what `@@if hostname`, `@@{HOSTNAME}` and `@@if exists` see.
  /// - Throws: ``Failure`` with `file:line:column` and what would be right there.
  package static func load(_ path: String, host: ConfigHost = .system) throws(Failure) -> SelectionConfig {
    var parser = ConfigParser(host: host)
    try parser.read(path)
    return SelectionConfig(parser)
  }

  /// The same of a text; `file` is its name in messages.
  package static func parse(_ bytes: [UInt8], file: String, host: ConfigHost = .system) throws(Failure) -> SelectionConfig {
    var parser = ConfigParser(host: host)
    try parser.parse(bytes, file: file)
    return SelectionConfig(parser)
  }

  /// One decision by itself, for a path from the root. Who asks for many keeps a ``Selector``.
  package func decide(_ path: [UInt8], _ kind: FileKind, fileSystem: String? = nil) -> Decision {
    var selector = Selector(self)
    return selector.decide(path.span.bytes, kind, fileSystem: fileSystem)
  }
}

/// Warnings about rules that can never select anything, as far as that is easy to see. Rules are compared with one another, so of very many
/// nothing is said.
private func unreachable(_ rules: [SelectionRule]) -> [ConfigNotice] {
  var result: [ConfigNotice] = []
  if rules.count > 4096 { return result }
  func warn(_ rule: SelectionRule, _ text: String) {
    result.append(ConfigNotice(place: rule.place, text: "\(printable(rule.text)): \(text)"))
  }
  let broad = rules.filter { $0.kind == .negative && $0.isUnrestricted && $0.literal.rest == .anything }
  var byNode: [[UInt8]: [SelectionRule]] = [:]
  let matcher = Matcher()
  for rule in rules {
    let text = rule.literal.bytes
    if !rule.node.isEmpty {
      let below = rule.node + [UInt8(ascii: "/")]
      if below.withUnsafeBufferPointer({ rule.pattern.apply($0, matcher, partial: true) == .none }) {
        warn(rule, "is looked for below \(printable(rule.node)) only, where nothing can match it")
        continue
      }
      if text.isEmpty, !rule.expression.contains(UInt8(ascii: "?")) {
        warn(rule, "what follows the | is looked for below \(printable(rule.node)) only: put parentheses around what it parts")
      }
    }
    guard rule.kind != .negative else { continue }
    let earlier = byNode[rule.node, default: []].first {
      $0.kind == rule.kind && $0.literal.rest == .anything && text.starts(with: $0.literal.bytes)
        && ($0.isUnrestricted || $0.kinds == rule.kinds && $0.fileSystem == rule.fileSystem)
    }
    if let earlier {
      warn(rule, "never decides, because \(printable(earlier.text)) at \(earlier.place.description) comes first")
    } else if let negative = broad.first(where: { text.starts(with: $0.literal.bytes) }) {
      warn(rule, "never selects, because \(printable(negative.text)) at \(negative.place.description) wins")
    }
    byNode[rule.node, default: []].append(rule)
  }
  return result
}

/// The same as ``System/printable(_:)`` of bytes that need not be UTF-8.
func printable(_ bytes: some Collection<UInt8>) -> String { System.printable(String(decoding: bytes, as: UTF8.self)) }
