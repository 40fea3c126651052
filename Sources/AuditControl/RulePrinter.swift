import CAudit
import System

extension Rule {
  /// The rule as one line of a rule file, without a line end: `auditctl -R` and ``RuleLine`` read the same rule back, byte for byte, where
  /// ``isLoadable`` says so. Bytes, since a path need not be UTF-8.
  package var line: [UInt8] {
    // auditctl's line buffer holds 6144 bytes: a rule that names hundreds of calls fits only as numbers.
    let named = line(syscallNames: true)
    return named.count < 6100 ? named : line(syscallNames: false)
  }

  /// ``line`` for a person.
  package var description: String { printable(String(decoding: line, as: UTF8.self)) }

  /// Whether ``line`` means exactly this rule. False for what no line can say: a line feed in a path, a field without a name, a key in front of
  /// another field.
  package var isLoadable: Bool {
    let line = line
    guard !line.contains(UInt8(ascii: "\n")), let arguments = ruleArguments(line: line), let parsed = try? RuleLine(arguments) else {
      return false
    }
    return parsed.rules == [self]
  }

  private func line(syscallNames: Bool) -> [UInt8] {
    var words: [[UInt8]] = [Array("-a".utf8), Array("\(action.name),\(list.name)".utf8)]
    let calls = list.selectsSyscalls ? syscallText(names: syscallNames) : nil
    // -S comes after arch=, which decides what its names mean, and otherwise first. Fields keep their order, it is part of the rule.
    var callsPrinted = calls == nil
    func printCalls() {
      if let calls, !callsPrinted { words += [Array("-S".utf8), Array(calls.utf8)] }
      callsPrinted = true
    }
    if !fields.contains(where: { $0.id == AUDIT_ARCH }) { printCalls() }
    for field in fields {
      if field.id == AUDIT_FILTERKEY, field.operation == RuleField.equal {
        for key in field.text.split(separator: UInt8(AUDIT_KEY_SEPARATOR)) { words += [Array("-F".utf8), Array("key=".utf8) + key] }
      } else if field.id == AUDIT_FIELD_COMPARE {
        words += [Array("-C".utf8), Array(field.comparisonText.utf8)]
      } else {
        words += [Array("-F".utf8), Array((field.name + field.symbol).utf8) + field.valueText(list)]
      }
      if field.id == AUDIT_ARCH { printCalls() }
    }
    return Array(words.map(escapedRuleArgument).joined(separator: [UInt8(ascii: " ")]))
  }

  /// `all`, or the calls with commas between.
  private func syscallText(names: Bool) -> String {
    if syscalls == .all { return "all" }
    let machine = LibAudit.machine(elf: fields.last { $0.id == AUDIT_ARCH }?.value)
    return syscalls.numbers.map { number in
      let name =
        list == .ring ? RingOperation.names.first { $0.number == number }?.name : LibAudit.syscallName(number, machine: machine)
      return names ? name ?? "\(number)" : "\(number)"
    }.joined(separator: ",")
  }

  /// The calls' names (numbers where a call has none) for an exit or io_uring rule; nil for all of them.
  package var syscallNames: [String]? {
    list.selectsSyscalls && syscalls != .all ? syscallText(names: true).split(separator: ",").map(String.init) : nil
  }
}

extension RuleField {
  /// The field's name in auditctl's words; `field_N` where it has none.
  package var name: String { LibAudit.name(field: id) ?? "field_\(id)" }

  /// The operator as it is written.
  package var symbol: String { LibAudit.symbol(operation) ?? "?" }

  /// `uid=euid`
  fileprivate var comparisonText: String {
    guard let row = fieldComparisons.first(where: { UInt32(bitPattern: $0.number) == value }) else { return "\(value)" }
    return row.pair.0 + symbol + row.pair.1
  }

  /// The value as auditctl writes and reads it.
  package func valueText(_ list: RuleList) -> [UInt8] { RuleField.isText(id) ? text : Array(numberText.utf8) }

  private var numberText: String {
    let signed = Int32(bitPattern: value)
    switch id {
    case AUDIT_ARCH:
      for name in ["b64", "b32"] where LibAudit.elf(arch: name) == value { return name }
      return hex
    case AUDIT_PERM: return FilePermissions(rawValue: value).letters
    case AUDIT_UID, AUDIT_EUID, AUDIT_SUID, AUDIT_FSUID, AUDIT_LOGINUID, AUDIT_OBJ_UID, AUDIT_SESSIONID:
      return value == .max ? "unset" : "\(value)"
    case AUDIT_MSGTYPE:
      guard let name = audit_msg_type_to_name(signed).map({ String(cString: $0) }), audit_name_to_msg_type(name) == signed else { break }
      return name
    case AUDIT_FSTYPE: return audit_fstype_to_name(signed).map { String(cString: $0) } ?? "\(value)"
    case AUDIT_FILETYPE: return audit_ftype_to_name(signed).map { String(cString: $0) } ?? "\(value)"
    case AUDIT_ARG0...AUDIT_ARG3: return hex
    case AUDIT_EXIT:
      guard signed < 0, signed != .min, let name = audit_errno_to_name(-signed).map({ "-" + String(cString: $0) }),
        audit_name_to_errno(name) == signed
      else { return "\(signed)" }
      return name
    default: break
    }
    return "\(value)"
  }

  private var hex: String { "0x" + String(value, radix: 16, uppercase: true) }
}
