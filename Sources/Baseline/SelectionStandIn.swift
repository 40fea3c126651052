import System

// Until the selection branch is merged.
package struct Decision: Sendable {
  package var attributes: Attributes?
  package var descends: Bool
}

package struct SelectionConfig: Sendable {
  var rules: [(path: [UInt8], attributes: Attributes?)] = []
  package var digest: [UInt8] = [1]
  package static func load(_ path: String) throws(Failure) -> SelectionConfig {
    var config = SelectionConfig()
    let text: [UInt8]
    do { text = try contents(of: path) } catch { throw error.failure() }
    for line in text.split(separator: 10) {
      let words = line.split(separator: 32).map(Array.init)
      if words.isEmpty { continue }
      if words[0].first == UInt8(ascii: "!") {
        config.rules.append((Array(words[0].dropFirst()), nil))
      } else {
        var a: Attributes = [
          .ftype, .permissions, .user, .group, .size, .linkCount, .inode, .linkName, .mtime, .ctime, .acl, .xattrs, .caps, .selinux,
          .e2fsattrs,
        ]
        if words.count > 1 { a.insert(.sha256) }
        config.rules.append((words[0], a))
      }
    }
    return config
  }
  package func decide(_ path: [UInt8], _ kind: FileKind) -> Decision {
    for r in rules where r.attributes == nil && path.starts(with: r.path) { return Decision(attributes: nil, descends: false) }
    for r in rules {
      if let a = r.attributes, path.starts(with: r.path) { return Decision(attributes: a, descends: true) }
    }
    let prefix = path == [47] ? [47] : path + [47]
    return Decision(attributes: nil, descends: rules.contains { $0.path.starts(with: prefix) })
  }
}

extension SelectionConfig {
  /// Of all that decides; equal for configurations that decide alike.
  var fingerprint: String { rules.map { "\($0.path) \($0.attributes?.rawValue ?? 0)" }.joined() }
  /// Every attribute that any rule asks for.
  var asked: Attributes { rules.reduce(into: []) { $0.formUnion($1.attributes ?? []) } }
}
