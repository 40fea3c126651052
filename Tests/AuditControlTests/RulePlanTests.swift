import AuditControl
import System
import Testing

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
}
