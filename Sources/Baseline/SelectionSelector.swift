import Glibc

/// Decides about paths, quickly when they come directory by directory. For one thread at a time.
///
/// Everything that depends on a path's directory alone (which nodes lie on the way, which rules could match there, whether a negative
/// rule takes the directory itself) is worked out once and kept until a path of another directory comes.
package struct Selector: ~Copyable {
  private let config: SelectionConfig
  private let matcher = Matcher()

  /// The directory of the last path with its `/`: all that follows is about it.
  private var directory: [UInt8] = []
  /// The nodes from the root down to the deepest one on the way to the directory.
  private var chain: [Int] = []
  /// Whether the last of them is the directory itself.
  private var isNode = false
  /// The rules that could match in it, in the order in which they are asked.
  private var positives: [Int] = []
  private var negatives: [Int] = []
  /// The negative rule that takes the directory itself, and so all in it.
  private var prunedBy: Int?
  /// Where the names in the directory end: the first `ends[n]` bytes hold n of them.
  private var ends: [Int] = []
  private var scratch: [UInt8] = []

  package init(_ config: SelectionConfig) { self.config = config }

  /// What the configuration says about an absolute path (without a slash at its end, but for the root).
  /// - Parameter fileSystem: the name of its file system's type, for rules that ask for one.
  package mutating func decide(_ path: RawSpan, _ kind: FileKind, fileSystem: String? = nil) -> Decision {
    path.withUnsafeBytes { raw in
      raw.withMemoryRebound(to: UInt8.self) { path in
        guard path.first == slash, let last = path.lastIndex(of: slash) else {
          return Decision(attributes: nil, descends: false, rule: nil)
        }
        if !isCurrent(path, count: last + 1) { enter(path, count: last + 1) }
        return answer(path, kind, fileSystem)
      }
    }
  }

  private func isCurrent(_ path: UnsafeBufferPointer<UInt8>, count: Int) -> Bool {
    count == directory.count && directory.withUnsafeBufferPointer { isEqual($0, path, upTo: count) }
  }

  private mutating func answer(_ path: UnsafeBufferPointer<UInt8>, _ kind: FileKind, _ fileSystem: String?) -> Decision {
    let descends = kind == .directory && self.descends(path)
    var selected: Int?
    for rule in positives where allows(rule, kind, fileSystem) && matches(rule, path, ifInDoubt: true) {
      selected = rule
      break
    }
    guard let selected else { return Decision(attributes: nil, descends: descends, rule: nil) }
    for rule in negatives where allows(rule, kind, fileSystem) && matches(rule, path, ifInDoubt: false) {
      return Decision(attributes: nil, descends: descends, rule: rule)
    }
    if let prunedBy { return Decision(attributes: nil, descends: false, rule: prunedBy) }
    return Decision(attributes: config.rules[selected].attributes, descends: descends, rule: selected)
  }

  private func allows(_ rule: Int, _ kind: FileKind, _ fileSystem: String?) -> Bool {
    let quick = config.quick[rule]
    if quick.isUnrestricted { return true }
    return config.rules[rule].allows(kind, fileSystem)
  }

  /// - Parameter ifInDoubt: the answer where PCRE2 gives up: a file that an attacker named so must be looked at rather than overlooked.
  private func matches(_ rule: Int, _ path: UnsafeBufferPointer<UInt8>, ifInDoubt: Bool) -> Bool {
    let quick = config.quick[rule]
    guard startsWithLiteral(quick, path) else { return false }
    switch quick.rest {
    case .anything: return true
    case .end: return path.count == quick.count || path.count == quick.count + 1 && path.last == UInt8(ascii: "\n")
    case .expression:
      return switch config.rules[rule].pattern.apply(path, matcher) {
      case .match: true
      case .none, .partial: false
      case .gaveUp: ifInDoubt
      }
    }
  }

  private func startsWithLiteral(_ quick: SelectionConfig.QuickRule, _ path: UnsafeBufferPointer<UInt8>) -> Bool {
    guard quick.count <= path.count else { return false }
    return config.literals.withUnsafeBufferPointer {
      isEqual(UnsafeBufferPointer(rebasing: $0[quick.start..<quick.start + quick.count]), path, upTo: quick.count)
    }
  }

  /// Whether some path that starts with `start` could match a rule, as far as its literal tells.
  private func literalFits(_ quick: SelectionConfig.QuickRule, _ start: UnsafeBufferPointer<UInt8>) -> Bool {
    config.literals.withUnsafeBufferPointer {
      isEqual(
        UnsafeBufferPointer(rebasing: $0[quick.start..<quick.start + quick.count]), start, upTo: min(quick.count, start.count))
    }
  }
}

// Directories.
extension Selector {
  /// Works out what holds for all paths in a directory: the first `count` bytes of a path, its `/` the last.
  private mutating func enter(_ path: UnsafeBufferPointer<UInt8>, count: Int) {
    directory.removeAll(keepingCapacity: true)
    directory.append(contentsOf: path.prefix(count))
    followNames(path, count: count)

    positives.removeAll(keepingCapacity: true)
    negatives.removeAll(keepingCapacity: true)
    prunedBy = nil
    let start = UnsafeBufferPointer(rebasing: path.prefix(count))
    if isNode, let last = chain.last {
      for rule in config.tree.nodes[last].equals where literalFits(config.quick[rule], start) { positives.append(rule) }
    }
    for node in chain.reversed() {
      for rule in config.tree.nodes[node].selectives where literalFits(config.quick[rule], start) { positives.append(rule) }
    }
    for (depth, node) in chain.enumerated() {
      let rules = config.tree.nodes[node].negatives
      if rules.isEmpty { continue }
      // the directories between the node and the path, the deepest first, are taken by rules without a restriction only
      var above = ends.count - 1
      while above > depth {
        let parent = UnsafeBufferPointer(rebasing: path.prefix(ends[above]))
        for rule in rules where config.quick[rule].isUnrestricted && matches(rule, parent, ifInDoubt: false) {
          prunedBy = rule
          return
        }
        above -= 1
      }
      for rule in rules where literalFits(config.quick[rule], start) { negatives.append(rule) }
    }
  }

  /// Finds the nodes on the way to the directory.
  private mutating func followNames(_ path: UnsafeBufferPointer<UInt8>, count: Int) {
    chain.removeAll(keepingCapacity: true)
    chain.append(0)
    ends.removeAll(keepingCapacity: true)
    ends.append(0)
    isNode = true
    var at = 1
    while at < count {
      var end = at
      while path[end] != slash { end += 1 }
      if isNode, let next = config.tree.find(chain[chain.count - 1], UnsafeBufferPointer(rebasing: path[at..<end])) {
        chain.append(next)
      } else {
        isNode = false
      }
      ends.append(end)
      at = end + 1
    }
  }

  /// Whether anything below a directory could be selected.
  private mutating func descends(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
    if prunedBy != nil { return false }
    for rule in negatives where config.quick[rule].isUnrestricted && matches(rule, path, ifInDoubt: false) {
      // the root is no parent of what is in it, for AIDE
      if path.count > 1 { return false }
    }
    if path.count == 1 {
      if config.tree.nodes[0].selects { return true }
    } else if isNode, let last = chain.last {
      let name = UnsafeBufferPointer(rebasing: path[directory.count...])
      if let node = config.tree.find(last, name), config.tree.nodes[node].selects { return true }
    }
    scratch.removeAll(keepingCapacity: true)
    scratch.append(contentsOf: path)
    if path.count > 1 { scratch.append(slash) }
    for rule in positives where config.rules[rule].kind == .selective && couldMatchBelow(rule) { return true }
    return false
  }

  /// Whether a longer path than ``scratch`` could match.
  private func couldMatchBelow(_ rule: Int) -> Bool {
    let quick = config.quick[rule]
    return scratch.withUnsafeBufferPointer { start in
      guard literalFits(quick, start) else { return false }
      if quick.count > start.count { return true }
      switch quick.rest {
      case .anything: return true
      // and a newline, which is a name below
      case .end: return quick.count == start.count
      case .expression: return config.rules[rule].pattern.apply(start, matcher, partial: true) != .none
      }
    }
  }
}

private let slash = UInt8(ascii: "/")

/// Whether two buffers start with the same `count` bytes.
private func isEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>, upTo count: Int) -> Bool {
  precondition(count <= a.count && count <= b.count)
  guard let first = a.baseAddress, let second = b.baseAddress else { return true }
  return memcmp(first, second, count) == 0
}
