import Replay
import Testing

@testable import AuditWire

@Suite struct FieldCursorTests {
  /// The fields as `name=raw` (quotes kept out), joined by `|`.
  private func fields(_ text: String) -> String {
    let bytes = Array(text.utf8)
    let span = bytes.span.bytes
    var cursor = FieldCursor(span)
    var found: [String] = []
    while let field = cursor.next(span) {
      found.append("\(span.extracting(field.name.range).text())=\(span.extracting(field.value.slice.range).text())")
    }
    return found.joined(separator: "|")
  }

  @Test(arguments: [
    ("pid=1 uid=0", "pid=1|uid=0"),
    ("  pid=1   uid=0  ", "pid=1|uid=0"),
    (#"comm="a b" exe="/bin/x""#, #"comm=a b|exe=/bin/x"#),
    ("key= tty=pts0", "key=|tty=pts0"),
    ("", ""), ("prose only", ""), ("avc:  denied  { read } for  pid=7", "pid=7"),
    // the kernel leaves out the blank (audit_watch.c)
    ("auid=4294967295 ses=4294967295op=remove_rule path=\"/x\"", "auid=4294967295|ses=4294967295|op=remove_rule|path=/x"),
    ("ses=1 op=x", "ses=1|op=x"), ("ses=unset op=x", "ses=unset|op=x"),
    // user space wraps
    ("pid=1 msg='op=login acct=\"root\" exe=\"/s\" res=success'", "pid=1|op=login|acct=root|exe=/s|res=success"),
    ("msg='unit=ssh comm=\"systemd\" res=success'", "unit=ssh|comm=systemd|res=success"),
    // commas of libaudit and of the kernel's older records
    ("op=add, res=1", "op=add|res=1"), ("a=1,b=2", "a=1,b=2"),
    // auditd's own words are not ours
    ("uid=0\u{1d}UID=\"root\" AUID=\"x\"", "uid=0"), ("\u{1d}UID=\"root\"", ""), (#"name="x"\#u{1d}NAME="y""#, "name=x"),
    (#"cmd="unclosed value"#, #"cmd="unclosed"#), ("a==b", "a==b"), ("=x y=1", "=x|y=1"),
    ("grantors=pam_unix,pam_x acct=1", "grantors=pam_unix,pam_x|acct=1"),
  ])
  func walks(text: String, expected: String) { #expect(fields(text) == expected) }

  @Test func startsWhereTold() {
    let bytes = Array("audit(1.000:1): pid=1".utf8)
    func first(from start: Int) -> Field? {
      var cursor = FieldCursor(bytes.span.bytes, start: start)
      return cursor.next(bytes.span.bytes)
    }
    #expect(first(from: 16)?.name == Slice(start: 16, count: 3))
    #expect(first(from: bytes.count) == nil && first(from: bytes.count + 1) == nil)
  }
}
