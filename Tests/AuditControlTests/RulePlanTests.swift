import System
import Testing

@testable import AuditControl

/// Applies a plan to a list as the kernel would.
private func apply(_ steps: [RulePlan.Step], to kernel: [Rule]) -> [Rule] {
  var kernel = kernel
  for step in steps {
    switch step {
    case .delete(let rule): kernel.removeAll { $0 == rule }
    case .append(let rule): kernel.append(rule)
    case .prepend(let rule): kernel.insert(rule, at: 0)
    }
  }
  return kernel
}

/// Rules that all match the same events, so that their order matters.
private func rule(_ key: String) throws -> Rule {
  try #require(try RuleLine(["-a", "always,exit", "-S", "open", "-k", key].map { Array($0.utf8) }).rules.first)
}

private func watch(_ path: String) throws -> Rule {
  try #require(try RuleLine(["-a", "always,exit", "-F", "path=" + path, "-F", "perm=w"].map { Array($0.utf8) }).rules.first)
}

@Suite struct RulePlanTests {
  @Test func nothingToDoIsNoStep() throws {
    let rules = [try rule("a"), try rule("b")]
    #expect(RulePlan.steps(kernel: rules, ours: Set(rules), wishes: rules.map { .init($0) }).isEmpty)
  }

  @Test func foreignRulesAreNeverTouched() throws {
    let (a, b, c) = (try rule("a"), try rule("b"), try rule("c"))
    #expect(RulePlan.steps(kernel: [a, b], ours: [b], wishes: [.init(c)]) == [.delete(b), .append(c)])
    #expect(RulePlan.steps(kernel: [a], ours: [], wishes: [.init(a)]).isEmpty)
    #expect(RulePlan.steps(kernel: [a], ours: [], wishes: []).isEmpty)
  }

  @Test func aNewRuleInFrontMovesThoseThatMustComeAfterIt() throws {
    let (a, b, c) = (try rule("a"), try rule("b"), try rule("c"))
    let steps = RulePlan.steps(kernel: [b, c], ours: [b, c], wishes: [.init(a), .init(b), .init(c)])
    #expect(apply(steps, to: [b, c]) == [a, b, c])
  }

  @Test func rulesOfDifferentFilesNeedNotMove() throws {
    let (a, b, c) = (try watch("/a"), try watch("/b"), try watch("/c"))
    #expect(RulePlan.steps(kernel: [b, c], ours: [b, c], wishes: [.init(a), .init(b), .init(c)]) == [.append(a)])
  }

  @Test func duplicatesAreAddedOnce() throws {
    let a = try rule("a")
    #expect(RulePlan.steps(kernel: [], ours: [], wishes: [.init(a), .init(a)]) == [.append(a)])
  }

  /// Any list, any wishes: the plan ends in what loading the wishes into an empty list gives, foreign rules untouched and in their order.
  @Test func everyPlanEndsInTheWantedOrder() throws {
    let all = try (0..<8).map { try rule("k\($0)") }
    var generator = Generator(seed: 3)
    for _ in 0..<2000 {
      let kernel = Array(all.shuffled(using: &generator).prefix(Int.random(in: 0...8, using: &generator)))
      let ours = Set(kernel.filter { _ in generator.chance(70) })
      let wishes = all.shuffled(using: &generator).prefix(Int.random(in: 0...8, using: &generator)).map {
        RulePlan.Wish($0, prepend: generator.chance(20))
      }
      let result = apply(RulePlan.steps(kernel: kernel, ours: ours, wishes: wishes), to: kernel)
      let foreign = kernel.filter { !ours.contains($0) }
      var expected: [Rule] = []
      for wish in wishes where !foreign.contains(wish.rule) { expected.insert(wish.rule, at: wish.prepend ? 0 : expected.count) }
      #expect(result.filter { !foreign.contains($0) } == expected)
      #expect(result.filter(foreign.contains) == foreign)
    }
  }

  /// The same steps as when each rule is compared with each one before it.
  @Test func thePlanMovesNoMoreThanItMust() throws {
    let all = try ["b64", "b32", ""].flatMap { arch in
      try ["open", "open,unlink", "chmod"].flatMap { calls in
        try ["path=/a", "path=/b", "dir=/a", "uid=0"].map { object in
          let arguments = (arch.isEmpty ? [] : ["-F", "arch=" + arch]) + ["-S", calls, "-F", object]
          return try #require(try RuleLine((["-a", "always,exit"] + arguments).map { Array($0.utf8) }).rules.first)
        }
      }
    }
    var generator = Generator(seed: 4)
    for _ in 0..<1000 {
      let kernel = Array(all.shuffled(using: &generator).prefix(Int.random(in: 0...12, using: &generator)))
      let ours = Set(kernel.filter { _ in generator.chance(80) })
      let wishes = all.shuffled(using: &generator).prefix(Int.random(in: 0...12, using: &generator)).map {
        RulePlan.Wish($0, prepend: generator.chance(30))
      }
      let moved = RulePlan.steps(kernel: kernel, ours: ours, wishes: wishes).compactMap {
        if case .delete(let rule) = $0 { rule } else { nil }
      }
      #expect(Set(moved) == slowlyMoved(kernel, ours, wishes))
    }
  }

  private func slowlyMoved(_ kernel: [Rule], _ ours: Set<Rule>, _ wishes: [RulePlan.Wish]) -> Set<Rule> {
    let mine = kernel.filter(ours.contains)
    let wishes = wishes.filter { ours.contains($0.rule) || !kernel.contains($0.rule) }
    func kept(_ rules: [Rule], _ others: Set<Rule>, _ inOrder: (Int, Int) -> Bool) -> Set<Rule> {
      var kept: Set<Rule> = []
      for (index, rule) in rules.enumerated() {
        guard let own = mine.firstIndex(of: rule) else { continue }
        func stays(_ earlier: Rule, _ earlierStays: Bool) -> Bool {
          commute(earlier, rule) || earlierStays && mine.firstIndex(of: earlier).map { inOrder($0, own) } == true
        }
        if rules[..<index].allSatisfy({ stays($0, kept.contains($0)) }), others.allSatisfy({ stays($0, true) }) { kept.insert(rule) }
      }
      return kept
    }
    let back = kept(wishes.filter { !$0.prepend }.map(\.rule), [], <)
    return Set(mine).subtracting(back).subtracting(kept(wishes.filter(\.prepend).map(\.rule), back, >))
  }

  private func commute(_ a: Rule, _ b: Rule) -> Bool {
    if let one = a.arch, let other = b.arch, one != other { return true }
    if !(0..<500).contains(where: { a.syscalls.contains($0) && b.syscalls.contains($0) }) { return true }
    func path(_ rule: Rule) -> [UInt8]? { rule.fields.first { $0.name == "path" }?.text }
    if let one = path(a), let other = path(b) { return one != other }
    return false
  }

  /// Comparing each with all takes minutes.
  @Test(.timeLimit(.minutes(1))) func aHugeFileIsPlannedInSeconds() throws {
    func rules(_ numbers: Range<Int>) throws -> [Rule] { try numbers.map { try watch("/f\($0)") } }
    let (old, new) = (try rules(0..<5_000), try rules(5_000..<10_000))
    #expect(RulePlan.steps(kernel: old, ours: Set(old), wishes: (new + old).map { .init($0) }) == new.map(RulePlan.Step.append))
    let front = try rule("front")
    let steps = RulePlan.steps(kernel: old, ours: Set(old), wishes: ([front] + old).map { .init($0) })
    #expect(steps.count == 2 * old.count + 1 && apply(Array(steps.prefix(3)), to: Array(old.prefix(3))) == old[1..<3] + [front, old[0]])
  }
}
