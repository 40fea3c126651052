import CLinux
import System

/// The baseline: what every selected file was like, in each generation that is kept.
///
/// A row of `object` holds for the generations from `since` until before `until` (NULL: still), so that an old generation costs no more
/// than what has changed since. A table of schema version, and what a reader sees with `sqlite3`, is in the README.
package final class Store {
  let database: Database
  /// Of `PRAGMA user_version`; raised with each change of the schema, with a step in ``migrate(_:)``.
  static let version: Int64 = 2
  /// Of `PRAGMA application_id`, "fsau": another program's database is not taken for a baseline.
  private static let application: Int64 = 0x6673_6175

  private let rowsOfDirectory: Statement
  private let findDirectory: Statement
  private let wholeRow: Statement
  private var addDirectory: Statement?
  private var addRow: Statement?
  private var endRow: Statement?
  var addContent: Statement?
  var findContent: Statement?

  private static let schema = """
    CREATE TABLE generation(
      id INTEGER PRIMARY KEY, created_ms INTEGER NOT NULL, host TEXT NOT NULL, config_sha256 TEXT NOT NULL, files INTEGER NOT NULL,
      bytes INTEGER NOT NULL, fsaudit TEXT NOT NULL);
    CREATE TABLE directory(id INTEGER PRIMARY KEY, path NOT NULL UNIQUE);
    CREATE TABLE object(
      directory INTEGER NOT NULL, name NOT NULL, since INTEGER NOT NULL, until INTEGER,
      \(Column.all.map { "\($0.name) \($0.type)" }.joined(separator: ", ")),
      PRIMARY KEY(directory, name, since)) WITHOUT ROWID;
    CREATE TABLE content(
      directory INTEGER NOT NULL, name NOT NULL, since INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, zstd BLOB NOT NULL,
      PRIMARY KEY(directory, name, since));
    CREATE VIEW file AS
      SELECT CASE WHEN d.path IN ('', '/') THEN d.path ELSE d.path || '/' END || o.name AS path, o.*
      FROM object o JOIN directory d ON d.id = o.directory;
    """

  /// Since version 2. The key is the public one, 32 bytes.
  private static let signatureTable = """
    CREATE TABLE signature(generation INTEGER NOT NULL, key BLOB NOT NULL, ed25519 BLOB NOT NULL, PRIMARY KEY(generation, key)) WITHOUT ROWID;
    """

  /// Makes the tables that a database of a version has.
  static func makeTables(in database: Database, version: Int64) throws(Failure) {
    try database.run(schema)
    if version >= 2 { try database.run(signatureTable) }
  }

  /// A new, empty database, which nobody else knows yet.
  package convenience init(creating path: String) throws(Failure) {
    let database = try Database(path, .create)
    // a page of 4096 bytes fits a row of any length; nothing needs a journal before the file has its name
    try database.run(
      "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; BEGIN;")
    try Self.makeTables(in: database, version: Self.version)
    try database.run("PRAGMA application_id = \(Self.application); PRAGMA user_version = \(Self.version);")
    try self.init(database)
  }

  /// An existing one.
  /// - Parameter writing: for an update, which ``commit()`` ends.
  package convenience init(_ path: String, writing: Bool) throws(Failure) {
    try Self.require(path)
    let database: Database
    if writing {
      database = try Database(path, .write)
      try Self.check(database)
      try database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;")
      try Self.migrate(database)
    } else {
      database = try Self.opened(path)
      // one reading transaction: else every statement takes its locks and looks for a journal
      try database.run("BEGIN")
    }
    try self.init(database)
  }

  /// Fails where there is no database, and says how to make one.
  static func require(_ path: String) throws(Failure) {
    do throws(SystemError) { _ = try status(of: path) } catch {
      throw error.failure(
        advice: error.code == .noSuchFileOrDirectory ? "there is no baseline yet: make one with `fsaudit baseline init`" : "")
    }
  }

  /// For reading. A write-ahead log wants files beside it, which not everybody may make: without one there is nothing to be missed.
  private static func opened(_ path: String) throws(Failure) -> Database {
    do throws(Failure) {
      let database = try Database(path, .read)
      try check(database)
      return database
    } catch {
      if error.exit == .database || (try? status(of: path + "-wal")) != nil { throw error }
      let database = try Database(path, .readUnchanging)
      try check(database)
      return database
    }
  }

  private init(_ database: Database) throws(Failure) {
    self.database = database
    // not mapped: that saves a twentieth of reading the rows, and the whole file would count as resident
    try database.run("PRAGMA cache_size = -8192; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;")
    findDirectory = try database.statement("SELECT id FROM directory WHERE path = ?1")
    let valid = "since <= ?2 AND (until IS NULL OR until > ?2)"
    rowsOfDirectory = try database.statement(
      """
      SELECT name, since, attributes, descends, mode, inode, device, size, mtime_ns, ctime_ns, blocks, atime_ns FROM object \
      WHERE directory = ?1 AND \(valid) ORDER BY name
      """)
    wholeRow = try database.statement(
      "SELECT \(Column.all.map(\.name).joined(separator: ", ")) FROM object WHERE directory = ?1 AND name = ?3 AND \(valid)")
  }

  private static func check(_ database: Database) throws(Failure) {
    let application = try database.integer("PRAGMA application_id")
    if application != Self.application {
      throw Failure("\(printable(database.path)): no baseline of fsaudit's", advice: "--database names the file", exit: .database)
    }
    let version = try database.integer("PRAGMA user_version")
    if version > Self.version || version < 1 {
      throw Failure(
        "\(printable(database.path)): its schema is version \(version), this program knows \(Self.version)",
        advice: "use the newer fsaudit that wrote it", exit: .database)
    }
  }

  /// Brings an older schema up to date, within the transaction that is open: one step for each version.
  private static func migrate(_ database: Database) throws(Failure) {
    if try database.integer("PRAGMA user_version") < 2 { try database.run("\(signatureTable) PRAGMA user_version = 2;") }
  }

  /// Ends the transaction: everything is there, or nothing.
  package func commit() throws(Failure) {
    try database.run("COMMIT")
    // One file again, which can be copied, and read by who may write nothing. Where somebody reads it just now, the next update does it.
    try? database.run("PRAGMA journal_mode = DELETE")
  }

  /// Runs `body` for each directory, with its id and path.
  func eachDirectory(_ body: (Int64, [UInt8]) throws(Failure) -> Void) throws(Failure) {
    let all = try database.statement("SELECT id, path FROM directory")
    while try all.step() { try body(all.integer(0), Array(all.borrowed(1))) }
  }

  /// The id of a directory that has rows, in any generation.
  func directory(_ path: [UInt8]) throws(Failure) -> Int64? {
    findDirectory.bind(name: 1, path)
    defer { findDirectory.reset() }
    return try findDirectory.step() ? findDirectory.integer(0) : nil
  }

  /// Notes a directory, so that rows can name it; returns its id.
  func add(directory path: [UInt8]) throws(Failure) -> Int64 {
    let statement = try reused(&addDirectory, "INSERT INTO directory(path) VALUES(?1)")
    statement.bind(name: 1, path)
    try statement.execute()
    return database.lastRow
  }

  /// The rows of a directory in a generation, in the order of ``precedes(_:_:)``. One directory at a time.
  func rows(_ directory: Int64, _ generation: Int64) -> RowCursor { RowCursor(rowsOfDirectory, directory, generation) }

  /// The names of those rows.
  func names(_ directory: Int64, _ generation: Int64) throws(Failure) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var rows = rows(directory, generation)
    try rows.advance()
    while rows.isValid {
      names.append(Array(rows.name))
      try rows.advance()
    }
    return names
  }

  /// All that the baseline knows of a file.
  func facts(_ directory: Int64, _ name: [UInt8], _ generation: Int64) throws(Failure) -> Facts? {
    wholeRow.bind(1, directory)
    wholeRow.bind(2, generation)
    wholeRow.bind(name: 3, name)
    defer { wholeRow.reset() }
    guard try wholeRow.step() else { return nil }
    var facts = Facts.empty
    for (index, column) in Column.all.enumerated() { column.read(wholeRow, Int32(index), &facts) }
    return facts
  }

  /// Adds what a file is from `generation` on.
  func add(_ directory: Int64, _ name: [UInt8], _ generation: Int64, _ facts: Facts) throws(Failure) {
    let statement = try reused(
      &addRow,
      """
      INSERT INTO object(directory, name, since, \(Column.all.map(\.name).joined(separator: ", "))) \
      VALUES(?1, ?2, ?3\(Column.all.indices.map { ", ?\($0 + 4)" }.joined()))
      """)
    statement.bind(1, directory)
    statement.bind(name: 2, name)
    statement.bind(3, generation)
    // by index: a loop over whole columns counts references for half as long as SQLite takes
    for index in Column.all.indices { Column.all[index].write(statement, Int32(index) + 4, facts) }
    try statement.execute()
  }

  /// Says that a file is no longer so from `generation` on.
  func end(_ directory: Int64, _ name: [UInt8], _ generation: Int64) throws(Failure) {
    let statement = try reused(&endRow, "UPDATE object SET until = ?3 WHERE directory = ?1 AND name = ?2 AND until IS NULL")
    statement.bind(1, directory)
    statement.bind(name: 2, name)
    statement.bind(3, generation)
    try statement.execute()
  }

  func reused(_ place: inout Statement?, _ sql: @autoclosure () -> String) throws(Failure) -> Statement {
    if let place { return place }
    let made = try database.statement(sql())
    place = made
    return made
  }
}

/// Walks through the rows of one directory: what is needed to see that a file is as it was.
struct RowCursor: ~Copyable {
  private let statement: Statement
  /// Whether there is a row; the rest is only true then.
  private(set) var isValid = false

  init(_ statement: Statement, _ directory: Int64, _ generation: Int64) {
    self.statement = statement
    statement.bind(1, directory)
    statement.bind(2, generation)
  }

  deinit { statement.reset() }

  mutating func advance() throws(Failure) { isValid = try statement.step() }

  /// Valid until the next ``advance()``.
  var name: UnsafeRawBufferPointer { statement.borrowed(0) }
  /// Whether the name is not UTF-8: those come last.
  var isBlob: Bool { statement.isBlob(0) }
  var attributes: Attributes { Attributes(rawValue: UInt64(bitPattern: statement.integer(2))) }
  /// Those of the attributes that can change without a new ctime.
  @inline(__always)
  var special: Attributes { attributes.intersection([.blocks, .atime]) }
  var descends: Bool { statement.integer(3) != 0 }
  var blocks: UInt64 { UInt64(bitPattern: statement.integer(10)) }
  var atime: Int64 { statement.integer(11) }

  /// Whether the file is in the state that the row tells of.
  @inline(__always)
  func isSameState(as status: linux_status) -> Bool {
    statement.integer(5) == Int64(bitPattern: status.inode) && statement.integer(9) == status.ctime && statement.integer(8) == status.mtime
      && statement.integer(7) == Int64(bitPattern: status.size) && statement.integer(6) == Int64(bitPattern: status.device)
      && statement.integer(4) == Int64(status.mode)
  }
}
