import System

/// An attribute expression: `R+sha512-m-c`, worked out from left to right.
struct ConfigExpression {
  /// With a bit for each obsolete digest in it (``Attributes/resolved``).
  private(set) var attributes: Attributes = []
  /// As a native configuration has it: without obsolete names.
  private(set) var text = ""

  mutating func apply(_ term: Attributes, _ name: String, adding: Bool) {
    attributes = adding ? attributes.union(term) : attributes.without(term)
    let isObsolete = Attributes.obsoleteHashes.contains(name)
    if isObsolete && !adding { return }
    let sign = adding ? "+" : "-"
    let native = isObsolete ? "sha256" : name
    text += (text.isEmpty && adding ? "" : sign) + native
  }
}

extension ConfigParser {
  /// Reads an expression to the end of the line.
  mutating func expression(_ line: inout ConfigLine) throws(Failure) -> ConfigExpression {
    var result = ConfigExpression()
    var adding = true
    var warned: Set<String> = []
    while true {
      line.skipBlanks()
      let start = line.at
      let name = line.name("_>")
      if name.isEmpty {
        let right = "attributes and groups joined by + and -: p+u+g+sha256 for example"
        throw line.fault(line.isAtEnd() ? "an attribute or a group is missing" : "\(line.found) is no attribute or group", right)
      }
      guard let term = attributes(named: name) else {
        let known = Attributes.table.map(\.name) + groups.keys
        let letters = Array(name).map(String.init)
        let isRun = letters.count > 1 && letters.allSatisfy { letter in Attributes.table.contains { $0.name == letter } }
        throw line.fault(
          at: start, "\(name) is no attribute, and no group that is defined before this line",
          isRun ? "write \(letters.joined(separator: "+"))?" : suggestion(for: name, among: known, "there are"))
      }
      if adding, warned.insert(name).inserted { note(term, name, line.place(at: start)) }
      result.apply(term, name, adding: adding)
      if line.isAtEnd() { return result }
      if line.take("+") {
        adding = true
      } else if line.take("-") {
        adding = false
      } else {
        throw line.fault("\(line.found) follows the attributes", "join attributes by + and -, or end the line")
      }
    }
  }

  /// What a name in an expression stands for.
  private func attributes(named name: String) -> Attributes? {
    if let row = Attributes.table.first(where: { $0.name == name }) { return row.attribute }
    if let index = Attributes.obsoleteHashes.firstIndex(of: name) {
      return Attributes(rawValue: 1 << (Attributes.firstObsoleteBit + UInt64(index)))
    }
    return name == "S" ? .growingSize : groups[name]
  }

  private mutating func note(_ term: Attributes, _ name: String, _ place: ConfigPlace) {
    if Attributes.obsoleteHashes.contains(name) {
      warnings.append(ConfigNotice(place: place, text: "\(name) is obsolete: sha256 is taken instead"))
    } else if name == "S" {
      notes.append(ConfigNotice(place: place, text: "S is an old name of growing+s"))
    }
  }

  /// Whether a group may not be called so.
  static func isReserved(_ name: String) -> Bool {
    name == "S" || Attributes.table.contains { $0.name == name } || Attributes.obsoleteHashes.contains(name)
  }
}
