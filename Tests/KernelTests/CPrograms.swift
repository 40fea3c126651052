import System
import TestSupport
import Testing

/// The C programs of these tests, compiled when the first test asks for one: what no installed program does.
struct CPrograms: Sendable {
  private let directory: TemporaryDirectory

  private init() throws {
    directory = try TemporaryDirectory()
    let here = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    for (name, source, libraries) in [
      ("fileops", "\(here)/Programs/fileops.c", []), ("uring", "\(here)/Programs/uring.c", ["-luring"]),
      ("workload", "\(here)/../Bench/workload.c", []),
    ] {
      let compiler = try run("cc", ["-O2", "-Wall", "-Werror", "-o", directory[name], source] + libraries)
      try #require(compiler.status == 0, "\(source): \(compiler.errorText)")
    }
  }

  private static let shared = Result { try CPrograms() }

  /// The path of one.
  static func path(_ name: String) throws -> String { try shared.get().directory[name] }
}
