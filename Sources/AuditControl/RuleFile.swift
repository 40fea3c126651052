import Glibc
import System
import SystemPackage

/// One line of a rule file and what it means.
package struct RuleFileLine: Sendable {
  package let file: String
  package let number: Int
  /// What it asks for, or what is wrong with it; the message names file and line.
  package let content: Result<RuleLine, Failure>

  /// `file:number`
  package var place: String { "\(printable(file)):\(number)" }
}

/// Reads rule files.
package enum RuleFile {
  /// The lines of a file that hold something.
  /// - Parameter trusted: refuses a file that others than its reader or root could have written, as auditctl -R does.
  package static func read(_ path: String, trusted: Bool, paths: PathResolver = .system) throws(Failure) -> [RuleFileLine] {
    let bytes: [UInt8]
    do {
      let file = try Descriptor.open(path, O_RDONLY)
      let status = try file.status()
      if trusted { try check(path, status) }
      bytes = try file.readToEnd(limitBytes: 16 << 20)
    } catch let error as SystemError {
      throw SystemError(error.call, path, error.code).failure()
    } catch let error as Failure {
      throw error
    } catch {
      throw Failure("\(printable(path)): \(error)", exit: .inputOutput)
    }
    return parse(bytes, file: path, paths: paths)
  }

  /// The lines of a file's text that hold something.
  package static func parse(_ bytes: [UInt8], file: String, paths: PathResolver = .system) -> [RuleFileLine] {
    var result: [RuleFileLine] = []
    // some editors put a byte order mark in front of UTF-8
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let text = bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...]
    for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard let arguments = ruleArguments(line: line) else { continue }
      let place = "\(printable(file)):\(index + 1)"
      do throws(Failure) {
        // C, and so libaudit, would take the rule to end there
        if line.contains(0) { throw Failure("there is a NUL byte in the line", advice: "is this a rule file?", exit: .usage) }
        result.append(RuleFileLine(file: file, number: index + 1, content: .success(try RuleLine(arguments, paths: paths))))
      } catch {
        let failure = Failure("\(place): \(error.message)", advice: error.advice, exit: error.exit)
        result.append(RuleFileLine(file: file, number: index + 1, content: .failure(failure)))
      }
    }
    return result
  }

  /// The `*.rules` of a directory in the byte order of their names, or the file itself.
  package static func files(in path: String) throws(Failure) -> [String] {
    var status = stat()
    if stat(path, &status) != 0 {
      throw SystemError("stat", path, Errno(rawValue: errno)).failure(advice: "name a directory of *.rules files")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
    guard let directory = opendir(path) else { throw SystemError("opendir", path, Errno(rawValue: errno)).failure() }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasSuffix(".rules"), !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { path + (path.hasSuffix("/") ? "" : "/") + $0 }
  }

  private static func check(_ path: String, _ status: stat) throws(Failure) {
    let name = printable(path)
    if status.st_mode & S_IFMT != S_IFREG { throw Failure("\(name): not a regular file", advice: "name a file", exit: .inputOutput) }
    if status.st_uid != 0, status.st_uid != geteuid() {
      throw Failure("\(name): owned by uid \(status.st_uid)", advice: "chown it to root", exit: .notPermitted)
    }
    if status.st_mode & S_IWOTH != 0 { throw Failure("\(name): anybody can write it", advice: "chmod o-w it", exit: .notPermitted) }
  }
}
