import AuditControl
import AuditEvents
import EventLog
import FileChanges
import Glibc
import Synchronization
import System

/// What the running host adds to its own events: /proc, the account databases, the system call tables.
package enum LiveSources {
  /// Finds paths through /proc/PID/fd and by reading directories; every answer is checked against the inode.
  package static let lookup = Lookup(
    descriptor: { pid, descriptor, identity, path in
      guard pid > 0, descriptor >= 0 else { return false }
      let link = "/proc/\(pid)/fd/\(descriptor)"
      guard let target = linkTarget(link), target.first == UInt8(ascii: "/") else { return false }
      // the process may have closed it and opened something else since the event
      if !identity.isUnknown {
        guard let object = examine(path: target), object.inode == identity.inode else { return false }
      }
      path += target
      return true
    },
    entry: { directory, identity, name in
      guard let opened = try? WalkedDirectory(directory) else { return false }
      var examined = 0
      while let entry = opened.next(), examined < 10_000 {
        examined += 1
        guard let object = opened.examine(entry), object.inode == identity.inode else { continue }
        name += entry.dropLast().map { UInt8(bitPattern: $0) }
        return true
      }
      return false
    },
    inode: { cachedInode($0) })

  /// Names of users, groups and system calls, and what /proc says of a process.
  package static func names(_ accounts: Accounts) -> NameSources {
    NameSources(
      user: { accounts.user($0) }, group: { accounts.group($0) },
      syscall: { architecture, number in syscallName(number, architecture: architecture).map { Array($0.utf8) } },
      process: { pid in process(pid) })
  }

  /// The fields that io_uring's records lack, in the kernel's notation.
  private static func process(_ pid: Int32) -> [UInt8] {
    func read(_ file: String) -> [UInt8] {
      var text = (try? contents(of: "/proc/\(pid)/\(file)", limitBytes: 4096)) ?? []
      while text.last == 0 || text.last == UInt8(ascii: "\n") { text.removeLast() }
      return text
    }
    func quoted(_ text: [UInt8]) -> [UInt8] {
      if text.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }) { return [0x22] + text + [0x22] }
      return text.flatMap { byte in Array((byte < 16 ? "0" : "").utf8) + Array(String(byte, radix: 16, uppercase: true).utf8) }
    }
    let login = read("loginuid")
    if login.isEmpty { return [] }
    var fields = Array(" auid=".utf8) + login + Array(" ses=".utf8) + read("sessionid")
    let command = read("comm")
    if !command.isEmpty { fields += Array(" comm=".utf8) + quoted(command) }
    if let program = linkTarget("/proc/\(pid)/exe") { fields += Array(" exe=".utf8) + quoted(program) }
    return fields
  }
}

/// Names of users and groups, from the account databases through NSS, remembered until the databases change.
package final class Accounts: Sendable {
  private struct State: Sendable {
    var users: [UInt32: [UInt8]?] = [:]
    var groups: [UInt32: [UInt8]?] = [:]
    var stamp: [Int] = []
    var checked: Int64 = 0
  }

  private let state = Mutex(State())

  package init() {}

  package func user(_ id: UInt32) -> [UInt8]? { find(id, \.users, Accounts.userName) }
  package func group(_ id: UInt32) -> [UInt8]? { find(id, \.groups, Accounts.groupName) }

  /// Whether names may have changed since the last call: /etc/passwd or /etc/group did, or ten minutes went by (for
  /// directory services). Everything remembered is forgotten then.
  package func haveChanged() -> Bool {
    let stamp = ["/etc/passwd", "/etc/group"].flatMap { path -> [Int] in
      guard let status = try? status(of: path) else { return [] }
      return [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, Int(truncatingIfNeeded: status.st_ino)]
    }
    let now = milliseconds(CLOCK_MONOTONIC)
    return state.withLock { state in
      if state.stamp.isEmpty { state.stamp = stamp }
      if stamp == state.stamp && now - state.checked < 600_000 { return false }
      let isFirst = state.checked == 0
      state = State(stamp: stamp, checked: now)
      return !isFirst
    }
  }

  private func find(_ id: UInt32, _ table: WritableKeyPath<State, [UInt32: [UInt8]?]> & Sendable, _ ask: (UInt32) -> [UInt8]?) -> [UInt8]? {
    if let known = state.withLock({ $0[keyPath: table][id] }) { return known }
    // asked without the lock: a directory service may take its time
    let name = ask(id)
    state.withLock { state in
      if state[keyPath: table].count > 10_000 { state[keyPath: table].removeAll() }
      state[keyPath: table][id] = .some(name)
    }
    return name
  }

  private static func userName(_ id: UInt32) -> [UInt8]? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { buffer in
      var entry = passwd()
      var result: UnsafeMutablePointer<passwd>?
      guard let start = buffer.baseAddress, getpwuid_r(id, &entry, start, buffer.count, &result) == 0, result != nil,
        let name = entry.pw_name
      else { return nil }
      return Array(String(cString: name).utf8)
    }
  }

  private static func groupName(_ id: UInt32) -> [UInt8]? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65536) { buffer in
      var entry = Glibc.group()
      var result: UnsafeMutablePointer<Glibc.group>?
      guard let start = buffer.baseAddress, getgrgid_r(id, &entry, start, buffer.count, &result) == 0, result != nil,
        let name = entry.gr_name
      else { return nil }
      return Array(String(cString: name).utf8)
    }
  }
}
