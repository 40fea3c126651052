/// The rules by the directories they are filed under.
struct SelectionTree: Sendable {
  struct Node: Sendable {
    let name: [UInt8]
    /// Rules, in the order of the file.
    var equals: [Int] = []
    var selectives: [Int] = []
    var negatives: [Int] = []
    /// In the order of their names, once everything is in.
    var children: [Int] = []
    /// Whether a rule here or below can select something.
    var selects = false
  }

  /// The root first.
  private(set) var nodes = [Node(name: [])]

  /// A name in a node.
  private struct Place: Hashable {
    var parent: Int
    var name: ArraySlice<UInt8>
  }

  init(_ rules: [SelectionRule]) {
    var known: [Place: Int] = [:]
    for (index, rule) in rules.enumerated() {
      var path: [Int] = [0]
      for name in rule.node.split(separator: UInt8(ascii: "/")) {
        let place = Place(parent: path[path.count - 1], name: name)
        path.append(known[place] ?? add(place))
        known[place] = path[path.count - 1]
      }
      let last = path[path.count - 1]
      switch rule.kind {
      case .equal: nodes[last].equals.append(index)
      case .selective: nodes[last].selectives.append(index)
      case .negative: nodes[last].negatives.append(index)
      }
      if rule.kind != .negative { for node in path { nodes[node].selects = true } }
    }
    for index in nodes.indices {
      let sorted = nodes[index].children.sorted { nodes[$0].name.lexicographicallyPrecedes(nodes[$1].name) }
      nodes[index].children = sorted
    }
  }

  private mutating func add(_ place: Place) -> Int {
    nodes.append(Node(name: Array(place.name)))
    nodes[place.parent].children.append(nodes.count - 1)
    return nodes.count - 1
  }

  /// The child of a node with a name; nil where there is none.
  func find(_ parent: Int, _ name: UnsafeBufferPointer<UInt8>) -> Int? {
    var low = 0
    var high = nodes[parent].children.count
    while low < high {
      let middle = (low + high) / 2
      let candidate = nodes[parent].children[middle]
      switch compare(nodes[candidate].name, name) {
      case 0: return candidate
      case ..<0: low = middle + 1
      default: high = middle
      }
    }
    return nil
  }

  private func compare(_ a: [UInt8], _ b: UnsafeBufferPointer<UInt8>) -> Int {
    for index in 0..<min(a.count, b.count) where a[index] != b[index] { return Int(a[index]) - Int(b[index]) }
    return a.count - b.count
  }
}
