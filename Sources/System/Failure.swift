import Glibc
import SystemPackage

/// How the command ends. The numbers are part of the command-line contract (DESIGN.md, "Commands").
package enum ExitStatus: Int32, Sendable {
  case ok = 0
  /// Nothing was found, or differences were found: each command documents which.
  case findings = 1
  case usage = 2
  case notPermitted = 3
  case kernelRefused = 4
  case inputOutput = 5
  /// Another run has what this one needs.
  case locked = 21
  /// The baseline is not signed with the key that it should be signed with.
  case unsigned = 22
  /// The baseline is not what was signed.
  case altered = 23
  /// The baseline's database is damaged, or none.
  case database = 24
}

/// What a person is told when something cannot be done: `fsaudit: what is wrong: what to do`.
package struct Failure: Error, CustomStringConvertible {
  /// What is wrong, with the file:line, argument or object it is about. Never contains raw control bytes.
  package let message: String
  /// What the reader can do about it; empty where nothing sensible can be said.
  package let advice: String
  package let exit: ExitStatus

  package init(_ message: String, advice: String = "", exit: ExitStatus) {
    self.message = message
    self.advice = advice
    self.exit = exit
  }

  package var description: String { advice.isEmpty ? message : "\(message): \(advice)" }
}

/// A system call that failed: which, on what, and why.
package struct SystemError: Error, Equatable, CustomStringConvertible {
  /// The call's own name, `openat` for example.
  package let call: String
  /// What it was applied to: a path or a short noun; printed through ``printable(_:)``.
  package let subject: String
  package let code: Errno

  package init(_ call: String, _ subject: String, _ code: Errno) {
    self.call = call
    self.subject = subject
    self.code = code
  }

  package var description: String { "\(printable(subject)): \(code) (\(call))" }

  /// The same fault as a person should read it, with the exit status that fits its errno.
  package func failure(advice: String = "") -> Failure {
    let denied = code == .permissionDenied || code == .notPermitted
    return Failure(
      description, advice: advice.isEmpty && denied ? "run it as root" : advice,
      exit: denied ? .notPermitted : .inputOutput)
  }
}

/// Text for a terminal or a message: control bytes become `\xNN`, so that a hostile file name can neither move the
/// cursor nor start a line of its own. C1 controls and the bidirectional overrides are escaped as well.
package func printable(_ text: String) -> String {
  var out = ""
  for scalar in text.unicodeScalars {
    if !isTerminalHazard(scalar.value) {
      out.unicodeScalars.append(scalar)
    } else {
      let digits = String(scalar.value, radix: 16)
      out += scalar.value > 0xff ? "\\u{\(digits)}" : digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
    }
  }
  return out
}

/// Runs a system call, again while it is interrupted, and turns -1 into the error it means.
///
/// This is the whole EINTR policy. `close` never goes through here: Linux has released the number even when it
/// reports EINTR (close(2)), and a second try would close somebody else's descriptor.
@discardableResult
package func call<Result: SignedInteger>(
  _ name: StaticString, _ subject: @autoclosure () -> String, _ body: () -> Result
) throws(SystemError) -> Result {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code != EINTR { throw SystemError("\(name)", subject(), Errno(rawValue: code)) }
  }
}

/// Writes one line to stderr, in one write. Fails silently: there is nowhere left to say so.
package func complain(_ line: String) {
  var text = line + "\n"
  text.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
}
