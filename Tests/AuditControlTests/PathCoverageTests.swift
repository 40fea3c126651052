import AuditControl
import Testing

@Suite struct PathCoverageTests {
  /// What the rules say of /etc/passwd: the keys, or why not.
  private func answer(_ lines: String...) throws -> String {
    let rules = try lines.flatMap { try RuleLine(ruleArguments(line: Array($0.utf8)) ?? []).rules }
    switch PathCoverage(rules).answer(for: Array("/etc/passwd".utf8)) {
    case .whole(let keys): return keys.joined(separator: ",")
    case .lacking(let reason): return reason
    }
  }

  @Test func whatIsWatchedWholly() throws {
    #expect(try answer("-w /etc -p wa -k etc") == "etc,etc")
    #expect(try answer("-w /etc/passwd -p wa") == ",")
    #expect(try answer("-a always,exit -F dir=/ -F perm=wa -k a") == "a")
    #expect(try answer("-w /etc -p w -k w", "-w /etc -p a -k a") == "w,w,a,a")
    #expect(try answer("-a always,exit -F arch=b64 -F dir=/etc -F perm=wa -k a", "-a always,exit -F arch=b32 -S all -k b") == "a,b")
    // asked later, about other calls or other files
    for never in ["-F dir=/etc", "-S all"] { #expect(try answer("-w /etc -p wa -k etc", "-a never,exit " + never) == "etc,etc") }
    for never in ["-F dir=/etc -F perm=rx", "-F arch=b64 -S adjtimex", "-F dir=/et", "-F path=/etc/passwd-", "-F dir=/etc/passwd/x"] {
      #expect(try answer("-a never,exit " + never, "-w /etc -p wa -k etc") == "etc,etc", "\(never)")
    }
    // what it may match has been recorded before
    #expect(
      try answer(
        "-a always,exit -F arch=b64 -F dir=/etc -F perm=wa -k a", "-a never,exit -F arch=b64 -S all",
        "-a always,exit -F arch=b32 -F dir=/etc -F perm=wa -k b") == "a,b")
  }

  @Test func whatIsNot() throws {
    for other in [
      "-w /etc/shadow -p wa", "-w /usr -p wa", "-a always,exit -F dir=/etc -F perm=wa -F auid>=1000", "-a never,exit -F dir=/etc",
    ] {
      #expect(try answer(other) == "no rule watches it", "\(other)")
    }
    let native = "-a always,exit -F arch=b64 -F dir=/etc -F perm=wa -F key=a"
    #expect(try answer(native).hasPrefix("it is watched, but not for arch=b32: -a always,exit -F arch=b64 "))
    #expect(try answer("-w /etc -p w").hasPrefix("it is watched, but not for perm=a: -a always,exit -F arch=b64 "))
    #expect(
      try answer(native, "-a always,exit -F arch=b32 -F dir=/etc -F perm=a").hasPrefix("it is watched, but not for arch=b32 perm=w: "))
    for never in [
      "-F dir=/etc", "-F path=/etc/passwd", "-F arch=b32 -S openat", "-F auid=1000", "-F exe=/usr/bin/x", "-F inode=7",
      "-F dir=/ -F perm=a",
    ] {
      let reason = try answer("-a never,exit " + never, "-w /etc -p wa -k etc")
      #expect(reason.hasPrefix("an earlier rule may keep changes from being recorded: -a never,exit "), "\(never): \(reason)")
    }
  }
}
