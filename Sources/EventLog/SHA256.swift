import CCrypto

/// 32 bytes that stand for others: a SHA-256, an HMAC, or a key (which is the hash of the one before).
package struct Digest: Hashable, Sendable {
  private var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))

  /// All zero: what stands where there is nothing before.
  package init() {}

  /// From exactly 32 bytes; nil for any other number.
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount == 32 else { return nil }
    bytes.withUnsafeBytes { source in withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: source) } }
  }

  /// From 64 lower-case hexadecimal digits. No other spelling: a line that says the same in other bytes is another line.
  package init?(hex: RawSpan) {
    guard hex.byteCount == 64 else { return nil }
    var isGood = true
    withUnsafeMutableBytes(of: &words) { target in
      for index in 0..<32 {
        guard let high = lowerHexValue(hex.byte(2 * index)), let low = lowerHexValue(hex.byte(2 * index + 1)) else {
          isGood = false
          return
        }
        target[index] = high << 4 | low
      }
    }
    if !isGood { return nil }
  }

  package init?(hex: String) { self.init(hex: Array(hex.utf8).span.bytes) }

  /// From a generator that cannot be foretold (getrandom(2)).
  static func random() -> Digest {
    var random = SystemRandomNumberGenerator()
    var digest = Digest()
    digest.words = (random.next(), random.next(), random.next(), random.next())
    return digest
  }

  package func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
    withUnsafeBytes(of: words) { body($0.bytes) }
  }

  /// 64 lower-case hexadecimal digits.
  package var hex: String {
    var writer = JSONWriter(capacityBytes: 64)
    writer.hex(self)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  package static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

  package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension JSONWriter {
  /// 64 hexadecimal digits, without quotes.
  mutating func hex(_ digest: Digest) { withUnsafeBytes(of: digest) { for byte in $0 { hexByte(byte) } } }
}

/// The value of a hexadecimal digit that is not a capital.
func lowerHexValue(_ byte: UInt8) -> UInt8? { byte < UInt8(ascii: "A") || byte > UInt8(ascii: "F") ? hexValue(byte) : nil }

/// SHA-256 (FIPS 180-4) of what comes piece by piece. Allocates nothing.
package struct SHA256: ~Copyable, Sendable {
  private var context = SHA256_CTX()

  package init() { SHA256_Init(&context) }

  package mutating func update(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { _ = SHA256_Update(&context, $0.baseAddress, $0.count) }
  }

  package mutating func update(_ digest: Digest) { withUnsafeBytes(of: digest) { update($0.bytes) } }

  package mutating func update(_ text: StaticString) {
    update(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).bytes)
  }

  /// The hash of what came since the last call; begins anew.
  package mutating func finish() -> Digest {
    var digest = Digest()
    withUnsafeMutableBytes(of: &digest) { _ = SHA256_Final($0.bindMemory(to: UInt8.self).baseAddress, &context) }
    // also so that nothing of a key stays in it
    SHA256_Init(&context)
    return digest
  }

  /// The hash of what came since the last call of ``finish()``; goes on.
  package func peek() -> Digest {
    var copy = SHA256()
    copy.context = context
    return copy.finish()
  }

  package static func hash(of bytes: RawSpan) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finish()
  }
}

/// HMAC-SHA-256 (RFC 2104) with a key of 32 bytes.
func messageCode(key: Digest, _ message: RawSpan) -> Digest {
  var hash = SHA256()
  pad(key, 0x36, into: &hash)
  hash.update(message)
  let inner = hash.finish()
  pad(key, 0x5c, into: &hash)
  hash.update(inner)
  return hash.finish()
}

/// The key, filled with zeroes to SHA-256's block and xor'ed with `byte`.
private func pad(_ key: Digest, _ byte: UInt8, into hash: inout SHA256) {
  var block = InlineArray<64, UInt8>(repeating: byte)
  withUnsafeBytes(of: key) { for index in 0..<32 { block[index] ^= $0[index] } }
  hash.update(block.span.bytes)
}
