import AuditWire

/// Why a seal was written.
package enum SealReason: String, CaseIterable, Sendable {
  /// The first of a new chain.
  case first
  /// A run began, and the chain goes on: what the last run left unsealed is sealed now.
  case start
  /// A run began, and the seals before this one are gone.
  case cut
  /// So many lines or so much time had come together.
  case due
  /// The end of a segment.
  case rotate
  /// The end of a run.
  case stop
}

/// One `fsaudit.seal` line: it vouches for the lines between the seal before it and itself.
///
/// - `content` is the SHA-256 of those bytes;
/// - `previous` is the SHA-256 of the seal line before it with its `\n`, which chains them;
/// - `digests` has 24 bits for each of the lines, which is how a verifier tells which one was changed;
/// - `mac` is the HMAC of the line itself, up to and with `"mac":"`, under the key of this number (``SealKey``).
package struct Seal: Sendable {
  package var reason = SealReason.due
  /// 0, 1, 2 … within a chain.
  package var number: Int64 = 0
  /// What it covers.
  package var lines: Int64 = 0, bytes: Int64 = 0
  /// How many bytes its segment had before it.
  package var offset: Int64 = 0
  package var content = Digest(), previous = Digest()

  package init() {}

  /// One sentence for people.
  var message: String {
    let covered = lines == 1 ? "1 line" : "\(lines) lines"
    return switch reason {
    case .first: "seal \(number): a new chain of seals begins here"
    case .start: "seal \(number): the chain goes on; the last run left \(covered) to be sealed"
    case .cut: "seal \(number): the seals before it are gone: the end of the log was cut off, or never reached the disk"
    case .due: "seal \(number) of \(covered)"
    case .rotate: "seal \(number) of \(covered), at the end of the segment"
    case .stop: "seal \(number) of \(covered), at the end of the run"
    }
  }

  /// More lines than this and ``SealLine/digests`` would make the line too long: then it has none.
  package static let maximumDigests = 4096
}

/// 24 bits of one line, without its `\n`. No cryptography: they only say where, after the SHA-256 has said that something was changed.
func sealDigest(of line: RawSpan) -> UInt32 {
  // Each step is one-to-one, so that no single change is lost before the last step throws bits away.
  var hash = UInt64(truncatingIfNeeded: line.byteCount) &* 0x9e37_79b9_7f4a_7c15
  var index = 0
  while index < line.byteCount {
    hash = (hash ^ line.word(index)) &* 0xd6e8_feb8_6659_fd93
    hash ^= hash &>> 32
    index &+= 8
  }
  hash &*= 0xd6e8_feb8_6659_fd93
  return UInt32(truncatingIfNeeded: hash &>> 40)
}

extension JSONWriter {
  /// Appends the line of a seal, with its `\n`, signed with the key of its number.
  /// - Parameter digests: of the lines that it covers; left out if there are too many.
  mutating func line(_ seal: Seal, digests: Span<UInt32>, key: SealKey, timeMs: Int64, host: String) {
    let start = count
    open(timeMs: timeMs, kind: "event", category: "host", type: "info", dataset: .seal)
    action("seal", outcome: "success", sequence: nil)
    close(message: seal.message, host: host)
    raw(",\"fsaudit\":{\"seal\":{\"reason\":")
    string(seal.reason.rawValue)
    raw(",\"chain\":")
    string(key.chain)
    raw(",\"number\":")
    integer(seal.number)
    raw(",\"lines\":")
    integer(seal.lines)
    raw(",\"bytes\":")
    integer(seal.bytes)
    raw(",\"offset\":")
    integer(seal.offset)
    raw(",\"content\":\"")
    hex(seal.content)
    raw("\",\"previous\":\"")
    hex(seal.previous)
    if digests.count <= Seal.maximumDigests {
      raw("\",\"digests\":\"")
      for index in digests.indices {
        let digest = digests[index]
        hexByte(UInt8(truncatingIfNeeded: digest >> 16))
        hexByte(UInt8(truncatingIfNeeded: digest >> 8))
        hexByte(UInt8(truncatingIfNeeded: digest))
      }
    }
    raw("\",\"mac\":\"")
    let code = withBytes(from: start) { key.code(of: $0) }
    hex(code)
    raw("\"}}}\n")
  }
}

/// A seal as it is read from a log, where it may be anybody's.
package struct SealLine: Sendable {
  package private(set) var seal = Seal()
  package private(set) var chain = ""
  package private(set) var timeMs: Int64 = 0
  /// nil where the seal has none.
  package private(set) var digests: [UInt32]?
  /// The SHA-256 of the line with its `\n`: what the next one has as `previous`.
  package private(set) var hash = Digest()
  private var code = Digest()
  /// How much of the line the code is of.
  private var codedBytes = 0

  private static let start: StaticString = "{\"@timestamp\":\""
  private static let middle: StaticString =
    "\",\"event\":{\"kind\":\"event\",\"category\":[\"host\"],\"type\":[\"info\"],\"dataset\":\"fsaudit.seal\""
  private static let beforeCode: StaticString = ",\"mac\":\""
  private static let end: StaticString = "\"}}}"

  /// Whether a line says that it is a seal. Cheap, and exact: every seal line begins so, and no other does.
  static func isSeal(_ line: RawSpan) -> Bool {
    line.has(start, at: 0) && line.has(middle, at: start.utf8CodeUnitCount + 24)
  }

  /// - Parameters:
  ///   - line: without its `\n`.
  ///   - parser: scratch.
  /// - Returns: nil if it is no seal, or none that the writer could have made.
  package init?(_ line: RawSpan, _ parser: inout LogLine) {
    codedBytes = line.byteCount - Self.end.utf8CodeUnitCount - 64
    let before = codedBytes - Self.beforeCode.utf8CodeUnitCount
    guard Self.isSeal(line), before > 0, line.has(Self.beforeCode, at: before), line.has(Self.end, at: codedBytes + 64),
      let code = Digest(hex: line.extracting(codedBytes..<codedBytes + 64)), parser.parse(line), let timeMs = parser.timeMs
    else { return nil }
    func field(_ name: String) -> String { "fsaudit.seal." + name }
    func number(_ name: String) -> Int64? { parser.integer(field(name)).flatMap { $0 >= 0 ? $0 : nil } }
    func digest(_ name: String) -> Digest? { parser.string(field(name)).flatMap { Digest(hex: $0) } }
    guard let reason = parser.string(field("reason")).flatMap(SealReason.init), let chain = parser.string(field("chain")),
      chain.utf8.count == 16, chain.utf8.allSatisfy({ lowerHexValue($0) != nil }), let place = number("number"), place < .max,
      let lines = number("lines"), let bytes = number("bytes"),
      let offset = number("offset"), let content = digest("content"), let previous = digest("previous")
    else { return nil }
    (self.code, self.timeMs, self.chain) = (code, timeMs, chain)
    (seal.reason, seal.number, seal.lines, seal.bytes, seal.offset) = (reason, place, lines, bytes, offset)
    (seal.content, seal.previous) = (content, previous)
    if let text = parser.string(field("digests")) {
      guard let digests = Self.digests(Array(text.utf8)), digests.count == lines else { return nil }
      self.digests = digests
    }
    var hash = SHA256()
    hash.update(line)
    hash.update("\n")
    self.hash = hash.finish()
  }

  /// Whether the key of this number signed it.
  /// - Parameter line: what it was made from.
  func isSigned(by key: SealKey, _ line: RawSpan) -> Bool {
    key.number == seal.number && key.chain == chain && line.byteCount >= codedBytes && key.code(of: line.extracting(0..<codedBytes)) == code
  }

  private static func digests(_ text: [UInt8]) -> [UInt32]? {
    guard text.count % 6 == 0 else { return nil }
    var result: [UInt32] = []
    result.reserveCapacity(text.count / 6)
    for start in stride(from: 0, to: text.count, by: 6) {
      var digest: UInt32 = 0
      for byte in text[start..<start + 6] {
        guard let value = lowerHexValue(byte) else { return nil }
        digest = digest << 4 | UInt32(value)
      }
      result.append(digest)
    }
    return result
  }
}

extension RawSpan {
  /// Whether `text` stands at `index`.
  fileprivate func has(_ text: StaticString, at index: Int) -> Bool {
    guard index >= 0, byteCount - index >= text.utf8CodeUnitCount else { return false }
    return extracting(index..<index + text.utf8CodeUnitCount).withUnsafeBytes {
      $0.elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
  }
}
