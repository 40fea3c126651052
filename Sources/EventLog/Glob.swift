/// A path pattern: `*` and `?` within one name, `**` across names, `[a-z]`, `[!a-z]`, `\x` for x itself.
///
/// - Without a `/` it is about the last name alone: `*.conf`.
/// - Without any of `*?[\` it also covers everything below: `/etc` is `/etc/**`, too.
/// Paths are bytes; a broken UTF-8 byte counts as one character. Matching takes at most pattern × path steps for each
/// `**`, whatever either holds.
package struct Glob: Sendable {
  private enum Piece: Equatable {
    case scalar(UInt32)
    case one
    case any
    case anyAcrossNames
    case set([ClosedRange<UInt32>], negated: Bool)
  }

  private let pieces: [Piece]
  private let lastNameOnly: Bool
  /// The path whose whole subtree is meant; nil if the pattern has wildcards.
  private let subtree: [UInt32]?

  package init(_ pattern: String) {
    let scalars = pattern.unicodeScalars.map(\.value)
    lastNameOnly = !pattern.contains("/")
    let hasWildcards = pattern.contains { "*?[\\".contains($0) }
    var trimmed = scalars
    while trimmed.count > 1, trimmed.last == slash { trimmed.removeLast() }
    subtree = hasWildcards || lastNameOnly ? nil : trimmed
    pieces = Self.compile(hasWildcards ? scalars : trimmed)
  }

  private static func compile(_ pattern: [UInt32]) -> [Piece] {
    var pieces: [Piece] = []
    var index = 0
    while index < pattern.count {
      let scalar = pattern[index]
      index += 1
      switch scalar {
      case star where index < pattern.count && pattern[index] == star:
        while index < pattern.count, pattern[index] == star { index += 1 }
        if pieces.last == .any { pieces.removeLast() }
        pieces.append(.anyAcrossNames)
      case star: pieces.append(.any)
      case 0x3f: pieces.append(.one)
      case 0x5c where index < pattern.count:
        pieces.append(.scalar(pattern[index]))
        index += 1
      case 0x5b:
        if let (set, end) = compileSet(pattern, index) {
          pieces.append(set)
          index = end
        } else {
          pieces.append(.scalar(scalar))
        }
      default: pieces.append(.scalar(scalar))
      }
    }
    return pieces
  }

  /// A set that begins after its `[`; nil if it has no end and the `[` is meant as such.
  private static func compileSet(_ pattern: [UInt32], _ start: Int) -> (Piece, Int)? {
    var index = start
    let negated = index < pattern.count && (pattern[index] == 0x21 || pattern[index] == 0x5e)
    if negated { index += 1 }
    var ranges: [ClosedRange<UInt32>] = []
    while index < pattern.count {
      if pattern[index] == 0x5d && !ranges.isEmpty { return (.set(ranges, negated: negated), index + 1) }
      let low = pattern[index]
      if index + 2 < pattern.count, pattern[index + 1] == 0x2d, pattern[index + 2] != 0x5d {
        let high = pattern[index + 2]
        ranges.append(min(low, high)...max(low, high))
        index += 3
      } else {
        ranges.append(low...low)
        index += 1
      }
    }
    return nil
  }

  /// Whether the path is meant.
  package func matches(_ path: [UInt8]) -> Bool {
    var scalars: [UInt32] = []
    scalars.reserveCapacity(path.count)
    var offset = 0
    while offset < path.count {
      let step = utf8Step(path.span.bytes, at: offset)
      // A byte that is no UTF-8 becomes a value that no pattern holds, but `?` and `*` take.
      scalars.append(step.scalar ?? 0x11_0000)
      offset += step.length
    }
    if let subtree {
      if !scalars.starts(with: subtree) { return false }
      return scalars.count == subtree.count || subtree == [slash] || scalars[subtree.count] == slash
    }
    let start = lastNameOnly ? (scalars.lastIndex(of: slash) ?? -1) + 1 : 0
    return matches(scalars[start...])
  }

  /// Backtracks to the last `*` and, when that has run into a `/`, to the last `**`: never further.
  private func matches(_ text: ArraySlice<UInt32>) -> Bool {
    var (piece, index) = (0, text.startIndex)
    var star: (piece: Int, index: Int)?
    var acrossNames: (piece: Int, index: Int)?
    while true {
      if piece == pieces.count && index == text.endIndex { return true }
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
          if index < text.endIndex, Self.matches(simple, text[index]) {
            (piece, index) = (piece + 1, index + 1)
            continue
          }
        }
      }
      if let from = star, from.index < text.endIndex, text[from.index] != slash {
        star = (from.piece, from.index + 1)
        (piece, index) = (from.piece + 1, from.index + 1)
      } else if let from = acrossNames, from.index < text.endIndex {
        acrossNames = (from.piece, from.index + 1)
        star = nil
        (piece, index) = (from.piece + 1, from.index + 1)
      } else {
        return false
      }
    }
  }

  private static func matches(_ piece: Piece, _ scalar: UInt32) -> Bool {
    switch piece {
    case .scalar(let wanted): scalar == wanted
    case .one: scalar != slash
    case .set(let ranges, let negated): scalar != slash && ranges.contains { $0.contains(scalar) } != negated
    case .any, .anyAcrossNames: false
    }
  }
}

private let slash: UInt32 = 0x2f
private let star: UInt32 = 0x2a
