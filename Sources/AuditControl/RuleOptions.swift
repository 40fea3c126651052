import System

/// Splits a line of a rule file into arguments, as auditctl -R does; nil for an empty line or a comment.
///
/// auditctl splits at spaces; `\ ` is a space within an argument and `\\` a backslash; quotes mean themselves. What it would refuse and people
/// write is understood as well: tabs between arguments (a tab within a path stays), and the line ends of DOS.
package func ruleArguments(line: some Collection<UInt8>) -> [[UInt8]]? {
  let space = UInt8(ascii: " ")
  let tab = UInt8(ascii: "\t")
  let backslash = UInt8(ascii: "\\")
  let dash = UInt8(ascii: "-")
  var bytes = Array(line)
  if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
  var arguments: [[UInt8]] = []
  var current: [UInt8] = []
  var index = 0
  while index < bytes.count {
    let byte = bytes[index]
    let next = index + 1 < bytes.count ? bytes[index + 1] : space
    index += 1
    if byte == backslash, index < bytes.count, next == space || next == backslash {
      current.append(next)
      index += 1
      continue
    }
    let isOption = current.count == 2 && current.first == dash
    if byte == space || (byte == tab && (current.isEmpty || isOption || next == tab || next == space || next == dash)) {
      if !current.isEmpty { arguments.append(current) }
      current = []
    } else {
      current.append(byte)
    }
  }
  if !current.isEmpty { arguments.append(current) }
  return arguments.isEmpty || arguments[0].first == UInt8(ascii: "#") ? nil : arguments
}

/// An argument as ``ruleArguments(line:)`` reads it back.
func escapedRuleArgument(_ bytes: [UInt8]) -> [UInt8] {
  bytes.flatMap { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\\") ? [UInt8(ascii: "\\"), $0] : [$0] }
}

/// One option of a rule line, with its value.
struct RuleOption {
  /// A letter, or the long name.
  let name: String
  /// Empty for an option without a value.
  let value: [UInt8]

  var text: String { String(decoding: value, as: UTF8.self) }

  /// The option as it is written.
  var dashed: String { (name.count == 1 ? "-" : "--") + name }

  /// auditctl's options that take a value, and those that do not; `when-created` is ours.
  private static let letters = (valued: Set("CefrbaAdSFmRwWkpq"), plain: Set("hicslDvt"))
  private static let long = [
    ("loginuid-immutable", false), ("backlog_wait_time", true), ("reset-lost", false), ("reset_backlog_wait_time_actual", false),
    ("signal", true), ("when-created", false),
  ]

  /// Reads arguments as getopt_long(3) does: letters in one word, values attached or in the next word, long names cut short.
  static func parse(_ arguments: [[UInt8]]) throws(Failure) -> [RuleOption] {
    var options: [RuleOption] = []
    var index = 0
    func missing(_ name: String) -> Failure { Failure("\(name) has no value", advice: "give it one", exit: .usage) }
    func next() -> [UInt8]? {
      guard index < arguments.count else { return nil }
      index += 1
      return arguments[index - 1]
    }
    while let word = next() {
      if word.contains(0) { throw Failure("a zero byte in the rule", advice: "remove it", exit: .usage) }
      let text = String(decoding: word, as: UTF8.self)
      if text.hasPrefix("--"), text != "--" {
        let parts = text.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let exact = long.filter { $0.0 == parts[0] }
        let matches = exact.isEmpty ? long.filter { $0.0.hasPrefix(parts[0]) } : exact
        guard matches.count == 1, let (name, valued) = matches.first else { throw unknown(text) }
        if !valued {
          guard parts.count == 1 else { throw Failure("--\(name) takes no value", exit: .usage) }
          options.append(RuleOption(name: name, value: []))
        } else if parts.count == 2 {
          options.append(RuleOption(name: name, value: Array(parts[1].utf8)))
        } else {
          guard let value = next() else { throw missing("--\(name)") }
          options.append(RuleOption(name: name, value: value))
        }
      } else if word.count > 1, word[0] == UInt8(ascii: "-"), text != "--" {
        var rest = word.dropFirst()
        while let letter = rest.popFirst().map({ Character(Unicode.Scalar($0)) }) {
          if letters.plain.contains(letter) {
            options.append(RuleOption(name: String(letter), value: []))
          } else if letters.valued.contains(letter) {
            if rest.first == UInt8(ascii: " ") {
              throw Failure(
                "\"\(printable(text))\" is one word",
                advice: "give each option and value as a word of its own, without quotes around them all",
                exit: .usage)
            }
            let attached = rest.isEmpty ? next() : Array(rest)
            guard let value = attached else { throw missing("-\(letter)") }
            rest = []
            options.append(RuleOption(name: String(letter), value: value))
          } else {
            throw unknown(text)
          }
        }
      } else {
        let isQuoted = arguments[..<index].contains { $0.contains(UInt8(ascii: "\"")) || $0.contains(UInt8(ascii: "'")) }
        throw Failure(
          "\"\(printable(text))\" belongs to no option",
          advice: text.hasPrefix("#")
            ? "put the comment on a line of its own"
            : "write \\ before a space in a path or key\(isQuoted ? "; quotes mean nothing here" : "")", exit: .usage)
      }
    }
    return options
  }

  private static func unknown(_ text: String) -> Failure {
    Failure("unknown option \(printable(text))", advice: "see auditctl(8) for the options of a rule", exit: .usage)
  }
}
