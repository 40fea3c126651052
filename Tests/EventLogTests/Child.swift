import Glibc
import System

/// A program that the test started; killed if it is still there when the test forgets it.
final class Child {
  let pid: pid_t
  private var output: Int32
  private var hasEnded = false

  /// Starts a product of this package, which lies beside the test runner.
  init(_ product: String, _ arguments: [String], environment: [String] = []) throws {
    var path = [CChar](repeating: 0, count: 4096)
    guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { throw Failure("no /proc", exit: .inputOutput) }
    let runner = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // swift test runs either the bundle itself or a helper of the toolchain that loads it.
    let bundle = runner.hasSuffix(".xctest") ? runner : CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? runner
    let program = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/" + product
    var ends: [2 of Int32] = [0, 0]
    var mutableEnds = ends.mutableSpan
    // A socket pair, because pipe2(2) is hidden from Swift; its ends must not leak into another test's child.
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let made = mutableEnds.withUnsafeMutableBufferPointer { socketpair(AF_UNIX, type, 0, $0.baseAddress) }
    guard made == 0 else { throw Failure("no socket pair", exit: .inputOutput) }
    output = ends[0]
    // A child that hangs fails the test rather than stopping it.
    var patience = timeval(tv_sec: 180, tv_usec: 0)
    setsockopt(output, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let input = Descriptor(adopting: ends[1])
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input.raw, 1)
    let words = ([program] + arguments).map { strdup($0) } + [nil]
    let settings = (["PATH=/usr/bin:/bin", "TZ=UTC"] + environment).map { strdup($0) } + [nil]
    defer { for word in words + settings { free(word) } }
    var child = pid_t()
    let code = posix_spawn(&child, program, &actions, nil, words, settings)
    guard code == 0 else { throw Failure("\(program) does not start (\(code))", exit: .inputOutput) }
    pid = child
  }

  deinit {
    if !hasEnded { _ = end(with: SIGKILL) }
    close(output)
  }

  /// Sends a signal and waits for the end. Returns the exit status, 128 + the signal's number if that ended it.
  func end(with signal: Int32) -> Int32 {
    kill(pid, signal)
    return wait()
  }

  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
    hasEnded = true
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }

  /// What it writes to stdout until it ends.
  func text() -> String { read(lines: .max).joined(separator: "\n") }

  /// Stops reading its stdout, and waits for the end that this is to bring.
  func closeOutput() -> Int32 {
    close(output)
    output = -1
    return wait()
  }

  /// The lines of its stdout up to the one that has `text`, and what has come with it.
  func read(until text: String) -> [String] {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 65536)
    while !String(decoding: bytes.suffix(4096), as: UTF8.self).contains(text) || bytes.last != UInt8(ascii: "\n") {
      let count = Glibc.read(output, &block, block.count)
      if count <= 0 { break }
      bytes += block[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// At least so many lines of its stdout.
  func read(lines: Int) -> [String] {
    var bytes: [UInt8] = []
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
    defer { block.deallocate() }
    var seen = 0
    while seen < lines {
      let count = Glibc.read(output, block.baseAddress, block.count)
      if count <= 0 { break }
      let new = UnsafeRawBufferPointer(rebasing: block[..<count])
      seen += new.count(where: { $0 == UInt8(ascii: "\n") })
      bytes.append(contentsOf: new)
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
