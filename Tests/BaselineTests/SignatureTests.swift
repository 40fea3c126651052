import Replay
import System
import TestSupport
import Testing

@testable import Baseline

/// A signed baseline that somebody edits with SQLite, or byte by byte.
@Suite struct SignatureTests {
  private let lab: BaselineLab
  private let key: SigningKey
  private let good: [UInt8]

  init() throws {
    lab = try BaselineLab("TREE p+u+g+s+n+i+l+m+c+a+b+ftype+acl+selinux+xattrs+caps+e2fsattrs+H+sha512_256+sha3_256+sha3_512\n")
    try lab.sh(
      """
      chmod 755 ..; mkdir d 'd/two words'; echo one > a; echo two > d/b; echo three > 'd/two words/c'; ln -s a l; ln a d/a; printf x > $'d/\\xff'
      setfattr -n user.note -v x a; setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= d/b; setfacl -m u:1:r d/b
      """)
    try lab.initialize { $0.scan.diffBytes = 65536 }
    key = try Self.makeKey(lab.directory, "key")
    _ = try BaselineRun.sign(lab.database, .latest, with: .key(key), replaces: false)
    good = try contents(of: lab.database)
  }

  private static func makeKey(_ directory: TemporaryDirectory, _ name: String) throws -> SigningKey {
    try run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", directory[name]])
    return try SigningKey(file: directory[name])
  }

  /// How `verify` would end; nil where all is as it was signed.
  private func verdict(_ choice: GenerationChoice = .latest) -> System.ExitStatus? {
    do throws(Failure) {
      let store = try Store(lab.database, writing: false)
      try store.verify(try store.generation(choice), key.publicKey)
      return nil
    } catch { return error.exit }
  }

  private func signers(_ choice: GenerationChoice) throws -> [String] {
    let store = try Store(lab.database, writing: false)
    return try store.signers(of: try store.generation(choice)).map(\.id).sorted()
  }

  /// A signature of the newest generation that the database does not have, verified.
  private func signatureElsewhere() throws -> [UInt8] {
    let store = try Store(lab.database, writing: false)
    let generation = try store.generation(.latest)
    let signature = try key.sign(try store.statement(of: generation))
    try store.verify(generation, key.publicKey, signature: signature)
    return signature
  }

  private func restore() throws {
    try run("cp", ["/dev/stdin", lab.database], input: good)
    try run("rm", ["-f", lab.database + "-journal", lab.database + "-wal", lab.database + "-shm"])
  }

  private func edit(_ sql: String) throws { try Database(lab.database, .write).run("PRAGMA synchronous = OFF; \(sql)") }

  /// All that is in the tables, with its types.
  private func content() throws -> [UInt8] {
    let database = try Database(lab.database, .read)
    var bytes: [UInt8] = []
    for table in ["generation", "directory", "object", "content", "signature"] {
      let rows = try database.statement("SELECT * FROM \(table)")
      while try rows.step() { for column in 0..<rows.columnCount { rows.append(column, to: &bytes) } }
    }
    return bytes
  }

  private func columns(_ table: String) throws -> [String] {
    let query = try Database(lab.database, .read).statement("SELECT name FROM pragma_table_info('\(table)')")
    var names: [String] = []
    while try query.step() { names.append(query.text(0) ?? "") }
    return names
  }

  private static let keys = [
    "generation": "id", "directory": "id", "object": "(directory, name, since)", "content": "(directory, name, since)",
    "signature": "(generation, key)",
  ]
  private static let values = [
    "NULL", "0", "-1", "7", "9223372036854775807", "-9223372036854775808", "1.5", "'x'", "''", "x'00'", "zeroblob(70000)", "COLUMN + 1",
    "CAST(COLUMN AS BLOB)", "CAST(COLUMN AS TEXT)", "COLUMN || char(10)",
  ]

  /// - Returns: false where SQLite refuses.
  private func change(_ table: String, _ column: String, to value: String, row: Int) -> Bool {
    let key = Self.keys[table] ?? ""
    let names = key.filter { $0 != "(" && $0 != ")" }
    return
      (try? edit(
        """
        UPDATE \(table) SET \(column) = \(value.replacing("COLUMN", with: column)) WHERE \(key) = \
        (SELECT \(names) FROM \(table) LIMIT 1 OFFSET \(row) % (SELECT count(*) FROM \(table)));
        """)) != nil
  }

  @Test func signedAndUntouched() throws {
    #expect(verdict() == nil)
    try edit("VACUUM")
    #expect(verdict() == nil)
    #expect(try content().count > 3000)
    let other = try Self.makeKey(lab.directory, "other")
    let store = try Store(lab.database, writing: false)
    let generation = try store.generation(.latest)
    #expect(throws: Failure.self) { try store.verify(generation, other.publicKey) }
    let foreign = try other.sign(try store.statement(of: generation))
    #expect(throws: Failure.self) { try store.verify(generation, key.publicKey, signature: foreign) }
    #expect(throws: Failure.self) { try store.verify(generation, key.publicKey, signature: []) }
    _ = try signatureElsewhere()
  }

  /// Whatever becomes of any column of any table.
  @Test(arguments: ["generation", "directory", "object", "content", "signature"]) func everyColumn(_ table: String) throws {
    let before = try content()
    let columns = try columns(table)
    #expect(columns.count > 1)
    var found = 0
    for column in columns {
      var foundHere = 0
      for (row, value) in Self.values.enumerated() where change(table, column, to: value, row: row) {
        // a signature that SQLite calls a text has the same bytes
        if try content() == before || table == "signature" && value.hasPrefix("CAST") { continue }
        #expect(verdict() != nil, "\(table).\(column) = \(value)")
        foundHere += 1
        try restore()
      }
      #expect(foundHere > 2, "\(table).\(column)")
      found += foundHere
    }
    #expect(found > 5 * columns.count)
  }

  @Test func rowsComeAndGo() throws {
    for table in ["generation", "directory", "object", "content", "signature"] {
      for row in 0..<10 {
        let key = Self.keys[table] ?? ""
        let names = key.filter { $0 != "(" && $0 != ")" }
        try edit(
          "DELETE FROM \(table) WHERE \(key) = (SELECT \(names) FROM \(table) LIMIT 1 OFFSET \(row) % (SELECT count(*) FROM \(table)))")
        #expect(verdict() != nil, "\(table) \(row)")
        try restore()
      }
    }
    for (columns, values) in [
      ("name", "name || 'x'"), ("name", "CAST(name AS BLOB)"), ("since", "since + 1"), ("directory", "directory + 1"), ("directory", "99"),
    ] {
      let others = try self.columns("object").filter { $0 != columns }.joined(separator: ", ")
      try edit("INSERT OR IGNORE INTO object(\(columns), \(others)) SELECT \(values), \(others) FROM object LIMIT 3 OFFSET 2")
      #expect(verdict() != nil, "\(columns) = \(values)")
      try restore()
    }
    #expect(verdict() == nil)
  }

  /// What answers other queries otherwise than ours.
  @Test(arguments: [
    "ALTER TABLE object RENAME TO o; CREATE VIEW object AS SELECT * FROM o",
    "CREATE TRIGGER t AFTER INSERT ON signature BEGIN UPDATE object SET mode = 0; END",
    "CREATE INDEX i ON object(mode)", "CREATE TABLE more(x)", "ALTER TABLE object ADD COLUMN more",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'INTEGER NOT NULL', 'INT NOT NULL') WHERE name = 'object'",
  ]) func tablesOfSomebodyElse(_ sql: String) throws {
    try edit(sql)
    #expect(verdict() == .database)
    #expect(throws: Failure.self) { try BaselineRun.sign(lab.database, .latest, with: .key(key), replaces: true) }
  }

  /// Several edits at once, by chance.
  @Test func randomEdits() throws {
    var random = SplitMix(seed: 4)
    let before = try content()
    var changed = 0
    for step in 0..<150 {
      var log: [String] = []
      for _ in 0...random.below(3) {
        let table = ["generation", "directory", "object", "object", "content", "signature"][random.below(6)]
        let columns = try columns(table)
        let (column, value, row) = (columns[random.below(columns.count)], Self.values[random.below(Self.values.count)], random.below(20))
        if table == "signature", value.hasPrefix("CAST") { continue }
        if change(table, column, to: value, row: row) { log.append("\(table).\(column) = \(value), row \(row)") }
      }
      if try content() == before { continue }
      changed += 1
      #expect(verdict() != nil, "step \(step): \(log)")
      try restore()
    }
    #expect(changed > 50)
  }

  /// Bytes of the file: what passes reads as it did.
  @Test func randomBytes() throws {
    var random = SplitMix(seed: 5)
    let before = try content()
    var found = 0
    for step in 0..<300 {
      var bytes = good
      for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
      try run("cp", ["/dev/stdin", lab.database], input: bytes)
      if verdict() != nil { found += 1 } else { #expect(try content() == before, "step \(step)") }
    }
    #expect(found > 30)
  }

  @Test func generations() throws {
    try lab.sh("echo more > e; rm d/b; chmod 600 a")
    try lab.update { $0.scan.diffBytes = 65536 }
    #expect(verdict() == .unsigned)
    #expect(verdict(.number(1)) == nil, "a later generation changes nothing of an older one")
    let other = try Self.makeKey(lab.directory, "other")
    _ = try BaselineRun.sign(lab.database, .latest, with: .key(other), replaces: false)
    #expect(verdict() == .unsigned)
    _ = try BaselineRun.sign(lab.database, .latest, with: .key(key), replaces: false)
    #expect(verdict() == nil)
    #expect(try signers(.latest) == [key.publicKey.id, other.publicKey.id].sorted())
    // an older generation is forgotten, the younger stays what it was
    try lab.sh("echo again > e")
    try lab.update {
      $0.scan.diffBytes = 65536
      $0.keepCount = 2
    }
    #expect(verdict(.number(2)) == nil)
    #expect(try signers(.number(2)).count == 2)
    let store = try Store(lab.database, writing: false)
    #expect(try store.database.integer("SELECT count(*) FROM signature WHERE generation < 2") == 0)
    #expect(try store.generations().map(\.id) == [2, 3])
  }

  @Test func whatWasEditedIsNotSignedAgain() throws {
    try edit("UPDATE object SET mode = mode + 1 WHERE name = 'a'")
    #expect(throws: Failure.self) { try BaselineRun.sign(lab.database, .latest, with: .key(key), replaces: false) }
    #expect(verdict() == .altered)
    _ = try BaselineRun.sign(lab.database, .latest, with: .key(key), replaces: true)
    #expect(verdict() == nil)
  }

  /// A database of the first version has no table for them.
  @Test func anOlderDatabase() throws {
    try edit("DROP TABLE signature; PRAGMA user_version = 1")
    #expect(verdict() == .unsigned)
    #expect(try signers(.latest).isEmpty)
    let kept = try signatureElsewhere()
    _ = try BaselineRun.sign(lab.database, .latest, with: .made(kept, key.publicKey), replaces: false)
    #expect(verdict() == nil)
  }
}
