import AuditWire
import Replay
import Testing

@testable import EventLog

/// Our tokeniser against the audit project's own, over every record of the corpus. Where they differ, the difference is a
/// named case below, with the reason why ours is meant.
@Suite struct AuparseTests {
  private struct Ours: Equatable {
    var name: String
    var raw: [UInt8]
    var decoded: [UInt8]
    var isText: Bool
  }

  private func ours(_ line: [UInt8]) -> [Ours]? {
    let bytes = line.span.bytes
    guard let prefix = LinePrefix(bytes) else { return nil }
    var reader = HeaderReader()
    var isSame = false
    guard let header = reader.read(bytes, at: prefix.headerStart, isSame: &isSame) else { return nil }
    var cursor = FieldCursor(bytes, start: header.bodyStart)
    var fields: [Ours] = []
    while let field = cursor.next(bytes) {
      let slice = field.value.slice
      let isQuoted = field.value.encoding == .quoted
      var decoded = ByteScratch()
      field.value.decode(from: bytes, into: &decoded)
      let isText = EscapedFields.contains(bytes.extracting(field.name.range), of: prefix.type)
      fields.append(
        Ours(
          name: String(decoding: line[field.name.range], as: UTF8.self),
          raw: Array(line[isQuoted ? Int(slice.start) - 1..<slice.end + 1 : slice.range]), decoded: decoded.array, isText: isText))
    }
    return fields
  }

  private func both(_ line: [UInt8]) throws -> (theirs: [OracleField], mine: [Ours]) {
    let mine = try #require(ours(line))
    return (Oracle.fields(of: line) ?? [], mine)
  }

  @Test(arguments: Corpus.logs) func theSameFields(log: String) throws {
    var compared = 0
    for line in try Corpus.read(log).split(separator: UInt8(ascii: "\n")).map({ Array($0) }) {
      let (theirs, mine) = try both(line)
      let text = String(decoding: line.prefix(300), as: UTF8.self)
      #expect(mine.map(\.name) == theirs.map(\.name), "\(text)")
      for (field, other) in zip(mine, theirs) where field.name == other.name {
        compared += 1
        #expect(String(decoding: field.raw, as: UTF8.self) == String(decoding: other.raw, as: UTF8.self), "\(field.name) in \(text)")
      }
    }
    #expect(compared > 50)
  }

  /// Forms that the corpus lacks.
  @Test(arguments: [
    "op=add, res=1", "avc:  denied  { read } for  pid=7 comm=\"x\"", "a=1,b=2", "user pid=1 uid=0", "name=\"unclosed", "a==b", "=x y=1",
    "pid=1 uid=0 ses=1 msg='op=PAM:session_open grantors=pam_unix acct=\"root\" exe=\"/usr/sbin/sshd\" hostname=? terminal=ssh res=success'",
    "cmd=6C73202D6C terminal=pts/0 res=success'",
  ])
  func alsoTheSame(body: String) {
    let (mine, theirs) = text(body)
    #expect(mine == theirs)
  }

  /// Where the two read a record differently, and why ours is meant.
  @Test(arguments: [
    // the kernel's missing blank (audit_watch.c): auparse loses `op`
    ("ses=4294967295op=remove_rule list=4", "ses|4294967295 op|remove_rule list|4", "ses|4294967295op=remove_rule list|4"),
    // nothing in quotes is part of what follows them
    ("key=\"a\"x=1", "key|\"a\" x|1", "key|\"a\"x=1"),
    // single quotes hold a value together; auparse stops at the blank
    ("x='a b' y=1", "x|a b y|1", "x|'a y|1"),
    // an empty value is a value; auparse drops the field
    ("x= y=1", "x| y|1", "y|1"),
    // parentheses are kept: what a field is called is the writer's business
    ("(foo=1)", "(foo|1)", "foo|1"),
  ])
  func deliberatelyDifferent(body: String, mine: String, theirs: String) {
    let found = text(body)
    #expect(found.mine == mine && found.theirs == theirs)
  }

  private func text(_ body: String) -> (mine: String, theirs: String) {
    let line = Array("type=USER_ACCT msg=audit(1795228434.415:44): \(body)".utf8)
    return (
      (ours(line) ?? []).map { "\($0.name)|\(String(decoding: $0.raw, as: UTF8.self))" }.joined(separator: " "),
      (Oracle.fields(of: line) ?? []).map { "\($0.name)|\(String(decoding: $0.raw, as: UTF8.self))" }.joined(separator: " ")
    )
  }

  @Test(arguments: Corpus.logs) func theSameText(log: String) throws {
    var compared = 0
    for line in try Corpus.read(log).split(separator: UInt8(ascii: "\n")).map({ Array($0) }) {
      let (theirs, mine) = try both(line)
      for field in mine where field.isText && field.raw != Array("(null)".utf8) {
        guard let other = theirs.first(where: { $0.name == field.name && $0.raw == field.raw }), !Known.isGarbled(field.decoded) else {
          continue
        }
        compared += 1
        #expect(
          String(decoding: field.decoded, as: UTF8.self) == String(decoding: other.interpreted, as: UTF8.self),
          "\(field.name)=\(String(decoding: field.raw, as: UTF8.self))")
      }
    }
    #expect(compared > 20)
  }
}

/// Deliberate differences.
enum Known {
  /// auparse prints names for terminals: it replaces or escapes control bytes and what is not ASCII (AUDIT-FACTS 10), so of those
  /// only the raw values are compared.
  static func isGarbled(_ bytes: [UInt8]) -> Bool { bytes.contains { $0 < 0x20 || $0 >= 0x7f } }
}
