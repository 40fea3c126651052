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
    var obstacles = PlanObstacles()
    let keptBack = kept(back, beside: &obstacles) { place[$0] }
    // In front the first wish comes last, and all of it before what stays at the back: the same list, read backwards.
    obstacles = PlanObstacles()
    for rule in keptBack { obstacles.add(rule, at: place[rule].map { -$0 }) }
    let keptFront = kept(front, beside: &obstacles) { place[$0].map { -$0 } }
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
  /// - Parameter obstacles: what stands in their way to begin with; these rules are added to it.
  private static func kept(_ rules: [Rule], beside obstacles: inout PlanObstacles, place: (Rule) -> Int?) -> Set<Rule> {
    var kept: Set<Rule> = []
    for rule in rules {
      let own = place(rule)
      let stays = own.map { obstacles.permits(rule, at: $0) } ?? false
      if stays { kept.insert(rule) }
      obstacles.add(rule, at: stays ? own : nil)
    }
    return kept
  }
}

/// What the rules before one demand of its place, summed up by kind: one by one, 200,000 rules would take hours to plan.
///
/// Two rules may stand in any order if no event can match both, as far as list, arch, calls and objects tell (``PlanKind/commutes(with:)``, and
/// two different `path=`).
struct PlanObstacles {
  /// Of some rules, the place that one which must come after them needs.
  private struct Bound {
    var last = Int.min
    /// One of them still has to be added, so nothing can stay behind it.
    var isOpen = false

    mutating func add(_ place: Int?) {
      if let place { last = max(last, place) } else { isOpen = true }
    }

    func permits(_ place: Int) -> Bool { !isOpen && last < place }
  }

  private struct Bounds {
    var all = Bound()
    var withoutPath = Bound()
    var byPath: [[UInt8]: Bound] = [:]
  }

  private var kinds: [PlanKind: Bounds] = [:]
  private var all = Bound()

  /// - Parameter place: where the rule stands and stays; nil if it has to be added.
  mutating func add(_ rule: Rule, at place: Int?) {
    all.add(place)
    let kind = PlanKind(rule)
    if let path = rule.field(AUDIT_WATCH)?.text {
      kinds[kind, default: Bounds()].byPath[path, default: Bound()].add(place)
    } else {
      kinds[kind, default: Bounds()].withoutPath.add(place)
    }
    kinds[kind, default: Bounds()].all.add(place)
  }

  /// Whether a rule can stay where it is.
  func permits(_ rule: Rule, at place: Int) -> Bool {
    if all.permits(place) { return true }
    let own = PlanKind(rule)
    let path = own.list == .exit ? rule.field(AUDIT_WATCH)?.text : nil
    for (kind, bounds) in kinds where !own.commutes(with: kind) {
      if let path {
        // A file has other names through hard links and mounts, but which rule names it first is then as arbitrary as the names. Two different
        // directories can hold one event between them (a rename), so only `path=` with `path=` is certain enough.
        guard bounds.withoutPath.permits(place), bounds.byPath[path]?.permits(place) ?? true else { return false }
      } else if !bounds.all.permits(place) {
        return false
      }
    }
    return true
  }
}

/// The part of a rule, beside its path, that tells which events it can match. There are few kinds in any rule file.
private struct PlanKind: Hashable {
  let list: RuleList
  let arch: UInt32?
  let syscalls: SyscallSet

  init(_ rule: Rule) {
    list = rule.list
    arch = rule.arch
    syscalls = rule.syscalls
  }

  /// Whether no event can match rules of both kinds.
  func commutes(with other: PlanKind) -> Bool {
    if list != other.list { return true }
    guard list == .exit else { return false }
    if let arch, let other = other.arch, arch != other { return true }
    return zip(syscalls.words, other.syscalls.words).allSatisfy { $0 & $1 == 0 }
  }
}
