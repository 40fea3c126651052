import System

/// Where lines come from.
package enum Source: Sendable, Equatable {
  /// A directory of our own log: its segments, rotated and live.
  case log(directory: String)
  /// auditd's log of one host, its files from the oldest to the newest; `-` is standard input.
  case audit(files: [String])

  /// auditd's logs that `paths` mean. A directory means its audit.log; a file also means what was rotated away from it
  /// (`audit.log.1`, `audit.log.2.gz`, `audit.log-20261120`), unless it is such a file itself. Files of one log are one source.
  package static func auditLogs(_ paths: [String]) throws(Failure) -> [Source] {
    var logs: [(base: String, files: [String])] = []
    for given in paths {
      if given == "-" {
        if logs.contains(where: { $0.base == "-" }) {
          throw Failure("--audit-log - given twice", advice: "standard input can be read once", exit: .usage)
        }
        logs.append(("-", ["-"]))
        continue
      }
      let path = try file(given)
      let (base, files) = isRotated(path) ? (baseName(path), [path]) : (path, rotated(path) + [path])
      if let known = logs.firstIndex(where: { $0.base == base }) {
        for file in files where !logs[known].files.contains(file) { logs[known].files.append(file) }
      } else {
        logs.append((base, files))
      }
    }
    return logs.map { log in .audit(files: log.files.sorted { age($0, log.base) > age($1, log.base) }) }
  }

  private static func file(_ path: String) throws(Failure) -> String {
    // what is no directory, or not there, is said when it is opened
    guard let names = try? directoryEntries(path) else { return path }
    guard names.contains("audit.log") || names.contains(where: { isRotated($0) && baseName($0) == "audit.log" }) else {
      throw Failure("\(printable(path)): no audit.log in this directory", advice: "name the file", exit: .inputOutput)
    }
    return (path.hasSuffix("/") ? path : path + "/") + "audit.log"
  }

  /// What was rotated away from a log; nothing if the directory may not be listed.
  private static func rotated(_ path: String) -> [String] {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let names = (try? directoryEntries(directory.isEmpty ? "." : directory)) ?? []
    return names.filter { isRotated($0) && baseName($0) == name }.map { directory + $0 }
  }

  /// `audit.log.3`, `audit.log-20261120`, both also with `.gz` or `.zst`.
  private static func isRotated(_ path: String) -> Bool { baseName(path) != path }

  private static func baseName(_ path: String) -> String {
    var text = Substring(path)
    for suffix in [".gz", ".zst"] where text.hasSuffix(suffix) { text = text.dropLast(suffix.count) }
    let digits = text.reversed().prefix { $0.isASCII && $0.isNumber }.count
    let rest = text.dropLast(digits)
    guard digits > 0, rest.last == "." || rest.last == "-", rest.count > 1, !rest.dropLast().hasSuffix("/") else { return path }
    return String(rest.dropLast())
  }

  /// The older, the larger: by number upwards, by date downwards, the log itself last.
  private static func age(_ path: String, _ base: String) -> Int {
    let digits = path.dropFirst(base.count).drop { !$0.isNumber }.prefix { $0.isNumber }
    guard let number = Int(digits) else { return path == base ? .min : 0 }
    return path.dropFirst(base.count).first == "-" ? -number : number
  }
}
