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

  private static let all: [[UInt8]] = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).compactMap {
    argument in argument.map { UnsafeBufferPointer(start: $0, count: strlen($0)).map { UInt8(bitPattern: $0) } }
  }
}
