import System
import TestSupport
import Testing

@testable import LogQuery

@Suite struct SourceTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    for name in [
      "audit.log", "audit.log.1", "audit.log.2.gz", "audit.log.10.zst", "audit.log.old", "audit.log-20261120", "audit.log-20261119.gz",
      "x.log",
    ] {
      try directory.write(name, "")
    }
  }

  private func files(_ names: String...) -> Source { .audit(files: names.map { directory[$0] }) }

  @Test func aFileMeansWhatWasRotatedAwayFromIt() throws {
    let all = ["audit.log.10.zst", "audit.log.2.gz", "audit.log.1", "audit.log-20261119.gz", "audit.log-20261120", "audit.log"]
    for path in [directory["audit.log"], directory.path, directory.path + "/"] {
      let sources = try Source.auditLogs([path])
      guard case .audit(let found) = sources.first, sources.count == 1 else { throw Failure("\(sources)", exit: .usage) }
      #expect(
        Set(found.map { $0.replacing("//", with: "/") }) == Set(all.map { directory[$0] }) && found.last?.hasSuffix("/audit.log") == true)
      let numbered = found.filter { $0.contains("audit.log.") }
      #expect(numbered == [all[0], all[1], all[2]].map { directory[$0] }, "\(found)")
      let dated = found.filter { $0.contains("audit.log-") }
      #expect(dated == [all[3], all[4]].map { directory[$0] })
    }
  }

  @Test func filesOfOneLogAreOneSource() throws {
    #expect(try Source.auditLogs([directory["audit.log.1"]]) == [files("audit.log.1")])
    #expect(try Source.auditLogs([directory["audit.log.1"], directory["audit.log.2.gz"]]) == [files("audit.log.2.gz", "audit.log.1")])
    #expect(try Source.auditLogs([directory["x.log"], "-", directory["y.log"]]) == [files("x.log"), .audit(files: ["-"]), files("y.log")])
    #expect(try Source.auditLogs([directory.path, directory["audit.log"], directory["audit.log.1"]]).count == 1)
  }

  @Test func whatCannotBeMeantIsRefused() throws {
    try directory.makeDirectory("empty")
    for paths in [["-", "-"], [directory["empty"]]] { #expect(throws: Failure.self) { try Source.auditLogs(paths) } }
  }
}
