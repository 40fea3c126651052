/// A seal that somebody keeps elsewhere: whatever happens to the host, the log up to it can be proven.
package struct SealAnchor: Hashable, Sendable {
  package var chain: String
  package var number: Int64
  /// Of its line, with the `\n`.
  package var hash: Digest

  package init(chain: String, number: Int64, hash: Digest) {
    (self.chain, self.number, self.hash) = (chain, number, hash)
  }

  /// `1f0c9a…-17-5e88…`: what `fsaudit log seal` prints.
  package var text: String { "\(chain)-\(number)-\(hash.hex)" }

  /// From ``text``, with or without white space around it.
  package init?(text: String) {
    let words = text.split { $0.isWhitespace }
    guard words.count == 1 else { return nil }
    let parts = words[0].split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].utf8.count == 16, let number = Int64(parts[1]), number >= 0, let hash = Digest(hex: String(parts[2]))
    else { return nil }
    self.init(chain: String(parts[0]), number: number, hash: hash)
  }
}

/// One thing that is wrong with a log.
package struct SealFinding: Equatable, Sendable {
  /// The raw value is its name in JSON.
  package enum Kind: String, CaseIterable, Sendable {
    case changed, deleted, inserted, moved
    /// Something was changed, and more than the place cannot be said.
    case damaged
    case sealAltered = "seal_altered"
    case sealsMissing = "seals_missing"
    case cutOff = "cut_off"
    case newChain = "new_chain"
    case anchor
    case key
    case unreadable
  }

  package let kind: Kind
  /// The first and the last line that it is about.
  package let place: SealPlace, end: SealPlace
  /// Which seal says so.
  package let seal: Int64?
  package let message: String

  /// `events.jsonl:17-20: …`.
  package var description: String {
    if place.file.isEmpty { return message }
    let range = end == place ? "\(place)" : end.file == place.file ? "\(place)-\(end.line)" : "\(place) to \(end)"
    return "\(range): \(message)"
  }
}

/// What a verifier can say at the end.
package struct SealReport: Equatable, Sendable {
  package var findings = 0
  package var lines: Int64 = 0
  package var seals: Int64 = 0
  /// Of the first seal.
  package var chain: String?
  package var firstNumber: Int64?
  package var lastNumber: Int64?
  package var lastTimeMs: Int64 = 0
  package var lastHash = Digest()
  /// Whether every seal was signed with a key that comes from one that was given.
  package var isSigned = true
  /// The newest kept seal that is in the log.
  package var anchored: Int64?
  /// Lines before the first chain, and lines behind the last seal: nothing vouches for them.
  package var linesBefore: Int64 = 0, linesAfter: Int64 = 0
  /// Whether the last seal is that of a run's orderly end.
  package var isClosed = false
  /// Lines that killed runs left, which the next run's first seal covers as it found them; how many such seals, and the numbers of the first.
  package var linesAdopted: Int64 = 0, adoptions = 0
  package var adoptedBy: [Int64] = []
  static let maximumAdoptedBy = 10
  /// What follows the last whole line.
  package var unfinishedBytes = 0

  package init() {}
}
