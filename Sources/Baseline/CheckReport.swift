import EventLog
import System

/// What is said of one difference beyond itself: who caused it, for example.
package struct Annotation: Sendable {
  /// One word; the summary counts them.
  package var verdict: String
  /// Lines of the text report.
  package var lines: [String]
  /// A JSON value, the member `explanation` of the JSON report.
  package var json: [UInt8]
  /// Whose installation accounts for the difference.
  package var package: PackageChange?

  package init(verdict: String, lines: [String], json: [UInt8], package: PackageChange? = nil) {
    (self.verdict, self.lines, self.json, self.package) = (verdict, lines, json, package)
  }
}

/// The result of a check or update, for people or as JSON.
package struct CheckReport {
  private let outcome: BaselineOutcome
  private let database: String
  /// One a difference, in their order; empty where there are none.
  private let annotations: [Annotation]
  private let durationMs: Int64
  private let foldsPackages: Bool

  /// - Parameter foldsPackages: the text has one line for all differences of a package, but for those that nothing explains.
  package init(
    _ outcome: BaselineOutcome, database: String, durationMs: Int64, annotations: [Annotation] = [], foldsPackages: Bool = false
  ) {
    (self.outcome, self.database, self.durationMs, self.annotations) = (outcome, database, durationMs, annotations)
    self.foldsPackages = foldsPackages
  }

  /// Writes it as text: the summary, then each difference with its attributes.
  package func write(text output: inout Output) throws(SystemError) {
    let counts = outcome.counts
    if let base = outcome.base {
      try output.line("compared with generation \(base.id) of \(base.created), \(printable(database))")
    }
    if let written = outcome.written { try output.line("wrote generation \(written.id) to \(printable(database))") }
    try output.line(
      "\(counts.objects) objects, \(counts.bytes >> 20) MiB in files; read \(counts.filesRead) files, \(counts.bytesRead >> 20) MiB, in \(durationMs / 1000).\(durationMs % 1000 / 100) s"
    )
    if outcome.base != nil {
      try output.line(thoroughness)
    }
    if counts.problems > 0 { try output.line("\(counts.problems) objects or directories could not be examined: stderr has them") }
    if counts.busy > 0 { try output.line("\(counts.busy) files changed while they were read") }
    if outcome.base == nil { return }
    try output.line("")
    for kind in Difference.Kind.allCases { try output.line("\(padded(kind.rawValue, 10))\(outcome.count(kind))") }
    for (verdict, number) in verdicts { try output.line("\(padded(verdict, 12))\(number)") }
    if outcome.differences.isEmpty { return }
    try output.line("")
    var folded: [(package: PackageChange, kinds: [Difference.Kind])] = []
    for (index, difference) in outcome.differences.enumerated() {
      let annotation = index < annotations.count ? annotations[index] : nil
      guard foldsPackages, let package = annotation?.package, annotation?.verdict != Verdict.unexplained.rawValue else {
        try write(difference, annotation, &output)
        continue
      }
      if let known = folded.firstIndex(where: { $0.package == package }) {
        folded[known].kinds.append(difference.kind)
      } else {
        folded.append((package, [difference.kind]))
      }
    }
    for (package, kinds) in folded {
      let counts = Difference.Kind.allCases.compactMap { kind in
        let count = kinds.count { $0 == kind }
        return count > 0 ? "\(count) \(kind.rawValue)" : nil
      }
      try output.line("package  \(printable(package.text)): \(counts.joined(separator: ", "))")
    }
  }

  /// What was read, and why that is enough.
  private var thoroughness: String {
    let last = outcome.lastFullMs.map { "the last full check was at \(isoUTC(milliseconds: $0))" }
    switch outcome.fullReason {
    case .asked: return "full: every selected file was read, as --full asks"
    case .due:
      return
        "full: every selected file was read, because check.full_every asks for it: \(last ?? "no full check of this baseline is known that counts")"
    case nil:
      return
        "fast: a file was read only where its inode, size, mtime or ctime had changed\(trail). That is sound as long as nobody sets the clock back to forge a ctime\(outcome.touched == nil ? "" : " where the trail does not see it"), or writes to the disk behind the file system; --full reads everything"
        + (last.map { "; \($0)" } ?? "")
    }
  }

  /// What the trail had to do with it.
  private var trail: String {
    guard let touched = outcome.touched else { return "" }
    return ", or where the trail since \(isoUTC(milliseconds: touched.sinceMs)) tells of it (\(outcome.counts.filesTouched) files)"
      + (touched.isWhole ? "" : ", which could not be followed to its end")
  }

  private func write(_ difference: Difference, _ annotation: Annotation?, _ output: inout Output) throws(SystemError) {
    let place = difference.previousPath.map { "\(shown($0)) to " } ?? ""
    let kind = (difference.new ?? difference.old)?.kind
    let verdict = annotation.map { "  [\($0.verdict)]" } ?? ""
    let word = kind == .regular || kind == nil ? "" : "  (\(kind?.word ?? ""))"
    try output.line("\(padded(difference.kind.rawValue, 9))\(place)\(shown(difference.path))\(word)\(verdict)")
    for field in FactField.all where difference.changed.contains(field.attribute) {
      let (old, new) = (difference.old.flatMap(field.text), difference.new.flatMap(field.text))
      try output.line("  \(padded(field.title, 13))\(lines(old)) -> \(lines(new))")
    }
    for line in difference.contentDiff?.split(separator: "\n", omittingEmptySubsequences: false) ?? [] {
      try output.line("  " + printable(String(line)))
    }
    for line in annotation?.lines ?? [] { try output.line("  " + line) }
  }

  private var kinds: [(String, Int64)] { Difference.Kind.allCases.map { ($0.rawValue, Int64(outcome.count($0))) } }

  private var examined: [(String, Int64)] {
    let counts = outcome.counts
    return [
      ("objects", counts.objects), ("bytes", counts.bytes), ("files_read", counts.filesRead), ("bytes_read", counts.bytesRead),
      ("problems", Int64(counts.problems)), ("busy", Int64(counts.busy)),
    ]
  }

  /// The same counts for the event log; nil where nothing was compared.
  /// - Parameters:
  ///   - isExplained: whether the trail was asked.
  ///   - database: its absolute path.
  package func notice(isExplained: Bool, database: [UInt8]) -> CheckNotice? {
    guard let base = outcome.base else { return nil }
    let byVerdict = Verdict.allCases.map { verdict in Int64(annotations.count { $0.verdict == verdict.rawValue }) }
    return CheckNotice(
      isFull: outcome.isFull, isExplained: isExplained, generation: base.id, durationMs: durationMs,
      counts: [kinds.map(\.1), byVerdict, examined.map(\.1)], database: database)
  }

  private var verdicts: [(String, Int)] {
    var found: [(String, Int)] = []
    for annotation in annotations {
      if let index = found.firstIndex(where: { $0.0 == annotation.verdict }) {
        found[index].1 += 1
      } else {
        found.append((annotation.verdict, 1))
      }
    }
    return found
  }

  private func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.count)) }

  private func lines(_ value: String?) -> String { value.map { printable($0.split(separator: "\n").joined(separator: ", ")) } ?? "none" }

  /// Writes it as one JSON object; the README has the schema.
  package func write(json output: inout Output) throws(SystemError) {
    var writer = JSONWriter()
    writer.raw("{\"version\":1,\"generation\":")
    write(outcome.base, &writer)
    writer.raw(",\"written\":")
    write(outcome.written, &writer)
    writer.member("full", outcome.isFull)
    writer.raw(",\"full_reason\":")
    write(outcome.fullReason?.rawValue, &writer)
    writer.raw(",\"last_full\":")
    write(outcome.lastFullMs.map { isoUTC(milliseconds: $0) }, &writer)
    writer.raw(",\"trail\":")
    if let touched = outcome.touched {
      writer.raw("{\"since\":")
      writer.timestamp(milliseconds: touched.sinceMs)
      writer.member("whole", touched.isWhole)
      writer.member("files_read", outcome.counts.filesTouched)
      writer.raw("}")
    } else {
      writer.raw("null")
    }
    writer.member("duration_ms", durationMs)
    writer.member("counts", kinds)
    writer.member("verdicts", verdicts.map { ($0.0, Int64($0.1)) })
    writer.member("examined", examined)
    writer.raw(",\"differences\":[")
    for (index, difference) in outcome.differences.enumerated() {
      if index > 0 { writer.raw(",") }
      write(difference, index < annotations.count ? annotations[index] : nil, &writer)
      if writer.count > 1 << 16 {
        try writer.withBytes { bytes throws(SystemError) in try output.lines(bytes) }
        writer.removeAll()
      }
    }
    writer.raw("]}\n")
    try writer.withBytes { bytes throws(SystemError) in try output.lines(bytes) }
  }

  private func write(_ generation: Generation?, _ writer: inout JSONWriter) {
    guard let generation else { return writer.raw("null") }
    writer.generation(generation)
  }

  private func write(_ difference: Difference, _ annotation: Annotation?, _ writer: inout JSONWriter) {
    writer.raw("{\"kind\":")
    writer.string(difference.kind.rawValue)
    writer.raw(",\"path\":")
    writer.path(difference.path, "path_bytes")
    if let previous = difference.previousPath {
      writer.raw(",\"previous_path\":")
      writer.path(previous, "previous_path_bytes")
    }
    writer.raw(",\"type\":")
    writer.string((difference.new ?? difference.old)?.kind.word ?? "unknown")
    writer.raw(",\"attributes\":{")
    var isFirst = true
    for field in FactField.all where difference.changed.contains(field.attribute) {
      if !isFirst { writer.raw(",") }
      isFirst = false
      writer.string(field.title)
      writer.raw(":{\"old\":")
      write(difference.old.flatMap(field.text), &writer)
      writer.raw(",\"new\":")
      write(difference.new.flatMap(field.text), &writer)
      writer.raw("}")
    }
    writer.raw("}")
    if let diff = difference.contentDiff {
      writer.raw(",\"diff\":")
      writer.string(diff)
    }
    if let annotation {
      writer.raw(",\"verdict\":")
      writer.string(annotation.verdict)
      if !annotation.json.isEmpty {
        writer.raw(",\"explanation\":")
        writer.raw(bytes: annotation.json.span.bytes)
      }
    }
    writer.raw("}")
  }

  private func write(_ text: String?, _ writer: inout JSONWriter) {
    if let text { writer.string(text) } else { writer.raw("null") }
  }
}

/// A path for people: what is not UTF-8 as `\xNN`, nothing that a terminal would obey.
package func shown(_ path: [UInt8]) -> String {
  String(validating: path, as: UTF8.self).map(printable) ?? escaped(path[...])
}

extension JSONWriter {
  /// A path as a JSON string, and where that loses bytes a further member with all of them in hexadecimal.
  mutating func path(_ path: [UInt8], _ bytesKey: String) {
    if string(path.span.bytes) { return }
    raw(",")
    string(bytesKey)
    raw(":")
    hexString(path.span.bytes)
  }

  /// A generation as a JSON object.
  /// - Parameter signers: the keys that it is said to be signed with; nil leaves that out.
  package mutating func generation(_ generation: Generation, signers: [PublicKey]? = nil) {
    raw("{\"id\":")
    integer(generation.id)
    raw(",\"created\":")
    timestamp(milliseconds: generation.createdMs)
    raw(",\"host\":")
    string(generation.host)
    raw(",\"config_sha256\":")
    string(generation.config)
    raw(",\"objects\":")
    integer(generation.files)
    raw(",\"bytes\":")
    integer(generation.bytes)
    if let signers { member("signed", signers.map(\.id)) }
    raw("}")
  }
}
