import AuditWire
import Testing

@testable import FileChanges

@Suite struct CoverageTests {
  private func scope(
    _ path: String, _ key: String, _ object: CoverageScope.Object = .directory, write: Bool = true, attribute: Bool = true,
    architecture: UInt32? = nil, calls: [UInt32] = []
  ) -> CoverageScope {
    CoverageScope(
      object: object, path: Array(path.utf8), keys: key.isEmpty ? [] : [Array(key.utf8)], coversWrite: write, coversAttribute: attribute,
      architecture: architecture, calls: calls)
  }

  private func keys(
    _ coverage: inout Coverage, _ path: String, _ action: Action = .write, architecture: UInt32 = 0xc000_003e, number: Int32 = 2
  ) -> [String] {
    let text = ByteScratch(Array("xx\(path)yy".utf8))
    let set = coverage.keySet(
      Slice(start: 2, count: text.count - 4), of: text, action: action, architecture: architecture, number: number)
    return (0..<coverage.count(of: set)).map { String(decoding: coverage.key($0, of: set), as: UTF8.self) }
  }

  @Test func everyRuleThatCoversThePath() {
    var coverage = Coverage([
      scope("/srv", "srv"), scope("/srv/www", "www"), scope("/", "all"), scope("/srv/www/index", "index", .path), scope("/srv/ww", "other"),
      scope("/srv", "srv"), scope("/srv", ""),
    ])
    #expect(keys(&coverage, "/srv/www/index") == ["srv", "www", "all", "index"])
    #expect(keys(&coverage, "/srv/www/index2") == ["srv", "www", "all"])
    #expect(keys(&coverage, "/srv/www") == ["srv", "all", "www"])
    #expect(keys(&coverage, "/srv/wwwx/f") == ["srv", "all"])
    #expect(keys(&coverage, "/srv") == ["all", "srv"])
    #expect(keys(&coverage, "/etc/passwd") == ["all"] && keys(&coverage, "/") == ["all"])
    // the memo of the parent must not outlive it
    #expect(keys(&coverage, "/srv/www/index") == ["srv", "www", "all", "index"])
  }

  @Test func permissions() {
    var coverage = Coverage([scope("/d", "w", attribute: false), scope("/d", "a", write: false), scope("/d", "wa")])
    #expect(keys(&coverage, "/d/f", .write) == ["w", "wa"] && keys(&coverage, "/d/f", .chmod) == ["a", "wa"])
    // link(2) is in both of the kernel's classes; setting times is in neither
    #expect(keys(&coverage, "/d/f", .link) == ["w", "a", "wa"] && keys(&coverage, "/d/f", .utimes) == ["wa"])
  }

  @Test func callsAndMachines() {
    var coverage = Coverage([
      scope("/d", "b64", architecture: 0xc000_003e), scope("/d", "b32", architecture: 0x4000_0003), scope("/d", "open", calls: [1 << 2]),
      scope("/d", "high", calls: [0, 0, 1]),
    ])
    #expect(keys(&coverage, "/d/f", number: 2) == ["b64", "open"])
    #expect(keys(&coverage, "/d/f", architecture: 0x4000_0003, number: 64) == ["b32", "high"])
    #expect(keys(&coverage, "/d/f", number: 96) == ["b64"])
  }

  @Test func noRules() {
    var coverage = Coverage()
    #expect(keys(&coverage, "/d") == [] && coverage.isEmpty)
    let text = ByteScratch(Array("/srv/x".utf8))
    let covered = Coverage([scope("/srv", "")]).covers(Slice(start: 0, count: 6), of: text)
    let beside = Coverage([scope("/srv", ""), scope("/srv/y", "", .path)]).covers(Slice(start: 0, count: 2), of: text)
    #expect(covered && !beside)
  }
}
