/// One step of decoding UTF-8 that may be broken (file names are bytes, not text).
struct UTF8Step {
  /// The scalar, or nil where the bytes are not UTF-8.
  let scalar: UInt32?
  /// How many bytes it takes: of a broken sequence the longest prefix that could have begun a good one, so that each
  /// break becomes one U+FFFD (The Unicode Standard 3.9, "substitution of maximal subparts").
  let length: Int
}

/// Decodes at `offset`, which must be inside `text`. Overlong forms, surrogates and values over U+10FFFF are broken.
func utf8Step(_ text: RawSpan, at offset: Int) -> UTF8Step {
  let lead = text.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  // What the second byte may be, per lead byte (The Unicode Standard, table 3-7).
  var second: ClosedRange<UInt8> = 0x80...0xbf
  let needed: Int
  var scalar: UInt32
  switch lead {
  case 0..<0x80: return UTF8Step(scalar: UInt32(lead), length: 1)
  case 0xc2...0xdf: (needed, scalar) = (1, UInt32(lead & 0x1f))
  case 0xe0...0xef:
    (needed, scalar) = (2, UInt32(lead & 0x0f))
    if lead == 0xe0 { second = 0xa0...0xbf } else if lead == 0xed { second = 0x80...0x9f }
  case 0xf0...0xf4:
    (needed, scalar) = (3, UInt32(lead & 0x07))
    if lead == 0xf0 { second = 0x90...0xbf } else if lead == 0xf4 { second = 0x80...0x8f }
  default: return UTF8Step(scalar: nil, length: 1)
  }
  for index in 1...needed {
    guard offset + index < text.byteCount else { return UTF8Step(scalar: nil, length: index) }
    let next = text.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)
    guard (index == 1 ? second : 0x80...0xbf).contains(next) else { return UTF8Step(scalar: nil, length: index) }
    scalar = scalar << 6 | UInt32(next & 0x3f)
  }
  return UTF8Step(scalar: scalar, length: needed + 1)
}
