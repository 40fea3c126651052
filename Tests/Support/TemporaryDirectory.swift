import Glibc
import System
import SystemPackage

/// A fresh directory below /tmp, removed with all it holds when the test lets go of it.
package final class TemporaryDirectory: Sendable {
  /// Absolute, without symbolic links and without a trailing slash.
  package let path: String

  package init() throws {
    var template = Array("/tmp/fsaudit-test.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", "/tmp", Errno(rawValue: errno)) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { removeTree(path) }

  /// The path of something in it.
  package subscript(_ name: String) -> String { path + "/" + name }

  /// Writes a file in it and returns its path.
  @discardableResult
  package func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
    let file = try Descriptor.open(self[name], O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    try TestSupport.write(Array(text.utf8), to: file)
    return self[name]
  }

  /// Makes a directory in it and returns its path.
  @discardableResult
  package func makeDirectory(_ name: String) throws -> String {
    let path = self[name]
    try call("mkdir", path) { mkdir(path, 0o755) }
    return path
  }
}

/// Removes a tree, mounts below it excepted.
package func removeTree(_ path: String) { _ = try? run("rm", ["-rf", "--one-file-system", "--", path]) }
