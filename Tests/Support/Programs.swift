import Glibc
import System
import SystemPackage

/// How a program ended and what it wrote.
package struct ProgramResult: Sendable {
  /// The exit status; 128 + the signal's number when a signal ended it, as a shell says it.
  package let status: Int32
  package let output: [UInt8]
  package let errors: [UInt8]

  /// Standard output as text, invalid UTF-8 replaced.
  package var text: String { String(decoding: output, as: UTF8.self) }
  /// Standard error as text, invalid UTF-8 replaced.
  package var errorText: String { String(decoding: errors, as: UTF8.self) }
}

/// Runs a program to its end and captures what it writes. `program` is a path, or a name that is looked for on PATH.
/// - Parameter input: its standard input; nothing (/dev/null) by default.
/// - Parameter environment: variables added to the test's own.
@discardableResult
package func run(
  _ program: String, _ arguments: [String] = [], input: [UInt8]? = nil, environment: [String: String] = [:]
) throws -> ProgramResult {
  try run(program, bytes: arguments.map { Array($0.utf8) }, input: input, environment: environment)
}

/// The same, with arguments that need not be UTF-8.
@discardableResult
package func run(
  _ program: String, bytes arguments: [[UInt8]], input: [UInt8]? = nil, environment: [String: String] = [:]
) throws -> ProgramResult {
  try RunningProgram(program, bytes: arguments, input: input, environment: environment).wait(seconds: 60)
}

/// A program that runs beside the test. It is killed and reaped when the test lets go of it.
package final class RunningProgram {
  package let pid: pid_t
  private let outputFile: Descriptor
  private let errorFile: Descriptor
  private var ended: Int32?

  /// Starts it. Its output goes to unnamed files, so that it never waits for a reader.
  /// - Parameter output: a descriptor to use as its standard output instead (a pipe's end); the caller keeps it.
  package init(
    _ program: String, bytes arguments: [[UInt8]], input: [UInt8]? = nil, output: Int32? = nil, environment: [String: String] = [:]
  ) throws {
    outputFile = try unnamedFile()
    errorFile = try unnamedFile()
    let inputFile = try TestSupport.inputFile(input)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputFile.raw, 0)
    posix_spawn_file_actions_adddup2(&actions, output ?? outputFile.raw, 1)
    posix_spawn_file_actions_adddup2(&actions, errorFile.raw, 2)
    // The test's own signal mask and ignored signals must not reach the program.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let own = environment.map { "\($0.key)=\($0.value)" }
    var inherited: [String] = []
    var next = environ
    while let variable = next.pointee {
      let text = String(cString: variable)
      if !environment.keys.contains(where: { text.hasPrefix($0 + "=") }) { inherited.append(text) }
      next += 1
    }
    var child: pid_t = 0
    let code = withCStrings([Array(program.utf8)] + arguments) { argv in
      withCStrings((own + inherited).map { Array($0.utf8) }) { posix_spawnp(&child, program, &actions, &attributes, argv, $0) }
    }
    if code != 0 { throw SystemError("posix_spawn", program, Errno(rawValue: code)) }
    pid = child
  }

  /// The same with text arguments.
  package convenience init(
    _ program: String, _ arguments: [String] = [], input: [UInt8]? = nil, output: Int32? = nil, environment: [String: String] = [:]
  ) throws {
    try self.init(program, bytes: arguments.map { Array($0.utf8) }, input: input, output: output, environment: environment)
  }

  deinit {
    if ended == nil {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
  }

  /// What it has written to standard output so far.
  package func output() throws -> [UInt8] { try all(of: outputFile) }

  /// What it has written to standard error so far.
  package func errors() throws -> [UInt8] { try all(of: errorFile) }

  package func signal(_ number: Int32) { if ended == nil { kill(pid, number) } }

  /// Whether it still runs.
  package func isRunning() -> Bool {
    if ended != nil { return false }
    var status: Int32 = 0
    if waitpid(pid, &status, WNOHANG) == pid { ended = exitStatus(status) }
    return ended == nil
  }

  /// Waits until `condition` holds, looking often at first and every 10 ms later; false after `seconds`.
  package func wait(seconds: Int, until condition: () throws -> Bool) rethrows -> Bool {
    let end = milliseconds(CLOCK_MONOTONIC) + Int64(seconds) * 1000
    var pause: UInt32 = 250
    while try !condition() {
      if milliseconds(CLOCK_MONOTONIC) > end { return false }
      usleep(pause)
      pause = min(pause * 2, 10_000)
    }
    return true
  }

  /// Waits for its end. After `seconds` it is killed, and the status says so (137).
  package func wait(seconds: Int = 60) throws -> ProgramResult {
    if !wait(seconds: seconds, until: { !isRunning() }) {
      kill(pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
      ended = exitStatus(status)
    }
    return ProgramResult(status: ended ?? -1, output: try output(), errors: try errors())
  }
}

/// The `fsaudit` that this build made: `FSAUDIT_BINARY`, or beside the test's own executable.
package let fsauditBinary: String = {
  if let given = getenv("FSAUDIT_BINARY") { return String(cString: given) }
  var name = [CChar](repeating: 0, count: Int(PATH_MAX))
  let count = readlink("/proc/self/exe", &name, name.count - 1)
  let own = String(decoding: name.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex) + "/fsaudit"
}()

private func inputFile(_ input: [UInt8]?) throws(SystemError) -> Descriptor {
  guard let input else { return try Descriptor.open("/dev/null", O_RDONLY) }
  let file = try unnamedFile()
  try write(input, to: file)
  lseek(file.raw, 0, SEEK_SET)
  return file
}

private func unnamedFile() throws(SystemError) -> Descriptor {
  var template = Array("/tmp/fsaudit-test.XXXXXX".utf8CString)
  let file = Descriptor(adopting: try call("mkostemp", "/tmp") { mkstemp(&template) })
  _ = fcntl(file.raw, F_SETFD, FD_CLOEXEC)
  unlink(&template)
  return file
}

/// Writes `bytes` to a file.
func write(_ bytes: [UInt8], to file: borrowing Descriptor) throws(SystemError) {
  var done = 0
  let raw = file.raw
  while done < bytes.count { done += try call("write", "test file") { Glibc.write(raw, Array(bytes[done...]), bytes.count - done) } }
}

private func all(of file: borrowing Descriptor) throws -> [UInt8] {
  var result: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = pread(file.raw, &chunk, chunk.count, result.count)
    if count <= 0 { return result }
    result += chunk[..<count]
  }
}

private func exitStatus(_ status: Int32) -> Int32 { status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f) }

/// A null-terminated array of C strings, for the length of a call.
private func withCStrings<Result>(_ strings: [[UInt8]], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
  let copies = strings.map { bytes in
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
    for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
    copy[bytes.count] = 0
    return copy
  }
  defer { for copy in copies { copy.deallocate() } }
  return body(copies + [nil])
}
