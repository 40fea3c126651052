import System
import SystemPackage
internal import TOMLKit

extension Settings {
  /// Where the settings are when nobody says otherwise.
  package static let defaultPath = "/etc/fsaudit/fsaudit.toml"

  /// Reads the settings.
  /// - Parameter path: the file that the user named, which then has to be there; nil for ``defaultPath``, which need not be.
  /// - Throws: ``Failure`` with `file:line` for anything in the file that is not as it should be.
  package static func load(from path: String?) throws -> Settings {
    let file = path ?? defaultPath
    do {
      return try parse(contents(of: file), file: file)
    } catch let error as SystemError where error.code == .noSuchFileOrDirectory {
      if path == nil { return Settings() }
      throw Failure("\(printable(file)): no such file", advice: "name a settings file, or none for the defaults", exit: .usage)
    } catch let error as SystemError {
      throw error.failure()
    }
  }

  /// Reads the text of a settings file; `file` is its name in errors.
  package static func parse(_ bytes: [UInt8], file: String) throws -> Settings {
    /// One form for every fault; line 0 is the file as a whole.
    func fault(_ line: Int, _ wrong: String, _ right: String) -> Failure {
      Failure("\(printable(file)):\(line): \(printable(wrong))", advice: right, exit: .usage)
    }
    // NUL would end the text early for toml++, which takes C strings; the same for its escape within a value.
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let bad = lines.firstIndex { $0.contains(0) || String(validating: $0, as: UTF8.self) == nil } ?? 0
      throw fault(bad + 1, "not text", "save the file as UTF-8")
    }
    let lines = KeyLines(text)
    if let line = lines.lineOfNulEscape { throw fault(line, "\\u0000 in a value", "leave it out") }
    let root: TOMLTable
    do { root = try TOMLTable(string: text) } catch let error as TOMLParseError {
      throw fault(error.source.begin.line, "not TOML: \(error.description)", "see https://toml.io")
    }

    var settings = Settings()
    let known = Dictionary(grouping: Setting.all, by: \.section)
    // In the order of the file, so that the first fault is reported first.
    for section in root.keys.sorted(by: { lines[$0] < lines[$1] }) {
      guard let rows = known[section] else {
        let home = Setting.all.first { $0.key == section }.map { "it belongs in [\($0.section)]" }
        throw fault(
          lines[section], home == nil ? "unknown section [\(section)]" : "unknown setting \(section)",
          home ?? suggestion(for: section, among: known.keys.map { $0 }, "the sections are"))
      }
      guard let table = root[section]?.table else { throw fault(lines[section], "\(section) is a section", "write [\(section)]") }
      for key in table.keys.sorted(by: { lines[section, $0] < lines[section, $1] }) {
        let line = lines[section, key]
        guard let row = rows.first(where: { $0.key == key }), let value = table[key] else {
          let home = Setting.all.first { $0.key == key }.map { "it belongs in [\($0.section)]" }
          throw fault(
            line, "unknown setting \(key) in [\(section)]",
            home ?? suggestion(for: key, among: rows.map(\.key), "[\(section)] has"))
        }
        do { try row.assign(value, &settings) } catch let problem as Problem {
          throw fault(line, "\(key) \(problem.wrong)", problem.right)
        }
      }
    }
    if let keep = settings.log.keepSizeBytes, keep < settings.log.rotateSizeBytes {
      throw fault(
        max(lines["log", "keep_size"], lines["log", "rotate_size"]),
        "keep_size \(format(bytes: keep)) is less than rotate_size \(format(bytes: settings.log.rotateSizeBytes))",
        "every rotated segment would be deleted at once; give keep_size at least rotate_size")
    }
    return settings
  }
}

/// "did you mean x?" for the nearest of `names`, or all of them where none is near.
private func suggestion(for name: String, among names: [String], _ lead: String) -> String {
  let ranked = names.map { (name: $0, distance: editDistance($0, name)) }.sorted { $0.distance < $1.distance }
  if let best = ranked.first, best.distance <= max(2, name.count / 3) { return "did you mean \(best.name)?" }
  return lead + " " + names.sorted().joined(separator: ", ")
}

/// Levenshtein's distance: how many letters have to be inserted, removed or replaced.
private func editDistance(_ a: String, _ b: String) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let cost = x == y ? diagonal : 1 + min(diagonal, row[j], row[j + 1])
      diagonal = row[j + 1]
      row[j + 1] = cost
    }
  }
  return row[b.count]
}

/// On which line each key stands: toml++ knows, but TOMLKit does not say, except for syntax errors.
///
/// Reads the text line by line: a header names the section, `key =` or `section.key =` a setting. What is written in a form
/// beyond that (an inline table, say) is found at its outermost key, which is near enough for a message.
private struct KeyLines {
  private var lines: [String: Int] = [:]
  /// The line that has a NUL escape outside a comment, if any.
  private(set) var lineOfNulEscape: Int?

  init(_ text: String) {
    var section = ""
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" }).enumerated() {
      let bare = line.filter { $0 != " " && $0 != "\t" && $0 != "\"" && $0 != "'" }
      if bare.hasPrefix("#") { continue }
      if bare.contains("\\u0000") || bare.contains("\\U00000000") { lineOfNulEscape = lineOfNulEscape ?? index + 1 }
      if bare.hasPrefix("[") {
        section = String(bare.drop { $0 == "[" }.prefix { $0 != "]" })
        note(section, index + 1)
      } else if let equals = bare.firstIndex(of: "=") {
        let key = String(bare[..<equals])
        note(section.isEmpty ? key : "\(section).\(key)", index + 1)
      }
    }
  }

  /// Notes `a.b` and, unless it was seen earlier, `a`.
  private mutating func note(_ path: String, _ line: Int) {
    var prefix = ""
    for part in path.split(separator: ".") {
      prefix += prefix.isEmpty ? String(part) : ".\(part)"
      if lines[prefix] == nil { lines[prefix] = line }
    }
  }

  subscript(section: String) -> Int { lines[section] ?? 0 }
  subscript(section: String, key: String) -> Int { lines["\(section).\(key)"] ?? self[section] }
}
