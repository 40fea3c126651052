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
  }

  private var events: [Event] = []

  private struct Place: Hashable {
    let name: [UInt8]
    let index: Int
  }
  /// What ``existed(_:before:)`` has found: the questions of a search lie on each other's way, and names are anybody's.
  private var known: [Place: Bool?] = [:]

  /// Keeps what the line says of names.
  func add(_ line: LogLine) {
    guard line.string("event.outcome", equals: "success"), let action = line.string("fsaudit.action").flatMap(Action.init(named:)),
      let path = line.name("file.path", raw: "fsaudit.raw.path")
    else { return }
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

  /// The life of the file that was the last one to be called `path`: backwards from there to where it got its first name, forwards to where it
  /// lost its last.
  func life(of path: [UInt8]) -> FileLife {
    guard let pivot = events.indices.last(where: { concerns(path, $0) }) else { return FileLife(first: path, birth: nil, turns: []) }
    // before the pivot, if it took the name away; else after it
    let isTaken = events[pivot].kind == .gone || events[pivot].kind == .moved && moved(path, by: events[pivot]) != nil
    var turns: [FileLife.Turn] = []
    var name = path
    var birth: LineID?
    var isAfterBirth = false
    for event in events[..<(isTaken ? pivot : pivot + 1)].reversed() {
      if let before = origin(of: name, before: event) {
        turns.append(FileLife.Turn(id: event.id, name: name))
        name = before
      } else if event.path == name, event.kind == .born || event.kind == .gone {
        (birth, isAfterBirth) = (event.id, event.kind == .gone)
        break
      }
    }
    let first = name
    turns.reverse()
    name = path
    for event in events[(isTaken ? pivot : pivot + 1)...] {
      if let next = moved(name, by: event) {
        turns.append(FileLife.Turn(id: event.id, name: next))
        name = next
      } else if event.path == name || event.kind == .moved && isBelow(name, event.path) {
        // deleted, or something else took its place
        turns.append(FileLife.Turn(id: event.id, name: nil))
        break
      }
    }
    return FileLife(first: first, birth: birth, isAfterBirth: isAfterBirth, turns: turns)
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
  private let timeMs: Int64
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
