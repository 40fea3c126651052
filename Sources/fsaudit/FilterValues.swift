import AuditControl
import EventLog
import Glibc
import System

/// The values of one filter option, as bytes: names need not be UTF-8. What no line can match is refused here: silence would pass for
/// "nothing happened".
struct FilterValues {
  private let option: String
  private let values: [[UInt8]]

  init(_ option: String, _ values: [[UInt8]]) {
    self.option = option
    self.values = values
  }

  /// What the values ask for.
  func condition(_ field: FilterField) throws(Failure) -> FilterCondition {
    switch field {
    case .key, .host: try FilterCondition(field, words: words())
    case .comm, .text: try FilterCondition(field, words: present(values))
    case .path, .exe: try FilterCondition(field, globs: globs())
    case .under: try FilterCondition(field, globs: directories())
    case .user: try FilterCondition(field, words: users(words()))
    case .auid: try loginUsers()
    // PID_MAX_LIMIT of a 64-bit kernel
    case .pid, .ppid: try FilterCondition(field, words: numbers(words(), "process", 1...4_194_304))
    case .session: try sessions()
    case .serial: try FilterCondition(field, words: numbers(words(), "serial number", 0...UInt64(UInt32.max)))
    case .inode: try FilterCondition(field, words: numbers(words(), "inode", 1...UInt64.max))
    case .action: try FilterCondition(field, words: actions())
    case .syscall: try FilterCondition(field, words: syscalls())
    case .result: try FilterCondition(field, words: results())
    }
  }

  /// The values, those with commas taken apart.
  private func words() throws(Failure) -> [[UInt8]] {
    try present(values.flatMap { $0.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { Array($0) } })
  }

  /// An empty value would leave the filter without any, and everything would match.
  private func present(_ values: [[UInt8]]) throws(Failure) -> [[UInt8]] {
    if values.contains([]) { throw Failure("\(option) without a value", advice: "give it one, or leave it out", exit: .usage) }
    return values
  }

  private func wrong(_ value: [UInt8], _ what: String, _ advice: String) -> Failure {
    Failure("\(option) \(printable(text(value))) \(what)", advice: advice, exit: .usage)
  }

  private func text(_ value: [UInt8]) -> String { String(decoding: value, as: UTF8.self) }

  /// Commas are part of a path.
  private func globs() throws(Failure) -> [Glob] {
    var globs: [Glob] = []
    for value in try present(values) {
      let text = text(value)
      let names = text.split(separator: "/", omittingEmptySubsequences: false)
      if names.count > 1, let first = text.first, !"/*?[\\".contains(first) {
        throw wrong(value, "matches nothing, paths in the log begin with /", "write /\(printable(text)), or **/\(printable(text))")
      }
      // An absolute path as the log has it; the text of a symbolic link, which may hold these, is found with **/.
      if names.count == 1 || names.first == "" { try checkNames(value) }
      // no name ends with a slash, also where the name of a directory is meant
      let end = value.lastIndex { $0 != UInt8(ascii: "/") } ?? 0
      globs.append(Glob(Array(value[...end])))
    }
    return globs
  }

  private func directories() throws(Failure) -> [Glob] {
    var globs: [Glob] = []
    for value in try present(values) {
      if value.first != UInt8(ascii: "/") { throw wrong(value, "is no absolute path", "write it from / on") }
      try checkNames(value)
      globs.append(Glob(below: value))
    }
    return globs
  }

  private func checkNames(_ path: [UInt8]) throws(Failure) {
    let names = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { text(Array($0)) }
    if names.dropFirst().dropLast().contains("") || names.contains(where: { $0 == "." || $0 == ".." }) {
      throw wrong(path, "matches nothing", "write it without //, /./ and /../, as the log does")
    }
  }

  private static let unset = ["unset", "-1", "\(UInt32.max)"].map { Array($0.utf8) }

  /// Also `unset` and the numbers that the kernel writes for it.
  private func loginUsers() throws(Failure) -> FilterCondition {
    let words = try words()
    return try FilterCondition(
      .auid, words: users(words.filter { !Self.unset.contains($0) }), wantsUnset: words.contains(where: Self.unset.contains))
  }

  private func sessions() throws(Failure) -> FilterCondition {
    let words = try words()
    return try FilterCondition(
      .session, words: numbers(words.filter { !Self.unset.contains($0) }, "session", 0...UInt64(UInt32.max)),
      wantsUnset: words.contains(where: Self.unset.contains))
  }

  private func users(_ words: [[UInt8]]) throws(Failure) -> [[UInt8]] {
    var users: [[UInt8]] = []
    for word in words {
      if word.allSatisfy({ (0x30...0x39).contains($0) }) {
        guard let number = UInt32(text(word)) else { throw wrong(word, "is no user", "numbers go up to \(UInt32.max - 1)") }
        users.append(Array("\(number)".utf8))
        continue
      }
      if getpwnam(text(word)) == nil {
        complain(
          "fsaudit: note: \(option) \(printable(text(word))) is no user of this host now: only what was logged with that name can match")
      }
      users.append(word)
    }
    return users
  }

  private func numbers(_ words: [[UInt8]], _ what: String, _ range: ClosedRange<UInt64>) throws(Failure) -> [[UInt8]] {
    var numbers: [[UInt8]] = []
    for word in words {
      guard word.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(text(word)), range.contains(number) else {
        throw wrong(word, "is no \(what)", "use a number from \(range.lowerBound) to \(range.upperBound)")
      }
      numbers.append(Array("\(number)".utf8))
    }
    return numbers
  }

  private func actions() throws(Failure) -> [[UInt8]] {
    let words = try words()
    for word in words where !Filter.isAction(text(word)) && !isSyscallName(text(word)) {
      let known = (Filter.actionNames + Filter.otherActionNames).joined(separator: ", ")
      throw wrong(word, "is no action", "use \(known), a system call, or a record type such as config-change")
    }
    return words
  }

  private func syscalls() throws(Failure) -> [[UInt8]] {
    let words = try words()
    for word in words where !isSyscallName(text(word)) && !text(word).hasPrefix("io_uring:") {
      throw wrong(word, "is no system call", "use a name such as renameat2, or io_uring:renameat")
    }
    return words
  }

  private func results() throws(Failure) -> [[UInt8]] {
    var results: [[UInt8]] = []
    for word in try words() {
      let result = ["yes": "success", "no": "failure", "failed": "failure"][text(word)] ?? text(word)
      guard let known = Filter.result(result) else {
        throw wrong(
          word, "is no result", "use \(Filter.resultNames.joined(separator: ", ")), or the name of an error such as EACCES")
      }
      results.append(Array(known.utf8))
    }
    return results
  }
}
