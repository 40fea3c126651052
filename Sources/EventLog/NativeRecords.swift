import AuditEvents
import AuditWire
import FileChanges

/// Events that are no file change (a program started, a rule changed, a login, a type nobody knew yet): one line each,
/// every field of every record decoded, nothing dropped.
extension NativeEncoder {
  mutating func appendRecords(
    _ event: borrowing Event, _ typed: inout TypedEvent, _ interpreter: inout Interpreter, actor: Int
  ) {
    let bytes = event.text.storage.span.bytes
    let commandLine = commandLine(bytes, &typed)
    let start = lines.count
    lines.raw("{\"@timestamp\":")
    lines.timestamp(milliseconds: event.time)
    let isRule = isRuleChange(event)
    let login = RecordedLogin(bytes, event.records.first)
    lines.raw(",\"event\":{\"kind\":\"event\",\"category\":[\"")
    lines.raw(isRule ? "configuration" : typed.hasExecve ? "process" : "host")
    lines.raw("\"],\"type\":[\"")
    lines.raw(isRule ? "change" : typed.hasExecve ? "start" : "info")
    lines.raw("\"],\"action\":\"")
    action(event, &typed)
    lines.raw("\",\"outcome\":\"")
    let success = typed.hasUring ? typed.uring.success : typed.hasSyscall ? typed.syscall.success : login.success
    lines.raw(success == .yes ? "success" : success == .no ? "failure" : "unknown")
    lines.raw("\",\"sequence\":")
    lines.integer(UInt64(event.serial))
    lines.raw(isRule ? ",\"dataset\":\"fsaudit.rules\"" : ",\"dataset\":\"fsaudit.event\"")
    if typed.hasSyscall || typed.hasUring {
      process(event, &typed, actor, commandLine, textLimit: 1000)
      lines.raw("},")
      lines.raw(userJSON(actor))
    } else {
      lines.raw("}")
      recordedProcess(login, event.text)
      recordedUser(login, event.text)
    }
    tags(&interpreter, 0, actor)
    appendHost(event)
    lines.raw(",\"fsaudit\":{\"record_types\":[")
    let shown = min(event.records.count, 200)
    for index in 0..<shown {
      if index > 0 { lines.raw(",") }
      lines.raw("\"")
      typeName(event.records[index].type)
      lines.raw("\"")
    }
    lines.raw("]")
    if shown < event.records.count {
      lines.raw(",\"record_count\":")
      lines.integer(event.records.count)
    }
    firstKey(&interpreter, 0, actor)
    if typed.hasSyscall {
      lines.raw(",\"syscall\":\"")
      syscallName(&typed)
      lines.raw("\"")
    }
    if typed.hasSyscall || typed.hasUring {
      lines.raw(sessionJSON(actor))
    } else if let session = login.session, session != .max {
      lines.raw(",\"session\":")
      lines.integer(session)
    }
    if success == .no, typed.hasUring || typed.hasSyscall {
      let exit = typed.hasUring ? typed.uring.exit : typed.syscall.exit
      if let name = ErrorName.of(exit) {
        lines.raw(",\"errno\":\"")
        lines.raw(name)
        lines.raw("\"")
      }
    }
    completeness(event, &typed)
    records(event, &typed, others: false, from: start)
    lines.raw("}}\n")
  }

  /// `,"records":[{"type":…,field:value…}…]`: all records, or only those that the line says nothing else about.
  ///
  /// The line's limit is kept: values are cut at 1,000 bytes, and when the line is nearly full the rest is left out,
  /// both with a marker.
  mutating func records(_ event: borrowing Event, _ typed: inout TypedEvent, others: Bool, from start: Int) {
    let bytes = event.text.storage.span.bytes
    // a name and a value of nothing but control bytes take 6,700, one record's prose as many
    let room = start &+ NativeEncoder.lineLimitBytes &- 7_000
    lines.raw(",\"records\":[")
    var isFirst = true
    var isFull = false
    for index in event.records.indices {
      if others, !typed.otherRecords.contains(Int32(index)) { continue }
      let record = event.records[index]
      if lines.count > room {
        isFull = true
        break
      }
      lines.raw(isFirst ? "{\"type\":\"" : ",{\"type\":\"")
      isFirst = false
      typeName(record.type)
      lines.raw("\"")
      seenNames.removeAll(keepingCapacity: true)
      let text = bytes.extracting(0..<record.body.end)
      var fields = FieldCursor(text, start: Int(record.body.start))
      while let field = fields.next(text) {
        if lines.count > room {
          isFull = true
          break
        }
        name(field, text)
        value(field, of: record.type, text)
      }
      if fields.passedWords, lines.count <= room { prose(text.extracting(Int(record.body.start)..<text.byteCount)) }
      lines.raw("}")
    }
    lines.raw(isFull ? "],\"records_cut\":true" : "]")
  }

  // MARK: -

  /// The kernel's notice that a rule came or went: CONFIG_CHANGE with op=add_rule or remove_rule.
  private func isRuleChange(_ event: borrowing Event) -> Bool {
    let bytes = event.text.storage.span.bytes
    for record in event.records where record.type == .configChange {
      let text = bytes.extracting(0..<record.body.end)
      var fields = FieldCursor(text, start: Int(record.body.start))
      while let field = fields.next(text) {
        let value = text.extracting(field.value.slice.range)
        // the kernel forgets the blank in `ses=4294967295op=remove_rule` (AUDIT-FACTS 5)
        if text.extracting(field.name.range).equals("ses"), value.hasPrefix("op=remove_rule", at: value.byteCount - 14) { return true }
        guard text.extracting(field.name.range).equals("op") else { continue }
        return value.equals("add_rule") || value.equals("remove_rule") || value.equals("updated_rules")
      }
    }
    return false
  }

  /// `event.action`: the system call's name, else the first record's type in lower case.
  private mutating func action(_ event: borrowing Event, _ typed: inout TypedEvent) {
    if let first = event.records.first, first.type != .syscall, first.type != .path, first.type != .cwd {
      let name: StaticString = first.type.name ?? "unknown-record"
      for index in 0..<name.utf8CodeUnitCount {
        let byte = name.utf8Start[index]
        lines.raw(byte: byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte | 0x20)
      }
    } else if typed.hasSyscall {
      syscallName(&typed)
    } else {
      lines.raw("incomplete")
    }
  }

  private mutating func syscallName(_ typed: inout TypedEvent) {
    if let name = names.syscall(typed.syscall.architecture, typed.syscall.number) {
      lines.raw(name)
    } else {
      lines.integer(typed.syscall.number)
    }
  }

  private mutating func typeName(_ type: RecordType) {
    if let name = type.name {
      lines.raw(name)
    } else {
      lines.raw("UNKNOWN[")
      lines.integer(UInt64(type.rawValue))
      lines.raw("]")
    }
  }

  /// `,"name":`; a name that came before in the record gets a number, so that no JSON reader drops one of them.
  private mutating func name(_ field: Field, _ text: RawSpan) {
    let label = text.extracting(field.name.range)
    var times = 0
    for slice in seenNames where text.extracting(slice.range).equals(label) { times += 1 }
    seenNames.append(field.name)
    lines.raw(",\"")
    lines.escaped(label.extracting(0..<min(label.byteCount, 100)))
    // "type" is the record's
    if label.equals("type") { times += 1 }
    if times > 0 {
      lines.raw("_")
      lines.integer(times + 1)
    }
    lines.raw("\":")
  }

  private mutating func value(_ field: Field, of type: RecordType, _ text: RawSpan) {
    if field.value.encoding == .null || field.value.encoding == .absent {
      lines.raw("null")
      return
    }
    scratch.truncate(to: 0)
    if field.value.encoding == .hex, EscapedFields.contains(text.extracting(field.name.range), of: type) {
      field.value.decode(from: text, into: &scratch)
    } else {
      scratch.append(text.extracting(field.value.slice.range))
    }
    scratchString()
  }

  /// `,"record_text":…`: the record as it is, where it holds words that are no fields (`avc:  denied  { read } for …`, what a
  /// person said with `auditctl -m`).
  private mutating func prose(_ text: RawSpan) {
    lines.raw(",\"record_text\":")
    scratch.truncate(to: 0)
    scratch.append(text.extracting(0..<(text.firstIndex(of: enrichmentSeparator, from: 0, before: text.byteCount) ?? text.byteCount)))
    scratchString()
  }

  private mutating func scratchString() {
    let limit = 1000
    if scratch.count > limit {
      let cut = scratch.count - limit
      lines.raw("\"")
      lines.escaped(scratch, 0..<limit)
      lines.raw("…[cut: ")
      lines.integer(cut)
      lines.raw(" bytes]\"")
    } else {
      lines.string(scratch, 0..<scratch.count)
    }
  }
}

/// Which fields hold text that is in hexadecimal when it is not in quotes: those that the kernel writes with
/// audit_log_untrustedstring or audit_log_n_hex, and user space with audit_encode_nv_string.
enum EscapedFields {
  static func contains(_ name: RawSpan, of type: RecordType) -> Bool {
    // EXECVE's arguments: a0, a1, a2[0] …; those of SYSCALL are numbers
    if type == .execve, name.peek(0) == UInt8(ascii: "a"), name.peek(1) &- 0x30 <= 9 { return true }
    for known in names where name.equals(known) { return true }
    return false
  }

  private static let names: [StaticString] = [
    "name", "cwd", "comm", "exe", "key", "proctitle", "path", "dir", "file", "acct", "cmd", "data", "ocomm", "watch", "vm", "device",
    "cgroup",
    "grp", "new_group", "root_dir", "sw", "table", "old-disk", "new-disk", "old-fs", "new-fs", "old-chardev", "new-chardev", "profile",
    "msg", "title", "unit", "op",
  ]
}

extension JSONWriter {
  /// ``escaped(_:)`` of a part of a scratch.
  mutating func escaped(_ text: ByteScratch, _ range: Range<Int>) { _ = escaped(text.storage.span.bytes.extracting(range)) }
}
