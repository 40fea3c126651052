import CAuparse
import Glibc
import Synchronization

/// libauparse's view of one line of auditd's log.
struct OracleField: Equatable {
  var name: String
  /// As it stands in the record, quotes included.
  var raw: [UInt8]
  /// What auparse_interpret_field makes of it.
  var interpreted: [UInt8]
}

enum Oracle {
  /// libauparse 3.0 keeps its interpretation tables in globals: two parsers at a time crash.
  private static let lock = Mutex(())

  /// The fields of the line's record, without those that auparse adds itself (`type`, `node`); nil where it reads none.
  static func fields(of line: [UInt8]) -> [OracleField]? { lock.withLock { _ in parse(line) } }

  private static func parse(_ line: [UInt8]) -> [OracleField]? {
    // auparse takes a NUL-terminated text with a line feed at its end
    var text = line.map { CChar(bitPattern: $0) } + [10, 0]
    guard let parser = auparse_init(AUSOURCE_BUFFER, &text) else { return nil }
    defer { auparse_destroy(parser) }
    guard auparse_next_event(parser) > 0, auparse_first_record(parser) > 0 else { return nil }
    var fields: [OracleField] = []
    repeat {
      guard let name = auparse_get_field_name(parser), let raw = auparse_get_field_str(parser) else { continue }
      let label = String(cString: name)
      if fields.isEmpty, label == "type" || label == "node" { continue }
      let interpreted = auparse_interpret_field(parser).map { bytes($0) } ?? []
      fields.append(OracleField(name: label, raw: bytes(raw), interpreted: interpreted))
    } while auparse_next_field(parser) > 0
    return fields
  }

  private static func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
    (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
  }
}
