import CAudit

/// The rules that come before a line, found by what they match, so that a file of 200,000 rules is checked in seconds.
///
/// A rule covers another only if each of its conditions is one of the other's, or wider. So it is filed under one of its conditions, and the
/// other need only look where its own lead: under the same conditions, under those perm= and dir= that hold its own, and where rules without
/// any condition are. Each is filed where the fewest are, which is what keeps these lists short.
struct EarlierRules {
  struct Entry {
    let place: String
    let rule: Rule
    /// The lowest comes first in the kernel's list; those put in front have negative ones.
    let order: Int
  }

  /// Entries under one heading.
  private struct File {
    /// Those put in front, the first of them last.
    var front: [Entry] = []
    /// The others, in their order.
    var back: [Entry] = []

    func first(covering rule: Rule, before order: Int) -> Entry? {
      if let entry = front.reversed().lazy.prefix(while: { $0.order < order }).first(where: { EarlierRules.covers($0.rule, rule) }) {
        return entry
      }
      return back.lazy.prefix { $0.order < order }.first { EarlierRules.covers($0.rule, rule) }
    }
  }

  /// A condition that rules are filed under; `nothing` for those without one.
  private enum Condition: Hashable {
    case nothing
    /// A dir= without a slash at its end.
    case tree([UInt8])
    case field(RuleField)
  }

  private struct Heading: Hashable {
    let list: RuleList
    /// Its arch=, if it has one: every watch is two rules that differ in it alone.
    let arch: RuleField?
    let condition: Condition
  }

  private var files: [Heading: File] = [:]
  private var headings: [Rule: Set<Heading>] = [:]
  private var first: [Rule: Entry] = [:]
  private var count = 0

  mutating func add(_ rule: Rule, _ place: String, inFront: Bool) {
    count += 1
    let entry = Entry(place: place, rule: rule, order: inFront ? -count : count)
    if inFront || first[rule] == nil { first[rule] = entry }
    guard rule.list.selectsSyscalls else { return }
    let arch = rule.field(AUDIT_ARCH)
    let own = Self.conditions(of: rule).map { Heading(list: rule.list, arch: arch, condition: $0) }
    func filed(_ heading: Heading) -> Int { files[heading].map { $0.front.count + $0.back.count } ?? 0 }
    let heading = own.min { filed($0) < filed($1) } ?? Heading(list: rule.list, arch: arch, condition: .nothing)
    headings[rule, default: []].insert(heading)
    if inFront { files[heading, default: File()].front.append(entry) } else { files[heading, default: File()].back.append(entry) }
  }

  mutating func remove(_ rule: Rule) {
    first[rule] = nil
    for heading in headings.removeValue(forKey: rule) ?? [] {
      files[heading]?.front.removeAll { $0.rule == rule }
      files[heading]?.back.removeAll { $0.rule == rule }
    }
  }

  func place(of rule: Rule) -> String? { first[rule]?.place }

  /// The first rule that matches all that `rule` does.
  func first(covering rule: Rule) -> Entry? {
    guard rule.list.selectsSyscalls else { return nil }
    var best: Entry?
    let arches: Set<RuleField?> = Set(rule.fields.filter { $0.id == AUDIT_ARCH }.map(Optional.some) + [nil])
    for condition in Self.wider(than: rule) {
      for arch in arches {
        let file = files[Heading(list: rule.list, arch: arch, condition: condition)]
        if let entry = file?.first(covering: rule, before: best?.order ?? .max) { best = entry }
      }
    }
    return best
  }

  /// What a rule can be filed under, beside its arch=. The key is no condition.
  private static func conditions(of rule: Rule) -> [Condition] {
    rule.fields.filter { $0.id != AUDIT_FILTERKEY && $0.id != AUDIT_ARCH }.map { $0.id == AUDIT_DIR ? .tree(tree($0)) : .field($0) }
  }

  /// Everything that a rule which covers this one can be filed under.
  private static func wider(than rule: Rule) -> Set<Condition> {
    var result: Set<Condition> = [.nothing]
    for field in rule.fields where field.id != AUDIT_FILTERKEY {
      result.insert(.field(field))
      if field.id == AUDIT_PERM {
        for permissions in 0...FilePermissions.all.rawValue where permissions & field.value == field.value {
          result.insert(.field(RuleField(AUDIT_PERM, value: permissions)))
        }
      }
      guard [AUDIT_DIR, AUDIT_WATCH].contains(field.id) else { continue }
      let path = field.id == AUDIT_DIR ? tree(field) : field.text
      result.insert(.tree(path))
      for (index, byte) in path.enumerated() where byte == UInt8(ascii: "/") { result.insert(.tree(Array(path[..<index]))) }
    }
    return result
  }

  private static func tree(_ field: RuleField) -> [UInt8] {
    Array(field.text[..<(field.text.lastIndex { $0 != UInt8(ascii: "/") }.map { $0 + 1 } ?? 0)])
  }

  /// Whether everything that `narrow` matches is matched by `wide`.
  static func covers(_ wide: Rule, _ narrow: Rule) -> Bool {
    guard wide.list == narrow.list, wide.syscalls.isSuperset(of: narrow.syscalls) else { return false }
    return wide.fields.allSatisfy { field in
      if field.id == AUDIT_FILTERKEY { return true }
      return narrow.fields.contains { other in
        if other == field { return true }
        if field.id == AUDIT_PERM, other.id == AUDIT_PERM { return other.value & ~field.value == 0 }
        guard field.id == AUDIT_DIR, [AUDIT_DIR, AUDIT_WATCH].contains(other.id) else { return false }
        let tree = tree(field)
        return other.text.starts(with: tree + [UInt8(ascii: "/")]) || other.text == tree
      }
    }
  }
}
