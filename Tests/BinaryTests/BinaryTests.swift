import TestSupport
import Testing

/// The built `fsaudit`, without the kernel: what it answers and how it refuses.
@Suite struct BinaryTests {
  @Test func version() throws {
    #expect(try run(fsauditBinary, ["--version"]).status == 0)
  }
}
