import System

extension SelectionConfig {
  /// The configuration as one file that selects the same: what was included is in its place, macros and conditions are worked out, obsolete
  /// names are replaced. What is left out stands in comments.
  package var nativeText: [UInt8] {
    var text: [UInt8] = []
    var file: String?
    func enter(_ place: ConfigPlace) {
      if place.file != file { text += Array("\n# From \(printable(place.file)):\n".utf8) }
      file = place.file
    }
    if !rootPrefix.isEmpty { text += Array("root_prefix = ".utf8) + escaped(rootPrefix) + Array("\n".utf8) }
    for statement in statements {
      switch statement {
      case .dropped(let notice):
        text += Array("# not carried over: \(printable(notice.description))\n".utf8)
      case .group(let name, let expression, let place):
        enter(place)
        text += Array("\(name) = \(expression)\n".utf8)
      case .rule(let index):
        let rule = rules[index]
        enter(rule.place)
        text += rule.nativeText + Array("\n".utf8)
      }
    }
    return text
  }
}

extension SelectionRule {
  fileprivate var nativeText: [UInt8] {
    var text: [UInt8] = []
    switch kind {
    case .selective: break
    case .equal: text.append(UInt8(ascii: "="))
    case .negative: text.append(UInt8(ascii: "!"))
    }
    text += escaped(expression)
    let restriction = kinds.letters + (fileSystem.map { "=" + $0 } ?? "")
    if !restriction.isEmpty { text += Array((" " + restriction).utf8) }
    if kind != .negative { text += Array((" " + attributesText).utf8) }
    return text
  }
}

/// A word with the escapes that reading takes away; other backslashes stand for themselves.
private func escaped(_ word: [UInt8]) -> [UInt8] {
  var result: [UInt8] = []
  for (index, byte) in word.enumerated() {
    let next = index + 1 < word.count ? word[index + 1] : UInt8(ascii: " ")
    let isTaken = [UInt8(ascii: "\\"), UInt8(ascii: "@"), UInt8(ascii: " ")].contains(next)
    switch byte {
    case UInt8(ascii: " "): result += [UInt8(ascii: "\\"), byte]
    case UInt8(ascii: "@") where next == UInt8(ascii: "@") || next == UInt8(ascii: "{"): result += [UInt8(ascii: "\\"), byte]
    case UInt8(ascii: "\\") where isTaken: result += [byte, byte]
    default: result.append(byte)
    }
  }
  return result
}
