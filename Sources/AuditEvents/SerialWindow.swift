/// A stretch of serials of which nothing arrived.
package struct SerialGap: Equatable, Sendable {
  package var first: UInt32
  package var last: UInt32
  /// How many: counts across the wrap at 2^32.
  package var count: Int { Int(last &- first) + 1 }
}

/// Finds serials that never arrived.
///
/// A missing serial proves loss: the kernel draws a serial only for a record that it means to send (kernel/audit.c
/// audit_get_stamp), so somebody lost it on the way. The reverse does not hold: records dropped because the backlog was
/// full never drew one, which is why the kernel's `lost` counter is asked as well (AUDIT-FACTS 3).
///
/// Serials arrive slightly out of order (drawn at a record's start, queued at its end), so a serial is missing only
/// once it is behind by a whole window, or was already behind at the previous ``settle()``.
package struct SerialWindow: Sendable {
  private static let size: UInt32 = 1024
  private var seen: [Bool]
  /// The next serial to be judged; everything before it is settled.
  private var floor: UInt32 = 0
  /// One behind the highest serial seen.
  private var ceiling: UInt32 = 0
  /// The ceiling at the last ``settle()``.
  private var settled: UInt32 = 0
  private var started = false
  private var open: SerialGap?

  package init() { seen = Array(repeating: false, count: Int(SerialWindow.size)) }

  /// Notes an arrival. Signed wrap-around arithmetic: the serial is 32 bits wide and starts again at 0.
  package mutating func arrived(_ serial: UInt32) {
    guard started else {
      started = true
      floor = serial
      ceiling = serial &+ 1
      settled = serial
      seen[Int(serial % SerialWindow.size)] = true
      return
    }
    let ahead = Int32(bitPattern: serial &- floor)
    if ahead < 0 { return }  // settled before: counted as missing then, or a duplicate
    if Int32(bitPattern: serial &- ceiling) >= 0 {
      // make room, judging what falls out
      if UInt32(bitPattern: ahead) >= SerialWindow.size { advance(to: serial &- (SerialWindow.size &- 1)) }
      ceiling = serial &+ 1
    }
    seen[Int(serial % SerialWindow.size)] = true
  }

  /// Judges everything that was already behind at the previous call: call it every second or two.
  package mutating func settle() {
    guard started else { return }
    if Int32(bitPattern: settled &- floor) > 0 { advance(to: settled) }
    settled = ceiling
  }

  /// The next run of missing serials, nil when there is none (or it may still grow).
  package mutating func nextGap() -> SerialGap? {
    guard let gap = gaps.popFirst() else { return nil }
    return gap
  }

  /// Forgets everything: the next serial starts anew (a boot, or a new connection).
  package mutating func restart() {
    started = false
    open = nil
    for index in seen.indices { seen[index] = false }
  }

  private var gaps: ArraySlice<SerialGap> = []

  private mutating func advance(to target: UInt32) {
    // a jump over more than the window: everything between is missing, and need not be walked one by one
    while floor != target {
      let behindCeiling = Int32(bitPattern: floor &- ceiling) < 0
      if !behindCeiling {
        miss(from: floor, through: target &- 1)
        floor = target
        break
      }
      let place = Int(floor % SerialWindow.size)
      if seen[place] {
        seen[place] = false
        flush()
      } else {
        miss(from: floor, through: floor)
      }
      floor &+= 1
    }
    flush()
  }

  private mutating func miss(from first: UInt32, through last: UInt32) {
    if open != nil { open?.last = last } else { open = SerialGap(first: first, last: last) }
  }

  private mutating func flush() {
    if let gap = open { gaps.append(gap) }
    open = nil
  }
}
