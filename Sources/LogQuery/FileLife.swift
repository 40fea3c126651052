import EventLog
import FileChanges

/// The names that files of a log got and lost, in the order of the log: what one file's life is found from.
final class NameHistory {
  enum Kind { case born, gone, moved, exchanged }

  struct Event {
    let id: LineID
    let kind: Kind
    /// Where the file is now, or was; of a rename the new name.
    let path: [UInt8]
    /// Of a rename, the old name.
    let old: [UInt8]

    var timeMs: Int64 { id.timeMs }
  }

  /// The name that is asked about.
  private let path: [UInt8]
  private var events: [Event] = []
  /// When it was first used, and how many events there were by then.
  private var firstUse: (timeMs: Int64, count: Int)?

  private struct Place: Hashable {
    let name: [UInt8]
    let index: Int
  }
  /// What ``existed(_:before:)`` has found: the questions of a search lie on each other's way, and names are anybody's.
  private var known: [Place: Bool?] = [:]

  init(of path: [UInt8]) { self.path = path }

  /// Keeps what the line says of names.
  func add(_ line: LogLine) {
    guard line.string("event.outcome", equals: "success"), let action = line.string("fsaudit.action").flatMap(Action.init(named:)),
      let path = line.name("file.path", raw: "fsaudit.raw.path")
    else { return }
    if firstUse == nil, path == self.path { firstUse = (line.timeMs ?? 0, events.count) }
    let kind: Kind
    switch action {
    case .create, .mkdir, .mknod, .symlink, .link: kind = .born
    case .delete, .rmdir: kind = .gone
    case .rename: kind = .moved
    case .exchange: kind = .exchanged
    default: return
    }
    let old = kind == .moved || kind == .exchanged ? line.name("fsaudit.previous.path", raw: "fsaudit.raw.previous_path") ?? [] : []
    events.append(Event(id: LineID(line), kind: kind, path: path, old: old))
  }

  /// The life of the file that was the last one to have the name, up to a time: backwards from there to where it got its first name, forwards to
  /// where it lost its last.
  func life(untilMs: Int64) -> FileLife {
    guard let pivot = pivot(before: events.count, untilMs) else { return FileLife(first: path, birth: nil, turns: []) }
    let past = past(at: pivot)
    var turns = past.turns
    var name = path
    for event in events[past.end...] {
      if let next = moved(name, by: event) {
        turns.append(FileLife.Turn(id: event.id, name: next))
        name = next
      } else if event.path == name || event.kind == .moved && isBelow(name, event.path) {
        // deleted, or something else took its place
        turns.append(FileLife.Turn(id: event.id, name: nil))
        break
      }
    }
    let birth = past.origin.birth.map { events[$0] }
    return FileLife(first: past.origin.first, birth: birth?.id, isAfterBirth: birth?.kind == .gone, turns: turns)
  }

  /// How many other files had the name before that one, and up to which time the last of them is asked for.
  struct Others: Equatable {
    var count: Int
    var untilMs: Int64
    /// So many are counted: a name can be given anew at every save.
    static let limit = 100
  }

  /// The other files that had the name before the one of ``life(untilMs:)``; nil for none.
  func others(sinceMs: Int64, untilMs: Int64) -> Others? {
    var known: Set<Origin> = []
    var last: Int64?
    var (until, end) = (untilMs, events.count)
    func note(_ origin: Origin) {
      if known.insert(origin).inserted, known.count == 2 { last = until }
    }
    while known.count <= Others.limit {
      guard let pivot = pivot(before: end, until) else {
        // before the first that is told of names
        if let use = firstUse, use.count <= end, use.timeMs <= until, use.timeMs >= sinceMs { note(Origin(birth: nil, first: path)) }
        break
      }
      let past = past(at: pivot)
      if past.end == pivot, events[pivot].timeMs < sinceMs { break }
      note(past.origin)
      guard let arrival = past.arrival, events[arrival].timeMs >= sinceMs else { break }
      let isGone = events[arrival].kind == .gone
      until = min(until, isGone ? events[arrival].timeMs : events[arrival].timeMs - 1)
      end = isGone ? arrival + 1 : arrival
    }
    return last.map { Others(count: known.count - 1, untilMs: $0) }
  }

  /// What tells a file from others: its first name, and the event that it came with, if the log has it.
  private struct Origin: Hashable {
    var birth: Int?
    var first: [UInt8]
  }

  private struct Past {
    var origin: Origin
    /// The event that gave it the name.
    var arrival: Int?
    var turns: [FileLife.Turn] = []
    /// Where the events begin that are not of the past: at the pivot, if that took the name away; else behind it.
    var end: Int
  }

  /// The last event up to a time that gave the name, or took it.
  private func pivot(before end: Int, _ untilMs: Int64) -> Int? {
    events[..<end].indices.last { events[$0].timeMs <= untilMs && concerns(path, $0) }
  }

  /// What became of the file before the pivot.
  private func past(at pivot: Int) -> Past {
    let isTaken = events[pivot].kind == .gone || events[pivot].kind == .moved && moved(path, by: events[pivot]) != nil
    var past = Past(origin: Origin(birth: nil, first: path), end: isTaken ? pivot : pivot + 1)
    for index in (0..<past.end).reversed() {
      let (event, name) = (events[index], past.origin.first)
      if let before = origin(of: name, before: event) {
        past.turns.append(FileLife.Turn(id: event.id, name: name))
        past.origin.first = before
      } else if event.path == name, event.kind == .born || event.kind == .gone {
        past.origin.birth = index
      } else {
        continue
      }
      past.arrival = past.arrival ?? index
      if past.origin.birth != nil { break }
    }
    past.turns.reverse()
    return past
  }

  /// Whether the event gave a file the name, or took it away. A rename of a directory above does only where there was such a file.
  private func concerns(_ name: [UInt8], _ index: Int) -> Bool {
    let event = events[index]
    if event.path == name || event.old == name { return true }
    if moved(name, by: event) != nil { return existed(name, before: index) != false }
    return origin(of: name, before: event).map { existed($0, before: index) != false } ?? false
  }

  /// Whether there was a file of that name; nil if the log does not say.
  private func existed(_ name: [UInt8], before index: Int) -> Bool? {
    var way = [Place(name: name, index: index)]
    let answer = existed(&way)
    for place in way { known[place] = .some(answer) }
    return answer
  }

  /// - Parameter way: where the search begins; gets all the places that the answer holds for.
  private func existed(_ way: inout [Place]) -> Bool? {
    if let answer = known[way[0]] { return answer }
    var name = way[0].name
    for index in (0..<way[0].index).reversed() {
      let event = events[index]
      if let before = origin(of: name, before: event) {
        if event.path == name || event.old == name { return true }
        name = before
        let place = Place(name: name, index: index)
        if let answer = known[place] { return answer }
        way.append(place)
      } else if event.path == name {
        return event.kind != .gone
      } else if moved(name, by: event) != nil {
        return false
      }
    }
    return nil
  }

  /// What the name becomes by a rename of the file itself or of a directory above it.
  private func moved(_ name: [UInt8], by event: Event) -> [UInt8]? {
    switch event.kind {
    case .moved: replaced(name, event.old, by: event.path)
    case .exchanged: replaced(name, event.old, by: event.path) ?? replaced(name, event.path, by: event.old)
    default: nil
    }
  }

  /// What the name was before it.
  private func origin(of name: [UInt8], before event: Event) -> [UInt8]? {
    switch event.kind {
    case .moved: replaced(name, event.path, by: event.old)
    case .exchanged: replaced(name, event.path, by: event.old) ?? replaced(name, event.old, by: event.path)
    default: nil
    }
  }

  private func replaced(_ name: [UInt8], _ prefix: [UInt8], by other: [UInt8]) -> [UInt8]? {
    guard !prefix.isEmpty, !other.isEmpty, isBelow(name, prefix) else { return nil }
    return other + name[prefix.count...]
  }

  /// Whether `name` is `directory` or something in it.
  private func isBelow(_ name: [UInt8], _ directory: [UInt8]) -> Bool {
    name.starts(with: directory) && (name.count == directory.count || name[directory.count] == UInt8(ascii: "/"))
  }
}

/// Which line of a log: the event, and what it did to which name.
struct LineID: Equatable {
  let timeMs: Int64
  private let serial: UInt32
  private let path: [UInt8]

  init(_ line: LogLine) {
    timeMs = line.timeMs ?? 0
    serial = line.sequence ?? 0
    path = line.name("file.path", raw: "fsaudit.raw.path") ?? []
  }
}

/// The lines of one file's life, told forwards: those of the name that it has at the time, and, where the kernel says the inode, those of its
/// other names.
struct FileLife {
  /// The file's name changes, with this line.
  struct Turn: Equatable {
    let id: LineID
    /// Nil where it has none any more.
    let name: [UInt8]?
  }

  private var name: [UInt8]?
  /// The line that it begins with, or, with ``isAfterBirth``, the one behind which; nil if the log does not say.
  private var birth: LineID?
  private let isAfterBirth: Bool
  private var turns: ArraySlice<Turn>
  private var inode: String?

  init(first: [UInt8], birth: LineID?, isAfterBirth: Bool = false, turns: [Turn]) {
    name = first
    self.birth = birth
    self.isAfterBirth = isAfterBirth
    self.turns = turns[...]
  }

  /// Whether the line is of the file. Lines come in the order of the log.
  mutating func takes(_ line: LogLine) -> Bool {
    guard let name, let path = line.name("file.path", raw: "fsaudit.raw.path") else { return false }
    let id = LineID(line)
    if let birth {
      if id != birth { return false }
      self.birth = nil
      if isAfterBirth { return false }
    }
    if let turn = turns.first, turn.id == id {
      turns.removeFirst()
      self.name = turn.name
      return true
    }
    let identity = line.string("file.inode").map { "\($0) \(line.string("file.device") ?? "")" }
    if path == name {
      if let identity { inode = identity }
      return true
    }
    return identity != nil && identity == inode
  }
}
