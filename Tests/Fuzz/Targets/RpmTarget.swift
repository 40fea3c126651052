import Baseline

/// A header as it is, and once more with a size that fits, so that a longer or shorter one is looked into, too.
func readRpmHeader(_ input: [UInt8]) {
  examine(input)
  guard input.count >= 8 else { return }
  let index = 8 + 16 * input[..<4].reduce(0) { $0 << 8 | Int($1) }
  guard index <= input.count else { return }
  var fitting = input
  for at in 4..<8 { fitting[at] = UInt8(truncatingIfNeeded: (input.count - index) >> (8 * (7 - at))) }
  require(examine(fitting), "a header of the right size that is none")
}

@discardableResult
private func examine(_ input: [UInt8]) -> Bool {
  guard let header = RpmHeader(input) else { return false }
  for text in [header.name, header.version] { require(text?.utf8.contains(0) != true, "a NUL in a name") }
  require((header.installTime ?? 0) >= 0 && (header.transaction ?? 0) >= 0, "a time before 1970")
  let files = header.files { _ in true }
  for path in files.keys.prefix(20) {
    require(!path.contains(0), "a NUL in a path")
    require(Array(header.files { $0 == path }.keys) == [path], "a file that is not found by its name")
  }
  return true
}
