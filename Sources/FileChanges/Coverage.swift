import AuditWire

/// What a rule covers, as far as a path, an action and a system call can tell: the part of a kernel rule that is needed
/// to find every key that applies to a change, where the kernel records only the first matching rule's (AUDIT-FACTS 6).
package struct CoverageScope: Sendable, Equatable {
  package enum Object: UInt8, Sendable {
    /// `dir=`: the directory and everything below it.
    case directory
    /// `path=`: the one name.
    case path
  }

  package var object: Object
  /// Absolute, without a trailing slash (except "/").
  package var path: [UInt8]
  package var keys: [[UInt8]]
  /// `perm=` has w, a, or is absent (then both are true and the system calls decide).
  package var coversWrite: Bool
  package var coversAttribute: Bool
  /// AUDIT_ARCH_* the rule is for, nil for all.
  package var architecture: UInt32?
  /// One bit a system call (AUDIT_BITMASK_SIZE 64 words); empty for all.
  package var calls: [UInt32]

  package init(
    object: Object, path: [UInt8], keys: [[UInt8]], coversWrite: Bool = true, coversAttribute: Bool = true, architecture: UInt32? = nil,
    calls: [UInt32] = []
  ) {
    self.object = object
    self.path = path
    self.keys = keys
    self.coversWrite = coversWrite
    self.coversAttribute = coversAttribute
    self.architecture = architecture
    self.calls = calls
  }
}

/// The keys of all rules that cover a path.
///
/// Only rules that a path, an action and a system call decide are asked (no uid, exe … filter); a key that the kernel
/// itself recorded is added by the caller in any case.
package struct Coverage: Sendable {
  /// A set of keys by number: 0 is the empty set.
  package typealias KeySet = UInt16

  private let scopes: [CoverageScope]
  private let keys: [[UInt8]]
  /// Each set's keys, as indices into `keys`, ascending.
  private var sets: [[UInt16]] = [[]]
  /// The directory scopes of the last parent that was asked about: consecutive events tend to share it.
  private var memoParent: [UInt8] = []
  private var memoScopes: [Int32] = []
  /// The scopes of objects that are in that parent themselves: a path rule's file, a directory rule's root.
  private var memoChildren: [Int32] = []
  private var memoIsValid = false
  private var scratch: [UInt16] = []
  /// Keys of which some rule has left the kernel since.
  private var retired: Set<UInt16> = []

  package init(_ scopes: [CoverageScope] = []) {
    self.scopes = scopes
    var known: [[UInt8]] = []
    for key in scopes.flatMap(\.keys) where !known.contains(key) { known.append(key) }
    keys = known
  }

  /// Whether no rule is known: then only the kernel's own key speaks.
  package var isEmpty: Bool { scopes.isEmpty }

  /// A rule with this key has left the kernel. Whether others with it are still there, only the next ``Coverage`` knows: this one gives the
  /// key no more, to no path, and it is where the kernel itself records it that it stays.
  package mutating func retire(_ key: [UInt8]) {
    if let place = keys.firstIndex(of: key), let small = UInt16(exactly: place) { retired.insert(small) }
  }

  /// How many keys a set holds.
  package func count(of set: KeySet) -> Int { sets[Int(set)].count }
  /// A set's key at `index`.
  package func key(_ index: Int, of set: KeySet) -> [UInt8] { keys[Int(sets[Int(set)][index])] }

  /// Whether a rule covers the path at all, whatever its keys and permissions are.
  package func covers(_ slice: Slice, of text: ByteScratch) -> Bool {
    let path = text.storage.span.bytes.extracting(slice.range)
    return scopes.contains { $0.object == .directory ? Coverage.isBelow(path, $0.path) : Coverage.same(path, $0.path) }
  }

  /// The keys that apply to `action` on the path at `slice`, done by call `number` of `architecture` (-1 for io_uring).
  package mutating func keySet(_ slice: Slice, of text: ByteScratch, action: Action, architecture: UInt32, number: Int32) -> KeySet {
    if scopes.isEmpty { return 0 }
    let path = text.storage.span.bytes.extracting(slice.range)
    let parentCount = lastSlash(path)
    if !memoIsValid || !Coverage.same(path.extracting(0..<parentCount), memoParent) { remember(path, parentCount) }
    scratch.removeAll(keepingCapacity: true)
    for index in memoScopes.indices { collect(Int(memoScopes[index]), action, architecture, number) }
    for index in memoChildren.indices where Coverage.same(path, scopes[Int(memoChildren[index])].path) {
      collect(Int(memoChildren[index]), action, architecture, number)
    }
    return intern()
  }

  // MARK: -

  private func lastSlash(_ path: RawSpan) -> Int {
    var at = path.byteCount
    while at > 0, path.byte(at &- 1) != UInt8(ascii: "/") { at &-= 1 }
    return at
  }

  private mutating func remember(_ path: RawSpan, _ parentCount: Int) {
    memoParent.removeAll(keepingCapacity: true)
    memoParent.append(path.extracting(0..<parentCount))
    memoScopes.removeAll(keepingCapacity: true)
    memoChildren.removeAll(keepingCapacity: true)
    let parent = path.extracting(0..<parentCount)
    for index in scopes.indices {
      if scopes[index].object == .directory, Coverage.isBelow(parent, scopes[index].path) { memoScopes.append(Int32(index)) }
      if Coverage.isChild(scopes[index].path, of: parent) { memoChildren.append(Int32(index)) }
    }
    memoIsValid = true
  }

  /// Whether `path` is `directory` or something below it.
  private static func isBelow(_ path: RawSpan, _ directory: [UInt8]) -> Bool {
    let count = directory.count
    guard path.byteCount >= count, path.extracting(0..<count).equals(directory.span.bytes) else { return false }
    return path.byteCount == count || directory.last == UInt8(ascii: "/") || path.byte(count) == UInt8(ascii: "/")
  }

  private static func same(_ bytes: RawSpan, _ array: [UInt8]) -> Bool { bytes.equals(array.span.bytes) }

  /// Whether `path` names an entry of the directory `parent` (which ends in a slash).
  private static func isChild(_ path: [UInt8], of parent: RawSpan) -> Bool {
    guard path.count > parent.byteCount, parent.equals(path.span.bytes.extracting(0..<parent.byteCount)) else { return false }
    return !path[parent.byteCount...].contains(UInt8(ascii: "/"))
  }

  private mutating func collect(_ index: Int, _ action: Action, _ architecture: UInt32, _ number: Int32) {
    let scope = scopes[index]
    switch action.group {
    case .write where !scope.coversWrite && !(action == .link && scope.coversAttribute): return
    case .attribute where !scope.coversAttribute: return
    case .other where !(scope.coversWrite && scope.coversAttribute): return
    default: break
    }
    if number >= 0 {
      if let wanted = scope.architecture, wanted != architecture { return }
      if !scope.calls.isEmpty {
        let word = Int(number) / 32
        guard word < scope.calls.count, scope.calls[word] >> UInt32(number % 32) & 1 == 1 else { return }
      }
    }
    for key in scope.keys {
      guard let place = keys.firstIndex(of: key), let small = UInt16(exactly: place) else { continue }
      if !scratch.contains(small), retired.isEmpty || !retired.contains(small) { scratch.append(small) }
    }
  }

  private mutating func intern() -> KeySet {
    if scratch.isEmpty { return 0 }
    if let known = sets.firstIndex(of: scratch) { return KeySet(truncatingIfNeeded: known) }
    guard sets.count < Int(KeySet.max) else { return 0 }
    sets.append(scratch)
    return KeySet(sets.count - 1)
  }
}
