import ArgumentParser
import AuditControl
import Glibc
import System

struct RuleList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Print the kernel's rules as lines that can be loaded again.",
    discussion: """
      The rules stand in the order in which the kernel tries them, and comments tell whose they are. `auditctl -R` and `fsaudit rule load` accept the \
      output; on a terminal, bytes that it would take for its own are shown as \\xNN. Exit status: 0 rules were printed, 1 there are none, 3 not permitted.
      """)

  @Flag(help: "One JSON array, a rule on each line.")
  var json = false

  @Flag(help: "Only rules that fsaudit added.")
  var ours = false

  @OptionGroup
  var settings: SettingsOption

  func run() throws {
    var book = try RuleCommand.book(config: settings.config)
    let listed = try book.list().filter { !ours || $0.origin != nil }
    let waiting = try book.waiting()
    let text = json ? Self.json(listed) : Self.lines(listed, waiting)
    var output = Output()
    if !text.isEmpty { try output.line(text.span.bytes.extracting(0..<text.count - 1)) }
    try output.flush()
    if listed.isEmpty { throw ExitCode(ExitStatus.findings.rawValue) }
  }

  private static func lines(_ listed: [RuleBook.Listed], _ waiting: [[UInt8]]) -> [UInt8] {
    var out: [UInt8] = []
    var heading: String?
    let isTerminal = isatty(1) == 1
    for item in listed {
      // A comment has a line of its own: auditctl takes what follows a rule for a part of it.
      let owner = "# " + (item.origin?.heading ?? "not added by fsaudit")
      if heading != owner { out += Array("\(owner)\n".utf8) }
      heading = owner
      if let rule = item.rule, rule.isLoadable {
        out += isTerminal ? Array(rule.description.utf8) : rule.line
      } else {
        out += Array("# no line can say this rule: \(item.rule?.description ?? "a kind that fsaudit does not know")".utf8)
      }
      out.append(UInt8(ascii: "\n"))
    }
    for line in waiting { out += Array("# waits for its path: \(printable(String(decoding: line, as: UTF8.self)))\n".utf8) }
    return out
  }

  private static func json(_ listed: [RuleBook.Listed]) -> [UInt8] {
    let objects = listed.map { item -> String in
      var members: [(String, String)] = []
      if let rule = item.rule {
        members.append(("line", quoted(rule.line)))
        members.append(("list", quoted(rule.list.name)))
        members.append(("action", quoted(rule.action.name)))
        if rule.list.selectsSyscalls {
          members.append(
            ("syscalls", rule.syscallNames.map { "[\($0.map { quoted(Array($0.utf8)) }.joined(separator: ","))]" } ?? "\"all\""))
        }
        let fields = rule.fields.filter { !rule.isKey($0) }.map { field in
          "{\"name\":\(quoted(field.name)),\"operator\":\(quoted(field.symbol)),\"value\":\(quoted(field.valueText(rule.list)))}"
        }
        members.append(("fields", "[\(fields.joined(separator: ","))]"))
        members.append(("keys", "[\(rule.keys.map(quoted).joined(separator: ","))]"))
        members.append(("loadable", "\(rule.isLoadable)"))
      }
      members.append(("origin", item.origin.map { quoted($0.rawValue) } ?? "null"))
      return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }
    return Array("[\n\(objects.joined(separator: ",\n"))\n]\n".utf8)
  }

  private static func quoted(_ text: String) -> String { quoted(Array(text.utf8)) }

  /// A JSON string; bytes that are no UTF-8 become U+FFFD.
  private static func quoted(_ bytes: [UInt8]) -> String {
    var out = "\""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\"", "\\": out += "\\\(scalar)"
      case _ where isTerminalHazard(scalar.value):
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}

extension Ledger.Origin {
  fileprivate var heading: String {
    switch self {
    case .load: "added by fsaudit rule load"
    case .add: "added by fsaudit rule add"
    case .watch: "added by fsaudit watch"
    }
  }
}
