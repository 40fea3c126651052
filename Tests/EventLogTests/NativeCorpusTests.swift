import Glibc
import Replay
import Testing

@testable import EventLog

/// Records of real kernels, and the lines that they mean. `UPDATE_GOLDEN=1 swift test --filter NativeCorpus` rewrites what
/// is expected: read the difference, a golden file that nobody read proves nothing.
@Suite struct NativeCorpusTests {
  @Test(arguments: Corpus.logs)
  func theLogMeans(log: String) throws {
    let lines = Replay.lines(of: try Corpus.read(log))
    #expect(brokenContract(lines) == nil)
    let golden = log.dropLast(4) + ".jsonl"
    if getenv("UPDATE_GOLDEN") != nil {
      try Corpus.write(lines, to: String(golden))
      return
    }
    let expected = try Corpus.read(String(golden))
    let (found, wanted) = (Corpus.lines(lines), Corpus.lines(expected))
    for index in 0..<max(found.count, wanted.count) {
      let (line, want) = (index < found.count ? found[index] : "(none)", index < wanted.count ? wanted[index] : "(none)")
      #expect(line == want, "\(golden):\(index + 1)")
      if line != want { return }  // the rest would only be shifted
    }
  }

  /// auditd's log and the kernel's stream say the same, whatever the order of events in between.
  @Test(arguments: Corpus.logs)
  func endsDoNotMatter(log: String) throws {
    let bytes = try Corpus.read(log)
    let withoutEnds = bytes.split(separator: UInt8(ascii: "\n")).filter { !$0.starts(with: Array("type=EOE".utf8)) }
    let same = Replay.lines(of: Array(withoutEnds.joined(separator: [UInt8(ascii: "\n")])))
    #expect(Set(Corpus.lines(same)) == Set(Corpus.lines(Replay.lines(of: bytes))))
  }
}
