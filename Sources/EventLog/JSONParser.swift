/// Fills a ``LogLine``'s table of values.
struct JSONParser {
  private(set) var tokens: [LogLine.Token]
  /// The containers that are open, as token indices.
  private var open: [Int] = []

  init(tokens: [LogLine.Token]) {
    self.tokens = tokens
    self.tokens.removeAll(keepingCapacity: true)
  }

  /// What may come next.
  private enum Expected { case value, valueOrEnd, key, keyOrEnd, commaOrEnd }

  mutating func parse(_ text: RawSpan) -> Bool {
    var index = skipSpace(text, 0)
    guard byte(text, index) == UInt8(ascii: "{") else { return false }
    var expected = Expected.value
    var key = 0..<0
    while true {
      index = skipSpace(text, index)
      guard let next = byte(text, index) else { return false }
      switch expected {
      case .keyOrEnd where next == UInt8(ascii: "}"), .valueOrEnd where next == UInt8(ascii: "]"):
        index += 1
        close(at: index)
      case .commaOrEnd where next == UInt8(ascii: ","):
        index += 1
        expected = inObject ? .key : .value
        continue
      case .commaOrEnd:
        guard next == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return false }
        index += 1
        close(at: index)
      case .key, .keyOrEnd:
        guard next == UInt8(ascii: "\""), let end = endOfString(text, index + 1) else { return false }
        key = index + 1..<end.index
        index = skipSpace(text, end.index + 1)
        guard byte(text, index) == UInt8(ascii: ":") else { return false }
        index += 1
        expected = .value
        continue
      case .value, .valueOrEnd:
        guard tokens.count < LogLine.maximumValues else { return false }
        guard let after = value(text, index, first: next, key: key) else { return false }
        index = after
        key = 0..<0
        if next == UInt8(ascii: "{") || next == UInt8(ascii: "[") {
          guard open.count <= LogLine.maximumDepth else { return false }
          expected = next == UInt8(ascii: "{") ? .keyOrEnd : .valueOrEnd
          continue
        }
      }
      if open.isEmpty { return skipSpace(text, index) == text.byteCount }
      expected = .commaOrEnd
    }
  }

  private var inObject: Bool { open.last.map { tokens[$0].kind == .object } ?? false }

  private mutating func close(at end: Int) {
    guard let container = open.popLast() else { return }
    tokens[container].end = Int32(end)
    tokens[container].next = Int32(tokens.count)
  }

  /// Adds the value that begins at `index` and returns where it ends; a container's first member follows.
  private mutating func value(_ text: RawSpan, _ index: Int, first: UInt8, key: Range<Int>) -> Int? {
    var token = LogLine.Token(
      kind: .literal, keyStart: Int32(key.lowerBound), keyEnd: Int32(key.upperBound), start: Int32(index), next: Int32(tokens.count + 1))
    var after = index + 1
    switch first {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      token.kind = first == UInt8(ascii: "{") ? .object : .array
      open.append(tokens.count)
    case UInt8(ascii: "\""):
      guard let end = endOfString(text, index + 1) else { return nil }
      token.kind = .string
      token.isEscaped = end.isEscaped
      token.start = Int32(index + 1)
      after = end.index + 1
    case UInt8(ascii: "t"): after = literal("true", text, index)
    case UInt8(ascii: "f"): after = literal("false", text, index)
    case UInt8(ascii: "n"): after = literal("null", text, index)
    default:
      token.kind = .number
      after = endOfNumber(text, index)
    }
    guard after > index else { return nil }
    token.end = Int32(token.kind == .string ? after - 1 : after)
    tokens.append(token)
    return after
  }

  /// Where the literal ends; `index` if it is not there.
  private func literal(_ word: StaticString, _ text: RawSpan, _ index: Int) -> Int {
    guard text.byteCount - index >= word.utf8CodeUnitCount else { return index }
    let same = word.withUTF8Buffer { word in word.indices.allSatisfy { byte(text, index + $0) == word[$0] } }
    return same ? index + word.utf8CodeUnitCount : index
  }

  /// Where the number ends; `index` if there is none: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
  private func endOfNumber(_ text: RawSpan, _ start: Int) -> Int {
    func digits(_ from: Int) -> Int {
      var index = from
      while let digit = byte(text, index), digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") { index += 1 }
      return index
    }
    var index = byte(text, start) == UInt8(ascii: "-") ? start + 1 : start
    let whole = digits(index)
    guard whole > index, whole == index + 1 || byte(text, index) != UInt8(ascii: "0") else { return start }
    index = whole
    if byte(text, index) == UInt8(ascii: ".") {
      let end = digits(index + 1)
      guard end > index + 1 else { return start }
      index = end
    }
    if byte(text, index) == UInt8(ascii: "e") || byte(text, index) == UInt8(ascii: "E") {
      let sign = byte(text, index + 1)
      let first = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") ? index + 2 : index + 1
      let end = digits(first)
      guard end > first else { return start }
      index = end
    }
    return index
  }

  /// Where the closing quote of the string is whose inside begins at `start`, and whether there is a `\` in it.
  private func endOfString(_ text: RawSpan, _ start: Int) -> (index: Int, isEscaped: Bool)? {
    var index = start
    var isEscaped = false
    while true {
      index = indexOfSpecial(text, from: index)
      guard let special = byte(text, index) else { return nil }
      switch special {
      case UInt8(ascii: "\""): return (index, isEscaped)
      case UInt8(ascii: "\\"):
        isEscaped = true
        switch byte(text, index + 1) {
        case UInt8(ascii: "u"):
          for place in 2..<6 {
            guard let digit = byte(text, index + place), hexValue(digit) != nil else { return nil }
          }
          index += 6
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
          UInt8(ascii: "r"), UInt8(ascii: "t"):
          index += 2
        default: return nil
        }
      case 0..<0x20: return nil
      default: index += 1
      }
    }
  }

  private func byte(_ text: RawSpan, _ index: Int) -> UInt8? {
    index < text.byteCount ? text.unsafeLoad(fromByteOffset: index, as: UInt8.self) : nil
  }

  private func skipSpace(_ text: RawSpan, _ start: Int) -> Int {
    var index = start
    while let space = byte(text, index), space == 0x20 || space == 0x09 || space == 0x0a || space == 0x0d { index += 1 }
    return index
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
