import System
import Testing

@testable import Settings

/// `etc/fsaudit.toml` documents every setting with its default; these tests keep it so.
@Suite struct ExampleTests {
  private let path: String
  /// Its lines, with the `#` of the commented-out settings removed: prose has a space after its `#`.
  private let uncommented: String

  init() throws {
    path = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/etc/fsaudit.toml"
    uncommented = String(decoding: try contents(of: path), as: UTF8.self).split(separator: "\n")
      .map { $0.hasPrefix("#") && !$0.hasPrefix("# ") ? $0.dropFirst() : $0 }.joined(separator: "\n")
  }

  @Test func isTheDefaultsAsItStands() throws { #expect(try Settings.load(from: path) == Settings()) }

  @Test func isTheDefaultsWithTheCommentsRemoved() throws {
    #expect(try Settings.parse(Array(uncommented.utf8), file: "fsaudit.toml") == Settings())
  }

  @Test func namesEverySettingOnce() throws {
    var reader = TOMLReader(Array(uncommented.utf8))
    var written: [String] = []
    while let item = try reader.next() {
      if case .entry(let section, let key, _, _) = item { written.append("\(section).\(key)") }
    }
    #expect(written.sorted() == Setting.all.map { "\($0.section).\($0.key)" }.sorted())
  }
}
