import AuditControl
import AuditEvents
import AuditWire
import EventLog
import FileChanges
import Replay
import Settings
import System

/// What is fuzzed. Each target takes any bytes at all; a trap (bounds, overflow, a broken promise) is the finding.
package enum FuzzTarget: String, CaseIterable, Sendable {
  /// Line prefix, header, fields, numbers.
  case tokeniser
  /// Lines of auditd's log through assembler, interpreter and encoder; what comes out must keep the log's contract.
  case assembler
  /// A rule file's text.
  case rules
  /// A line of our own log, from anybody's hand.
  case log
  /// A settings file.
  case settings
  /// A whole log, of auditd's or ours, that a question is asked of.
  case search
  /// A sealed log, from anybody's hand.
  case seal
  /// The baseline's configuration, and what it says about paths that its own lines suggest.
  case baseline
  /// A package's header of rpm's database.
  case rpm

  package func run(_ input: [UInt8]) {
    switch self {
    case .tokeniser: tokenise(input)
    case .assembler: assemble(input)
    case .rules: parseRules(input)
    case .log: readLogLine(input)
    case .settings: parseSettings(input)
    case .search: FuzzTargets.search(input)
    case .seal: verifySeals(input)
    case .baseline: readBaseline(input)
    case .rpm: readRpmHeader(input)
    }
  }
}

/// A precondition whose message a release build prints, too.
func require(_ holds: Bool, _ message: @autoclosure () -> String) {
  if !holds { fatalError(message()) }
}

private func tokenise(_ input: [UInt8]) {
  let all = input.span.bytes
  var reader = HeaderReader()
  var last: RecordHeader?
  var start = 0
  while start < input.count {
    let end = all.firstIndex(of: UInt8(ascii: "\n"), from: start, before: input.count) ?? input.count
    let line = all.extracting(start..<end)
    start = end + 1
    let at = LinePrefix(line)?.headerStart ?? 0
    require(at <= line.byteCount, "a prefix that is longer than its line")
    var isSame = false
    let previous = last
    let header = reader.read(line, at: at, isSame: &isSame)
    // the memo must say what a fresh reader says
    var fresh = HeaderReader()
    var isFreshSame = false
    require(fresh.read(line, at: at, isSame: &isFreshSame) == header && !isFreshSame, "the header memo is wrong")
    require(!isSame || previous?.time == header?.time && previous?.serial == header?.serial, "another event's header is called the same")
    if header != nil { last = header }
    fields(line, from: header?.bodyStart ?? 0)
    if let first = RecordType(name: line.extracting(0..<min(line.byteCount, 24))) { _ = first.name }
  }
}

private func fields(_ line: RawSpan, from start: Int) {
  require(start <= line.byteCount, "a body that starts behind its record")
  var cursor = FieldCursor(line, start: start)
  var last = start
  var decoded = ByteScratch()
  while let field = cursor.next(line) {
    require(cursor.at > last && cursor.at <= line.byteCount, "no progress, or too much")
    require(Int(field.name.start) >= last && field.value.slice.end <= cursor.at && field.name.end < cursor.at, "a field out of place")
    last = cursor.at
    decoded.truncate(to: 0)
    field.value.decode(from: line, into: &decoded)
    require(decoded.count <= Int(field.value.slice.count), "a value that grows")
    numbers(line, at: Int(field.value.slice.start))
  }
}

private func numbers(_ line: RawSpan, at start: Int) {
  var cursor = Cursor(at: start)
  if let value = cursor.decimal(line) {
    require(UInt64(line.extracting(start..<cursor.at).text()) == value, "a decimal number is read wrongly")
  }
  cursor.at = start
  if let value = cursor.signed(line) {
    require(Int64(line.extracting(start..<cursor.at).text()) == value, "a signed number is read wrongly")
  }
  cursor.at = start
  if let value = cursor.hexadecimal(line) {
    require(UInt64(line.extracting(start..<cursor.at).text(), radix: 16) == value, "a hexadecimal number is read wrongly")
  }
  cursor.at = start
  if let value = cursor.octal(line), cursor.at - start <= 21 {
    require(UInt64(line.extracting(start..<cursor.at).text(), radix: 8) == value, "an octal number is read wrongly")
  }
  cursor.at = start
  let value = cursor.value(line)
  require(cursor.at >= start && cursor.at <= line.byteCount && value.slice.end <= cursor.at, "a value out of place")
}

/// The first byte chooses bounds and completion; a line that starts with 0x01 … 0x04 is a step of the clock or a walk.
private func assemble(_ input: [UInt8]) {
  let mode = input.first ?? 0
  var limits = Assembler.Limits()
  if mode & 1 != 0 {
    limits.openEvents = 3
    limits.openBytes = 2000
    limits.eventBytes = 1000
  }
  let scopes = [
    CoverageScope(object: .directory, path: Array("/srv".utf8), keys: [Array("srv".utf8), [0xff, 0x22]]),
    CoverageScope(object: .path, path: Array("/etc/passwd".utf8), keys: [Array("id".utf8)], coversWrite: true, coversAttribute: false),
  ]
  var map = DirectoryMap(capacity: mode & 2 != 0 ? 16 : 1000)
  map.insertRoot(FileIdentity(major: 0xfe, minor: 0, inode: 2), path: Array("/".utf8).span.bytes, isDirectory: true)
  let answers = mode & 4 != 0
  let lookup = Lookup(
    descriptor: { _, number, _, path in
      if answers, number & 1 == 0 { path += Array("/srv/descriptor".utf8) }
      return answers && number & 1 == 0
    },
    entry: { _, identity, name in
      if answers, identity.inode & 1 == 0 { name += [0x66, 0xff] }
      return answers && identity.inode & 1 == 0
    },
    inode: { path in answers ? UInt64(path.byteCount & 7) : nil })
  var replay = Replay(limits: limits, endsAtProctitle: mode & 8 == 0, coverage: Coverage(scopes), map: map, lookup: lookup)
  var now: Int64 = 0
  for line in input.dropFirst().split(separator: UInt8(ascii: "\n")) {
    switch line.first {
    case 1:
      now &+= Int64(line.count) &* 1000
      replay.expire(now: now)
    case 2: now &-= Int64(line.count) &* 1000
    case 3: replay.interpreter.map.beginWalk()
    case 4:
      let inode = UInt64(line.dropFirst().first ?? 0)
      let parent = replay.interpreter.map.find(FileIdentity(major: 0xfe, minor: 0, inode: 2)) ?? -1
      replay.interpreter.map.insertWalked(
        FileIdentity(major: 0xfe, minor: 0, inode: inode), parent: parent, name: Array(line.dropFirst(2)), isDirectory: inode & 1 == 0,
        hasLinks: inode & 2 == 0)
    default: replay.read(Array(line))
    }
  }
  replay.finish()
  require(!replay.assembler.hasOpenEvents, "an event stays open")
  if let broken = brokenContract(replay.take()) { fatalError(broken) }
}

private func parseRules(_ input: [UInt8]) {
  // as realpath(3) answers: without a slash at the end, and "/" is no file
  let files = PathResolver { path in
    let end = path.lastIndex { $0 != UInt8(ascii: "/") } ?? 0
    let resolved = Array(path.prefix(end + 1))
    return switch resolved.count == 1 ? 1 : path.count % 3 {
    case 0: .missing
    case 1: .directory(resolved)
    default: .file(resolved)
    }
  }
  var wishes: [RulePlan.Wish] = []
  for line in RuleFile.parse(input, file: "fuzz", paths: files) {
    switch line.content {
    case .failure(let failure): check(failure, .usage)
    case .success(let parsed):
      check(parsed)
      let removing = try? RuleLine(parsed.arguments, removing: true, paths: files)
      require(removing?.controls == parsed.controls, "a line that adds cannot be read to remove: \(RuleBook.name(parsed))")
      let waits = parsed.rules.isEmpty && parsed.operation != nil
      require(waits ? removing?.rules.isEmpty == false : removing?.rules == parsed.rules, "a line means other rules when it removes")
      wishes += parsed.rules.map { RulePlan.Wish($0, prepend: parsed.operation == .prepend) }
    }
  }
  plan(Array(wishes.prefix(40)), mode: input.count)
}

/// A plan from any order, with foreign rules among them, must end in the wanted one.
private func plan(_ wishes: [RulePlan.Wish], mode: Int) {
  var seen: Set<Rule> = []
  let all = wishes.map(\.rule).filter { seen.insert($0).inserted }
  var kernel = mode & 1 == 0 ? all : all.reversed()
  kernel.removeAll { $0.fields.count & 1 == mode >> 1 & 1 }
  let ours = Set(kernel.enumerated().filter { $0.offset % 3 != mode % 3 }.map(\.element))
  let foreign = Set(kernel).subtracting(ours)
  for step in RulePlan.steps(kernel: kernel, ours: ours, wishes: wishes) {
    switch step {
    case .delete(let rule):
      require(ours.contains(rule) && kernel.contains(rule), "a rule is removed that is not there, or not ours")
      kernel.removeAll { $0 == rule }
    case .append(let rule):
      require(!kernel.contains(rule), "a rule is added twice")
      kernel.append(rule)
    case .prepend(let rule):
      require(!kernel.contains(rule), "a rule is added twice")
      kernel.insert(rule, at: 0)
    }
  }
  require(Set(kernel) == Set(all).union(foreign), "the plan ends in other rules than are wanted")
}

/// What is printed of a line and of its rules must read as the same again. A tab or carriage return may stand within an
/// argument, where no line can say it again, and 0x01 separates keys.
private func check(_ line: RuleLine) {
  guard !line.arguments.contains(where: { $0.contains { $0 == 1 || $0 == 9 || $0 == 13 } }) else { return }
  guard let first = line.arguments.first, first.first != UInt8(ascii: "#") else { return }
  require(ruleArguments(line: line.text) == line.arguments, "the line's text does not give its arguments")
  for rule in line.rules {
    require(Rule(data: rule.data) == rule, "the kernel's form does not give the rule")
    require(rule.isLoadable, "no loadable line: \(rule.description)")
  }
}

private func readLogLine(_ input: [UInt8]) {
  var line = LogLine()
  guard line.parse(input.span.bytes) else {
    require(line.string("event.dataset") == nil, "an answer about what is no line")
    return
  }
  for path in ["file.path", "event.sequence", "process.args", "fsaudit.raw.path", "@timestamp", "a", "", "a.b"] {
    _ = line.string(path)
    _ = line.integer(path)
    _ = line.strings(path)
    _ = line.hex(path)
  }
  _ = line.timeMs
  _ = line.dataset
  _ = line.sequence
  _ = line.name("file.path", raw: "fsaudit.raw.path")
  for format in LineFormat.allCases {
    let formatter = LineFormatter(format, TextStyle(colour: true, columns: 80))
    formatter.format(input.span.bytes, nowMs: 0) { output in
      let isForPeople = format == .text || format == .long
      let hazards = output.withUnsafeBytes { $0.contains { $0 < 0x20 && $0 != 0x1b && $0 != 0x0a || $0 == 0x7f } }
      require(!isForPeople || !hazards, "a control byte reaches the terminal")
    }
  }
}

private func parseSettings(_ input: [UInt8]) {
  do { _ = try Settings.parse(input, file: "fuzz") } catch let failure as Failure {
    check(failure, .usage)
  } catch {
    fatalError("\(error)")
  }
}

/// The first key of Tests/Fuzz/seeds.d/seal/small.jsonl.
private let sealKey = SealKey(text: "fsaudit-seal-key-1 437202b8500f2750 0ac71181bd1706dd25ba7be44956298ff2d0cd9ca2758c64eb70855028cfeab2")

/// However the bytes come, the verdict is the same, and every finding has its place.
private func verifySeals(_ input: [UInt8]) {
  guard let sealKey else { fatalError("the key is none") }
  func verify(_ keys: [SealKey], pieces: Int) -> (SealReport, [SealFinding]) {
    var verifier = SealVerifier(keys: keys, steps: 1000)
    for (index, half) in [input[..<(input.count / 2)], input[(input.count / 2)...]].enumerated() {
      verifier.begin("\(index)")
      for start in stride(from: half.startIndex, to: half.endIndex, by: pieces) {
        verifier.feed(Array(half[start..<min(start + pieces, half.endIndex)]).span.bytes)
      }
      verifier.end(isLive: index == 1)
    }
    verifier.finish()
    return (verifier.report, verifier.takeFindings())
  }
  let (report, findings) = verify([sealKey], pieces: 1 << 20)
  let again = verify([sealKey], pieces: 37)
  require(again == (report, findings), "the verdict depends on how the bytes come")
  require(report.findings == findings.count, "findings are not counted")
  for finding in findings {
    require(finding.place.line > 0 && finding.end.line > 0 && ["0", "1"].contains(finding.place.file), "a finding nowhere: \(finding)")
    require(printable(finding.description) == finding.description, "a control byte in a finding")
  }
  let keyless = verify([], pieces: 1 << 20)
  require(!keyless.0.isSigned, "signed without a key")
}

/// An error names its place, and nothing that the input holds reaches the terminal through it.
func check(_ failure: Failure, _ status: ExitStatus) {
  require(failure.message.hasPrefix("fuzz:") && failure.exit == status, "an error without its place: \(failure)")
  require(printable(failure.description) == failure.description, "a control byte in a message: \(failure.description)")
}
