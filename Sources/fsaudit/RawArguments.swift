import Glibc

/// The process' arguments as they were given: a path need not be UTF-8, and `String` would mend it.
enum RawArguments {
  /// The last `count`.
  static func last(_ count: Int) -> [[UInt8]] { Array(all.suffix(count)) }

  /// Those that were parsed into `texts`, which stand in the same order.
  static func of(_ texts: [String]) -> [[UInt8]] {
    var rest = all[...]
    return texts.map { text in
      guard let index = rest.firstIndex(where: { String(decoding: $0, as: UTF8.self) == text }) else { return Array(text.utf8) }
      rest = rest[(index + 1)...]
      return all[index]
    }
  }

  /// The values of an option, `--path X` or `--path=X`, that were parsed into `texts`.
  static func values(of option: String, _ texts: [String]) -> [[UInt8]] {
    var rest = all[...]
    return texts.map { text in
      // what was not mended says it itself
      if !text.unicodeScalars.contains("\u{fffd}") { return Array(text.utf8) }
      for index in rest.indices {
        for label in ["", option + "="] where all[index].starts(with: label.utf8) {
          let value = Array(all[index].dropFirst(label.utf8.count))
          if String(decoding: value, as: UTF8.self) != text { continue }
          rest = rest[(index + 1)...]
          return value
        }
      }
      return Array(text.utf8)
    }
  }

  private static let all: [[UInt8]] = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).compactMap {
    argument in argument.map { UnsafeBufferPointer(start: $0, count: strlen($0)).map { UInt8(bitPattern: $0) } }
  }
}
