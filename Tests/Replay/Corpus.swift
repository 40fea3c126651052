import Glibc

/// Tests/Corpus: `DISTRIBUTION-KERNEL/NAME.log` and the lines that it means, `NAME.jsonl`.
package enum Corpus {
  package struct Missing: Error { package let path: String }

  /// Tests/Corpus itself.
  package static let directory: String = {
    let here = "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false)
    return here.dropLast(2).joined(separator: "/") + "/Corpus"
  }()

  /// Every log, as `debian12-6.18/rename.log`, in order.
  package static let logs: [String] = names(directory).flatMap { folder in
    names(directory + "/" + folder).filter { $0.hasSuffix(".log") }.map { folder + "/" + $0 }
  }

  package static func read(_ name: String) throws -> [UInt8] {
    guard let file = fopen(directory + "/" + name, "r") else { throw Missing(path: name) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return bytes
  }

  package static func write(_ bytes: [UInt8], to name: String) throws {
    guard let file = fopen(directory + "/" + name, "w") else { throw Missing(path: name) }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Missing(path: name) }
  }

  package static func lines(_ bytes: [UInt8]) -> [String] {
    bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }
}
