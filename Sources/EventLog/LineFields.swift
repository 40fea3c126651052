import AuditWire

/// What the formats and reports ask a line for. One row of ``LineField/path``: the name of the member in the line.
enum LineField: UInt8, CaseIterable {
  case timestamp, message, tags
  case eventType, eventAction, outcome, sequence, dataset
  case file, path, inode, device, fileType, mode, uid, gid
  case pid, parentPid, processName, executable, arguments, workingDirectory
  case userID, userName, effectiveID, effectiveName, auditID, auditName
  case host
  case fsaudit, action, syscall, session, terminal, errno, confidence, recordTypes, records
  case previousPath, previousMode, previousUID, previousGID, targetPath, replaced, replacedPath
  case rawPath, rawPrevious, rawTarget
  case gapSince, gapUntil, gapCount

  var path: StaticString {
    switch self {
    case .timestamp: "@timestamp"
    case .message: "message"
    case .tags: "tags"
    case .eventType: "event.type"
    case .eventAction: "event.action"
    case .outcome: "event.outcome"
    case .sequence: "event.sequence"
    case .dataset: "event.dataset"
    case .file: "file"
    case .path: "file.path"
    case .inode: "file.inode"
    case .device: "file.device"
    case .fileType: "file.type"
    case .mode: "file.mode"
    case .uid: "file.uid"
    case .gid: "file.gid"
    case .pid: "process.pid"
    case .parentPid: "process.parent.pid"
    case .processName: "process.name"
    case .executable: "process.executable"
    case .arguments: "process.args"
    case .workingDirectory: "process.working_directory"
    case .userID: "user.id"
    case .userName: "user.name"
    case .effectiveID: "user.effective.id"
    case .effectiveName: "user.effective.name"
    case .auditID: "user.audit.id"
    case .auditName: "user.audit.name"
    case .host: "host.name"
    case .fsaudit: "fsaudit"
    case .action: "fsaudit.action"
    case .syscall: "fsaudit.syscall"
    case .session: "fsaudit.session"
    case .terminal: "fsaudit.tty"
    case .errno: "fsaudit.errno"
    case .confidence: "fsaudit.path_confidence"
    case .recordTypes: "fsaudit.record_types"
    case .records: "fsaudit.records"
    case .previousPath: "fsaudit.previous.path"
    case .previousMode: "fsaudit.previous.mode"
    case .previousUID: "fsaudit.previous.uid"
    case .previousGID: "fsaudit.previous.gid"
    case .targetPath: "fsaudit.target.path"
    case .replaced: "fsaudit.replaced"
    case .replacedPath: "fsaudit.replaced.path"
    case .rawPath: "fsaudit.raw.path"
    case .rawPrevious: "fsaudit.raw.previous_path"
    case .rawTarget: "fsaudit.raw.target_path"
    case .gapSince: "fsaudit.gap.since"
    case .gapUntil: "fsaudit.gap.until"
    case .gapCount: "fsaudit.gap.count"
    }
  }
}

/// Where the values of one line are that the formats and reports ask for: found in one pass over its bytes, without a table of all its values.
///
/// It believes that the line is JSON where ``LogLine/parse(_:)`` has said so; of anything else it makes `false` or some other fields, and never traps.
/// Of members of one name the first counts, as in ``LogLine``.
struct LineFields: ~Copyable {
  /// A member that is asked for, or that holds some: found by the object it is in and its name.
  fileprivate struct Entry {
    var first: UInt64 = 0, last: UInt64 = 0
    var object: UInt8 = 0
    /// Of the name, in bytes; 0 where the place is free.
    var length: UInt8 = 0
    /// The raw value of its ``LineField``.
    var field = UInt8.max
    /// The number of the object that it is; 0, the root's, for none.
    var child: UInt8 = 0
    /// `"name":`, and which of the sixteen bytes that is; all zero for a longer name.
    var text: (UInt64, UInt64) = (0, 0), mask: (UInt64, UInt64) = (0, 0)
  }

  /// By raw value. (An array: reading an element of an InlineArray in a borrowed value copies all of it.)
  private var values = [JSONValue](repeating: JSONValue(), count: LineField.allCases.count)
  private let table: [Entry]
  /// For each place of the table, that of the member which followed last time: lines are much alike, and so most members need not be looked for.
  private var successors = InlineArray<256, UInt8>(repeating: 0)
  private var middle = Middle()
  private static let tableBits = 8, maximumDepth = 8
  /// What lines hold and nobody asks for: in the table, so that it does not break the order.
  private static let others = [
    "event.kind", "event.category", "user.group", "fsaudit.key", "fsaudit.subject", "fsaudit.open_flags", "fsaudit.args_cut",
    "fsaudit.incomplete",
  ]

  init() {
    var table = [Entry](repeating: Entry(), count: 1 << Self.tableBits)
    var objects: UInt8 = 1
    for (path, field) in LineField.allCases.map({ ("\($0.path)", $0.rawValue) }) + Self.others.map({ ($0, UInt8.max) }) {
      var object: UInt8 = 0
      let names = path.split(separator: ".").map { Array($0.utf8) }
      for (index, name) in names.enumerated() {
        let (first, last) = Self.words(name.span.bytes, 0, name.count)
        var place = Self.hash(object, first, last, name.count)
        while table[place].length != 0 && !Self.matches(table[place], object, first, last, name.count) {
          place = (place + 1) % table.count
        }
        if table[place].length == 0 { table[place] = Entry(name, first, last, object) }
        if index == names.count - 1 {
          table[place].field = field
        } else {
          if table[place].child == 0 { (table[place].child, objects) = (objects, objects + 1) }
          object = table[place].child
        }
      }
    }
    self.table = table
    func place(_ name: StaticString) -> Int { table.firstIndex { $0.object == 0 && $0.mask.0 != 0 && $0.isNamed(name) } ?? -1 }
    (middle.opening, middle.closing) = (place("process"), place("fsaudit"))
  }

  /// The value of a field, absent or not.
  @inline(__always)
  subscript(field: LineField) -> JSONValue { values[Int(field.rawValue)] }

  /// The value of a field if it is a string or a number, which is what can be shown.
  @inline(__always)
  func text(_ field: LineField) -> JSONValue? {
    let value = self[field]
    return value.kind == .string || value.kind == .number ? value : nil
  }

  /// Whether a field is the string `word`.
  func equals(_ field: LineField, _ word: StaticString, _ line: RawSpan) -> Bool {
    self[field].kind == .string && line.extracting(self[field].range).equals(word)
  }

  /// Finds the fields of a line.
  /// - Returns: whether it looks like one JSON object.
  mutating func scan(_ line: RawSpan) -> Bool { Self.scan(line, table, &values, &successors, &middle) }

  private static func scan(
    _ line: RawSpan, _ table: [Entry], _ fields: inout [JSONValue], _ followers: inout InlineArray<256, UInt8>, _ middle: inout Middle
  ) -> Bool {
    var values = fields.mutableSpan
    for index in values.indices { values[unchecked: index] = JSONValue() }
    var successors = followers.mutableSpan
    // the objects that are open: their number, and where they are recorded
    var open = InlineArray<8, (object: UInt8, field: UInt8)>(repeating: (0, .max))
    var levels = open.mutableSpan
    var depth = 0
    var at = JSONText.skipSpace(line, 0)
    guard line.byteCount < Int(Int32.max), line.peek(at) == UInt8(ascii: "{") else { return false }
    at &+= 1
    var object: UInt8 = 0
    var isFirst = true
    // the place in the table of the member before
    var place = 0
    // where the middle of the line begins, if it is not the one that is known
    var middleStart = -1
    while true {
      let (before, keyStart) = (place, at)
      let guess = Int(successors[place])
      var (field, child): (UInt8, UInt8) = (.max, 0)
      if table[guess].object == object, table[guess].isAt(at, line) {
        place = guess
        (field, child) = (table[guess].field, table[guess].child)
        at &+= Int(table[guess].length) &+ 3
        if line.peek(at) <= 0x20 { at = JSONText.skipSpace(line, at) }
      } else {
        at = JSONText.skipSpace(line, at)
        if line.peek(at) != UInt8(ascii: "\"") {
          guard isFirst, line.peek(at) == UInt8(ascii: "}") else { return false }
          place = -1
        } else {
          guard let key = JSONText.string(line, at) else { return false }
          at = JSONText.skipSpace(line, Int(key.end) &+ 1)
          guard line.peek(at) == UInt8(ascii: ":") else { return false }
          at = JSONText.skipSpace(line, at &+ 1)
          if let found = find(table, object, line, key) {
            successors[place] = UInt8(truncatingIfNeeded: found)
            place = found
            (field, child) = (table[found].field, table[found].child)
          }
        }
      }
      if depth == 0, place == middle.opening {
        if middle.isAt(keyStart, line) {
          middle.fill(&values, at: keyStart)
          at = keyStart &+ middle.bytes.count
          place = middle.last
          continue
        }
        middleStart = keyStart
      } else if depth == 0, place == middle.closing, middleStart >= 0 {
        middle.remember(line, middleStart..<keyStart, values.span, last: before)
        middleStart = -1
      }
      if place >= 0 {
        if field != .max, values[Int(field)].kind != .absent { field = .max }
        let first = line.peek(at)
        if first == UInt8(ascii: "\"") {
          guard let value = JSONText.string(line, at) else { return false }
          at = Int(value.end) &+ 1
          if field != .max { values[Int(field)] = value }
        } else if first == UInt8(ascii: "{"), child != 0, depth &+ 1 < maximumDepth {
          depth &+= 1
          object = child
          levels[depth] = (object, field)
          if field != .max { values[Int(field)] = JSONValue(.object, from: at, to: at) }
          at &+= 1
          isFirst = true
          continue
        } else {
          guard let value = JSONText.value(line, at) else { return false }
          at = value.after
          if field != .max { values[Int(field)] = value.value }
        }
      }
      place = max(place, 0)
      isFirst = false
      // behind a value: the next one, or the end of one or more objects
      if line.peek(at) <= 0x20 { at = JSONText.skipSpace(line, at) }
      while line.peek(at) == UInt8(ascii: "}") {
        let field = levels[depth].field
        if field != .max { values[Int(field)].end = Int32(truncatingIfNeeded: at &+ 1) }
        at = JSONText.skipSpace(line, at &+ 1)
        if depth == 0 { return at == line.byteCount }
        depth &-= 1
        object = levels[depth].object
      }
      guard line.peek(at) == UInt8(ascii: ",") else { return false }
      at &+= 1
    }
  }

  /// The place of a member in the table, nil for one that is not asked for.
  private static func find(_ table: [Entry], _ object: UInt8, _ line: RawSpan, _ key: JSONValue) -> Int? {
    let length = Int(key.end &- key.start)
    let (first, last) = words(line, Int(key.start), length)
    var place = hash(object, first, last, length)
    while table[place].length != 0 {
      if matches(table[place], object, first, last, length) { return place }
      place = (place &+ 1) & (1 << tableBits &- 1)
    }
    return nil
  }

  @inline(__always)
  private static func matches(_ entry: Entry, _ object: UInt8, _ first: UInt64, _ last: UInt64, _ length: Int) -> Bool {
    entry.first == first && entry.last == last && entry.object == object && Int(entry.length) == length
  }

  /// The first eight bytes of a name and the last eight, which overlap: together with the length they are the whole of it, up to sixteen bytes. (The one
  /// that is longer, `working_directory`, has one byte between them, and no line has a member that differs in it.)
  @inline(__always)
  private static func words(_ text: RawSpan, _ start: Int, _ length: Int) -> (UInt64, UInt64) {
    if length >= 8 { return (text.word(start), text.word(start &+ length &- 8)) }
    return (text.word(start) & (1 &<< UInt64(length &* 8) &- 1), 0)
  }

  @inline(__always)
  private static func hash(_ object: UInt8, _ first: UInt64, _ last: UInt64, _ length: Int) -> Int {
    let mixed = (first ^ last &<< 7 ^ UInt64(object) &<< 59 ^ UInt64(truncatingIfNeeded: length) &<< 40) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed &>> UInt64(64 - tableBits))
  }
}

extension LineFields {
  /// What stands between `"process"` and `"fsaudit"` in the line before: who did it, with what, under which rule, on which host. Where one program
  /// changes many files it is the same in all those lines, byte for byte, and so are its fields.
  fileprivate struct Middle {
    /// The places in the table of the two members.
    var opening = -1, closing = -1
    private(set) var bytes: [UInt8] = []
    /// Its fields, as if it stood at the beginning of the line.
    private var fields: [(field: Int, value: JSONValue)] = []
    /// The place of its last member.
    private(set) var last = 0
    private static let maximumBytes = 4096

    @inline(__always)
    func isAt(_ start: Int, _ line: RawSpan) -> Bool {
      !bytes.isEmpty && bytes.count <= line.byteCount &- start && line.extracting(start..<start &+ bytes.count).equals(bytes.span.bytes)
    }

    func fill(_ values: inout MutableSpan<JSONValue>, at start: Int) {
      let offset = Int32(truncatingIfNeeded: start)
      for index in fields.indices where values[fields[index].field].kind == .absent {
        var value = fields[index].value
        (value.start, value.end) = (value.start &+ offset, value.end &+ offset)
        values[fields[index].field] = value
      }
    }

    mutating func remember(_ line: RawSpan, _ range: Range<Int>, _ values: Span<JSONValue>, last: Int) {
      bytes.removeAll(keepingCapacity: true)
      fields.removeAll(keepingCapacity: true)
      guard !range.isEmpty, range.count <= Self.maximumBytes else { return }
      line.extracting(range).withUnsafeBytes { bytes.append(contentsOf: $0) }
      self.last = last
      for index in values.indices where values[index].kind != .absent && range.contains(Int(values[index].start)) {
        var value = values[index]
        value.start -= Int32(truncatingIfNeeded: range.lowerBound)
        value.end -= Int32(truncatingIfNeeded: range.lowerBound)
        fields.append((index, value))
      }
    }
  }
}

extension LineFields.Entry {
  fileprivate func isNamed(_ name: StaticString) -> Bool {
    let entry = LineFields.Entry("\(name)".utf8.map { $0 }, 0, 0, object)
    return entry.text == text && entry.length == length
  }

  fileprivate init(_ name: [UInt8], _ first: UInt64, _ last: UInt64, _ object: UInt8) {
    (self.first, self.last, self.object, length) = (first, last, object, UInt8(name.count))
    let quoted = [UInt8(ascii: "\"")] + name + Array("\":".utf8)
    guard quoted.count <= 16 else { return }
    text = (quoted.span.bytes.word(0), quoted.span.bytes.word(8))
    func bytes(_ count: Int) -> UInt64 { count >= 8 ? .max : 1 << UInt64(max(count, 0) * 8) - 1 }
    mask = (bytes(quoted.count), bytes(quoted.count - 8))
  }

  /// Whether `"name":` stands at `at`.
  @inline(__always)
  fileprivate func isAt(_ at: Int, _ line: RawSpan) -> Bool {
    mask.0 != 0 && line.word(at) & mask.0 == text.0 && (mask.1 == 0 || line.word(at &+ 8) & mask.1 == text.1)
  }
}
