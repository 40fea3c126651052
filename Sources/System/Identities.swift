import Glibc
import SystemPackage

/// The number of the group `name`, or nil where this host has none (getgrnam_r(3), which asks NSS).
package func groupID(named name: String) throws(SystemError) -> UInt32? {
  try entry("getgrnam_r", name, group()) { getgrnam_r(name, $0, $1, $2, $3) }?.gr_gid
}

/// The number of the user `name`, or nil where this host has none (getpwnam_r(3), which asks NSS).
package func userID(named name: String) throws(SystemError) -> UInt32? {
  try entry("getpwnam_r", name, passwd()) { getpwnam_r(name, $0, $1, $2, $3) }?.pw_uid
}

/// - Parameter ask: the call, with the entry to fill, room for its strings, and where to say that there is one.
private func entry<Entry>(
  _ call: String, _ name: String, _ empty: Entry,
  _ ask: (UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int, UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>) -> Int32
) throws(SystemError) -> Entry? {
  var capacity = 1024
  while true {
    var entry = empty
    var found: UnsafeMutablePointer<Entry>?
    let code = withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) {
      $0.baseAddress.map { ask(&entry, $0, capacity, &found) } ?? ENOMEM
    }
    switch code {
    case 0: return found == nil ? nil : entry
    // The members did not fit; a group with thousands of them is real (LDAP).
    case ERANGE where capacity < 1 << 22: capacity *= 4
    case EINTR: continue
    // "The given name was not found": what NSS modules return besides 0 (getgrnam(3), ERRORS).
    case ENOENT, ESRCH, EBADF, EPERM: return nil
    default: throw SystemError(call, name, Errno(rawValue: code))
    }
  }
}
