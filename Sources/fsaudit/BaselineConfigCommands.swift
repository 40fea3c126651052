import ArgumentParser
import Baseline
import EventLog
import Glibc
import System
import SystemPackage

/// The option that names the configuration.
struct BaselineConfigOption: ParsableArguments {
  @Option(help: ArgumentHelp("What is selected, in AIDE's language.", valueName: "file"))
  var config = SelectionConfig.defaultPath

  /// Reads it; its warnings go to stderr.
  func load() throws(Failure) -> SelectionConfig { try Self.load(config) }

  /// The same of a file that is named otherwise.
  static func load(_ path: String) throws(Failure) -> SelectionConfig {
    let result = try SelectionConfig.load(path)
    for warning in result.warnings { complain("fsaudit: warning: \(printable(warning.description))") }
    return result
  }
}

/// `fsaudit baseline path-check`.
struct BaselinePathCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "path-check",
    abstract: "Say which rule selects a path, and what of it is compared.",
    usage: "fsaudit baseline path-check [--config <file>] <path> [<options>]",
    discussion: """
      PATH is absolute. What kind of file it names is looked up; a letter before it says so instead, as for aide --path-check: f regular file, \
      d directory, l symbolic link, c and b device, p FIFO, s socket.

        fsaudit baseline path-check /etc/ssh/sshd_config
        fsaudit baseline path-check --config aide.conf d:/var/log/journal

      Exit status: 0 it is selected, 1 it is not, 2 the configuration is wrong.
      """)

  @Argument(help: ArgumentHelp("The path, or KIND:PATH.", valueName: "path"))
  var path: String

  @OptionGroup var config: BaselineConfigOption

  @Option(help: ArgumentHelp("Its file system's type, ext4 for example, for rules that ask for one.", valueName: "type"))
  var fileSystem: String?

  @Option(help: "text or json.")
  var format = AnswerFormat.text

  func run() throws {
    var bytes = RawArguments.of([path])[0]
    var kind: FileKind?
    if bytes.count > 1, bytes[1] == UInt8(ascii: ":") {
      kind = FileKind(letter: Character(Unicode.Scalar(bytes[0])))
      if kind == nil {
        throw Failure("\(printable(path)): no such kind of file", advice: "f, d, l, c, b, p or s before the colon", exit: .usage)
      }
      bytes.removeFirst(2)
    }
    guard bytes.first == UInt8(ascii: "/") else {
      throw Failure("\(printable(path)): not absolute", advice: "begin it with /", exit: .usage)
    }
    while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    let config = try config.load()
    if kind == nil { kind = examine(path: bytes).flatMap { FileKind(mode: $0.mode) } }
    if kind == nil { complain("fsaudit: note: \(printable(path)) is not there: taken for a regular file") }
    let decision = config.decide(bytes, kind ?? .regular, fileSystem: fileSystem)
    let rule = decision.rule.map { config.rules[$0] }
    var output = Output()
    switch format {
    case .text:
      let name = printable(String(decoding: bytes, as: UTF8.self))
      try output.line("\(name): \(decision.attributes == nil ? "not selected" : "selected")")
      if let rule { try output.line("  rule        \(printable(rule.text)) (\(rule.place.description))") }
      if rule == nil { try output.line("  rule        none matches") }
      if let attributes = decision.attributes { try output.line("  attributes  \(attributes.names.joined(separator: " "))") }
      if kind == .directory { try output.line("  below       \(decision.descends ? "something may be selected" : "nothing is selected")") }
    case .json: try output.line(json(bytes, kind ?? .regular, decision, rule).span.bytes)
    }
    try output.flush()
    if decision.attributes == nil { throw ExitCode(ExitStatus.findings.rawValue) }
  }

  private func json(_ path: [UInt8], _ kind: FileKind, _ decision: Decision, _ rule: SelectionRule?) -> [UInt8] {
    var json = JSONWriter()
    json.raw(#"{"path":"#)
    json.string(path.span.bytes)
    json.raw(#","kind":"#)
    json.string(String(kind.letter))
    json.raw(#","selected":"#)
    if decision.attributes == nil { json.raw("false") } else { json.raw("true") }
    json.raw(#","attributes":["#)
    for (index, name) in (decision.attributes?.names ?? []).enumerated() {
      if index > 0 { json.raw(",") }
      json.string(name)
    }
    json.raw(#"],"rule":"#)
    if let rule {
      json.raw(#"{"text":"#)
      json.string(rule.text)
      json.raw(#","place":"#)
      json.string(rule.place.description)
      json.raw("}")
    } else {
      json.raw("null")
    }
    json.raw("}")
    return json.bytes
  }
}

/// `fsaudit baseline import-aide`.
struct BaselineImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import-aide",
    abstract: "Make one configuration of an aide.conf and all it includes.",
    discussion: """
      An aide.conf can also be used as it is (--config, or copied to \(SelectionConfig.defaultPath)). The import writes one file that selects the same: \
      included files in their place, macros and conditions worked out for this host, obsolete digests replaced by sha256. What has no \
      meaning here (AIDE's databases and reports, programs that @@x_include would run) is listed on stderr and in comments.

        fsaudit baseline import-aide /etc/aide/aide.conf --output baseline.conf

      Exit status: 0 written, 2 the configuration is wrong, 5 it cannot be read or written.
      """)

  @Argument(help: ArgumentHelp("AIDE's configuration.", valueName: "file"))
  var file: String

  @Option(help: ArgumentHelp("Where to write; stdout otherwise. What is there already is never overwritten.", valueName: "file"))
  var output: String?

  func run() throws {
    let config = try BaselineConfigOption.load(file)
    for notice in config.notes { complain("fsaudit: note: \(printable(notice.description))") }
    let text = Array("# Imported from \(printable(file)) by `fsaudit baseline import-aide`.\n".utf8) + config.nativeText
    guard let output else {
      var out = Output()
      if isatty(1) == 1 {
        // for a terminal to show, not to obey
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
          try out.line(shown(Array(line)))
        }
      } else {
        try out.lines(text.span.bytes)
      }
      try out.flush()
      return
    }
    try writeNewFile(output, text)
  }
}

/// Writes an answer into a file of its own; one that is there already is never overwritten.
func writeNewFile(_ path: String, _ bytes: [UInt8]) throws {
  let target: Descriptor
  do { target = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o640) } catch {
    throw error.failure(advice: error.code == .fileExists ? "name another file, or remove that one" : "")
  }
  var output = Output(descriptor: target.raw)
  try output.lines(bytes.span.bytes)
  try output.flush()
}
