import System
import SystemPackage

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
    if String(validating: bytes, as: UTF8.self) == nil {
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
      throw fault(bad + 1, "not text", "save the file as UTF-8")
    }

    var settings = Settings()
    let known = Dictionary(grouping: Setting.all, by: \.section)
    func unknownSection(_ name: String, _ line: Int) -> Failure {
      fault(line, "unknown section [\(name)]", suggestion(for: name, among: known.keys.map { $0 }, "the sections are"))
    }
    var keepSizeLine = 1
    var reader = TOMLReader(bytes)
    do {
      while let item = try reader.next() {
        switch item {
        case .table(let name, let line):
          if known[name] == nil { throw unknownSection(name, line) }
        case .entry(let section, let key, let value, let line):
          if section.isEmpty, known[key] != nil { throw fault(line, "\(key) is a section", "write [\(key)]") }
          if !section.isEmpty, known[section] == nil { throw unknownSection(section, line) }
          guard let row = known[section]?.first(where: { $0.key == key }) else {
            let home = Setting.all.first { $0.key == key }.map { "it belongs in [\($0.section)]" }
            throw fault(
              line, section.isEmpty ? "unknown setting \(key)" : "unknown setting \(key) in [\(section)]",
              home ?? suggestion(for: key, among: (known[section] ?? Setting.all).map(\.key), "the settings are"))
          }
          if section == "log", key == "keep_size" || key == "rotate_size" { keepSizeLine = line }
          do { try row.assign(value, &settings) } catch let problem as Problem {
            throw fault(line, "\(key) \(problem.wrong)", problem.right)
          }
        }
      }
    } catch let error as TOMLError {
      throw fault(error.line, error.wrong, error.right)
    }
    if let keep = settings.log.keepSizeBytes, keep < settings.log.rotateSizeBytes {
      throw fault(
        keepSizeLine, "keep_size \(format(bytes: keep)) is less than rotate_size \(format(bytes: settings.log.rotateSizeBytes))",
        "every rotated segment would be deleted at once; give keep_size at least rotate_size")
    }
    return settings
  }
}
