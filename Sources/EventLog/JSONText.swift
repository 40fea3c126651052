import AuditWire

/// A JSON value as a part of a line. A string's offsets are inside its quotes.
struct JSONValue: BitwiseCopyable {
  enum Kind: UInt8 { case absent, object, array, string, number, literal }

  var start: Int32 = 0, end: Int32 = 0
  var kind = Kind.absent
  /// A string that has `\` in it.
  var isEscaped = false

  /// Where it stands in the line, escapes and all.
  @inline(__always)
  var range: Range<Int> { Int(start)..<Int(end) }

  init() {}

  @inline(__always)
  init(_ kind: Kind, from start: Int, to end: Int, isEscaped: Bool = false) {
    self.start = Int32(truncatingIfNeeded: start)
    self.end = Int32(truncatingIfNeeded: end)
    self.kind = kind
    self.isEscaped = isEscaped
  }
}

extension RawSpan {
  /// The bytes that a string stands for.
  func decoded(_ value: JSONValue) -> [UInt8] {
    let bytes = extracting(value.range).withUnsafeBytes { Array($0) }
    return value.isEscaped ? unescape(bytes[...]) : bytes
  }

  /// The bytes that a string of hexadecimal digits stands for; nil if it is none.
  func hex(_ value: JSONValue) -> [UInt8]? {
    let digits = extracting(value.range)
    guard value.kind == .string, digits.byteCount % 2 == 0 else { return nil }
    var result: [UInt8] = []
    for index in stride(from: 0, to: digits.byteCount, by: 2) {
      guard let high = hexValue(digits.byte(index)), let low = hexValue(digits.byte(index + 1)) else { return nil }
      result.append(high << 4 | low)
    }
    return result
  }
}

/// Finding where the values of a line's JSON begin and end. What is nested below what is asked for is passed over by its brackets and quotes alone.
enum JSONText {
  /// The first place at or behind `start` that is no white space.
  @inline(__always)
  static func skipSpace(_ line: RawSpan, _ start: Int) -> Int {
    var at = start
    while at < line.byteCount, line.peek(at) <= 0x20 { at &+= 1 }
    return at
  }

  /// The string whose opening quote is at `start`; nil if it does not end.
  @inline(__always)
  static func string(_ line: RawSpan, _ start: Int) -> JSONValue? {
    var at = start &+ 1
    var isEscaped = false
    while at < line.byteCount {
      let word = line.word(at)
      let hits = zeroBytes(word ^ 0x2222_2222_2222_2222) | zeroBytes(word ^ 0x5c5c_5c5c_5c5c_5c5c)
      if hits == 0 {
        at &+= 8
        continue
      }
      at &+= hits.trailingZeroBitCount / 8
      if line.peek(at) == UInt8(ascii: "\"") { return JSONValue(.string, from: start &+ 1, to: at, isEscaped: isEscaped) }
      isEscaped = true
      at &+= 2
    }
    return nil
  }

  /// The top bit of the bytes that are zero; of those above the lowest, perhaps of others.
  @inline(__always)
  private static func zeroBytes(_ word: UInt64) -> UInt64 { (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 }

  /// The value that begins at `start`, and the first place behind it; nil if there is none.
  static func value(_ line: RawSpan, _ start: Int) -> (value: JSONValue, after: Int)? {
    switch line.peek(start) {
    case UInt8(ascii: "\""): return string(line, start).map { ($0, Int($0.end) &+ 1) }
    case UInt8(ascii: "{"): return container(line, start).map { (JSONValue(.object, from: start, to: $0), $0) }
    case UInt8(ascii: "["): return container(line, start).map { (JSONValue(.array, from: start, to: $0), $0) }
    case let first:
      var at = start
      while case let byte = line.peek(at), byte > 0x20, byte != UInt8(ascii: ","), byte != UInt8(ascii: "}"), byte != UInt8(ascii: "]") {
        at &+= 1
      }
      let isNumber = first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
      return at > start ? (JSONValue(isNumber ? .number : .literal, from: start, to: at), at) : nil
    }
  }

  /// Where the object or array ends that begins at `start`.
  private static func container(_ line: RawSpan, _ start: Int) -> Int? {
    var at = start
    var depth = 0
    while at < line.byteCount {
      switch line.peek(at) {
      case UInt8(ascii: "\""):
        guard let text = string(line, at) else { return nil }
        at = Int(text.end)
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth &-= 1
        if depth == 0 { return at &+ 1 }
      default: break
      }
      at &+= 1
    }
    return nil
  }
}

/// The elements of an array or the members of an object, one after the other.
struct JSONItems {
  /// What comes next: behind the opening bracket or behind a comma.
  private var at: Int
  private let isObject: Bool

  /// Of anything else than an array or an object there are none.
  init(_ container: JSONValue) {
    isObject = container.kind == .object
    at = container.kind == .object || container.kind == .array ? Int(container.start) + 1 : Int.max
  }

  /// The next one, and its name in an object.
  mutating func next(_ line: RawSpan) -> (name: JSONValue, value: JSONValue)? {
    guard at < line.byteCount else { return nil }
    at = JSONText.skipSpace(line, at)
    var name = JSONValue()
    if isObject {
      guard line.peek(at) == UInt8(ascii: "\""), let key = JSONText.string(line, at) else { return end() }
      name = key
      at = JSONText.skipSpace(line, Int(key.end) + 1)
      guard line.peek(at) == UInt8(ascii: ":") else { return end() }
      at = JSONText.skipSpace(line, at + 1)
    }
    guard let (value, after) = JSONText.value(line, at) else { return end() }
    at = JSONText.skipSpace(line, after)
    at = line.peek(at) == UInt8(ascii: ",") ? at + 1 : Int.max
    return (name, value)
  }

  /// The value of the member called `name`, if it is a string or a number.
  static func member(_ name: StaticString, of object: JSONValue, _ line: RawSpan) -> JSONValue? {
    var items = JSONItems(object)
    while let (key, value) = items.next(line) {
      if line.extracting(key.range).equals(name) { return value.kind == .string || value.kind == .number ? value : nil }
    }
    return nil
  }

  private mutating func end() -> (name: JSONValue, value: JSONValue)? {
    at = Int.max
    return nil
  }
}
