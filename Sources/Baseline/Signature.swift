import EventLog
import System

/// What is signed of a generation: a short text that names it and holds the SHA-256 of its header and of every row that it has, with the texts
/// that `--diff` kept. Not the file's bytes: those change whenever SQLite tidies up, and with every later generation.
///
/// Each value counts with its type, as SQLite has it, so that no other content of the database gives the same bytes.
extension Store {
  private static let title = "fsaudit baseline 1"

  /// The text that is signed: what `fsaudit baseline sign --statement` prints.
  /// - Throws: a failure of ``ExitStatus/database`` where the tables are not those that we make, or contradict each other: a reader could then be
  ///   shown other rows than those that were signed.
  package func statement(of generation: Generation) throws(Failure) -> [UInt8] {
    try requireOurTables()
    try requireOneMeaning()
    var hash = RowHash()
    let header = try database.statement("SELECT \(Self.columns), fsaudit FROM generation WHERE id = ?1")
    header.bind(1, generation.id)
    try hash.add(header)
    let rows = try database.statement(
      """
      SELECT d.path, o.name, o.since, \(Column.all.map { "o.\($0.name)" }.joined(separator: ", ")), c.since, c.zstd \
      FROM object o LEFT JOIN directory d ON d.id = o.directory \
      LEFT JOIN content c ON c.directory = o.directory AND c.name = o.name AND c.since = (SELECT max(since) FROM content l \
      WHERE l.directory = o.directory AND l.name = o.name AND l.since <= ?1 AND l.size = o.size AND l.mtime_ns = o.mtime_ns) \
      WHERE o.since <= ?1 AND (o.until IS NULL OR o.until > ?1) ORDER BY o.directory, o.name
      """)
    rows.bind(1, generation.id)
    try hash.add(rows)
    let text = """
      \(Self.title)
      host \(printable(generation.host))
      generation \(generation.id)
      created \(isoUTC(milliseconds: generation.createdMs))
      config_sha256 \(printable(generation.config))
      objects \(generation.files)
      bytes \(generation.bytes)
      sha256 \(hash.finish())

      """
    return Array(text.utf8)
  }

  /// A table that is a view, a trigger or an index of somebody's own could answer each reader differently.
  private func requireOurTables() throws(Failure) {
    let ours = try Database(":memory:", .create)
    try Self.makeTables(in: ours, version: try database.integer("PRAGMA user_version"))
    let list = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    var found = RowHash()
    var wanted = RowHash()
    try found.add(try database.statement(list))
    try wanted.add(try ours.statement(list))
    if found.finish() != wanted.finish() { throw damage("its tables are not those that fsaudit makes (see `sqlite3 FILE .schema`)") }
  }

  /// An index that leads elsewhere than its table, or rows that belong to no generation that there is, would be another baseline to a check, or to
  /// the next update, than to who reads all rows.
  private func requireOneMeaning() throws(Failure) {
    let answer = try database.statement("PRAGMA integrity_check(1)")
    if try !answer.step() || answer.text(0) != "ok" { throw damage(printable(answer.text(0) ?? "no answer")) }
    let strays = try database.integer(
      """
      SELECT count(*) FROM object, (SELECT max(id) AS newest FROM generation) \
      WHERE since > newest OR until > newest OR until <= since OR directory NOT IN (SELECT id FROM directory)
      """)
    if strays > 0 { throw damage("\(strays) of its rows belong to no generation or no directory") }
  }

  private func damage(_ text: String) -> Failure { Database.damage("\(printable(database.path)): \(text)") }

  // MARK: The signatures that are kept

  /// A generation's signatures, with the keys they are said to be of.
  fileprivate func signatures(of generation: Int64) throws(Failure) -> [(key: PublicKey, signature: [UInt8])] {
    if try database.integer("PRAGMA user_version") < 2 { return [] }
    let query = try database.statement("SELECT key, ed25519 FROM signature WHERE generation = ?1 ORDER BY key")
    query.bind(1, generation)
    var result: [(key: PublicKey, signature: [UInt8])] = []
    while try query.step() { result.append((PublicKey(bytes: query.bytes(0) ?? []), query.bytes(1) ?? [])) }
    return result
  }

  /// The keys that a generation is said to be signed with; whether it is, ``verify(_:_:signature:)`` tells.
  package func signers(of generation: Generation) throws(Failure) -> [PublicKey] { try signatures(of: generation.id).map(\.key) }

  /// Keeps a signature; there is one of each key.
  fileprivate func add(_ signature: [UInt8], of key: PublicKey, for generation: Int64) throws(Failure) {
    let insert = try database.statement("INSERT OR REPLACE INTO signature(generation, key, ed25519) VALUES(?1, ?2, ?3)")
    insert.bind(1, generation)
    insert.bind(blob: 2, key.bytes)
    insert.bind(blob: 3, signature)
    try insert.execute()
  }

  // MARK: Signing and verifying

  /// Returns if a generation is what the key's owner signed.
  /// - Parameter signature: one that was kept elsewhere; otherwise the database's own counts.
  /// - Throws: a failure of ``ExitStatus/altered`` or ``ExitStatus/unsigned`` if not.
  package func verify(_ generation: Generation, _ key: PublicKey, signature: [UInt8]? = nil) throws(Failure) {
    let name = "\(printable(database.path)): generation \(generation.id)"
    let known = try signatures(of: generation.id)
    guard let signature = signature ?? known.first(where: { $0.key == key })?.signature else {
      let others = known.map(\.key.id).joined(separator: ", ")
      throw Failure(
        "\(name) is not signed with key \(key.id)" + (others.isEmpty ? "" : ", but with \(others)"),
        advice: "see `fsaudit baseline list`, and sign it if you know where it comes from", exit: .unsigned)
    }
    if key.verifies(signature, of: try statement(of: generation)) { return }
    throw Failure(
      "\(name) is not what was signed with key \(key.id)",
      advice: "somebody edited it, or its signature: trust no check against it, restore it from a copy", exit: .altered)
  }
}

extension BaselineRun {
  /// What makes a signature.
  package enum Signer {
    case key(SigningKey)
    /// Made elsewhere, over what ``Store/statement(of:)`` says.
    case made([UInt8], PublicKey)
  }

  /// Signs a generation and keeps the signature in the database.
  /// - Parameter replaces: also where an earlier signature says that the generation has changed since.
  package static func sign(
    _ path: String, _ choice: GenerationChoice, with signer: Signer, replaces: Bool
  ) throws(Failure) -> (generation: Generation, key: PublicKey, signature: [UInt8]) {
    try Store.require(path)
    let lock = try RunLock(database: path)
    defer { withExtendedLifetime(lock) {} }
    let store = try Store(path, writing: true)
    let generation = try store.generation(choice)
    let statement = try store.statement(of: generation)
    for earlier in try store.signatures(of: generation.id) where !replaces && !earlier.key.verifies(earlier.signature, of: statement) {
      throw Failure(
        "\(printable(path)): generation \(generation.id) is not what was signed with key \(earlier.key.id)",
        advice: "somebody edited it, or its signature; --replace signs what is there now", exit: .altered)
    }
    let (key, signature): (PublicKey, [UInt8])
    switch signer {
    case .key(let own): (key, signature) = (own.publicKey, try own.sign(statement))
    case .made(let made, let owner):
      guard owner.verifies(made, of: statement) else {
        throw Failure(
          "\(printable(path)): that is no signature of generation \(generation.id) with key \(owner.id)",
          advice: "sign what `fsaudit baseline sign --statement` prints now", exit: .altered)
      }
      (key, signature) = (owner, made)
    }
    try store.add(signature, of: key, for: generation.id)
    try store.commit()
    return (generation, key, signature)
  }
}

/// SHA-256 of rows, in the order in which they come.
private struct RowHash: ~Copyable {
  private var hash = SHA256()
  private var buffer: [UInt8] = []
  private static let enoughBytes = 64 << 10

  mutating func add(_ query: Statement) throws(Failure) {
    buffer.reserveCapacity(2 * Self.enoughBytes)
    while try query.step() {
      for column in 0..<query.columnCount { query.append(column, to: &buffer) }
      if buffer.count >= Self.enoughBytes { flush() }
    }
    // what belongs to one query is not another's: no type has this number
    buffer.append(0)
    query.reset()
  }

  private mutating func flush() {
    var full: [UInt8] = []
    swap(&full, &buffer)
    hash.update(full.span.bytes)
    full.removeAll(keepingCapacity: true)
    swap(&full, &buffer)
  }

  /// 64 hexadecimal digits.
  mutating func finish() -> String {
    flush()
    return hash.finish().hex
  }
}
