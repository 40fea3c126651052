import FuzzTargets
import Replay
import Testing

/// A short, deterministic run of every fuzz target (Tests/Fuzz/run is the long one): pieces of the corpus with some bytes
/// changed, so that `swift test` finds what is broken for everybody.
@Suite struct FuzzTests {
  @Test(arguments: FuzzTarget.allCases, 1...4 as ClosedRange<UInt64>)
  func mutated(target: FuzzTarget, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let seeds = try FuzzTests.seeds(of: target)
    for _ in 0..<100 {
      var input = seeds[random.below(seeds.count)]
      let start = random.below(max(1, input.count - 3000))
      input = Array(input[start..<min(input.count, start + 3000)])
      for _ in 0..<random.below(8) { mutate(&input, with: seeds[random.below(seeds.count)], &random) }
      target.run(input)
    }
  }

  /// What a fuzzer would do without looking at what it covers.
  private func mutate(_ input: inout [UInt8], with other: [UInt8], _ random: inout SplitMix) {
    guard !input.isEmpty else { return }
    let place = random.below(input.count)
    switch random.below(7) {
    case 0: input[place] ^= 1 << UInt8(random.below(8))
    case 1: input[place] = UInt8(random.below(256))
    case 2: input.removeSubrange(place..<min(input.count, place + 1 + random.below(40)))
    case 3: input.insert(contentsOf: other.prefix(random.below(400)), at: place)
    case 4:
      let from = random.below(max(1, other.count))
      input.insert(contentsOf: other[from..<min(other.count, from + random.below(200))], at: place)
    case 5: input.removeSubrange(place...)
    default:
      let words = [
        "\\n", "\"", "=", "(null)", " name=", "\u{1d}", "4294967296", "-1", "18446744073709551616", "\0", "\\ud800", "}", "\u{1}",
      ]
      input.insert(contentsOf: words[random.below(words.count)].utf8, at: place)
    }
  }

  private static func seeds(of target: FuzzTarget) throws -> [[UInt8]] {
    switch target {
    case .search:
      try Corpus.logs.map { try Corpus.read($0) } + Corpus.logs.map { try Corpus.read($0.dropLast(4) + ".jsonl") }
    case .tokeniser, .assembler: try Corpus.logs.map { try Corpus.read($0) }
    case .log: try Corpus.logs.map { try Corpus.read($0.dropLast(4) + ".jsonl") }.flatMap { $0.split(separator: 10).map { Array($0) } }
    case .rules: try ["starter.rules", "others.rules", "waiting.rules"].map { try Corpus.read("../Fuzz/seeds.d/rules/" + $0) }
    case .seal: [try Corpus.read("../Fuzz/seeds.d/seal/small.jsonl")]
    case .baseline: try ["groups.conf", "macros.conf", "rules.conf"].map { try Corpus.read("../Fuzz/seeds.d/baseline/" + $0) }
    case .rpm: [try Corpus.read("../Fuzz/seeds.d/rpm/header")]
    case .settings: try ["example.toml", "small.toml"].map { try Corpus.read("../Fuzz/seeds.d/settings/" + $0) }
    }
  }
}
