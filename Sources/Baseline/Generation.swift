import System

/// One state of the baseline that is kept.
package struct Generation: Sendable {
  package var id: Int64
  /// Milliseconds since 1970: when the scan began.
  package var createdMs: Int64
  package var host: String
  /// SHA-256 of the rules it was made with, in hexadecimal.
  package var config: String
  /// Selected objects, and the bytes of the files among them.
  package var files: Int64
  package var bytes: Int64
}

/// Which generation is meant.
package enum GenerationChoice: Sendable {
  case latest
  case number(Int64)
  /// The one that was valid at a time, milliseconds since 1970.
  case time(Int64)
}

extension Store {
  static let columns = "id, created_ms, host, config_sha256, files, bytes"

  private func generation(_ row: Statement) throws(Failure) -> Generation {
    let generation = Generation(
      id: row.integer(0), createdMs: row.integer(1), host: row.text(2) ?? "", config: row.text(3) ?? "", files: row.integer(4),
      bytes: row.integer(5))
    // there is always a next one, and nanoseconds are told in as many bits, too
    guard (1..<Int64.max).contains(generation.id), (0...Int64.max / 1_000_000).contains(generation.createdMs), generation.files >= 0,
      generation.bytes >= 0
    else { throw Database.damage("\(printable(database.path)): generation \(generation.id) cannot be") }
    return generation
  }

  /// All generations that are kept, oldest first.
  package func generations() throws(Failure) -> [Generation] {
    let query = try database.statement("SELECT \(Self.columns) FROM generation ORDER BY id")
    var result: [Generation] = []
    while try query.step() { result.append(try generation(query)) }
    return result
  }

  /// The generation that is meant.
  package func generation(_ choice: GenerationChoice) throws(Failure) -> Generation {
    let all = try generations()
    let found =
      switch choice {
      case .latest: all.last
      case .number(let id): all.first { $0.id == id }
      case .time(let ms): all.last { $0.createdMs <= ms }
      }
    if let found { return found }
    let known = all.map { "\($0.id)" }.joined(separator: ", ")
    throw Failure(
      "\(printable(database.path)): no such generation",
      advice: known.isEmpty ? "it is empty" : "it has \(known): see `fsaudit baseline list`",
      exit: .usage)
  }

  /// Adds a generation, as the last step of a scan.
  package func add(_ generation: Generation, program: String) throws(Failure) {
    let insert = try database.statement("INSERT INTO generation(\(Self.columns), fsaudit) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
    insert.bind(1, generation.id)
    insert.bind(2, generation.createdMs)
    insert.bind(text: 3, generation.host)
    insert.bind(text: 4, generation.config)
    insert.bind(5, generation.files)
    insert.bind(6, generation.bytes)
    insert.bind(text: 7, program)
    try insert.execute()
  }

  /// Forgets generations beyond the newest `count` and those from before a time; the newest always stays.
  package func forget(keepCount: Int, before ms: Int64) throws(Failure) {
    let all = try generations()
    let kept = all.enumerated().filter { $0.offset == all.count - 1 || $0.offset >= all.count - keepCount && $0.element.createdMs >= ms }
    guard let oldest = kept.first?.element.id, oldest != all.first?.id else { return }
    try database.run("DELETE FROM object WHERE until <= \(oldest); DELETE FROM generation WHERE id < \(oldest);")
    try database.run("DELETE FROM signature WHERE generation < \(oldest)")
    // the same content may belong to a later row, of another mode for example
    try database.run(
      """
      DELETE FROM content WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.directory = content.directory AND o.name = content.name \
      AND o.since >= content.since AND o.size = content.size AND o.mtime_ns = content.mtime_ns)
      """)
    try database.run("DELETE FROM directory WHERE id NOT IN (SELECT directory FROM object);")
  }
}
