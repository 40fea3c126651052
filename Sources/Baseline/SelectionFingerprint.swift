import EventLog

extension SelectionConfig {
  /// SHA-256, in hexadecimal, of everything that decides: two configurations with the same one decide alike.
  package var fingerprint: String {
    // no part of a rule holds a NUL
    var text = rootPrefix + [0]
    for rule in rules {
      text += Array("\(rule.kind) \(rule.kinds.rawValue) \(rule.attributes.rawValue) \(rule.fileSystem ?? "")".utf8)
      text += [0] + rule.node + [0] + rule.expression + [0]
    }
    return SHA256.hash(of: text.span.bytes).hex
  }

  /// Every attribute that any rule asks for.
  var asked: Attributes { rules.reduce(into: []) { $0.formUnion($1.attributes) } }

  /// Whether a rule asks for the file system's type.
  var asksForFileSystem: Bool { rules.contains { $0.fileSystem != nil } }
}
