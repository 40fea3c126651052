import AuditWire

/// Fills a ``LogLine``'s table of values, in one pass over the bytes.
enum JSONParser {
  /// Returns whether the text is one JSON object within ``LogLine``'s bounds; `tokens` is only right then.
  static func parse(_ text: RawSpan, into tokens: inout ReusedArray<LogLine.Token>) -> Bool {
    tokens.removeAll()
    var at = skipSpace(text, 0)
    guard text.peek(at) == UInt8(ascii: "{") else { return false }
    // the containers that are open, as token indices
    var open = InlineArray<16, Int32>(repeating: 0)
    var depth = 0
    var inObject = false
    var key = Slice.none
    while true {
      // a value begins at `at`
      guard tokens.count < LogLine.maximumValues else { return false }
      let first = text.peek(at)
      var token = LogLine.Token(key: key, start: at, next: tokens.count &+ 1)
      switch first {
      case UInt8(ascii: "\""):
        guard let end = endOfString(text, at &+ 1, &token.isEscaped) else { return false }
        token.kind = .string
        token.start &+= 1
        token.end = Int32(truncatingIfNeeded: end)
        at = end &+ 1
        tokens.append(token)
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard depth < LogLine.maximumDepth else { return false }
        inObject = first == UInt8(ascii: "{")
        token.kind = inObject ? .object : .array
        open[depth] = Int32(truncatingIfNeeded: tokens.count)
        depth &+= 1
        tokens.append(token)
        at = skipSpace(text, at &+ 1)
        if text.peek(at) != closing(inObject) {
          key = .none
          if inObject, !member(text, &at, &key) { return false }
          continue
        }
      case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
        guard let end = endOfLiteral(text, at, first) else { return false }
        at = end
        token.end = Int32(truncatingIfNeeded: at)
        tokens.append(token)
      default:
        guard let end = endOfNumber(text, at) else { return false }
        at = end
        token.kind = .number
        token.end = Int32(truncatingIfNeeded: at)
        tokens.append(token)
      }
      // behind a value, or in front of an empty container's end
      while true {
        at = skipSpace(text, at)
        let next = text.peek(at)
        at &+= 1
        if next == UInt8(ascii: ",") {
          at = skipSpace(text, at)
          key = .none
          if inObject, !member(text, &at, &key) { return false }
          break
        }
        guard next == closing(inObject) else { return false }
        depth &-= 1
        let container = Int(open[depth])
        tokens[container].end = Int32(truncatingIfNeeded: at)
        tokens[container].next = Int32(truncatingIfNeeded: tokens.count)
        if depth == 0 { return skipSpace(text, at) == text.byteCount }
        inObject = tokens[Int(open[depth &- 1])].kind == .object
      }
    }
  }

  @inline(__always)
  private static func closing(_ inObject: Bool) -> UInt8 { inObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

  /// Steps over a member's name and its colon; false where none stands.
  @inline(__always)
  private static func member(_ text: RawSpan, _ at: inout Int, _ key: inout Slice) -> Bool {
    guard text.peek(at) == UInt8(ascii: "\"") else { return false }
    var isEscaped = false
    guard let end = endOfString(text, at &+ 1, &isEscaped) else { return false }
    key = Slice(start: at &+ 1, count: end &- at &- 1)
    at = skipSpace(text, end &+ 1)
    guard text.peek(at) == UInt8(ascii: ":") else { return false }
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
      while text.peek(at) &- 0x30 <= 9 { at &+= 1 }
      return at
    }
    let first = text.peek(start) == UInt8(ascii: "-") ? start &+ 1 : start
    var at = digits(first)
    guard at > first, at == first &+ 1 || text.peek(first) != UInt8(ascii: "0") else { return nil }
    if text.peek(at) == UInt8(ascii: ".") {
      let end = digits(at &+ 1)
      guard end > at &+ 1 else { return nil }
      at = end
    }
    if text.peek(at) | 0x20 == UInt8(ascii: "e") {
      let sign = text.peek(at &+ 1)
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
      // bytes behind the end read as 0, which ends the search like any control byte
      let word = text.word(at)
      let ends =
        Swar.zeroBytes(word ^ Swar.spread(0x22)) | Swar.zeroBytes(word ^ Swar.spread(0x5c)) | (word &- Swar.spread(0x20)) & ~word
        & Swar.spread(0x80)
      if ends == 0 {
        at &+= 8
        continue
      }
      at &+= ends.trailingZeroBitCount / 8
      let special = text.peek(at)
      if special == 0x22 { return at }
      guard special == 0x5c, let length = escapeLength(text, at) else { return nil }
      isEscaped = true
      at &+= length
    }
  }

  private static func escapeLength(_ text: RawSpan, _ at: Int) -> Int? {
    switch text.peek(at &+ 1) {
    case UInt8(ascii: "u"):
      for place in 2..<6 where hexValue(text.peek(at &+ place)) == nil { return nil }
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
    while case let byte = text.peek(at), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at &+= 1 }
    return at
  }
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
