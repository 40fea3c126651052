import Glibc
import SystemPackage

/// The number of the group `name`, or nil where this host has none (getgrnam_r(3), which asks NSS).
package func groupID(named name: String) throws(SystemError) -> UInt32? {
  var capacity = 1024
  while true {
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    let code = withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) {
      getgrnam_r(name, &entry, $0.baseAddress, capacity, &found)
    }
    switch code {
    case 0: return found == nil ? nil : entry.gr_gid
    // The members did not fit; a group with thousands of them is real (LDAP).
    case ERANGE where capacity < 1 << 22: capacity *= 4
    case EINTR: continue
    // "The given name was not found": what NSS modules return besides 0 (getgrnam(3), ERRORS).
    case ENOENT, ESRCH, EBADF, EPERM: return nil
    default: throw SystemError("getgrnam_r", name, Errno(rawValue: code))
    }
  }
}
