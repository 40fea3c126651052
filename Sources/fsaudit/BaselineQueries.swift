import ArgumentParser
import Baseline
import EventLog
import Glibc
import System

struct BaselineList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the generations that are kept.",
    usage: "fsaudit baseline list [<options>]",
    discussion: """
      With the keys that each is said to be signed with (`fsaudit baseline verify` finds out whether it is).

        fsaudit baseline list
        fsaudit baseline list --format json
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace

  func run() throws {
    let store = try Store(place.database, writing: false)
    var output = Output()
    if place.format == .text { try output.line("generation  made                     objects        MiB  signed            host") }
    for generation in try store.generations() {
      let signers = try store.signers(of: generation)
      switch place.format {
      case .json:
        var writer = JSONWriter()
        writer.generation(generation, signers: signers)
        try writer.withBytes { bytes throws(SystemError) in try output.line(bytes) }
      case .text:
        let fields = [
          right("\(generation.id)", 10), generation.created, right("\(generation.files)", 10), right("\(generation.bytes >> 20)", 9),
          signers.isEmpty ? "no              " : signers.map(\.id).joined(separator: ","),
          printable(generation.host),
        ]
        try output.line(fields.joined(separator: "  "))
      }
    }
    try output.flush()
  }

  private func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}

struct BaselineShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show what the baseline knows of paths.",
    usage: "fsaudit baseline show [--generation <generation>] <path> ... [<options>]",
    discussion: """
        fsaudit baseline show /etc/passwd
        fsaudit baseline show --generation 3 /etc/passwd /etc/shadow

      Exit status: 0 every path is in the baseline, 1 one is not.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace

  @Option(help: "A generation's number.")
  var generation: Int64?

  @Argument(help: "Absolute paths.")
  var paths: [String]

  func run() throws {
    let store = try Store(place.database, writing: false)
    let wanted = try store.generation(generation.map { .number($0) } ?? .latest)
    var output = Output()
    var isMissing = false
    for (path, text) in zip(RawArguments.of(paths), paths) {
      guard let record = try store.record(of: path, in: wanted.id) else {
        complain("fsaudit: \(printable(text)): not in generation \(wanted.id)")
        isMissing = true
        continue
      }
      try place.write(record, &output)
    }
    try output.flush()
    if isMissing { throw ExitCode(ExitStatus.findings.rawValue) }
  }
}

struct BaselineExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a generation as text or JSON lines.",
    usage: "fsaudit baseline export [--generation <generation>] [<options>]",
    discussion: """
      One object a paragraph, or with --format json one a line, directory by directory: to keep elsewhere, to compare two hosts, or to read \
      with other tools.

        fsaudit baseline export --format json > baseline.jsonl
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace

  @Option(help: "A generation's number.")
  var generation: Int64?

  func run() throws {
    let store = try Store(place.database, writing: false)
    let wanted = try store.generation(generation.map { .number($0) } ?? .latest)
    var output = Output()
    try store.eachRecord(in: wanted.id) { record in try place.write(record, &output) }
    try output.flush()
  }
}

extension BaselinePlace {
  func write(_ record: FileRecord, _ output: inout Output) throws(SystemError) {
    switch format {
    case .json:
      var writer = JSONWriter()
      record.write(json: &writer)
      try writer.withBytes { bytes throws(SystemError) in try output.line(bytes) }
    case .text: for line in record.text { try output.line(line) }
    }
  }
}
