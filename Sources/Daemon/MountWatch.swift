import System

/// What is mounted, as far as the rules have followed.
struct MountWatch {
  private var table: Set<Mount>
  /// By mount point, of those that a rule watches: a mount gets all that the table tells from the one that was there before it, if nothing
  /// else was mounted between the two.
  private var numbers: [[UInt8]: UInt64]

  /// - Parameters:
  ///   - roots: the trees that the rules watch.
  ///   - number: ``mountNumber(_:)``.
  init(_ table: [Mount] = [], below roots: [[UInt8]] = [], number: ([UInt8]) -> UInt64? = mountNumber) {
    self.table = Set(table)
    numbers = [:]
    for mount in self.table where roots.contains(where: { Self.isBelow(mount.point, $0) }) { numbers[mount.point] = number(mount.point) }
  }

  /// The points of `later` at which something is mounted that was not.
  func news(in later: MountWatch) -> [[UInt8]] {
    later.table.filter { mount in
      if !table.contains(mount) { return true }
      // one that is not known may be the same
      guard let old = numbers[mount.point], let new = later.numbers[mount.point] else { return false }
      return old != new
    }.map(\.point)
  }

  /// Goes on to `later`. A number that could not be told this time stays, as long as the mount does.
  mutating func follow(_ later: MountWatch) {
    let points = Set(later.table.intersection(table).map(\.point))
    numbers = later.numbers.merging(numbers.filter { points.contains($0.key) }) { new, _ in new }
    table = later.table
  }

  private static func isBelow(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
    path.starts(with: directory) && (directory.last == UInt8(ascii: "/") || path.dropFirst(directory.count).first == UInt8(ascii: "/"))
  }
}

/// How often the rules follow what is mounted. Whoever may mount something in a watched directory makes them go and come back; so that he
/// cannot keep them away, it takes ever longer until the next time, up to the interval at which the rules are looked after anyway.
struct MountPace {
  /// A host that starts many containers has many mounts.
  static let shortestMs: Int64 = 100
  private var pauseMs = Self.shortestMs
  private var nextMs = Int64.min

  func isDue(nowMs: Int64) -> Bool { nowMs >= nextMs }

  /// - Parameter didReload: whether rules went and came back.
  mutating func worked(didReload: Bool, nowMs: Int64, longestMs: Int64) {
    if nextMs != .min, nowMs - nextMs > longestMs { pauseMs = Self.shortestMs }
    nextMs = nowMs + pauseMs
    if didReload { pauseMs = max(Self.shortestMs, min(pauseMs * 2, longestMs)) }
  }
}
