/// A small deterministic generator (SplitMix64): the same seed gives the same rules on every machine.
struct Generator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int.random(in: 0..<elements.count, using: &self)] }

  /// The arguments of one rule, which auditctl accepts more often than not. `directory` exists.
  mutating func rule(directory: String, number: Int) -> [String] {
    let list = pick(["exit", "exit", "exit", "exit", "exit", "user", "exclude", "filesystem", "task"])
    let action = list == "task" ? "never" : pick(["always", "never"])
    var arguments = [pick(["-a", "-a", "-A"]), chance(50) ? "\(action),\(list)" : "\(list),\(action)"]
    let comparison = ["=", "!=", "<", ">", "<=", ">=", "&", "&="]
    func field(_ text: String) { arguments += ["-F", text] }
    switch list {
    case "exit":
      let arch = pick(["b64", "b32", "x86_64", "i386", ""])
      if !arch.isEmpty { field("arch" + pick(["=", "=", "=", "!="]) + arch) }
      for _ in 0..<Int.random(in: 0...3, using: &self) {
        let calls = ["open", "openat", "unlink", "rename", "chmod", "fchown", "mkdir", "setxattr", "execve", "kill", "2", "0x10", "100"]
        if chance(30) {
          arguments += ["-S", (0..<3).map { _ in pick(calls) }.joined(separator: ",")]
        } else {
          arguments += ["-S", chance(10) ? "all" : pick(calls)]
        }
      }
      for _ in 0..<Int.random(in: 0...3, using: &self) {
        let operation = pick(comparison)
        switch Int.random(in: 0..<11, using: &self) {
        case 0:
          field(
            pick(["uid", "euid", "suid", "fsuid", "auid", "obj_uid", "loginuid"]) + operation
              + pick(["0", "1000", "root", "unset", "-1", "4294967295"]))
        case 1: field(pick(["gid", "egid", "sgid", "fsgid", "obj_gid"]) + operation + pick(["0", "root", "100"]))
        case 2: field("exit" + operation + pick(["-EACCES", "EPERM", "-13", "0", "5"]))
        case 3: field(pick(["a0", "a1", "a2", "a3"]) + operation + pick(["0100", "0x40", "-1", "7", "4294967295"]))
        case 4: field(pick(["pid", "ppid", "pers", "devmajor", "devminor"]) + operation + "\(Int.random(in: 0..<99999, using: &self))")
        case 5: field("success" + pick(["=", "!="]) + pick(["0", "1"]))
        case 6: field("filetype" + pick(["=", "!="]) + pick(["file", "dir", "socket", "link", "character", "block", "fifo"]))
        case 7: field("sessionid" + operation + pick(["1", "unset", "-1"]))
        case 8: field("saddr_fam" + pick(["=", "!="]) + pick(["2", "10"]))
        case 9:
          field(pick(["subj_type", "obj_role", "subj_sen", "obj_user"]) + pick(["=", "!="]) + pick(["crond_t", "system_r", "s0:c1.c5"]))
        default: arguments += ["-C", pick(["uid!=euid", "auid=obj_uid", "gid!=egid", "euid=suid", "obj_gid!=gid", "fsuid=uid"])]
        }
      }
      if chance(50) {
        field(pick(["path=\(directory)/file", "dir=\(directory)", "dir=\(directory)/", "inode=12345", "inode!=3000000000"]))
      }
      if chance(40) { field("perm=" + pick(["r", "w", "x", "a", "wa", "rwxa", "WA"])) }
      if chance(15) { field("exe" + pick(["=", "!="]) + "/usr/bin/true") }
    case "user": field(pick(["uid", "auid", "pid", "gid"]) + pick(comparison) + "\(Int.random(in: 0..<5000, using: &self))")
    case "exclude":
      field("msgtype" + pick(comparison) + pick(["CRYPTO_KEY_USER", "1300", "AVC", "USER_LOGIN"]))
      if chance(30) { field(pick(["uid", "pid", "auid"]) + pick(comparison) + "61234") }
    case "filesystem": field("fstype" + pick(["=", "!="]) + pick(["tracefs", "debugfs", "0x1234"]))
    default: field("uid=\(61000 + number)")
    }
    // The number makes every rule a rule of its own.
    if list != "task", list != "filesystem" { field("pid!=\(1_000_000 + number)") }
    for _ in 0..<Int.random(in: 0...2, using: &self) {
      let key = pick(["generated", "k\(number)", "two_words", "ünï"])
      arguments += chance(50) ? ["-k", key] : ["-F", "key=" + key]
    }
    return arguments
  }
}
