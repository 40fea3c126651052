import Glibc
import System
import SystemPackage

/// What keeps two runs on one baseline apart: a flock(2) on a file beside the database, which holds the pid of the run. The kernel lets go of
/// it when the process ends, however it ends.
package final class RunLock: Sendable {
  private let file: Descriptor

  /// - Throws: a failure with the other run's pid, where there is one (``ExitStatus/locked``).
  package init(database: String) throws(Failure) {
    let path = database + ".lock"
    let opened: Descriptor
    do { opened = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600) } catch {
      throw error.failure(advice: error.code == .noSuchFileOrDirectory ? "the directory of --database does not exist" : "")
    }
    let number = opened.raw
    if flock(number, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK else { throw SystemError("flock", path, Errno(rawValue: code)).failure() }
      let text = (try? opened.readToEnd(limitBytes: 64)) ?? []
      let pid = text.prefix { (48..<58).contains($0) }
      throw Failure(
        "\(printable(database)) is in use" + (pid.isEmpty ? "" : " by process \(String(decoding: pid, as: UTF8.self))"),
        advice: "wait until that run has ended", exit: .locked)
    }
    var text = "\(getpid())\n"
    _ = ftruncate(number, 0)
    text.withUTF8 { _ = pwrite(number, $0.baseAddress, $0.count, 0) }
    file = opened
  }
}
