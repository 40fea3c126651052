import Replay
import Testing

@testable import AuditEvents

@Suite struct SerialWindowTests {
  /// Feeds serials; `nil` is a call of settle(). The gaps as `first-last`.
  private func gaps(_ steps: [UInt32?]) -> [String] {
    var window = SerialWindow()
    var found: [String] = []
    for step in steps {
      if let serial = step { window.arrived(serial) } else { window.settle() }
      while let gap = window.nextGap() { found.append("\(gap.first)-\(gap.last)") }
    }
    return found
  }

  @Test func withoutGaps() {
    #expect(gaps([5, 6, 7, nil, nil, nil]) == [])
    #expect(gaps([]) == [] && gaps([nil, nil]) == [])
  }

  @Test func aGapNeedsTwoSettlings() {
    #expect(gaps([1, 2, 5]) == [])
    #expect(gaps([1, 2, 5, nil]) == [])
    #expect(gaps([1, 2, 5, nil, nil]) == ["3-4"])
    #expect(gaps([1, 2, 5, nil, nil, nil, 6, nil, nil]) == ["3-4"])
  }

  @Test func lateWithinTheGraceIsNoGap() {
    #expect(gaps([1, 3, nil, 2, nil, nil]) == [])
    #expect(gaps([1, 4, nil, 2, nil, nil]) == ["3-3"])
  }

  @Test func behindTheGraceItIsOneOnce() {
    #expect(gaps([1, 3, nil, nil, 2, 2, 3, nil, nil]) == ["2-2"])
  }

  @Test func severalGaps() { #expect(gaps([1, 3, 6, 7, 9, nil, nil]) == ["2-2", "4-5", "8-8"]) }

  @Test func duplicatesCountOnce() { #expect(gaps([1, 1, 2, 2, 4, 4, nil, nil]) == ["3-3"]) }

  @Test func theFirstSerialIsTheStart() {
    #expect(gaps([1000, nil, nil]) == [])
    // one that is older than the first was on its way before we listened
    #expect(gaps([1000, 999, 998, 1001, nil, nil]) == [])
  }

  @Test func acrossTheWrap() {
    #expect(gaps([.max - 1, .max, 0, 1, nil, nil]) == [])
    #expect(gaps([.max - 1, 2, nil, nil]) == ["4294967295-1"])
    #expect(SerialGap(first: .max, last: 1).count == 3)
    #expect(gaps([0, .max, 1, nil, nil]) == [])
  }

  @Test func aJumpOverTheWindow() {
    #expect(gaps([1, 100_000]) == ["2-98976"])
    #expect(gaps([1, 100_000, nil, nil]).joined(separator: " ") == "2-98976 98977-99999")
    #expect(gaps([1, 1024]) == [] && gaps([1, 1025]) == [])
    #expect(gaps([1, 1026]) == ["2-2"])
  }

  @Test func afterARestartNothingIsMissing() {
    var window = SerialWindow()
    window.arrived(1)
    window.arrived(900)
    window.restart()
    window.arrived(5)
    window.settle()
    window.arrived(7)
    window.settle()
    window.settle()
    let gap = window.nextGap()
    #expect(gap == SerialGap(first: 6, last: 6) && window.nextGap() == nil)
  }

  /// Against sets: serials in a random order that never strays far, some lost, none late beyond the grace.
  @Test(arguments: 1...50 as ClosedRange<UInt64>) func agreesWithTheModel(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var window = SerialWindow()
    let start = [0, 1000, UInt32.max - 700, UInt32.max][random.below(4)]
    var lost: Set<UInt32> = []
    var pending: [UInt32] = []
    var missing: Set<UInt32> = []
    func drain() {
      while let gap = window.nextGap() {
        for step in 0..<UInt32(gap.count) {
          let inserted = missing.insert(gap.first &+ step).inserted
          #expect(inserted)
        }
      }
    }
    window.arrived(start)
    for step in 1...3000 as ClosedRange<UInt32> {
      let serial = start &+ step
      if step < 3000, random.below(20) == 0 { lost.insert(serial) } else { pending.append(serial) }
      if pending.count > 12 || step == 3000 { pending.shuffle(using: &random) }
      while pending.count > (step == 3000 ? 0 : 12) { window.arrived(pending.removeLast()) }
      // what is older than the grace has all arrived: nothing pending is settled
      if step % 500 == 0 {
        while let serial = pending.popLast() { window.arrived(serial) }
        window.settle()
      }
      drain()
    }
    window.settle()
    window.settle()
    drain()
    #expect(missing == lost)
  }
}
