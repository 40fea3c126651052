import Testing

@testable import Daemon

/// What the daemon tells, and how often.
@Suite struct MessageTests {
  @Test func aLogThatComesAndGoesIsToldOnceAMinute() {
    var trouble = LogTrouble()
    #expect(trouble.note(isStalled: false, nowMs: 0) == nil)
    #expect(trouble.note(isStalled: true, nowMs: 1000) == .cannotWrite)
    #expect(trouble.note(isStalled: true, nowMs: 2000) == nil)
    #expect(trouble.note(isStalled: false, nowMs: 5500) == .writesAgain(4))
    #expect(trouble.note(isStalled: false, nowMs: 6000) == nil)
    // again, and over before the minute is: nothing is said of it
    #expect(trouble.note(isStalled: true, nowMs: 7000) == nil)
    #expect(trouble.note(isStalled: false, nowMs: 8000) == nil)
    // again, and it stays: said when the minute is over, with the time from its beginning on
    #expect(trouble.note(isStalled: true, nowMs: 9000) == nil)
    #expect(trouble.note(isStalled: true, nowMs: 61_000) == .cannotWrite)
    #expect(trouble.note(isStalled: false, nowMs: 69_000) == .writesAgain(60))
  }

  @Test func missingRulesAreToldWhenTheyGoAndWhenTheyAreBack() {
    var missing = MissingRules()
    var change = missing.update([], seenMs: 1)
    #expect(change.lost == nil && change.back == nil && missing.stretch == nil)
    change = missing.update(["b", "a"], seenMs: 2)
    #expect(change.lost?.lines == ["b", "a"] && change.lost?.sinceMs == 2 && change.back == nil)
    change = missing.update(["a", "b"], seenMs: 3)
    #expect(change.lost == nil && change.back == nil)
    change = missing.update(["b", "c"], seenMs: 4)
    #expect(change.lost?.lines == ["c"] && change.lost?.sinceMs == 4)
    #expect(change.back?.lines == ["a"] && change.back?.sinceMs == 2)
    #expect(missing.lines == ["b", "c"] && missing.stretch?.sinceMs == 2)
    change = missing.update([], seenMs: 5)
    #expect(change.back?.lines == ["b", "c"] && change.back?.sinceMs == 2 && missing.stretch == nil)
  }

  @Test func longListsEnd() {
    #expect(["a", "b"].briefly == "a, b")
    #expect((1...23).map(String.init).briefly.hasSuffix(", 20 and 3 more"))
  }
}
