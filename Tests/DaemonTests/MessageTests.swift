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

  @Test(arguments: [
    ("", "web-1", true), ("web-1", "web-1", true), ("web-1.example.org", "web-1", true), ("web-1", "web-1.example.org", true),
    ("web-10", "web-1", false), ("web-1", "web-10", false), ("db-1", "web-1", false), ("web-2.example.org", "web-1.example.org", false),
  ])
  func aRecordIsOfThisHost(node: String, host: String, isOwn: Bool) {
    #expect(ConfigChange.isOwn(node: Array(node.utf8).span.bytes, host: Array(host.utf8)) == isOwn)
  }

  @Test func auditThatIsSwitchedOffLeavesAGap() {
    func isOff(_ text: String) -> Bool { ConfigChange(Array(text.utf8).span.bytes).switchesOff }
    let header = "audit(1.000:1): op=set"
    #expect(isOff("\(header) audit_enabled=0 old=1 auid=0 ses=1 res=1"))
    #expect(!isOff("\(header) audit_enabled=0 old=1 auid=0 ses=1 res=0"))
    #expect(!isOff("\(header) audit_enabled=1 old=1 auid=0 ses=1 res=1") && !isOff("\(header) audit_backlog_limit=0 old=1 res=1"))

    func removed(_ text: String) -> [String] {
      ConfigChange(Array(text.utf8).span.bytes).removedKeys.map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(removed("audit(1.000:1): auid=0 ses=1 op=remove_rule key=\"srv\" list=4 res=1") == ["srv"])
    #expect(removed("audit(1.000:1): auid=0 ses=1 op=remove_rule key=610162 list=4 res=1") == ["a", "b"])
    #expect(removed("audit(1.000:1): auid=0 ses=4294967295op=remove_rule path=\"/srv\" key=\"srv\" list=4 res=1") == ["srv"])
    #expect(removed("audit(1.000:1): auid=0 ses=1 op=add_rule key=\"srv\" list=4 res=1") == [])
    #expect(removed("audit(1.000:1): auid=0 ses=1 op=remove_rule key=\"srv\" list=4 res=0") == [])

    var audit = AuditSwitch(nowMs: 1)
    #expect(audit.look(isOn: true, switchedOffMs: nil, nowMs: 2) == nil)
    // off and on between two looks
    #expect(audit.look(isOn: true, switchedOffMs: 3, nowMs: 4).map { [$0.sinceMs, $0.untilMs] } == [3, 4])
    // off for a while
    #expect(audit.look(isOn: false, switchedOffMs: 5, nowMs: 6).map { [$0.sinceMs, $0.untilMs] } == [5, 6])
    #expect(audit.look(isOn: false, switchedOffMs: nil, nowMs: 7) == nil)
    #expect(audit.look(isOn: true, switchedOffMs: nil, nowMs: 8).map { [$0.sinceMs, $0.untilMs] } == [5, 8])
    // the record that said so was lost
    #expect(audit.look(isOn: false, switchedOffMs: nil, nowMs: 9).map { [$0.sinceMs, $0.untilMs] } == [8, 9])
    #expect(audit.look(isOn: true, switchedOffMs: nil, nowMs: 10).map { [$0.sinceMs, $0.untilMs] } == [8, 10])
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

  @Test func onlyTheOutermostTreesAreWalked() {
    func outermost(_ paths: [String]) -> [String] {
      WatchedTrees.outermost(paths.map { Array($0.utf8) }).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(outermost(["/a/b/c", "/a-b", "/a", "/a", "/a/c", "/b/x"]) == ["/a", "/a-b", "/b/x"])
    #expect(outermost(["/a", "/", "/b"]) == ["/"])
    #expect(outermost([]) == [])
  }
}
