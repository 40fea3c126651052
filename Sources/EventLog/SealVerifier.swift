import AuditWire

/// What is known of the key that the daemon keeps for the next seal.
package enum KeptKey: Sendable {
  /// Nothing: it is another host's log, or may not be read.
  case unknown
  /// The daemon's host has none, or nothing that is one.
  case missing
  case key(SealKey)
}

/// Checks a log against its seals, from its oldest line to its newest, in constant memory.
///
///     verifier.begin("events.jsonl")
///     verifier.feed(bytes)                  // as they come, in pieces of any size
///     verifier.end(isLive: true)
///     … verifier.finish() … verifier.takeFindings()
///
/// What is found is exact to the line where a seal's digests tell, else to the lines between two seals.
package struct SealVerifier: ~Copyable {
  /// The keys that are known, by chain; each goes on with the seals.
  private var keys: [String: SealKey]
  private var anchors: [SealAnchor]
  /// How many more steps of keys are taken: from the first key to the first seal, and from seal to seal.
  private var stepsLeft: Int64
  /// The same for seals that do not follow the one before: anybody can write many such, and each costs its steps anew.
  private var jumpStepsLeft: Int64
  private var findings: [SealFinding] = []
  package private(set) var report = SealReport()

  /// The last seal, and where it stands.
  private var last: SealLine?
  private var lastPlace = SealPlace(file: "", line: 0)
  /// Whether the last seal has been reported already.
  private var isLastBad = false
  /// What came since.
  private var lines = UnsealedLines()

  private var file = ""
  private var line = 0
  private var fileBytes: Int64 = 0
  private var files = 0
  /// A line's beginning.
  private var carry: [UInt8] = []
  private var parser = LogLine()

  /// - Parameters:
  ///   - keys: first keys; without any, only the chain is checked, which whoever is root can make anew.
  ///   - anchors: seals that somebody kept elsewhere.
  ///   - steps: how many steps of keys are taken, some 100 ns each: a number in a line may be anybody's.
  ///   - jumpSteps: how many of them for seals that are out of order.
  package init(keys: [SealKey] = [], anchors: [SealAnchor] = [], steps: Int64 = 1_000_000_000, jumpSteps: Int64 = 10_000_000) {
    (stepsLeft, jumpStepsLeft) = (steps, jumpSteps)
    self.keys = Dictionary(keys.map { ($0.chain, $0) }) { first, _ in first }
    self.anchors = anchors
  }

  /// What has been found since the last call.
  package mutating func takeFindings() -> [SealFinding] {
    defer { findings.removeAll(keepingCapacity: true) }
    return findings
  }

  // MARK: input

  /// A segment begins.
  package mutating func begin(_ file: String) {
    self.file = file
    (line, fileBytes) = (0, 0)
    files += 1
    carry.removeAll(keepingCapacity: true)
    lines.enter(SealPlace(file: file, line: 1))
  }

  /// What comes next follows nothing that was there: retention has taken the segments between.
  package mutating func startAnew() {
    (last, files) = (nil, 0)
    (report.firstNumber, report.chain) = (nil, nil)
    lines.removeAll(next: SealPlace(file: file, line: 1))
  }

  package mutating func feed(_ bytes: RawSpan) {
    var start = 0
    while let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: start, before: bytes.byteCount) {
      if carry.isEmpty {
        take(bytes.extracting(start..<end + 1))
      } else {
        carry.append(bytes.extracting(start..<end + 1))
        let whole = carry
        take(whole.span.bytes)
        carry.removeAll(keepingCapacity: true)
      }
      start = end + 1
    }
    carry.append(bytes.extracting(start..<bytes.byteCount))
    // No line of ours is that long: what of it goes without a digest is found by the hash.
    if carry.count > LineReader.maximumLineBytes {
      let part = carry
      lines.add(part: part.span.bytes)
      carry.removeAll(keepingCapacity: true)
    }
  }

  /// A segment ends.
  /// - Parameter isLive: an unfinished last line is being written, and no finding.
  package mutating func end(isLive: Bool) {
    report.unfinishedBytes = carry.count
    if isLive || carry.isEmpty { return }
    find(.damaged, SealPlace(file: file, line: line + 1), nil, "the segment ends within a line")
    carry.removeAll(keepingCapacity: true)
  }

  /// Something else is wrong with a segment: it cannot be read to its end.
  package mutating func fail(_ message: String) { find(.unreadable, SealPlace(file: file, line: line + 1), nil, message) }

  /// - Parameter whole: a line with its `\n`.
  private mutating func take(_ whole: RawSpan) {
    line += 1
    report.lines += 1
    let text = whole.extracting(0..<whole.byteCount - 1)
    if SealLine.isSeal(text), let seal = SealLine(text, &parser) {
      check(seal, text)
    } else {
      lines.add(whole)
    }
    fileBytes += Int64(whole.byteCount)
  }

  // MARK: one seal

  private mutating func check(_ seal: SealLine, _ text: RawSpan) {
    let number = seal.seal.number
    let place = SealPlace(file: file, line: line)
    if let last, last.chain == seal.chain, number <= last.seal.number, seal.seal.previous != last.hash {
      return find(.sealAltered, place, number, "seal \(number) stands here once more: a copy, or out of its place")
    }
    let signature = signature(of: seal, text)
    report.seals += 1
    report.isSigned = report.isSigned && signature == .good
    if signature == .bad {
      find(.sealAltered, place, number, "seal \(number) is not signed with its key: it was altered, or made by somebody else")
    }
    let isWholeChain = follow(seal, at: place, isBad: signature == .bad)
    if seal.seal.reason == .first {
      // It covers nothing; what is before it, nothing covers.
      if last == nil { report.linesBefore = lines.count }
      checkStart(seal.seal)
    } else {
      checkContent(seal, at: place, isWholeChain: isWholeChain)
    }
    if signature != .bad { checkAdopted(by: seal, at: place) }
    check(anchors: seal, at: place)
    if last == nil { (report.firstNumber, report.chain) = (number, seal.chain) }
    last = seal
    (lastPlace, isLastBad) = (place, signature == .bad)
    lines.removeAll(next: SealPlace(file: file, line: line + 1))
  }

  private enum Signature { case good, bad, unknown }

  private mutating func signature(of seal: SealLine, _ text: RawSpan) -> Signature {
    guard var key = keys[seal.chain] else { return .unknown }
    let number = seal.seal.number
    let isDue = last.map { $0.chain == seal.chain && number == $0.seal.number + 1 } ?? true
    let start = key.number
    let isReached = key.advance(to: number, limit: isDue ? stepsLeft : jumpStepsLeft)
    let steps = key.number - start
    if isDue { stepsLeft -= steps } else { jumpStepsLeft -= steps }
    let isGood = isReached && seal.isSigned(by: key, text)
    // the key of a seal in its turn is right, whoever signed
    if isGood || isReached && isDue && last != nil { keys[seal.chain] = key }
    return isGood ? .good : .bad
  }

  /// Whether the seal is the next one after the last.
  private mutating func follow(_ seal: SealLine, at place: SealPlace, isBad: Bool) -> Bool {
    let number = seal.seal.number
    guard let last else {
      if !keys.isEmpty && keys[seal.chain] == nil {
        find(.newChain, place, number, "the seals belong to the chain \(seal.chain), of which no key was given")
      }
      return true
    }
    if last.chain != seal.chain {
      find(
        .newChain, place, number,
        "a new chain of seals begins: the key was lost or removed, and what the old chain had after seal \(last.seal.number) cannot be known"
      )
      return true
    }
    let isNext = number == last.seal.number + 1
    if seal.seal.previous == last.hash {
      if isNext || isBad { return true }
      if seal.seal.reason != .cut {
        find(.sealAltered, place, number, "seal \(number) is not seal \(last.seal.number + 1), which is due here: it was altered")
        return true
      }
    } else if isNext {
      if !isLastBad && !isBad { find(.sealAltered, lastPlace, last.seal.number, "seal \(last.seal.number) was altered") }
      return true
    }
    if isBad { return true }
    let missing = number - 1 == last.seal.number + 1 ? "seal \(number - 1) is" : "seals \(last.seal.number + 1) to \(number - 1) are"
    let why =
      seal.seal.reason == .cut ? ": the log was cut off there, or never reached the disk, before a start" : ", with the lines before them"
    find(.sealsMissing, lines.count > 0 ? lines.place(0) : place, to: place, number, "\(missing) missing\(why)")
    return false
  }

  private mutating func checkContent(_ seal: SealLine, at place: SealPlace, isWholeChain: Bool) {
    let covered = seal.seal
    if lines.content.peek() == covered.content {
      if lines.count != covered.lines || lines.bytes != covered.bytes {
        find(.sealAltered, place, covered.number, "seal \(covered.number) was altered")
      }
      return checkStart(covered)
    }
    let damage = lines.damage(against: seal.digests)
    // The lines in front are those whose seals are missing, or they were in a segment that has been deleted since: told already, or fine.
    if case .inserted(let range) = damage, range.lowerBound == 0, !isWholeChain { return }
    if case .deleted(0, _) = damage, last == nil, files == 1, covered.bytes > covered.offset, fileBytes == covered.offset { return }
    find(damage, seal, place)
  }

  /// What a run's first seal covers was there before the run: what a killed run left or, behind the seal of an orderly end, somebody else's.
  private mutating func checkAdopted(by seal: SealLine, at place: SealPlace) {
    guard seal.seal.reason == .start, seal.seal.lines > 0 else { return }
    let number = seal.seal.number
    if let last, last.seal.reason == .stop, last.chain == seal.chain, last.seal.number + 1 == number {
      findAdded(after: last.seal.number, number, at: place, "; seal \(number) took over what it found")
    } else {
      report.linesAdopted += lines.count
      report.adoptions += 1
      if report.adoptedBy.count < SealReport.maximumAdoptedBy { report.adoptedBy.append(number) }
    }
  }

  /// Whether what the first seal does not cover of its segment is as long as it was.
  private mutating func checkStart(_ seal: Seal) {
    if last != nil || fileBytes == seal.offset { return }
    let (kind, bytes, what) =
      fileBytes < seal.offset
      ? (SealFinding.Kind.deleted, seal.offset - fileBytes, "deleted from") : (.inserted, fileBytes - seal.offset, "added to")
    find(
      kind, SealPlace(file: file, line: 1), seal.number,
      "\(bytes) bytes were \(what) the beginning of the segment, says seal \(seal.number)")
  }

  private mutating func check(anchors seal: SealLine, at place: SealPlace) {
    for anchor in anchors where anchor.chain == seal.chain && anchor.number == seal.seal.number {
      if anchor.hash == seal.hash {
        report.anchored = max(report.anchored ?? 0, anchor.number)
      } else {
        find(.anchor, place, anchor.number, "seal \(anchor.number) is not the one that was kept: the log up to here was written anew")
      }
      anchors.removeAll { $0 == anchor }
    }
  }

  // MARK: the end

  /// The end of the log.
  /// - Parameter next: knows how many seals there have been.
  package mutating func finish(next: KeptKey = .unknown) {
    let place = SealPlace(file: file, line: line)
    report.linesAfter = lines.count
    if let last {
      (report.lastNumber, report.lastTimeMs, report.lastHash) = (last.seal.number, last.timeMs, last.hash)
      report.isClosed = last.seal.reason == .stop
      if report.isClosed && lines.count > 0 { findAdded(after: last.seal.number, last.seal.number, at: place) }
    }
    switch next {
    case .unknown: break
    case .missing:
      if let last {
        find(
          .key, place, last.seal.number,
          "\(SealKeyFile.name) is gone, or holds no key: whether the log was cut off after seal \(last.seal.number), nobody can tell")
      }
    case .key(let key): check(key, at: place)
    }
    for anchor in anchors {
      if let last, anchor.chain == last.chain, anchor.number > last.seal.number {
        find(
          .cutOff, place, anchor.number, "the log was cut off: it ends with seal \(last.seal.number), and seal \(anchor.number) was kept")
      } else {
        find(
          .anchor, place, anchor.number,
          "the kept seal \(anchor.number) is not in the log: it is older than what is left, or of another log")
      }
    }
    anchors = []
    report.isSigned = report.isSigned && report.seals > 0
  }

  private mutating func check(_ next: SealKey, at place: SealPlace) {
    guard let last, last.chain == next.chain else {
      if next.number > 0 {
        find(
          .cutOff, place, next.number - 1,
          "the seals up to \(next.number - 1) of the daemon's chain are missing: the log was cut off, or replaced")
      }
      return
    }
    if last.seal.number + 1 < next.number {
      find(
        .cutOff, place, next.number - 1,
        "the log was cut off: it ends with seal \(last.seal.number), and the daemon has written seal \(next.number - 1)")
    }
    if var key = keys[next.chain], key.number <= next.number, !key.advance(to: next.number, limit: stepsLeft) || key != next {
      find(.key, place, next.number, "\(SealKeyFile.name) was altered: its key is not number \(next.number) of this chain")
    }
  }

  // MARK: findings

  private mutating func find(_ kind: SealFinding.Kind, _ place: SealPlace, to end: SealPlace? = nil, _ seal: Int64?, _ message: String) {
    report.findings += 1
    findings.append(SealFinding(kind: kind, place: place, end: end ?? place, seal: seal, message: message))
  }

  /// The lines since the seal `closing` of an orderly end. A run that seals begins with its seal, so they are of none.
  private mutating func findAdded(after closing: Int64, _ seal: Int64, at place: SealPlace, _ rest: String = "") {
    let isThere = lines.count > 0
    let what = lines.count == 1 ? "the line was" : isThere ? "\(lines.count) lines were" : "lines that are gone now were"
    find(
      .inserted, isThere ? lines.place(0) : place, to: isThere ? lines.place(Int(lines.count) - 1) : place, seal,
      "\(what) added after the log was closed with seal \(closing), by no run that seals\(rest)")
  }

  private mutating func find(_ damage: UnsealedLines.Damage, _ seal: SealLine, _ place: SealPlace) {
    let number = seal.seal.number
    let by = "says seal \(number)"
    func at(_ index: Int) -> SealPlace { index < Int(lines.count) ? lines.place(index) : place }
    switch damage {
    case .changed(let indices):
      for index in indices { find(.changed, at(index), number, "the line was changed, \(by)") }
    case .deleted(let index, let count):
      find(.deleted, at(index), number, "\(count == 1 ? "a line was" : "\(count) lines were") deleted before this line, \(by)")
    case .inserted(let range):
      let what = range.count == 1 ? "the line was" : "\(range.count) lines were"
      find(.inserted, at(range.lowerBound), to: at(range.upperBound - 1), number, "\(what) added, \(by)")
    case .moved(let range):
      find(.moved, at(range.lowerBound), to: at(range.upperBound - 1), number, "the order of the lines was changed, \(by)")
    case .replaced(let range, let count):
      let end = range.isEmpty ? range.lowerBound : range.upperBound - 1
      find(.damaged, at(range.lowerBound), to: at(end), number, "\(range.count) lines stand where \(count) were written, \(by)")
    case .somewhere:
      let missing = seal.seal.lines - lines.count
      let count = missing == 0 ? "" : missing > 0 ? ", \(missing) lines are missing" : ", \(-missing) lines are too many"
      find(.damaged, at(0), to: place, number, "something was changed in these \(lines.count) lines\(count), \(by)")
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ bytes: RawSpan) { bytes.withUnsafeBytes { append(contentsOf: $0) } }
}
