import AuditWire

/// A path pattern: `*` and `?` within one name, `**` across names, `[a-z]`, `[!a-z]`, `\x` for x itself.
///
/// - Without a `/` it is about the last name alone: `*.conf`.
/// - Without any of `*?[\` it also covers everything below: `/etc` is `/etc/**`, too.
/// Patterns and paths are bytes; one that is no UTF-8 counts as one character, which equals itself alone. Matching takes at most
/// pattern × path steps for each `**`, whatever either holds, and copies nothing.
package struct Glob: Sendable {
  private enum Piece: Equatable {
    case byte(UInt8)
    case one
    case any
    case anyAcrossNames
    case set([ClosedRange<UInt32>], negated: Bool)
  }

  private let pieces: [Piece]
  private let lastNameOnly: Bool
  /// The path whose whole subtree is meant; nil if the pattern has wildcards.
  private let subtree: [UInt8]?
  /// The longest run of printable ASCII that every path that is meant holds; empty where there is none.
  package let literal: [UInt8]

  package init(_ pattern: [UInt8]) {
    lastNameOnly = !pattern.contains(slash)
    let hasWildcards = pattern.contains { wildcards.contains($0) }
    var trimmed = pattern
    while trimmed.count > 1, trimmed.last == slash { trimmed.removeLast() }
    subtree = hasWildcards || lastNameOnly ? nil : trimmed
    pieces = Self.compile(hasWildcards ? pattern : trimmed)
    literal = longestPlainRun(pieces.map { piece in if case .byte(let byte) = piece { byte } else { 0 } })
  }

  package init(_ pattern: String) { self.init(Array(pattern.utf8)) }

  /// `directory` itself and everything below it; no byte of it is a wildcard.
  package init(below directory: [UInt8]) {
    var trimmed = directory
    while trimmed.count > 1, trimmed.last == slash { trimmed.removeLast() }
    subtree = trimmed
    pieces = []
    lastNameOnly = false
    literal = longestPlainRun(trimmed)
  }

  private static func compile(_ pattern: [UInt8]) -> [Piece] {
    var pieces: [Piece] = []
    var index = 0
    while index < pattern.count {
      let byte = pattern[index]
      index += 1
      switch byte {
      case star where index < pattern.count && pattern[index] == star:
        while index < pattern.count, pattern[index] == star { index += 1 }
        if pieces.last == .any { pieces.removeLast() }
        pieces.append(.anyAcrossNames)
      case star: pieces.append(.any)
      case 0x3f: pieces.append(.one)
      case 0x5c where index < pattern.count:
        pieces.append(.byte(pattern[index]))
        index += 1
      case 0x5b:
        if let (set, end) = compileSet(pattern, index) {
          pieces.append(set)
          index = end
        } else {
          pieces.append(.byte(byte))
        }
      default: pieces.append(.byte(byte))
      }
    }
    return pieces
  }

  /// A set that begins after its `[`; nil if it has no end and the `[` is meant as such.
  private static func compileSet(_ pattern: [UInt8], _ start: Int) -> (Piece, Int)? {
    var characters: [(value: UInt32, end: Int)] = []
    var at = start
    while at < pattern.count {
      let character = Self.character(pattern.span.bytes, at)
      at += character.length
      characters.append((character.value, at))
    }
    var index = 0
    func value(_ place: Int) -> UInt32? { place < characters.count ? characters[place].value : nil }
    let negated = value(0) == 0x21 || value(0) == 0x5e
    if negated { index += 1 }
    var ranges: [ClosedRange<UInt32>] = []
    while let low = value(index) {
      if low == 0x5d && !ranges.isEmpty { return (.set(ranges, negated: negated), characters[index].end) }
      if value(index + 1) == 0x2d, let high = value(index + 2), high != 0x5d {
        ranges.append(min(low, high)...max(low, high))
        index += 3
      } else {
        ranges.append(low...low)
        index += 1
      }
    }
    return nil
  }

  /// What `?` takes: a scalar, or a byte that is no UTF-8, which becomes a value that no scalar has.
  @inline(__always)
  private static func character(_ text: RawSpan, _ at: Int) -> (value: UInt32, length: Int) {
    let first = text.byte(at)
    if first < 0x80 { return (UInt32(first), 1) }
    let step = utf8Step(text, at: at)
    return step.scalar.map { ($0, step.length) } ?? (0x11_0000 + UInt32(first), 1)
  }

  /// Whether the path is meant.
  package func matches(_ path: [UInt8]) -> Bool { matches(path.span.bytes) }

  package func matches(_ path: RawSpan) -> Bool {
    if let subtree {
      let count = subtree.count
      guard path.byteCount >= count, path.extracting(0..<count).equals(subtree.span.bytes) else { return false }
      return path.byteCount == count || count == 1 && subtree[0] == slash || path.byte(count) == slash
    }
    return matches(path, from: lastNameOnly ? (path.lastIndex(of: slash, before: path.byteCount) ?? -1) + 1 : 0)
  }

  /// Backtracks to the last `*` and, when that has run into a `/`, to the last `**`: never further.
  private func matches(_ text: RawSpan, from start: Int) -> Bool {
    let end = text.byteCount
    var (piece, index) = (0, start)
    var star: (piece: Int, index: Int)?
    var acrossNames: (piece: Int, index: Int)?
    while true {
      if piece == pieces.count && index == end { return true }
      if piece < pieces.count {
        switch pieces[piece] {
        case .any:
          star = (piece, index)
          piece += 1
          continue
        case .anyAcrossNames:
          acrossNames = (piece, index)
          star = nil
          piece += 1
          continue
        case let simple:
          if index < end, let length = Self.match(simple, text, index) {
            (piece, index) = (piece + 1, index + length)
            continue
          }
        }
      }
      if let from = star, from.index < end, text.byte(from.index) != slash {
        let next = from.index + Self.character(text, from.index).length
        star = (from.piece, next)
        (piece, index) = (from.piece + 1, next)
      } else if let from = acrossNames, from.index < end {
        let next = from.index + Self.character(text, from.index).length
        acrossNames = (from.piece, next)
        star = nil
        (piece, index) = (from.piece + 1, next)
      } else {
        return false
      }
    }
  }

  /// How many bytes the piece takes, nil where it does not fit.
  private static func match(_ piece: Piece, _ text: RawSpan, _ index: Int) -> Int? {
    if case .byte(let wanted) = piece { return text.byte(index) == wanted ? 1 : nil }
    let character = character(text, index)
    switch piece {
    case .one: return character.value == UInt32(slash) ? nil : character.length
    case .set(let ranges, let negated):
      let isIn = ranges.contains { $0.contains(character.value) }
      return character.value != UInt32(slash) && isIn != negated ? character.length : nil
    default: return nil
    }
  }
}

private let slash: UInt8 = 0x2f
private let star: UInt8 = 0x2a
private let wildcards = Array("*?[\\".utf8)

/// The longest run of bytes that JSON holds as they are: printable ASCII without `"` and `\`.
package func longestPlainRun(_ text: [UInt8]) -> [UInt8] {
  var longest = text[..<0]
  var start = 0
  for index in 0...text.count {
    let isPlain = index < text.count && text[index] >= 0x20 && text[index] < 0x7f && text[index] != 0x22 && text[index] != 0x5c
    if isPlain { continue }
    if index - start > longest.count { longest = text[start..<index] }
    start = index + 1
  }
  return Array(longest)
}
