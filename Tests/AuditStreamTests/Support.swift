import AuditControl
import AuditStream
import Glibc
import System
import TestSupport
import Testing

/// Another process that speaks to kernel audit. perl is on every Debian, and its `socket` knows netlink.
///
/// With `register` it tries to become the audit daemon and prints `registered N` (the errno, 0 for success); then it prints `received TYPE` for
/// whatever arrives. With `flood` it sends user messages `flood-1`, `flood-2`, … until it is killed.
func rival(_ what: String) throws -> RunningProgram {
  let program = try RunningProgram(
    "perl",
    [
      "-e",
      #"""
      $| = 1; $what = shift;
      socket(S, 16, 3, 9) or die "socket: $!"; bind(S, pack("SSLL", 16, 0, 0, 0)) or die "bind: $!";
      sub say_to_kernel { my ($type, $flags, $text) = @_;
        send(S, pack("LSSLL", 16 + length $text, $type, $flags, 1, 0) . $text, 0, pack("SSLL", 16, 0, 0, 0)) or die "send: $!"; }
      if ($what eq "flood") { print "ready\n"; for ($n = 1;; $n++) { say_to_kernel(1107, 1, "flood-$n"); } }
      say_to_kernel(1001, 5, pack("L11", 4, 0, 0, $$, 0, 0, 0, 0, 0, 0, 0));
      while (defined recv(S, $m, 9000, 0)) {
        ($type, $code) = unpack("x4 S x10 l", $m);
        print $type == 2 ? "registered " . -$code . "\n" : "received $type\n";
      }
      """#, what,
    ])
  let isUp = try program.wait(seconds: 5) { try !program.output().isEmpty }
  let errors = String(decoding: try program.errors(), as: UTF8.self)
  try #require(isUp, "the other process does not answer: \(errors)")
  return program
}

func text(_ program: RunningProgram) throws -> String { String(decoding: try program.output(), as: UTF8.self) }

/// What a stream delivered in a test.
struct Delivery {
  var records: [(type: UInt16, text: String)] = []
  var overruns = 0
  var replacedBy: UInt32?

  /// Receives until `count` records hold `text`, or nothing comes for a second.
  mutating func take(_ stream: inout KernelStream, until count: Int, with text: String) throws {
    while self.count(text) < count {
      let outcome = try stream.receive { type, payload in
        records.append((type, payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }))
      }
      overruns += outcome.overrun ? 1 : 0
      replacedBy = outcome.replacedBy ?? replacedBy
      #expect(outcome.foreign == 0 && outcome.cut == 0)
      var entry = pollfd(fd: stream.descriptor, events: Int16(POLLIN), revents: 0)
      if outcome.records == 0 && !outcome.overrun && poll(&entry, 1, 1000) == 0 { return }
    }
  }

  func count(_ text: String) -> Int { records.count { $0.text.contains(text) } }
}

/// Kernel audit, switched on, with user messages as records: they need no rules.
final class Lab {
  private var audit: KernelAudit
  private var sender: NetlinkSocket

  init() throws {
    audit = try KernelAudit()
    sender = try NetlinkSocket(protocol: 9)
    if try audit.status().enabled == 0 { try audit.set(.enabled(1)) }
  }

  /// Makes the kernel write `count` records of type USER_AVC that end with `msg='text-1'` …
  func emit(_ count: Int, _ text: String) throws {
    for number in 1...count {
      _ = try sender.request(1107, Array("\(text)-\(number)\0".utf8), subject: "test", completion: .acknowledgement)
    }
  }

  func registered() throws -> UInt32 { try audit.status().pid }
  /// Waits until the kernel has sent what it had queued.
  func settle() throws { while try audit.status().backlog > 0 { usleep(1000) } }
  func lost() throws -> UInt32 { try audit.status().lost }
}
