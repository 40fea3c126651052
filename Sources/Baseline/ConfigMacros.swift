import Glibc
import System

/// The `@@if`s that are open in one file.
struct Conditions {
  private var open: [(place: ConfigPlace, isActive: Bool, inElse: Bool)] = []

  /// Whether what comes next counts.
  var isActive: Bool { open.last?.isActive ?? true }
  var innermost: ConfigPlace? { open.last?.place }

  /// - Parameter holds: false within one that does not hold.
  mutating func begin(_ place: ConfigPlace, _ holds: Bool) { open.append((place, holds, false)) }

  /// False where there is no `@@if` for it.
  mutating func otherwise() -> Bool {
    guard let last = open.indices.last, !open[last].inElse else { return false }
    open[last].isActive = !open[last].isActive && (last == 0 || open[last - 1].isActive)
    open[last].inElse = true
    return true
  }

  /// False where there is no `@@if` for it.
  mutating func end() -> Bool { open.popLast() != nil }
}

extension ConfigParser {
  private static let directives = [
    "@@define", "@@undef", "@@if", "@@ifdef", "@@ifndef", "@@ifhost", "@@ifnhost", "@@else", "@@endif", "@@include", "@@x_include",
    "@@x_include_setenv",
  ]

  /// A line that begins with `@@`. What a condition leaves out is not read, but for the conditions in it.
  mutating func directive(_ line: inout ConfigLine, _ conditions: inout Conditions) throws(Failure) {
    let place = line.place
    line.at += 2
    let name = line.name()
    if let next = line.next, !isBlank(next) {
      if !conditions.isActive { return }
      let isMacro = name.isEmpty && next == UInt8(ascii: "{")
      throw line.fault(
        isMacro ? "a macro begins no line" : "\(line.found) follows @@\(name)",
        isMacro ? "write / and give the macro a value without its first slash" : "leave a blank there")
    }
    line.skipBlanks()
    switch name {
    case "if", "ifdef", "ifndef", "ifhost", "ifnhost":
      // what is left out cannot be wrong, but has to be counted
      conditions.begin(place, conditions.isActive ? try condition(&line, name) : false)
      return
    case "else":
      if !conditions.otherwise() {
        throw line.fault(at: line.bytes.startIndex, "@@else without its @@if", "begin with @@if, and have one @@else at most")
      }
      return
    case "endif":
      if !conditions.end() {
        throw line.fault(at: line.bytes.startIndex, "@@endif without its @@if", "remove it, or begin with @@if in this file")
      }
      return
    default: break
    }
    guard conditions.isActive else { return }
    switch name {
    case "define":
      let name = try macroName(&line)
      line.skipBlanks()
      macros[name] = line.isAtEnd() ? [] : try string(&line)
      try end(&line, "a blank in a value is written \\ ")
    case "undef":
      macros[try macroName(&line)] = nil
      try end(&line, "one name")
    case "include", "x_include": try include(&line, executes: name == "x_include", place)
    case "x_include_setenv": drop(ConfigNotice(place: place, text: "@@x_include_setenv: no effect: nothing is executed"))
    default:
      throw line.fault(
        at: line.bytes.startIndex, "@@\(name) is no macro line", suggestion(for: "@@" + name, among: Self.directives, "there are"))
    }
  }

  private func macroName(_ line: inout ConfigLine) throws(Failure) -> String {
    let name = line.name()
    if let next = line.next, !isBlank(next) { throw line.fault("\(line.found) in a macro's name", "letters, digits and _") }
    if name.isEmpty { throw line.fault("a macro's name is missing", "letters, digits and _") }
    return name
  }

  private func end(_ line: inout ConfigLine, _ right: String) throws(Failure) {
    if !line.isAtEnd() { throw line.fault("\(line.found) is too much here", right) }
  }

  private mutating func condition(_ line: inout ConfigLine, _ name: String) throws(Failure) -> Bool {
    let start = line.bytes.startIndex
    switch name {
    case "ifdef", "ifndef":
      let isDefined = macros[try macroName(&line)] != nil
      try end(&line, "one name")
      return isDefined == (name == "ifdef")
    case "ifhost", "ifnhost":
      let isHost = try word(&line, "a host's name") == host.name
      try end(&line, "one name")
      return isHost == (name == "ifhost")
    default: break
    }
    var negated = false
    while true {
      line.skipBlanks()
      let at = line.at
      let holds: Bool
      let test = line.name()
      line.skipBlanks()
      switch test {
      case "not":
        negated.toggle()
        continue
      case "defined":
        let name = String(decoding: try string(&line), as: UTF8.self)
        if name.isEmpty { throw line.fault("a macro's name is missing", "@@if defined NAME") }
        holds = macros[name] != nil
      case "hostname": holds = try word(&line, "a host's name") == host.name
      case "exists": holds = host.exists(try word(&line, "a path"))
      case "version_ge":
        let at = line.at
        let numbers = try word(&line, "a version").split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        let given = numbers.compactMap(\.self)
        if given.count != numbers.count { throw line.fault(at: at, "this is no version", "0.19 for example") }
        holds = !Self.version.lexicographicallyPrecedes(given)
      default:
        throw line.fault(
          at: test.isEmpty ? start : at, test.isEmpty ? "the condition is missing" : "\(test) is no condition",
          "[not] defined NAME, hostname NAME, exists PATH or version_ge VERSION")
      }
      try end(&line, "one condition a line")
      return holds != negated
    }
  }

  private mutating func word(_ line: inout ConfigLine, _ what: String) throws(Failure) -> String {
    if line.isAtEnd() { throw line.fault("\(what) is missing", "end the line with it") }
    return String(decoding: try string(&line), as: UTF8.self)
  }
}

// Files.
extension ConfigParser {
  private static let mostDepth = 16
  private static let mostFiles = 4096

  /// Reads the file that a person named.
  mutating func read(_ path: String) throws(Failure) {
    let file: ConfigHost.File
    do throws(SystemError) { file = try host.file(path) } catch { throw error.failure(advice: "name a configuration") }
    filesRead += 1
    warn(file, path)
    try parse(file.bytes, file: path)
  }

  private mutating func warn(_ file: ConfigHost.File, _ path: String) {
    if file.isWritableByAnybody {
      warnings.append(ConfigNotice(place: ConfigPlace(file: path, line: 1, column: 1), text: "anybody can write this file: chmod o-w it"))
    }
  }

  /// `@@include FILE`, `@@include DIRECTORY REGEX [PREFIX]`; `executes`: the same with `x_`, whose programs AIDE would run.
  private mutating func include(_ line: inout ConfigLine, executes: Bool, _ place: ConfigPlace) throws(Failure) {
    let at = line.at
    let path = resolved(try word(&line, "a file or a directory"), in: line.file)
    if line.isAtEnd() {
      try include(path, line, at, executes: executes)
      return
    }
    let filterAt = line.at
    let filter: Pattern
    let expression = try string(&line)
    do throws(Pattern.Fault) { filter = try Pattern(expression, anchored: false) } catch {
      throw line.fault(
        at: filterAt, "the regular expression \(printable(expression)) is wrong: \(error.message)",
        "it selects names of files in \(printable(path))")
    }
    let outer = rulePrefix
    if !line.isAtEnd() {
      let prefixAt = line.at
      let prefix = try string(&line)
      if prefix.first != UInt8(ascii: "/") {
        throw line.fault(at: prefixAt, "the prefix of rules begins with \(printable(prefix.prefix(1)))", "it begins with /")
      }
      rulePrefix += prefix
      try end(&line, "a directory, a regular expression and a prefix")
    }
    defer { rulePrefix = outer }
    let names: [String]
    do throws(SystemError) { names = try host.files(path) } catch {
      throw line.fault(at: at, "\(error)", "name a directory, or a file without a regular expression")
    }
    let matcher = Matcher()
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      let isWanted = Array(name.utf8).withUnsafeBufferPointer { filter.apply($0, matcher) == .match }
      if isWanted { try include(path + (path.hasSuffix("/") ? "" : "/") + name, line, at, executes: executes) }
    }
  }

  private mutating func include(_ path: String, _ line: ConfigLine, _ at: Int, executes: Bool) throws(Failure) {
    if depth >= Self.mostDepth { throw line.fault(at: at, "files include one another \(depth) deep", "does one include itself?") }
    filesRead += 1
    if filesRead > Self.mostFiles { throw line.fault(at: at, "more than \(Self.mostFiles) files", "do they include one another?") }
    let file: ConfigHost.File
    do throws(SystemError) { file = try host.file(path) } catch {
      throw line.fault(at: at, "\(error)", "name a file, or a directory and a regular expression for the names in it")
    }
    if executes, file.isExecutable {
      drop(
        ConfigNotice(
          place: line.place(at: at),
          text: "\(printable(path)) is a program and was skipped: run it, and include what it prints, if that is wanted"),
        warning: true)
      return
    }
    warn(file, path)
    depth += 1
    defer { depth -= 1 }
    try parse(file.bytes, file: path)
  }

  /// A path that does not begin at the root begins where the file is that names it.
  private func resolved(_ path: String, in file: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }
}
