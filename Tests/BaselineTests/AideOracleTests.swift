import Baseline
import Glibc
import System
import TestSupport
import Testing

/// AIDE 0.18 as the oracle: the same paths are selected, by the same rules, with the same attributes.
@Suite(.serialized, .enabled(if: AideOracle.isThere, "aide is not installed")) struct AideOracleTests {
  @Test func threeHundredGeneratedConfigurations() throws {
    let directory = try TemporaryDirectory()
    var refused = 0
    var selected = 0
    for seed in 1...300 as ClosedRange<UInt64> {
      var generator = ConfigGenerator(seed: seed)
      let text = generator.config()
      let paths = (0..<10).map { _ in generator.path() }
      let file = try directory.write("generated.conf", text)
      guard let expected = try AideOracle.ask(file, paths) else {
        refused += 1
        #expect(throws: Failure.self, "seed \(seed): aide refuses it\n\(text)") { try SelectionConfig.load(file) }
        continue
      }
      let config = try SelectionConfig.load(file)
      compare(config, paths, expected, "seed \(seed)\n\(text)")
      selected += expected.count { $0.attributes != nil }
    }
    // a generator that makes nothing but errors, or selects nothing, shows nothing
    #expect(refused < 100 && selected > 500, "\(refused) refused, \(selected) selected")
  }

  /// As they are, and once more as `import-aide` writes them.
  @Test(arguments: RealConfigurations.all) func realConfigurations(name: String, text: String) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("aide.conf", text)
    let expected = try #require(try AideOracle.ask(file, RealConfigurations.paths), "\(name): aide refuses it")
    let config = try SelectionConfig.load(file)
    compare(config, RealConfigurations.paths, expected, name)

    let imported = try SelectionConfig.parse(config.nativeText, file: "imported.conf")
    #expect(imported.notes.isEmpty)
    for path in RealConfigurations.paths {
      let kind = try #require(path.first.flatMap { FileKind(letter: $0) })
      let bytes = Array(path.utf8.dropFirst(2))
      #expect(imported.decide(bytes, kind) == config.decide(bytes, kind), "\(name), imported: \(path)")
    }
  }

  /// Debian's own (package aide-common), where it is: programs are skipped, so AIDE gets what they do not hold.
  @Test(.enabled(if: access("/etc/aide/aide.conf.d", R_OK) == 0, "aide-common is not installed")) func debiansOwn() throws {
    let directory = try TemporaryDirectory()
    let ours = try SelectionConfig.load("/etc/aide/aide.conf")
    #expect(ours.rules.count > 500)
    let text = directory["imported.conf"]
    // a macro that a skipped program defines leaves two slashes, which AIDE refuses
    let lines = String(decoding: ours.nativeText, as: UTF8.self).split(separator: "\n").filter {
      !$0.drop { "!=".contains($0) }.hasPrefix("//")
    }
    try directory.write("imported.conf", lines.joined(separator: "\n") + "\n")
    let paths = Array(RealConfigurations.paths.prefix(25))
    let expected = try #require(try AideOracle.ask(text, paths))
    let imported = try SelectionConfig.load(text)
    compare(imported, paths, expected, "Debian's")
    for path in paths {
      let kind = try #require(path.first.flatMap { FileKind(letter: $0) })
      let bytes = Array(path.utf8.dropFirst(2))
      #expect(imported.decide(bytes, kind).attributes == ours.decide(bytes, kind).attributes, "\(path)")
    }
  }

  /// The configuration that `make install` installs is AIDE's language, too, and nothing in it deserves a warning.
  @Test func ourOwn() throws {
    let file = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/etc/baseline.conf"
    let expected = try #require(try AideOracle.ask(file, RealConfigurations.paths))
    let config = try SelectionConfig.load(file)
    #expect(config.warnings.map(\.description) == [] && config.notes.isEmpty)
    compare(config, RealConfigurations.paths, expected, "ours")
  }

  private func compare(_ config: SelectionConfig, _ paths: [String], _ expected: [AideOracle.Answer], _ comment: String) {
    for ((path, ours), theirs) in zip(zip(paths, AideOracle.ours(config, paths)), expected) {
      #expect(AideOracle.isSame(ours, theirs), "\(path): \(ours), aide \(theirs); \(comment)")
    }
  }
}
