import AuditControl
import EventLog
import Glibc
import System

/// Where the names of users in the lines come from, which says what a name that this host does not know can mean.
enum UserNames {
  /// Looked up on this host while the lines are made: a name that it does not know is in none.
  case ofThisHost
  /// Written when the change happened, perhaps on another host: the user may be gone.
  case ofTheLog
}

/// The values of one filter option. What no line can match is refused here: silence would pass for "nothing happened".
struct FilterValues {
  private let option: String
  private let values: [String]

  init(_ option: String, _ values: [String]) {
    self.option = option
    self.values = values
  }

  /// The values, those with commas taken apart.
  func words() throws(Failure) -> [String] {
    try present(values.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) })
  }

  /// An empty value would leave the filter without any, and everything would match.
  private func present(_ values: [String]) throws(Failure) -> [String] {
    if values.contains("") { throw Failure("\(option) without a value", advice: "give it one, or leave it out", exit: .usage) }
    return values
  }

  private func wrong(_ value: String, _ what: String, _ advice: String) -> Failure {
    Failure("\(option) \(printable(value)) \(what)", advice: advice, exit: .usage)
  }

  /// `--path` and `--exe`: commas are part of a path.
  func globs() throws(Failure) -> [Glob] {
    var globs: [Glob] = []
    for text in try present(values) {
      let names = text.split(separator: "/", omittingEmptySubsequences: false)
      if names.count > 1, let first = text.first, !"/*?[\\".contains(first) {
        throw wrong(text, "matches nothing, paths in the log begin with /", "write /\(printable(text)), or **/\(printable(text))")
      }
      // An absolute path as the log has it; the text of a symbolic link, which may hold these, is found with **/.
      let isPlain = names.count == 1 || names.first == ""
      if isPlain, names.dropFirst().dropLast().contains("") || names.contains(where: { $0 == "." || $0 == ".." }) {
        throw wrong(text, "matches nothing", "write it without //, /./ and /../, as the log does")
      }
      // no name ends with a slash, also where the name of a directory is meant
      let end = text.lastIndex { $0 != "/" } ?? text.startIndex
      globs.append(Glob(String(text[...end])))
    }
    return globs
  }

  func users(_ names: UserNames) throws(Failure) -> [String] { try users(words(), names) }

  /// Also `unset` and the numbers that the kernel writes for it.
  func loginUsers(_ names: UserNames) throws(Failure) -> [String] {
    let unset: Set = ["unset", "-1", "\(UInt32.max)"]
    let words = try words()
    return try (words.contains(where: unset.contains) ? ["unset"] : []) + users(words.filter { !unset.contains($0) }, names)
  }

  private func users(_ words: [String], _ names: UserNames) throws(Failure) -> [String] {
    var users: [String] = []
    for word in words {
      if word.allSatisfy({ $0.isASCII && $0.isNumber }) {
        guard let number = UInt32(word) else { throw wrong(word, "is no user", "numbers go up to \(UInt32.max - 1)") }
        users.append("\(number)")
        continue
      }
      if getpwnam(word) == nil {
        switch names {
        case .ofThisHost: throw wrong(word, "is no user of this host", "check the name, or give the number")
        case .ofTheLog:
          complain("fsaudit: note: \(option) \(printable(word)) is no user of this host now: only lines from when it was one can match")
        }
      }
      users.append(word)
    }
    return users
  }

  func actions() throws(Failure) -> [String] {
    let words = try words()
    for word in words where !Filter.isAction(word) && !isSyscallName(word) {
      let known = (Filter.actionNames + Filter.otherActionNames).joined(separator: ", ")
      throw wrong(word, "is no action", "use \(known), a system call, or a record type such as config-change")
    }
    return words
  }

  func results() throws(Failure) -> [String] {
    var results: [String] = []
    for word in try words() {
      let result = ["yes": "success", "no": "failure", "failed": "failure"][word] ?? word
      guard let known = Filter.result(result) else {
        throw wrong(
          word, "is no result", "use \(Filter.resultNames.joined(separator: ", ")), or the name of an error such as EACCES")
      }
      results.append(known)
    }
    return results
  }

  static func processes(_ pids: [Int64]) throws(Failure) -> [Int64] {
    // PID_MAX_LIMIT of a 64-bit kernel
    for pid in pids where !(1...4_194_304).contains(pid) {
      throw Failure("--pid \(pid) is no process", advice: "use a number from 1 to 4194304", exit: .usage)
    }
    return pids
  }
}
