/// What can be said about a regular expression without running it. Most rules of real configurations are plain paths, and most
/// of the rest differ from a given path in their first bytes.
struct Literal: Sendable, Equatable {
  /// What follows the literal bytes.
  enum Rest: Sendable {
    /// Nothing that restricts a match: whatever starts with the literal matches.
    case anything
    /// `$`: the path is the literal, or that and a newline (PCRE2's `$`).
    case end
    /// Something that only PCRE2 can judge.
    case expression
  }

  /// Every match starts with these bytes.
  let bytes: [UInt8]
  let rest: Rest

  /// Looks at an expression that is anchored at its start. Errs towards fewer bytes and `.expression`.
  init(_ expression: [UInt8]) {
    var bytes: [UInt8] = []
    var rest = Rest.anything
    var at = 0
    scan: while at < expression.count {
      let byte = expression[at]
      switch byte {
      case UInt8(ascii: "\\"):
        let escaped = at + 1 < expression.count ? expression[at + 1] : UInt8(ascii: "0")
        // a letter or digit after the backslash means something; anything else, itself
        if isAlphanumeric(escaped) || escaped >= 0x80 {
          rest = .expression
          break scan
        }
        bytes.append(escaped)
        at += 2
      case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "{"):
        // the byte before it may be missing
        _ = bytes.popLast()
        rest = .expression
        break scan
      case UInt8(ascii: "$") where at + 1 == expression.count:
        rest = .end
        break scan
      case UInt8(ascii: "."):
        let isRepeated = at + 2 == expression.count && expression[at + 1] == UInt8(ascii: "*")
        rest = isRepeated ? .anything : .expression
        break scan
      case UInt8(ascii: "^"), UInt8(ascii: "$"), UInt8(ascii: "+"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["),
        UInt8(ascii: "|"):
        rest = .expression
        break scan
      default:
        bytes.append(byte)
        at += 1
      }
    }
    // another alternative may start with anything
    if rest == .expression, Self.hasAlternative(expression) { bytes = [] }
    self.bytes = bytes
    self.rest = rest
  }

  /// Whether there may be a `|` outside of parentheses. Where comments or options make it hard to tell, any `|` is one.
  private static func hasAlternative(_ expression: [UInt8]) -> Bool {
    let bar = UInt8(ascii: "|")
    guard expression.contains(bar) else { return false }
    var depth = 0
    var at = 0
    while at < expression.count {
      let next = at + 1 < expression.count ? expression[at + 1] : 0
      switch expression[at] {
      case UInt8(ascii: "\\"):
        if next == UInt8(ascii: "Q") { return true }
        at += 1
      case UInt8(ascii: "("):
        if next == UInt8(ascii: "?") || next == UInt8(ascii: "*") { return true }
        depth += 1
      case UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: "["):
        guard let end = endOfClass(expression, at) else { return true }
        at = end
      case bar where depth <= 0: return true
      default: break
      }
      at += 1
    }
    return false
  }

  /// Where the class that begins at `start` ends; nil where that is hard to tell.
  private static func endOfClass(_ expression: [UInt8], _ start: Int) -> Int? {
    var at = start + 1
    if at < expression.count, expression[at] == UInt8(ascii: "^") { at += 1 }
    if at < expression.count, expression[at] == UInt8(ascii: "]") { at += 1 }
    while at < expression.count {
      switch expression[at] {
      case UInt8(ascii: "]"): return at
      case UInt8(ascii: "\\"):
        if expression[(at + 1)...].first == UInt8(ascii: "Q") { return nil }
        at += 2
      case UInt8(ascii: "["):
        // [:alpha:] is the only bracket in a bracket that is common
        let name = expression[(at + 1)...].dropFirst().prefix { isAlphanumeric($0) }
        guard expression[(at + 1)...].first == UInt8(ascii: ":"), expression[name.endIndex...].starts(with: ":]".utf8) else { return nil }
        at = name.endIndex + 2
      default: at += 1
      }
    }
    return nil
  }
}

/// The directory under which AIDE files a rule: the expression up to its first `^ $ * ? ( [`, cut at its last slash, with the backslashes
/// taken away. AIDE takes `.`, `+`, `|`, `{` and `\d` for ordinary text here, and so it must be done (0.18.3, measured).
func nodePath(of expression: [UInt8]) -> [UInt8] {
  var at = 0
  var lastSlash = 0
  let special = Array("^$*?([".utf8)
  while at < expression.count, !special.contains(expression[at]) {
    if expression[at] == UInt8(ascii: "\\") {
      at += 2
      continue
    }
    if expression[at] == UInt8(ascii: "/") { lastSlash = at }
    at += 1
  }
  var path: [UInt8] = []
  at = 0
  while at < lastSlash {
    if expression[at] == UInt8(ascii: "\\") { at += 1 }
    path.append(expression[at])
    at += 1
  }
  return path
}

func isAlphanumeric(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
  default: false
  }
}
