import CAudit

/// The kernel's list that a rule belongs to (AUDIT_FILTER_* of linux/audit.h).
package enum RuleList: UInt32, Sendable, CaseIterable {
  case user = 0
  case task = 1
  case exit = 4
  case exclude = 5
  case filesystem = 6
  /// libaudit 3.0.9 does not know this list: its rules are built here, on `struct audit_rule_data`, and its operations come from ``RingOperation``.
  case ring = 7

  /// auditctl's name.
  package var name: String {
    switch self {
    case .user: "user"
    case .task: "task"
    case .exit: "exit"
    case .exclude: "exclude"
    case .filesystem: "filesystem"
    case .ring: "io_uring"
    }
  }

  /// Whether its rules select system calls (or io_uring operations).
  package var selectsSyscalls: Bool { self == .exit || self == .ring }
}

/// What happens when a rule matches.
package enum RuleAction: UInt32, Sendable {
  case never = 0
  case always = 2

  package var name: String { self == .never ? "never" : "always" }
}

/// A set of system call numbers 0…2031, as the kernel keeps it.
///
/// The kernel's mask has 2048 bits, but the last 16 do not name system calls: they select whole classes, which the kernel replaces by their
/// members (kernel/auditfilter.c audit_to_entry_common). Left at 0 here, a rule reads back from the kernel as it was sent.
package struct SyscallSet: Hashable, Sendable {
  /// 64 words of 32 bits, lowest number first.
  package private(set) var words: [UInt32]

  /// The greatest number that a rule can name.
  package static let greatest = 2031

  package static let none = SyscallSet(words: [UInt32](repeating: 0, count: 64))
  package static let all = SyscallSet(words: [UInt32](repeating: .max, count: 64))

  /// Reads a mask of 64 words; missing ones are 0.
  package init(words: some Sequence<UInt32>) {
    self.words = Array(words.prefix(64))
    self.words += [UInt32](repeating: 0, count: 64 - self.words.count)
    self.words[63] &= 0xffff
  }

  package func contains(_ number: Int) -> Bool {
    (0...Self.greatest).contains(number) && words[number / 32] & (1 << UInt32(number % 32)) != 0
  }

  /// Adds a number; false where no rule can name it.
  @discardableResult
  package mutating func insert(_ number: Int) -> Bool {
    guard (0...Self.greatest).contains(number) else { return false }
    words[number / 32] |= 1 << UInt32(number % 32)
    return true
  }

  package var numbers: [Int] { (0...Self.greatest).filter(contains) }

  /// Whether every member of `other` is one of this set.
  package func isSuperset(of other: SyscallSet) -> Bool { zip(words, other.words).allSatisfy { $0 | $1 == $0 } }

  /// Whether the two have a member in common.
  func intersects(_ other: SyscallSet) -> Bool { zip(words, other.words).contains { $0 & $1 != 0 } }
}

/// One condition of a rule.
package struct RuleField: Hashable, Sendable {
  /// AUDIT_PID, AUDIT_WATCH and so on.
  package let id: Int32
  /// AUDIT_EQUAL and so on.
  package let operation: UInt32
  /// The number; for a text field the text's length in bytes.
  package let value: UInt32
  /// The bytes of a path, key or security label; empty for a numeric field.
  package let text: [UInt8]

  package init(_ id: Int32, _ operation: UInt32 = RuleField.equal, value: UInt32) {
    self.id = id
    self.operation = operation
    self.value = value
    text = []
  }

  package init(_ id: Int32, _ operation: UInt32 = RuleField.equal, text: [UInt8]) {
    self.id = id
    self.operation = operation
    value = UInt32(truncatingIfNeeded: text.count)
    self.text = text
  }

  package static let equal = UInt32(AUDIT_EQUAL)

  /// Whether the kernel keeps text for this field (kernel/auditfilter.c audit_data_to_entry).
  package static func isText(_ id: Int32) -> Bool {
    switch id {
    case AUDIT_SUBJ_USER...AUDIT_SUBJ_CLR, AUDIT_OBJ_USER...AUDIT_OBJ_LEV_HIGH, AUDIT_WATCH, AUDIT_DIR, AUDIT_EXE, AUDIT_FILTERKEY: true
    default: false
    }
  }
}

/// One audit rule, exactly as the kernel compares it: two rules are equal when the kernel takes them for the same.
package struct Rule: Hashable, Sendable {
  package var list: RuleList
  package var action: RuleAction
  package var syscalls: SyscallSet
  /// In order: the kernel compares them one by one.
  package var fields: [RuleField]

  package init(_ list: RuleList, _ action: RuleAction, syscalls: SyscallSet, fields: [RuleField]) {
    self.list = list
    self.action = action
    self.syscalls = syscalls
    self.fields = fields
  }

  /// The fields that a rule can have (AUDIT_MAX_FIELDS).
  package static let greatestFieldCount = 64

  /// Reads the kernel's `struct audit_rule_data`; nil for a rule of a list, action or form that this program does not know.
  package init?(data: [UInt8]) {
    func word(_ index: Int) -> UInt32 { data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self) } }
    guard data.count >= Self.fixedBytes, word(2) <= 64,
      let list = RuleList(rawValue: word(0) & ~UInt32(AUDIT_FILTER_PREPEND)), let action = RuleAction(rawValue: word(1))
    else { return nil }
    var fields: [RuleField] = []
    var text = data[Self.fixedBytes...]
    for index in 0..<Int(word(2)) {
      let id = Int32(bitPattern: word(67 + index))
      let value = word(131 + index)
      let operation = word(195 + index)
      if RuleField.isText(id) {
        guard value <= text.count else { return nil }
        fields.append(RuleField(id, operation, text: Array(text.prefix(Int(value)))))
        text = text.dropFirst(Int(value))
      } else {
        fields.append(RuleField(id, operation, value: value))
      }
    }
    self.init(list, action, syscalls: SyscallSet(words: (3..<67).map(word)), fields: fields)
  }

  /// `struct audit_rule_data`, as AUDIT_ADD_RULE takes it and AUDIT_LIST_RULES returns it.
  package var data: [UInt8] { data(prepend: false) }

  /// The same with the flag that puts the rule in front of its list (`-A`). The flag is no part of the rule: deleting needs it clear.
  func data(prepend: Bool) -> [UInt8] {
    var words = [UInt32](repeating: 0, count: Self.fixedBytes / 4)
    words[0] = list.rawValue | (prepend ? UInt32(AUDIT_FILTER_PREPEND) : 0)
    words[1] = action.rawValue
    words[2] = UInt32(fields.count)
    words.replaceSubrange(3..<67, with: syscalls.words)
    var text: [UInt8] = []
    for (index, field) in fields.prefix(Self.greatestFieldCount).enumerated() {
      words[67 + index] = UInt32(bitPattern: field.id)
      words[131 + index] = field.value
      words[195 + index] = field.operation
      text += field.text
    }
    words[259] = UInt32(text.count)
    return words.withUnsafeBytes { Array($0) } + text
  }

  /// The size of `struct audit_rule_data` without its text: 260 words.
  private static let fixedBytes = 1040

  /// The keys that its records carry: one field holds them all, separated by AUDIT_KEY_SEPARATOR (0x01).
  package var keys: [[UInt8]] {
    fields.filter { $0.id == AUDIT_FILTERKEY }.flatMap { $0.text.split(separator: UInt8(AUDIT_KEY_SEPARATOR)).map(Array.init) }
  }

  /// Whether a field is the one that holds the keys.
  package func isKey(_ field: RuleField) -> Bool { field.id == AUDIT_FILTERKEY && field.operation == RuleField.equal }

  /// The first field of this kind.
  package func field(_ id: Int32) -> RuleField? { fields.first { $0.id == id } }

  /// The architecture of a rule with `arch=`, as AUDIT_ARCH_*.
  package var arch: UInt32? { fields.first { $0.id == AUDIT_ARCH && $0.operation == RuleField.equal }?.value }
}
