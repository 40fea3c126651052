/// "did you mean x?" for the nearest of `names`, or `lead` and all of them where none is near.
package func suggestion(for name: String, among names: [String], _ lead: String) -> String {
  suggestion(for: name, among: names, or: lead + " " + names.sorted().joined(separator: ", "))
}

/// "did you mean x?" for the nearest of `names`, or `otherwise` where none is near.
package func suggestion(for name: String, among names: [String], or otherwise: String) -> String {
  let ranked = names.map { (name: $0, distance: editDistance($0, name)) }.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
  if let best = ranked.first, best.distance <= max(2, name.count / 3) { return "did you mean \(best.name)?" }
  return otherwise
}

/// Levenshtein's distance: how many letters have to be inserted, removed or replaced.
private func editDistance(_ a: String, _ b: String) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let cost = x == y ? diagonal : 1 + min(diagonal, row[j], row[j + 1])
      diagonal = row[j + 1]
      row[j + 1] = cost
    }
  }
  return row[b.count]
}
