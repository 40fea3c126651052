import AuditWire

/// Fills a ``LogLine``'s table of values, in one pass over the bytes.
///
/// The text is followed by ``padding`` NUL bytes. No step goes over a NUL, because none is allowed anywhere in JSON; so every position stays in
/// front of the padding's end, and the loads need no checks of their own.
enum JSONParser {
  /// How many NUL bytes have to follow the text.
  static let padding = 8

  /// - Parameters:
  ///   - text: with its padding.
  ///   - tokens: memory for at least as many values as are to be read; more are refused.
  /// - Returns: how many values there are; nil where the text is not one JSON object within ``LogLine``'s bounds.
  static func parse(_ text: RawSpan, into tokens: UnsafeMutableBufferPointer<LogLine.Token>) -> Int? {
    precondition(text.byteCount >= padding && text.word(text.byteCount &- padding) == 0)
    var at = skipSpace(text, 0)
    guard byte(text, at) == UInt8(ascii: "{") else { return nil }
    // the containers that are open, as token indices
    var open = InlineArray<16, Int32>(repeating: 0)
    var depth = 0
    var count = 0
    var inObject = false
    var key = Slice.none
    while true {
      // a value begins at `at`
      guard count < tokens.count else { return nil }
      let first = byte(text, at)
      var token = LogLine.Token(key: key, start: at, next: count &+ 1)
      if first == UInt8(ascii: "\"") {
        guard let end = endOfString(text, at &+ 1, &token.isEscaped) else { return nil }
        token.kind = .string
        token.start &+= 1
        token.end = Int32(truncatingIfNeeded: end)
        at = end &+ 1
      } else if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
        guard depth < LogLine.maximumDepth else { return nil }
        inObject = first == UInt8(ascii: "{")
        token.kind = inObject ? .object : .array
        open[depth] = Int32(truncatingIfNeeded: count)
        depth &+= 1
        tokens[count] = token
        count &+= 1
        at = skipSpace(text, at &+ 1)
        if byte(text, at) != closing(inObject) {
          key = .none
          if inObject, !member(text, &at, &key) { return nil }
          continue
        }
        count &-= 1
      } else if first == UInt8(ascii: "t") || first == UInt8(ascii: "f") || first == UInt8(ascii: "n") {
        guard let end = endOfLiteral(text, at, first) else { return nil }
        at = end
        token.end = Int32(truncatingIfNeeded: at)
      } else {
        guard let end = endOfNumber(text, at) else { return nil }
        at = end
        token.kind = .number
        token.end = Int32(truncatingIfNeeded: at)
      }
      // (an empty container's is there already)
      tokens[count] = token
      count &+= 1
      // behind a value, or in front of an empty container's end
      while true {
        at = skipSpace(text, at)
        let next = byte(text, at)
        // the usual case, a member behind a member
        if next == UInt8(ascii: ","), inObject, byte(text, at &+ 1) == UInt8(ascii: "\"") {
          at &+= 1
          if !member(text, &at, &key) { return nil }
          break
        }
        if next == UInt8(ascii: ",") {
          at = skipSpace(text, at &+ 1)
          key = .none
          if inObject, !member(text, &at, &key) { return nil }
          break
        }
        guard next == closing(inObject) else { return nil }
        at &+= 1
        depth &-= 1
        let container = Int(open[depth])
        tokens[container].end = Int32(truncatingIfNeeded: at)
        tokens[container].next = Int32(truncatingIfNeeded: count)
        if depth == 0 { return skipSpace(text, at) == text.byteCount &- padding ? count : nil }
        inObject = tokens[Int(open[depth &- 1])].kind == .object
      }
    }
  }

  @inline(__always)
  private static func byte(_ text: RawSpan, _ at: Int) -> UInt8 {
    assert(at < text.byteCount)
    return text.unsafeLoad(fromUncheckedByteOffset: at, as: UInt8.self)
  }

  @inline(__always)
  private static func closing(_ inObject: Bool) -> UInt8 { inObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

  /// Steps over a member's name and its colon; false where none stands.
  @inline(__always)
  private static func member(_ text: RawSpan, _ at: inout Int, _ key: inout Slice) -> Bool {
    guard byte(text, at) == UInt8(ascii: "\"") else { return false }
    var isEscaped = false
    guard let end = endOfString(text, at &+ 1, &isEscaped) else { return false }
    key = Slice(start: at &+ 1, count: end &- at &- 1)
    if byte(text, end &+ 1) == UInt8(ascii: ":"), byte(text, end &+ 2) > 0x20 {
      at = end &+ 2
      return true
    }
    at = skipSpace(text, end &+ 1)
    guard byte(text, at) == UInt8(ascii: ":") else { return false }
    at = skipSpace(text, at &+ 1)
    return true
  }

  private static func endOfLiteral(_ text: RawSpan, _ at: Int, _ first: UInt8) -> Int? {
    let word: StaticString = first == UInt8(ascii: "t") ? "true" : first == UInt8(ascii: "f") ? "false" : "null"
    return text.hasPrefix(word, at: at) ? at &+ word.utf8CodeUnitCount : nil
  }

  /// Where the number ends, nil if there is none: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
  private static func endOfNumber(_ text: RawSpan, _ start: Int) -> Int? {
    func digits(_ from: Int) -> Int {
      var at = from
      while byte(text, at) &- 0x30 <= 9 { at &+= 1 }
      return at
    }
    let first = byte(text, start) == UInt8(ascii: "-") ? start &+ 1 : start
    var at = digits(first)
    guard at > first, at == first &+ 1 || byte(text, first) != UInt8(ascii: "0") else { return nil }
    if byte(text, at) == UInt8(ascii: ".") {
      let end = digits(at &+ 1)
      guard end > at &+ 1 else { return nil }
      at = end
    }
    if byte(text, at) | 0x20 == UInt8(ascii: "e") {
      let sign = byte(text, at &+ 1)
      let exponent = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") ? at &+ 2 : at &+ 1
      let end = digits(exponent)
      guard end > exponent else { return nil }
      at = end
    }
    return at
  }

  /// Where the closing quote of the string is whose inside begins at `start`; nil where it is not well-formed.
  @inline(__always)
  private static func endOfString(_ text: RawSpan, _ start: Int, _ isEscaped: inout Bool) -> Int? {
    var at = start
    while true {
      // in the padding there are none but bytes that end the search, like any control byte
      let word = at &+ 8 <= text.byteCount ? text.word(unchecked: at) : text.word(at)
      let quotes = word ^ Swar.spread(0x22)
      let escapes = word ^ Swar.spread(0x5c)
      let ends =
        (quotes &- Swar.spread(1)) & ~quotes | (escapes &- Swar.spread(1)) & ~escapes | (word &- Swar.spread(0x20)) & ~word
      let found = ends & Swar.spread(0x80)
      if found == 0 {
        at &+= 8
        continue
      }
      at &+= found.trailingZeroBitCount / 8
      let special = byte(text, at)
      if special == 0x22 { return at }
      guard special == 0x5c, let length = escapeLength(text, at) else { return nil }
      isEscaped = true
      at &+= length
    }
  }

  private static func escapeLength(_ text: RawSpan, _ at: Int) -> Int? {
    switch byte(text, at &+ 1) {
    case UInt8(ascii: "u"):
      for place in 2..<6 where hexValue(byte(text, at &+ place)) == nil { return nil }
      return 6
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
      UInt8(ascii: "r"), UInt8(ascii: "t"):
      return 2
    default: return nil
    }
  }

  @inline(__always)
  private static func skipSpace(_ text: RawSpan, _ start: Int) -> Int {
    var at = start
    // nearly everything is above a blank
    while byte(text, at) <= 0x20, isSpace(byte(text, at)) { at &+= 1 }
    return at
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }
}

/// A JSON string's inside without its escapes. The escapes are well-formed (the parser saw to it); half of a surrogate
/// pair becomes U+FFFD.
func unescape(_ text: ArraySlice<UInt8>) -> [UInt8] {
  var result: [UInt8] = []
  result.reserveCapacity(text.count)
  var index = text.startIndex
  func unit(at place: Int) -> UInt32? {
    guard place + 6 <= text.endIndex, text[place] == UInt8(ascii: "\\"), text[place + 1] == UInt8(ascii: "u") else { return nil }
    return text[place + 2..<place + 6].reduce(0) { $0 << 4 | UInt32(hexValue($1) ?? 0) }
  }
  while index < text.endIndex {
    guard text[index] == UInt8(ascii: "\\"), index + 1 < text.endIndex else {
      result.append(text[index])
      index += 1
      continue
    }
    if let first = unit(at: index) {
      index += 6
      var scalar = first
      if first & 0xfc00 == 0xd800, let second = unit(at: index), second & 0xfc00 == 0xdc00 {
        index += 6
        scalar = 0x10000 + (first & 0x3ff) << 10 + second & 0x3ff
      }
      result.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{fffd}").utf8)
      continue
    }
    switch text[index + 1] {
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0c)
    case UInt8(ascii: "n"): result.append(0x0a)
    case UInt8(ascii: "r"): result.append(0x0d)
    case UInt8(ascii: "t"): result.append(0x09)
    case let other: result.append(other)
    }
    index += 2
  }
  return result
}
