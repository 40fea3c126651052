import CCrypto

extension SelectionConfig {
  /// SHA-256, in hexadecimal, of everything that decides: two configurations with the same one decide alike.
  package var fingerprint: String {
    var text = "\(rootPrefix)\n"
    for rule in rules {
      text += "\(rule.kind) \(rule.node) \(rule.expression) \(rule.kinds.rawValue) \(rule.fileSystem ?? "") \(rule.attributes.rawValue)\n"
    }
    var value = [UInt8](repeating: 0, count: 32)
    let isDone = text.withUTF8 { EVP_Digest($0.baseAddress, $0.count, &value, nil, EVP_sha256(), nil) }
    return isDone == 1 ? hexadecimal(value) : text
  }

  /// Every attribute that any rule asks for.
  var asked: Attributes { rules.reduce(into: []) { $0.formUnion($1.attributes) } }

  /// Whether a rule asks for the file system's type.
  var asksForFileSystem: Bool { rules.contains { $0.fileSystem != nil } }
}
