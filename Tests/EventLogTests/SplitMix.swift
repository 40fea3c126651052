/// A seeded generator (SplitMix64), so that a failure of a property test repeats.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Random bytes: 0 of any value, 1 mostly plain text with an odd byte, 2 pieces of UTF-8 that may be cut.
  mutating func bytes(count: Int, alphabet: Int) -> [UInt8] {
    let pieces: [[UInt8]] = [
      [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x99, 0x82], [0xc3, 0xa4], [0xc2, 0x9b], [0xe2, 0x80, 0xae], [0x22], [0x61],
    ]
    var result: [UInt8] = []
    while result.count < count {
      switch alphabet {
      case 0: result.append(UInt8.random(in: 0...255, using: &self))
      case 1: result.append(Int.random(in: 0..<12, using: &self) == 0 ? UInt8.random(in: 0...255, using: &self) : 0x61)
      default: result += pieces.randomElement(using: &self) ?? []
      }
    }
    return Array(result.prefix(count))
  }
}
