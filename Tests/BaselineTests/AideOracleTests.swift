import Baseline
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
      let paths = (0..<14).map { _ in generator.path() }
      let file = try directory.write("generated.conf", text)
      guard let expected = try AideOracle.ask(file, paths) else {
        refused += 1
        #expect(throws: Failure.self, "seed \(seed): aide refuses it\n\(text)") { try SelectionConfig.load(file) }
        continue
      }
      let config = try SelectionConfig.load(file)
      for ((path, ours), theirs) in zip(zip(paths, AideOracle.ours(config, paths)), expected) {
        #expect(ours == theirs, "seed \(seed), \(path)\n\(text)")
        if theirs.attributes != nil { selected += 1 }
      }
    }
    // a generator that makes nothing but errors, or selects nothing, shows nothing
    #expect(refused < 100 && selected > 500, "\(refused) refused, \(selected) selected")
  }
}
