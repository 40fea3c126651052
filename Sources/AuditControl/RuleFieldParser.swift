import CAudit
import Glibc
import System

/// Reads `-F name operator value` and `-C name operator name`.
struct RuleFieldParser {
  let list: RuleList
  /// What auditctl accepts in silence and the writer should know.
  var notes: [String] = []

  init(list: RuleList) { self.list = list }

  /// Longest first, so that `>=` is not taken for `>`.
  private static let operators: [(symbol: String, number: Int32)] = [
    ("!=", AUDIT_NOT_EQUAL), (">=", AUDIT_GREATER_THAN_OR_EQUAL), ("<=", AUDIT_LESS_THAN_OR_EQUAL), ("&=", AUDIT_BIT_TEST),
    ("=", AUDIT_EQUAL),
    (">", AUDIT_GREATER_THAN), ("<", AUDIT_LESS_THAN), ("&", AUDIT_BIT_MASK),
  ]

  /// Splits `name operator value` at the operator that follows the name.
  static func split(_ pair: [UInt8], option: String) throws(Failure) -> (name: String, operation: UInt32, value: [UInt8]) {
    func wrong(_ what: String) -> Failure {
      Failure("\(option) \(printable(String(decoding: pair, as: UTF8.self))): \(what)", advice: "write name, operator, value", exit: .usage)
    }
    let end = pair.firstIndex { !(isalnum(Int32($0)) != 0 || $0 == UInt8(ascii: "_")) } ?? pair.endIndex
    let name = String(decoding: pair[..<end], as: UTF8.self)
    let rest = pair[end...]
    guard let found = operators.first(where: { rest.starts(with: $0.symbol.utf8) }) else { throw wrong("no operator after the name") }
    if name.isEmpty { throw wrong("no name before the operator") }
    let value = Array(rest.dropFirst(found.symbol.utf8.count))
    if value.isEmpty { throw wrong("no value after the operator") }
    return (name, UInt32(bitPattern: found.number), value)
  }

  /// One `-F`. Keys do not come here: they are joined into one field (``RuleLine``).
  mutating func field(_ pair: [UInt8]) throws(Failure) -> RuleField {
    let (name, operation, value) = try Self.split(pair, option: "-F")
    let text = String(decoding: value, as: UTF8.self)
    func wrong(_ what: String, _ advice: String) -> Failure {
      Failure("-F \(printable(String(decoding: pair, as: UTF8.self))): \(what)", advice: advice, exit: .usage)
    }
    func only(_ lists: [RuleList]) throws(Failure) {
      if !lists.contains(list) {
        throw wrong("\(name) cannot be used in the \(list.name) list", "its lists are \(lists.map(\.name).joined(separator: ", "))")
      }
    }
    func onlyEquality() throws(Failure) {
      if operation != RuleField.equal, operation != UInt32(AUDIT_NOT_EQUAL) {
        throw wrong("\(name) only takes = or !=", "change the operator")
      }
    }
    func onlyEqual() throws(Failure) {
      if operation != RuleField.equal {
        throw wrong("\(name) only takes =", "to leave something out, put a never,exit rule for it in front of this one")
      }
    }
    func number(_ unset: Bool, signed: Bool, else named: (String) -> UInt32?, _ kind: String) throws(Failure) -> RuleField {
      if signed || !text.hasPrefix("-"), let number = Number(text) {
        if let oddity = number.oddity { notes.append("-F \(printable(String(decoding: pair, as: UTF8.self))): \(oddity)") }
        return RuleField(id, operation, value: number.value)
      }
      if unset, text == "unset" { return RuleField(id, operation, value: .max) }
      guard let number = named(text) else {
        throw wrong(
          "\(kind) \"\(printable(text))\" is unknown", audit_name_to_field(text) < 0 ? "check the spelling" : "-C compares two fields")
      }
      return RuleField(id, operation, value: number)
    }
    let id = audit_name_to_field(name)
    if id < 0 { throw wrong("unknown field \(name)", "auditctl(8) lists the fields") }
    if list == .exclude { try only(Self.excludable.contains(id) ? [.exclude] : Self.listsBesideExclude) }
    switch id {
    case AUDIT_UID, AUDIT_EUID, AUDIT_SUID, AUDIT_FSUID, AUDIT_LOGINUID, AUDIT_OBJ_UID:
      return try number(true, signed: true, else: LibAudit.user, "user")
    case AUDIT_GID, AUDIT_EGID, AUDIT_SGID, AUDIT_FSGID, AUDIT_OBJ_GID:
      return try number(false, signed: false, else: LibAudit.group, "group")
    case AUDIT_EXIT:
      try only([.exit, .ring])
      return try number(false, signed: true, else: errorNumber, "error")
    case AUDIT_MSGTYPE:
      try only([.exclude, .user])
      return try number(false, signed: false, else: { UInt32(exactly: audit_name_to_msg_type($0)) }, "record type")
    case AUDIT_FSTYPE:
      try only([.filesystem])
      try onlyEquality()
      return try number(
        false, signed: false, else: { audit_name_to_fstype($0) == -1 ? nil : UInt32(bitPattern: audit_name_to_fstype($0)) },
        "file system type")
    case AUDIT_FILETYPE:
      try only([.exit, .ring])
      return try number(
        false, signed: false, else: { UInt32(exactly: audit_name_to_ftype($0)) }, "file type")
    case AUDIT_SESSIONID:
      try only([.exit, .user, .exclude, .ring])
      return try number(true, signed: true, else: { _ in nil }, "session")
    case AUDIT_ARG0...AUDIT_ARG3:
      return try number(false, signed: true, else: { _ in nil }, "value")
    case AUDIT_ARCH:
      try onlyEquality()
      guard let elf = LibAudit.elf(arch: text) else {
        throw wrong("unknown architecture \(printable(text))", "use b64, b32 or what `uname -m` prints")
      }
      return RuleField(id, operation, value: elf)
    case AUDIT_PERM:
      try only([.exit])
      try onlyEqual()
      guard let permissions = FilePermissions(letters: text) else { throw wrong("unknown permission", "use letters of rwxa") }
      return RuleField(id, value: permissions.rawValue)
    case AUDIT_WATCH, AUDIT_DIR:
      try only([.exit, .ring])
      try onlyEqual()
      if value.first != UInt8(ascii: "/") { throw wrong("the path is not absolute", "begin it with /") }
      if id == AUDIT_WATCH, value.last == UInt8(ascii: "/") {
        throw wrong("path= does not end with a slash", "use dir= for a directory and what is below it")
      }
      return try textField(id, operation, value, wrong)
    case AUDIT_EXE:
      try onlyEquality()
      return try textField(id, operation, value, wrong)
    case AUDIT_OBJ_USER...AUDIT_OBJ_LEV_HIGH:
      try only([.exit, .ring])
      return try textField(id, operation, value, wrong)
    case _ where RuleField.isText(id):
      return try textField(id, operation, value, wrong)
    case AUDIT_DEVMAJOR, AUDIT_DEVMINOR, AUDIT_INODE, AUDIT_SUCCESS, AUDIT_PPID:
      try only([.exit, .ring])
      if id == AUDIT_INODE { try onlyEquality() }
      return try number(false, signed: false, else: { _ in nil }, "value")
    default:
      let field = try number(false, signed: false, else: { _ in nil }, "value")
      if id == AUDIT_SADDR_FAM, field.value >= Self.socketFamilies { throw wrong("no such address family", "IPv4 is 2 and IPv6 is 10") }
      return field
    }
  }

  private func textField(
    _ id: Int32, _ operation: UInt32, _ value: [UInt8], _ wrong: (String, String) -> Failure
  ) throws(Failure) -> RuleField {
    if value.count > Int(PATH_MAX) { throw wrong("it is longer than \(PATH_MAX) bytes", "shorten it") }
    return RuleField(id, operation, text: value)
  }

  /// AF_MAX of linux/socket.h: libaudit's bound.
  private static let socketFamilies: UInt32 = 46

  /// The fields of the exclude list (kernel/auditfilter.c audit_field_valid).
  private static let excludable: Set<Int32> = [
    AUDIT_PID, AUDIT_UID, AUDIT_GID, AUDIT_LOGINUID, AUDIT_MSGTYPE, AUDIT_SUBJ_USER, AUDIT_SUBJ_ROLE, AUDIT_SUBJ_TYPE, AUDIT_SUBJ_SEN,
    AUDIT_SUBJ_CLR, AUDIT_EXE,
  ]

  private static let listsBesideExclude = RuleList.allCases.filter { $0 != .exclude }

  private func errorNumber(_ name: String) -> UInt32? {
    let number = audit_name_to_errno(name)
    return number == 0 ? nil : UInt32(bitPattern: number)
  }

  /// One `-C`.
  func comparison(_ pair: [UInt8]) throws(Failure) -> RuleField {
    let (first, operation, value) = try Self.split(pair, option: "-C")
    let second = String(decoding: value, as: UTF8.self)
    let text = printable(String(decoding: pair, as: UTF8.self))
    if list != .exit && list != .ring { throw Failure("-C \(text): only for the exit list", advice: "remove it", exit: .usage) }
    guard operation == RuleField.equal || operation == UInt32(AUDIT_NOT_EQUAL) else {
      throw Failure("-C \(text): only = and != compare two fields", advice: "change the operator", exit: .usage)
    }
    guard let row = fieldComparisons.first(where: { $0.pair == (first, second) || $0.pair == (second, first) }) else {
      throw Failure("-C \(text): these two cannot be compared", advice: "compare two of the uids or two of the gids", exit: .usage)
    }
    return RuleField(AUDIT_FIELD_COMPARE, operation, value: UInt32(bitPattern: row.number))
  }
}

/// What `-C` can compare, each pair in the order in which auditctl prints it.
let fieldComparisons: [(number: Int32, pair: (String, String))] = [
  (AUDIT_COMPARE_UID_TO_OBJ_UID, ("uid", "obj_uid")), (AUDIT_COMPARE_GID_TO_OBJ_GID, ("gid", "obj_gid")),
  (AUDIT_COMPARE_EUID_TO_OBJ_UID, ("euid", "obj_uid")), (AUDIT_COMPARE_EGID_TO_OBJ_GID, ("egid", "obj_gid")),
  (AUDIT_COMPARE_AUID_TO_OBJ_UID, ("auid", "obj_uid")), (AUDIT_COMPARE_SUID_TO_OBJ_UID, ("suid", "obj_uid")),
  (AUDIT_COMPARE_SGID_TO_OBJ_GID, ("sgid", "obj_gid")), (AUDIT_COMPARE_FSUID_TO_OBJ_UID, ("fsuid", "obj_uid")),
  (AUDIT_COMPARE_FSGID_TO_OBJ_GID, ("fsgid", "obj_gid")), (AUDIT_COMPARE_UID_TO_AUID, ("uid", "auid")),
  (AUDIT_COMPARE_UID_TO_EUID, ("uid", "euid")), (AUDIT_COMPARE_UID_TO_FSUID, ("uid", "fsuid")),
  (AUDIT_COMPARE_UID_TO_SUID, ("uid", "suid")), (AUDIT_COMPARE_AUID_TO_FSUID, ("auid", "fsuid")),
  (AUDIT_COMPARE_AUID_TO_SUID, ("auid", "suid")), (AUDIT_COMPARE_AUID_TO_EUID, ("auid", "euid")),
  (AUDIT_COMPARE_EUID_TO_SUID, ("euid", "suid")), (AUDIT_COMPARE_EUID_TO_FSUID, ("euid", "fsuid")),
  (AUDIT_COMPARE_SUID_TO_FSUID, ("suid", "fsuid")), (AUDIT_COMPARE_GID_TO_EGID, ("gid", "egid")),
  (AUDIT_COMPARE_GID_TO_FSGID, ("gid", "fsgid")), (AUDIT_COMPARE_GID_TO_SGID, ("gid", "sgid")),
  (AUDIT_COMPARE_EGID_TO_FSGID, ("egid", "fsgid")), (AUDIT_COMPARE_EGID_TO_SGID, ("egid", "sgid")),
  (AUDIT_COMPARE_SGID_TO_FSGID, ("sgid", "fsgid")),
]
