import AuditWire

/// The last moves of directories, to bring paths up to date that were learnt before them.
///
/// A directory in the map is one node, and what is below it follows by itself. A path that an event told is only text: it
/// has to follow every directory above it, and which those are only the text says. It is done when somebody asks for such a path, because
/// most are never asked for again.
struct DirectoryMoves: Sendable {
  private struct Move {
    var old = ByteScratch()
    var new = ByteScratch()
    var isExchange = false
  }

  /// How many moves there have been.
  private(set) var count: UInt32 = 0
  /// What was learnt before that many is not to be trusted: a move from or to a place that is not known.
  private var trusted: UInt32 = 0
  /// The last ones, by the low bits of their number.
  private var moves = [Move](repeating: Move(), count: 64)
  /// The result of ``apply(since:to:)``.
  private(set) var path = ByteScratch(capacity: 4096)
  private var scratch = ByteScratch(capacity: 4096)
  /// Whether ``path`` is another than what was asked about.
  private(set) var hasChanged = false

  /// Notes a move, by the paths of the directory itself.
  mutating func note(from old: Slice, to new: Slice, of text: ByteScratch, isExchange: Bool, isCertain: Bool) {
    let place = Int(count % 64)
    count &+= 1
    if !isCertain || old.isEmpty || new.isEmpty {
      trusted = count
      return
    }
    moves[place].old.truncate(to: 0)
    moves[place].old.append(text, old.range)
    moves[place].new.truncate(to: 0)
    moves[place].new.append(text, new.range)
    moves[place].isExchange = isExchange
  }

  /// Moves a path that was true after `since` moves through all later ones; false where too much has happened.
  mutating func apply(since: UInt32, to text: [UInt8], _ range: Range<Int>) -> Bool {
    hasChanged = false
    guard Int32(bitPattern: since &- trusted) >= 0, count &- since <= 64 else { return false }
    path.truncate(to: 0)
    path.append(text.span.bytes.extracting(range))
    var number = since
    while number != count {
      let place = Int(number % 64)
      number &+= 1
      if !rebase(moves[place].old, moves[place].new), moves[place].isExchange { _ = rebase(moves[place].new, moves[place].old) }
    }
    return true
  }

  /// Puts `new` in the place of `old`, where the path is that or below it.
  private mutating func rebase(_ old: ByteScratch, _ new: ByteScratch) -> Bool {
    guard path.count >= old.count,
      path.storage.span.bytes.extracting(0..<old.count).equals(old.storage.span.bytes.extracting(0..<old.count)),
      path.count == old.count || path[old.count] == UInt8(ascii: "/")
    else { return false }
    scratch.truncate(to: 0)
    scratch.append(new, 0..<new.count)
    scratch.append(path, old.count..<path.count)
    swap(&scratch, &path)
    hasChanged = true
    return true
  }
}
