import Glibc
import System
import SystemPackage

/// What keeps two runs on one baseline apart: a record lock (fcntl(2)) on a file beside the database. The kernel knows whose it is, and lets go of it
/// when the process ends, however it ends; a child does not inherit it.
package final class RunLock: Sendable {
  let file: Descriptor

  /// - Throws: a failure with the other run's pid, where there is one (``ExitStatus/locked``).
  package init(database: String) throws(Failure) {
    let path = database + ".lock"
    do { file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600) } catch {
      throw error.failure(advice: error.code == .noSuchFileOrDirectory ? "the directory of --database does not exist" : "")
    }
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    if fcntl(file.raw, F_SETLK, &lock) == 0 { return }
    let code = errno
    guard code == EACCES || code == EAGAIN else { throw SystemError("fcntl", path, Errno(rawValue: code)).failure() }
    let isKnown = fcntl(file.raw, F_GETLK, &lock) == 0 && lock.l_type != Int16(F_UNLCK) && lock.l_pid > 0
    throw Failure(
      "\(printable(database)) is in use" + (isKnown ? " by process \(lock.l_pid)" : ""), advice: "wait until that run has ended",
      exit: .locked)
  }
}
