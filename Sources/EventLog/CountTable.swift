import AuditWire

/// How often each of many names occurred, when first and when last.
///
/// A name is looked up by its bytes, where they stand: a String is never made of one. Memory is bounded: whoever makes up a new name for each change
/// gets ``maximumRows`` rows, the rest goes to ``others``. The hash has a secret start, so that nobody can choose names that collide.
struct CountTable: ~Copyable {
  struct Row {
    fileprivate(set) var key = Slice.none
    fileprivate var hash: UInt64 = 0
    fileprivate(set) var count: UInt64 = 0
    /// Of them, those that were refused.
    fileprivate(set) var failed: UInt64 = 0
    /// Milliseconds since 1970; the first is after the last where no line had a time.
    fileprivate(set) var firstMs = Int64.max, lastMs = Int64.min

    @inline(__always)
    fileprivate mutating func add(ms: Int64?, failed isFailed: Bool) {
      count &+= 1
      if isFailed { failed &+= 1 }
      guard let ms else { return }
      if ms < firstMs { firstMs = ms }
      if ms > lastMs { lastMs = ms }
    }
  }

  static let maximumRows = 100_000, maximumBytes = 64 << 20

  private(set) var rows: [Row] = []
  /// What had no room.
  private(set) var others = Row()
  private(set) var keys = ByteBuffer(capacity: 4 << 10)
  /// Open addressing; a place holds a row's number plus one.
  private var places = [UInt32](repeating: 0, count: 1 << 8)
  private let seed = UInt64.random(in: 0 ... .max)
  private let rowLimit: Int

  /// - Parameter rowLimit: how many names there may be.
  init(rowLimit: Int = maximumRows) { self.rowLimit = rowLimit }

  /// Counts a name.
  mutating func add(_ key: RawSpan, ms: Int64?, failed: Bool) {
    let hash = Self.hash(key, seed)
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: hash &>> 20) & mask
    while places[place] != 0 {
      let row = Int(places[place]) - 1
      if rows[row].hash == hash, isKey(of: row, key) { return rows[row].add(ms: ms, failed: failed) }
      place = (place + 1) & mask
    }
    guard rows.count < rowLimit, key.byteCount <= Self.maximumBytes - keys.count else { return others.add(ms: ms, failed: failed) }
    var row = Row()
    row.key = Slice(start: keys.count, count: key.byteCount)
    row.hash = hash
    row.add(ms: ms, failed: failed)
    keys.append(key)
    rows.append(row)
    places[place] = UInt32(rows.count)
    if rows.count * 2 > places.count { grow() }
  }

  private func isKey(of row: Int, _ key: RawSpan) -> Bool {
    let range = rows[row].key.range
    return keys.withBytes { $0.extracting(range).equals(key) }
  }

  private mutating func grow() {
    places = [UInt32](repeating: 0, count: places.count * 4)
    for (index, row) in rows.enumerated() {
      var place = Int(truncatingIfNeeded: row.hash &>> 20) & (places.count - 1)
      while places[place] != 0 { place = (place + 1) & (places.count - 1) }
      places[place] = UInt32(index + 1)
    }
  }

  /// All bytes, eight at a time.
  private static func hash(_ key: RawSpan, _ seed: UInt64) -> UInt64 {
    var hash = seed ^ UInt64(truncatingIfNeeded: key.byteCount)
    func mix(_ word: UInt64) {
      let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
      hash = product.high ^ product.low ^ seed
    }
    var at = 0
    while at <= key.byteCount - 8 {
      mix(key.word(unchecked: at))
      at += 8
    }
    if at < key.byteCount { mix(key.byteCount >= 8 ? key.word(unchecked: key.byteCount - 8) : key.word(at)) }
    mix(0x1d)
    return hash
  }

  /// The rows, the most frequent first; equal ones in the order of their bytes.
  /// - Parameter top: how many; nil for all.
  /// - Returns: them, and what all others say together; nil if there are none.
  func ranked(top: Int?) -> (shown: ArraySlice<Row>, rest: (rows: Int, row: Row)?) {
    let all = rows.sorted { one, other in
      if one.count != other.count { return one.count > other.count }
      return keys.withBytes { bytes in
        let (left, right) = (bytes.extracting(one.key.range), bytes.extracting(other.key.range))
        for index in 0..<min(left.byteCount, right.byteCount) where left.byte(index) != right.byte(index) {
          return left.byte(index) < right.byte(index)
        }
        return left.byteCount < right.byteCount
      }
    }
    let shown = all.prefix(top ?? all.count)
    let hidden = all[shown.endIndex...]
    guard !hidden.isEmpty || others.count > 0 else { return (shown, nil) }
    var rest = others
    for row in hidden {
      (rest.count, rest.failed) = (rest.count + row.count, rest.failed + row.failed)
      (rest.firstMs, rest.lastMs) = (min(rest.firstMs, row.firstMs), max(rest.lastMs, row.lastMs))
    }
    return (shown, (hidden.count, rest))
  }
}
