import CAudit

/// What turns the kernel's present rules into the wanted ones with the fewest changes.
///
/// Order matters in a list: the first rule that matches decides, and its key is the one recorded. A rule that is there already stays unless
/// one that has to be tried before it must still be added, which can only happen at the list's end (or front, for `-A`). Rules that cannot match
/// the same event may stand in any order, so a line inserted at the top of a file does not move all that follow.
package enum RulePlan {
  package enum Step: Equatable, Sendable {
    case delete(Rule)
    case append(Rule)
    case prepend(Rule)

    var rule: Rule {
      switch self {
      case .delete(let rule), .append(let rule), .prepend(let rule): rule
      }
    }
  }

  /// One rule that is wanted.
  package struct Wish: Sendable {
    package let rule: Rule
    package let prepend: Bool
    package init(_ rule: Rule, prepend: Bool = false) {
      self.rule = rule
      self.prepend = prepend
    }
  }

  /// - Parameter kernel: the rules as the kernel lists them.
  /// - Parameter ours: those among them that may be deleted or moved.
  /// - Parameter wishes: in the order of their lines; a second wish for the same rule counts for nothing.
  package static func steps(kernel: [Rule], ours: Set<Rule>, wishes: [Wish]) -> [Step] {
    var seen: Set<Rule> = []
    let foreign = Set(kernel).subtracting(ours)
    let wishes = wishes.filter { !foreign.contains($0.rule) && seen.insert($0.rule).inserted }
    let mine = kernel.filter(ours.contains)
    let place = Dictionary(zip(mine, mine.indices)) { first, _ in first }
    let back = wishes.filter { !$0.prepend }.map(\.rule)
    let front = wishes.filter(\.prepend).map(\.rule)
    let keptBack = kept(back, place, beside: []) { $0 < $1 }
    let keptFront = kept(front, place, beside: keptBack) { $0 > $1 }
    let wanted = Set(wishes.map(\.rule))
    var steps = mine.filter { !wanted.contains($0) }.map(Step.delete)
    for (rules, kept, add) in [(front, keptFront, Step.prepend), (back, keptBack, Step.append)] {
      for rule in rules where !kept.contains(rule) {
        if place[rule] != nil { steps.append(.delete(rule)) }
        steps.append(add(rule))
      }
    }
    return steps
  }

  /// Those of `rules` that can stay where they are: none that must come before them still has to be added or stands on the wrong side.
  /// - Parameter others: rules that stay, too, all of them on the far side of these.
  private static func kept(
    _ rules: [Rule], _ place: [Rule: Int], beside others: Set<Rule>, inOrder: (Int, Int) -> Bool
  ) -> Set<Rule> {
    var kept: Set<Rule> = []
    for (index, rule) in rules.enumerated() {
      guard let own = place[rule] else { continue }
      func stays(after earlier: Rule, _ earlierStays: Bool) -> Bool {
        if commute(earlier, rule) { return true }
        guard earlierStays, let other = place[earlier] else { return false }
        return inOrder(other, own)
      }
      if rules[..<index].allSatisfy({ stays(after: $0, kept.contains($0)) }), others.allSatisfy({ stays(after: $0, true) }) {
        kept.insert(rule)
      }
    }
    return kept
  }

  /// Whether no event can match both rules, as far as arch, calls and objects tell.
  static func commute(_ a: Rule, _ b: Rule) -> Bool {
    if a.list != b.list { return true }
    guard a.list == .exit else { return false }
    if let one = a.arch, let other = b.arch, one != other { return true }
    if zip(a.syscalls.words, b.syscalls.words).allSatisfy({ $0 & $1 == 0 }) { return true }
    // Two paths: a file has other names through hard links and mounts, but which rule names it first is then as arbitrary as the names. Two different
    // directories can hold one event between them (a rename), so only `path=` with `path=` is certain enough.
    if let one = a.field(AUDIT_WATCH), let other = b.field(AUDIT_WATCH) { return one.text != other.text }
    return false
  }
}
