import CCompression
import CLinux
import EventLog
import System

/// Which contents may be kept and shown.
struct ContentPolicy: Sendable {
  /// What is longer is not kept; 0: nothing is.
  var limitBytes: Int

  /// Names that hold secrets even where everybody may read them.
  private static let secrets = [
    "*shadow*", "*.key", "*.pem", "*.p12", "*.pfx", "*.jks", "*.kdbx", "*.keytab", "*id_rsa*", "*id_dsa*", "*id_ecdsa*", "*id_ed25519*",
    "*secret*",
    "*passw*", "*credential*", "*token*", ".netrc", ".pgpass", ".my.cnf", ".env", "*_history", "**/.ssh/**", "**/.gnupg/**", "**/.aws/**",
    "**/.kube/**",
    "**/private/**",
  ].map(Glob.init)

  /// Whether a file's content may be kept at all. What not everybody may read is nobody else's business.
  func allows(_ path: [UInt8], _ status: linux_status) -> Bool {
    guard limitBytes > 0, status.size <= UInt64(limitBytes), status.mode & 0o170004 == 0o100004 else { return false }
    let lower = path.map { (65...90).contains($0) ? $0 | 32 : $0 }
    return !Self.secrets.contains { $0.matches(lower) }
  }

  /// Whether it is a text that holds no private key.
  static func isText(_ content: [UInt8]) -> Bool {
    guard !content.contains(0), let text = String(validating: content, as: UTF8.self) else { return false }
    return !text.contains("PRIVATE KEY")
  }
}

/// A file's content as the store keeps it.
func packed(_ content: [UInt8]) -> [UInt8]? {
  var result = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
  let count = ZSTD_compress(&result, result.count, content, content.count, 3)
  if ZSTD_isError(count) != 0 { return nil }
  result.removeSubrange(count...)
  return result
}

/// - Parameter count: how long it is; anything else is damage, and nil.
func unpacked(_ bytes: [UInt8], count: Int) -> [UInt8]? {
  guard (0...(64 << 20)).contains(count) else { return nil }
  var result = [UInt8](repeating: 0, count: count)
  return ZSTD_decompress(&result, count, bytes, bytes.count) == count ? result : nil
}

/// The difference of two texts, as diff -u writes it, without the lines that name the files. Empty where they are equal; nil where they differ
/// in too much to be worth reading.
func unifiedDiff(_ old: [UInt8], _ new: [UInt8]) -> String? {
  let a = old.split(separator: 10, omittingEmptySubsequences: false)
  let b = new.split(separator: 10, omittingEmptySubsequences: false)
  guard let edits = edits(a, b) else { return nil }
  let context = 3
  var out: [String] = []
  var index = 0
  while let first = edits[index...].firstIndex(where: { $0.sign != " " }) {
    let start = max(index, first - context)
    var end = first
    // changes with fewer than two contexts between them share a hunk
    while let next = edits[(end + 1)...].firstIndex(where: { $0.sign != " " }), next - end <= 2 * context + 1 { end = next }
    let stop = min(edits.count, end + 1 + context)
    let hunk = edits[start..<stop]
    let (oldCount, newCount) = (hunk.count { $0.sign != "+" }, hunk.count { $0.sign != "-" })
    out.append("@@ -\(edits[start].old + 1),\(oldCount) +\(edits[start].new + 1),\(newCount) @@")
    out += hunk.map { "\($0.sign)\(String(decoding: $0.line, as: UTF8.self))" }
    index = stop
    if index >= edits.count { break }
  }
  return out.joined(separator: "\n")
}

private struct Edit {
  var sign: Character
  var line: ArraySlice<UInt8>
  /// How many lines of either text come before it.
  var old: Int, new: Int
}

/// The fewest lines taken out and put in that lead from `a` to `b` (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986); nil where they
/// are more than 1000.
private func edits(_ a: [ArraySlice<UInt8>], _ b: [ArraySlice<UInt8>]) -> [Edit]? {
  let limit = min(1000, a.count + b.count)
  let offset = limit + 1
  var furthest = [Int](repeating: 0, count: 2 * limit + 3)
  var trace: [[Int]] = []
  search: for depth in 0...limit {
    trace.append(furthest)
    for k in stride(from: -depth, through: depth, by: 2) {
      let down = k == -depth || k != depth && furthest[offset + k - 1] < furthest[offset + k + 1]
      var x = down ? furthest[offset + k + 1] : furthest[offset + k - 1] + 1
      while x < a.count, x - k < b.count, x - k >= 0, a[x] == b[x - k] { x += 1 }
      furthest[offset + k] = x
      if x >= a.count, x - k >= b.count { break search }
    }
    if depth == limit { return nil }
  }
  var result: [Edit] = []
  var (x, y) = (a.count, b.count)
  for depth in stride(from: trace.count - 1, through: 0, by: -1) {
    let before = trace[depth]
    let k = x - y
    let down = k == -depth || k != depth && before[offset + k - 1] < before[offset + k + 1]
    let previous = down ? k + 1 : k - 1
    let (fromX, fromY) = (before[offset + previous], before[offset + previous] - previous)
    while x > fromX, y > fromY, x > 0, y > 0 {
      (x, y) = (x - 1, y - 1)
      result.append(Edit(sign: " ", line: a[x], old: x, new: y))
    }
    if depth == 0 { break }
    (x, y) = (fromX, fromY)
    result.append(down ? Edit(sign: "+", line: b[y], old: x, new: y) : Edit(sign: "-", line: a[x], old: x, new: y))
  }
  return result.reversed()
}

extension Store {
  /// Keeps a content, as that of the row that begins with `generation`.
  func add(content: [UInt8], _ directory: Int64, _ name: [UInt8], _ generation: Int64, _ facts: Facts) throws(Failure) {
    guard let packed = packed(content) else { return }
    let insert = try reused(
      &addContent, "INSERT OR REPLACE INTO content(directory, name, since, size, mtime_ns, zstd) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
    insert.bind(1, directory)
    insert.bind(name: 2, name)
    insert.bind(3, generation)
    insert.bind(4, Int64(content.count))
    insert.bind(5, facts.status.mtime)
    insert.bind(blob: 6, packed)
    try insert.execute()
  }

  /// The content that belongs to what a generation has of a file; nil where none was kept.
  func content(_ directory: Int64, _ name: [UInt8], _ generation: Int64, _ facts: Facts) throws(Failure) -> [UInt8]? {
    let find = try reused(
      &findContent,
      "SELECT size, mtime_ns, zstd FROM content WHERE directory = ?1 AND name = ?2 AND since <= ?3 ORDER BY since DESC LIMIT 1")
    find.bind(1, directory)
    find.bind(name: 2, name)
    find.bind(3, generation)
    defer { find.reset() }
    guard try find.step(), find.integer(0) == Int64(bitPattern: facts.status.size), find.integer(1) == facts.status.mtime,
      let bytes = find.bytes(2)
    else { return nil }
    return unpacked(bytes, count: Int(find.integer(0)))
  }
}
