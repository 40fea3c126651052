import CAudit
import System
import SystemPackage

/// A file or directory that temporary rules watch.
struct WatchedObject: Sendable {
  let path: [UInt8]
  var rules: [Rule]
  /// ``Ledger/identity(of:)`` of what the rules hang on; nil while it is gone.
  var identity: String?
  /// Its rules are not all there, and that has been told.
  var isStripped = false

  static func of(_ rules: [Rule]) -> [WatchedObject] {
    var objects: [WatchedObject] = []
    for rule in rules {
      guard let path = rule.fields.first(where: { [AUDIT_DIR, AUDIT_WATCH].contains($0.id) })?.text else { continue }
      if let index = objects.firstIndex(where: { $0.path == path }) {
        objects[index].rules.append(rule)
      } else {
        objects.append(WatchedObject(path: path, rules: [rule], identity: Ledger.identity(of: [rule])))
      }
    }
    return objects
  }
}

extension TemporaryRules {
  /// What became of a watched path, as ``repair()`` finds it, once each time.
  package enum Fate: Sendable {
    /// It is gone, and the kernel watches nothing in its place.
    case removed
    /// Something else has its name now, or it was gone: that is watched.
    case rearmed
    /// The same, but the kernel refuses.
    case refused(Failure)
    /// Somebody else removed its rules. They stay away: whoever did it may have meant it.
    case stripped
  }

  /// Whether a path leads elsewhere than it did: ``repair()`` is due. Costs one statx a path.
  package var haveMoved: Bool { objects.contains { Ledger.identity(of: $0.rules) != $0.identity } }

  /// Has the rules follow their paths: the kernel's own follow a directory that is renamed, and go with one that is deleted (AUDIT-FACTS 7).
  package mutating func repair() throws(Failure) -> [(path: [UInt8], fate: Fate)] {
    var book = try RuleBook(directory: directory)
    let lock = try book.locked()
    defer { withExtendedLifetime(lock) {} }
    let kernel = Set(try book.rules())
    var fates: [(path: [UInt8], fate: Fate)] = []
    for index in objects.indices {
      let object = objects[index]
      let present = object.rules.filter(kernel.contains)
      let identity = Ledger.identity(of: object.rules)
      if identity == object.identity {
        let isStripped = identity != nil && present.count < object.rules.count
        if isStripped, !object.isStripped { fates.append((object.path, .stripped)) }
        objects[index].isStripped = isStripped
        continue
      }
      objects[index].identity = identity
      // what is left watches something that has another name now
      for rule in present { try? book.send(.delete(rule)) }
      guard identity != nil else {
        fates.append((object.path, .removed))
        continue
      }
      do {
        try book.change(object.rules.map { .append($0) })
        fates.append((object.path, .rearmed))
        objects[index].isStripped = false
      } catch {
        fates.append((object.path, .refused(book.audit.failure(error))))
        objects[index].isStripped = true
      }
    }
    return fates
  }
}
