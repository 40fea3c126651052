import Glibc
import Replay
import System
import TestSupport
import Testing

@testable import Baseline

/// AIDE 0.18 as the oracle: after random changes of random trees, the same added, removed and changed objects.
@Suite(.serialized, .enabled(if: AideOracle.isThere, "aide is not installed")) struct AideCompareTests {
  /// What AIDE says (`details` of its JSON report are not needed): paths by kind.
  private func aide(_ config: String) throws -> [String: Set<String>] {
    let result = try run("aide", ["-c", config, "-C"])
    #expect(result.status < 8, "\(result.errorText)")
    let filter = #"["added","removed","changed"][] as $k | (.[$k] // {} | keys[]) | $k + " " + ."#
    let lines = try run("jq", ["-r", filter], input: result.output)
    if lines.status != 0 { throw Failure("aide's report: \(lines.errorText) \(result.text.prefix(500))", exit: .inputOutput) }
    var found: [String: Set<String>] = [:]
    for line in lines.text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      found[words[0], default: []].insert(words[1])
    }
    return found
  }

  @Test func randomChanges() throws {
    var seen = 0
    for seed in 1...25 as ClosedRange<UInt64> {
      var random = SplitMix(seed: seed)
      func pick(_ from: [String]) -> String { from[random.below(from.count)] }
      let attributes = [
        "p+u+g+i+n+s+m+c+l+ftype+acl+xattrs+sha256", "R+sha256", "p+ftype+sha512", "L", ">", "sha1+md5+n", "p+acl", "s+growing+sha256",
        "p+ANF", "p+ARF",
      ]
      let rules = (0..<3).map { _ in "\(pick(["TREE/a", "TREE/b/.*", "TREE/[ab]", "=TREE/c", "!TREE/b/x", "TREE/.*1$ f", "TREE d"])) " }
        .map { $0.hasPrefix("!") ? $0 : $0 + pick(attributes) }
      let lab = try BaselineLab(rules.joined(separator: "\n") + "\nTREE \(pick(attributes))\n")
      try lab.sh("mkdir -p a b/x c; for d in a b b/x c; do for n in 1 2 3; do echo $d$n > $d/f$n; done; ln -s f1 $d/l; mkfifo $d/p; done")
      let config = try lab.directory.write(
        "aide.conf",
        "database_in=file:\(lab.directory["aide.db"])\ndatabase_out=file:\(lab.directory["aide.db"])\nreport_format=json\nreport_url=stdout\n"
          + String(decoding: try contents(of: lab.config), as: UTF8.self))
      #expect(try run("aide", ["-c", config, "-i"]).status == 0, "seed \(seed)")
      try lab.initialize()
      // AIDE looks at whole seconds
      try lab.sh("sleep 1.1")
      var changes: [String] = []
      for _ in 0..<1 + random.below(6) {
        let directory = pick(["a", "b", "b/x", "c"])
        let file = directory + "/f\(1 + random.below(3))"
        let change = pick([
          "echo x >> F", "echo x > F", "rm -f F", "touch -d '2001-01-01 00:00:00' F", "chmod 600 F", "chown 1 F", "ln -f F D/n",
          "ln -sf f2 D/l",
          "cp F D/n1", "mkdir -p D/d/e", "rm -rf D/d", "rm -rf b/x", "setfattr -n user.x -v 1 F", "setfacl -m u:1:r F", "rm -f D/p",
          "rm -f F; mkdir F",
          "truncate -s 2 F",
        ])
        changes.append(change.replacing("F", with: file).replacing("D", with: directory))
        try lab.sh("(\(changes.last ?? "")) 2>/dev/null || true")
      }
      let outcome = try lab.check()
      var ours: [String: Set<String>] = [:]
      for difference in outcome.differences {
        let path = String(decoding: difference.path, as: UTF8.self)
        // what is one move here is two differences to AIDE
        let kind = difference.kind == .moved ? "added" : difference.kind.rawValue
        ours[kind, default: []].insert(path)
        if let previous = difference.previousPath { ours["removed", default: []].insert(String(decoding: previous, as: UTF8.self)) }
      }
      let theirs = try aide(config)
      let details = ours == theirs ? "" : try run("aide", ["-c", config, "-C"]).text
      #expect(ours == theirs, "seed \(seed): \(rules), \(changes)\n\(details)")
      seen += theirs.values.reduce(0) { $0 + $1.count }
    }
    #expect(seen > 50, "\(seen)")
  }
}
