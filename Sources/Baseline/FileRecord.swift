import CLinux
import EventLog
import Glibc
import System

/// One file of a generation, for people and other programs.
package struct FileRecord: Sendable {
  package let path: [UInt8]
  package let facts: Facts

  private var fields: [(title: String, value: String)] {
    FactField.all.compactMap { field in
      // times and owner are kept whether or not a rule asks; the access time only where one does
      if field.attribute == .atime, !facts.attributes.contains(.atime) { return nil }
      return field.text(facts).map { (field.title, $0) }
    }
  }

  /// The path, and an indented line each for what is known.
  package var text: [String] {
    [shown(path)]
      + fields.map { title, value in
        "  " + title + String(repeating: " ", count: max(1, 14 - title.count))
          + printable(value.split(separator: "\n").joined(separator: ", "))
      } + ["  compared      " + facts.attributes.expression]
  }

  /// `{"path":…,"type":…,"mode":…,…,"compared":[…]}`.
  package func write(json writer: inout JSONWriter) {
    writer.raw("{\"path\":")
    writer.path(path, "path_bytes")
    for (title, value) in fields {
      writer.raw(",")
      writer.string(title)
      writer.raw(":")
      writer.string(value)
    }
    writer.raw(",\"compared\":[")
    for (index, name) in facts.attributes.names.enumerated() {
      if index > 0 { writer.raw(",") }
      writer.string(name)
    }
    writer.raw("]}")
  }
}

extension Store {
  /// What a generation has of one path; nil where it has nothing.
  package func record(of path: [UInt8], in generation: Int64) throws(Failure) -> FileRecord? {
    let slash = UInt8(ascii: "/")
    var parent: [UInt8] = []
    var name: [UInt8] = path
    if path != [slash], let cut = path.lastIndex(of: slash) {
      (parent, name) = (cut == 0 ? [slash] : Array(path[..<cut]), Array(path[(cut + 1)...]))
    }
    guard let id = try directory(parent), let facts = try facts(id, name, generation) else { return nil }
    return FileRecord(path: path, facts: facts)
  }

  /// Every file of a generation, directory by directory.
  package func eachRecord(in generation: Int64, _ body: (FileRecord) throws -> Void) throws {
    let columns = Column.all.map { "o.\($0.name)" }.joined(separator: ", ")
    let query = try database.statement(
      """
      SELECT d.path, o.name, \(columns) FROM object o JOIN directory d ON d.id = o.directory \
      WHERE o.since <= ?1 AND (o.until IS NULL OR o.until > ?1) ORDER BY o.directory, o.name
      """)
    query.bind(1, generation)
    while try query.step() {
      var facts = Facts.empty
      for (index, column) in Column.all.enumerated() { column.read(query, Int32(index) + 2, &facts) }
      let directory = ScannedDirectory(Array(query.borrowed(0)), nil)
      try body(FileRecord(path: directory.path(of: Array(query.borrowed(1))), facts: facts))
    }
  }
}

extension Generation {
  /// The newest generation of a baseline, if there is one that can be read.
  package static func latest(in database: String) -> Generation? {
    try? Store(database, writing: false).generation(.latest)
  }

  /// When it was made, `2026-11-20 23:32:51` in UTC with a Z.
  package var created: String { timeText(nanoseconds: createdMs * 1_000_000).prefix(19) + "Z" }
}

/// Lets the process go last: idle I/O, and the lowest CPU priority.
package func giveWay() {
  _ = linux_idle_io()
  nice(19)
}
