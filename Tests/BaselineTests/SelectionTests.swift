import Baseline
import System
import Testing

/// Which rule decides about a path, by what aide.conf(5) says and AIDE 0.18.3 does.
@Suite struct SelectionTests {
  private func config(_ text: String) throws -> SelectionConfig { try SelectionConfig.parse(Array(text.utf8), file: "test.conf") }

  private func decide(_ config: SelectionConfig, _ path: String, _ kind: FileKind = .regular, fileSystem: String? = nil) -> String {
    let decision = config.decide(Array(path.utf8), kind, fileSystem: fileSystem)
    let line = decision.rule.map { ":\(config.rules[$0].place.line)" } ?? ""
    return (decision.attributes?.expression ?? "-") + line + (decision.descends ? " descends" : "")
  }

  @Test func deepestNodeThenFileOrder() throws {
    let config = try config("/etc p\n/etc/ssh/ s\n/etc u\n/etc/ssh/s.* m\n")
    #expect(decide(config, "/etc/passwd") == "p:1")
    #expect(decide(config, "/etcetera") == "p:1")
    #expect(decide(config, "/etc/ssh/sshd_config") == "s:2")
    #expect(decide(config, "/usr") == "-")
    #expect(decide(config, "/etc/ssh", .directory) == "p:1 descends")
  }

  @Test func negativesWinAndPrune() throws {
    let config = try config("/ R\n!/etc/mtab\n!/(usr|opt)/src$\n!/var/lib$ d\n")
    #expect(decide(config, "/etc/mtab.d/x") == "-:2")
    #expect(decide(config, "/usr/src", .directory) == "-:3")
    #expect(decide(config, "/usr/src/a/b") == "-:3")
    #expect(decide(config, "/usr/srcs").hasSuffix(":1"))
    // restricted: the directory itself and nothing below
    #expect(decide(config, "/var/lib", .directory) == "-:4 descends")
    #expect(decide(config, "/var/lib/x").hasSuffix(":1"))
  }

  @Test func equalRulesDoNotRecur() throws {
    let config = try config("=/a/ p\n=/q p\n=/$ u\n")
    #expect(decide(config, "/a", .directory) == "- descends")
    #expect(decide(config, "/a/b", .directory) == "p:1")
    #expect(decide(config, "/a/b/c") == "-")
    #expect(decide(config, "/q", .directory) == "p:2")
    #expect(decide(config, "/", .directory) == "u:3 descends")
  }

  @Test func walksEnterOnlyWhatCanHoldSomething() throws {
    let config = try config("/var/log$ d p\n/srv/(a|b)/x f u\n/home/[^/]+/\\.ssh s\n/usr/lib/.* m\n!/usr/lib/debug\n")
    for path in ["/var", "/srv", "/srv/a", "/srv/b", "/home", "/home/alice", "/home/alice/.ssh", "/usr", "/usr/lib", "/usr/lib/x"] {
      #expect(decide(config, path, .directory).hasSuffix("descends"), "\(path)")
    }
    for path in ["/etc", "/var/log", "/var/lib", "/srv/c", "/home/alice/src", "/usr/lib/debug", "/usr/bin"] {
      #expect(!decide(config, path, .directory).hasSuffix("descends"), "\(path)")
    }
  }

  @Test func restrictions() throws {
    let config = try config("/a f,d p\n/a l=ext4 u\n/a =xfs s\n-/a/n\n/b 0 m\n")
    #expect(decide(config, "/a/x") == "p:1")
    #expect(decide(config, "/a/x", .symlink) == "-")
    #expect(decide(config, "/a/x", .symlink, fileSystem: "ext4") == "u:2")
    #expect(decide(config, "/a/x", .socket, fileSystem: "xfs") == "s:3")
    #expect(decide(config, "/a/n/x") == "-:4")
    #expect(decide(config, "/b", .fifo) == "m:5")
  }
}

/// What a walk relies on, over generated configurations.
@Suite struct WalkTests {
  /// Whatever is selected lies in directories that are entered, and nothing in a directory that is not entered is selected.
  @Test func everythingSelectedIsReached() throws {
    var selected = 0
    for seed in 1...400 as ClosedRange<UInt64> {
      var generator = ConfigGenerator(seed: seed)
      guard let config = try? SelectionConfig.parse(Array(generator.config().utf8), file: "generated.conf") else { continue }
      // one that has seen other paths must answer as a fresh one does
      var selector = Selector(config)
      for _ in 0..<100 {
        let path = generator.path()
        let bytes = Array(path.utf8.dropFirst(2))
        let kind = path.first.flatMap { FileKind(letter: $0) } ?? .regular
        let decision = selector.decide(bytes.span.bytes, kind)
        #expect(decision == config.decide(bytes, kind), "seed \(seed) \(path)")
        guard decision.attributes != nil else { continue }
        selected += 1
        for slash in bytes.indices where bytes[slash] == UInt8(ascii: "/") && bytes.count > 1 {
          let parent = slash == 0 ? [UInt8(ascii: "/")] : Array(bytes[..<slash])
          #expect(
            selector.decide(parent.span.bytes, .directory).descends, "seed \(seed) \(path): \(String(decoding: parent, as: UTF8.self))")
        }
      }
    }
    #expect(selected > 5000, "\(selected)")
  }
}
