import CSQLite
import System
import SystemPackage

/// An open SQLite database. One thread at a time.
final class Database {
  private let handle: OpaquePointer
  let path: String

  enum Access {
    case read
    /// Of a database that nobody writes: needs no file beside it.
    case readUnchanging
    case write
    case create
  }

  /// Before the first call: how much memory there is in use is counted under a lock, at each allocation, for nobody.
  private static let isSetUp: Bool = sqlite_count_no_memory() == SQLITE_OK

  init(_ path: String, _ access: Access) throws(Failure) {
    _ = Self.isSetUp
    self.path = path
    var opened: OpaquePointer?
    var flags = SQLITE_OPEN_NOMUTEX
    var name = path
    switch access {
    case .read: flags |= SQLITE_OPEN_READONLY
    case .readUnchanging:
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
      name = "file:" + Self.encoded(path) + "?immutable=1"
    case .write: flags |= SQLITE_OPEN_READWRITE
    case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    }
    let code = sqlite3_open_v2(name, &opened, flags, nil)
    guard let opened else { throw Failure("\(printable(path)): no memory", exit: .inputOutput) }
    handle = opened
    if code != SQLITE_OK { throw failure() }
    sqlite3_busy_timeout(handle, 5000)
  }

  // with statements still alive SQLite itself waits for the last of them
  deinit { sqlite3_close_v2(handle) }

  private static func encoded(_ path: String) -> String {
    path.replacing("%", with: "%25").replacing("?", with: "%3f").replacing("#", with: "%23")
  }

  /// Makes an error of a value that is longer: for a database that is not ours.
  func limitValues(bytes: Int) { sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Int32(clamping: bytes)) }

  /// Runs statements that give no rows.
  func run(_ sql: String) throws(Failure) {
    if sqlite3_exec(handle, sql, nil, nil, nil) != SQLITE_OK { throw failure() }
  }

  /// Compiles a statement, for many uses.
  func statement(_ sql: String) throws(Failure) -> Statement {
    var compiled: OpaquePointer?
    guard sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil) == SQLITE_OK, let compiled else {
      throw failure()
    }
    return Statement(compiled, self)
  }

  /// The id of the row that was added last.
  var lastRow: Int64 { sqlite3_last_insert_rowid(handle) }

  /// The one number that a query gives; 0 where it gives none.
  func integer(_ sql: String) throws(Failure) -> Int64 {
    let query = try statement(sql)
    return try query.step() ? query.integer(0) : 0
  }

  /// What a person is told of a file that is no baseline, or no longer.
  static func damage(_ reason: String) -> Failure {
    Failure(
      reason, advice: "the baseline is damaged or none: restore it from a copy, or begin anew with `fsaudit baseline init --replace`",
      exit: .database)
  }

  /// What the last call found wrong, as a person should read it.
  func failure() -> Failure {
    let code = sqlite3_errcode(handle)
    let text = "\(printable(path)): \(String(cString: sqlite3_errmsg(handle)))"
    let system = sqlite3_system_errno(handle)
    let reason = system == 0 || code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? text : "\(text) (\(Errno(rawValue: system)))"
    return switch code {
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      Self.damage(reason)
    case SQLITE_FULL: Failure(reason, advice: "the disk is full; the baseline is as it was", exit: .inputOutput)
    case SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH: Failure(reason, advice: "run it as root", exit: .notPermitted)
    default: Failure(reason, exit: .inputOutput)
    }
  }
}

/// A compiled statement. Parameters count from 1, columns from 0, as SQLite counts them.
final class Statement {
  private let handle: OpaquePointer
  private let database: Database

  fileprivate init(_ handle: OpaquePointer, _ database: Database) { (self.handle, self.database) = (handle, database) }

  deinit { sqlite3_finalize(handle) }

  func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }

  func bind(_ index: Int32, _ value: Int64?) {
    if let value { bind(index, value) } else { sqlite3_bind_null(handle, index) }
  }

  /// Binds a name or path: TEXT where it is UTF-8, else BLOB, so that no byte of it is lost and `sqlite3` shows the usual ones.
  func bind(name index: Int32, _ bytes: UnsafeRawBufferPointer, isText: Bool) {
    let count = Int32(clamping: bytes.count)
    _ = isText ? sqlite_bind_text(handle, index, bytes.baseAddress, count) : sqlite_bind_blob(handle, index, bytes.baseAddress, count)
  }

  func bind(name index: Int32, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { bind(name: index, $0, isText: isUTF8($0)) }
  }

  func bind(blob index: Int32, _ bytes: [UInt8]?) {
    guard let bytes else {
      sqlite3_bind_null(handle, index)
      return
    }
    _ = bytes.withUnsafeBytes { sqlite_bind_blob(handle, index, $0.baseAddress, Int32(clamping: $0.count)) }
  }

  func bind(text index: Int32, _ text: String?) {
    guard var text else {
      sqlite3_bind_null(handle, index)
      return
    }
    _ = text.withUTF8 { sqlite_bind_text(handle, index, $0.baseAddress, Int32(clamping: $0.count)) }
  }

  /// The next row; false at the end.
  @inline(__always)
  func step() throws(Failure) -> Bool {
    let code = sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE { return false }
    throw database.failure()
  }

  /// Runs a statement that gives no rows, and makes it ready for the next time.
  func execute() throws(Failure) {
    _ = try step()
    reset()
  }

  func reset() { sqlite3_reset(handle) }

  @inline(__always)
  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  @inline(__always)
  func isBlob(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_BLOB }

  /// The bytes of a text or blob, valid until the next step.
  @inline(__always)
  func borrowed(_ column: Int32) -> UnsafeRawBufferPointer {
    let start = sqlite3_column_blob(handle, column)
    return UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
  }

  /// A copy of them; nil for NULL.
  func bytes(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : Array(borrowed(column)) }

  /// Appends a value so that no other value looks the same: a byte for its type, and the value, after its length where it has none of its own.
  func append(_ column: Int32, to out: inout [UInt8]) {
    let type = sqlite3_column_type(handle, column)
    out.append(UInt8(truncatingIfNeeded: type))
    switch type {
    case SQLITE_INTEGER: withUnsafeBytes(of: integer(column).littleEndian) { out.append(contentsOf: $0) }
    case SQLITE_FLOAT: withUnsafeBytes(of: sqlite3_column_double(handle, column).bitPattern.littleEndian) { out.append(contentsOf: $0) }
    case SQLITE_TEXT, SQLITE_BLOB:
      let value = borrowed(column)
      withUnsafeBytes(of: Int64(value.count).littleEndian) { out.append(contentsOf: $0) }
      out.append(contentsOf: value)
    default: break
    }
  }

  /// How many columns a row has.
  var columnCount: Int32 { sqlite3_column_count(handle) }

  func text(_ column: Int32) -> String? { bytes(column).map { String(decoding: $0, as: UTF8.self) } }
}

/// Whether bytes are UTF-8 and hold no NUL: what SQLite's TEXT gives back as it got it.
func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
  // nearly every name is ASCII
  var high: UInt8 = 0
  for byte in bytes { high |= byte }
  return high < 0x80 || String(validating: bytes, as: UTF8.self) != nil
}
