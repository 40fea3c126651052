import Glibc
import System
import TestSupport
import Testing

@testable import Baseline

@Suite struct DpkgRecordTests {
  private let home: TemporaryDirectory

  init() throws {
    home = try TemporaryDirectory()
    for directory in ["var", "var/log", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info", "usr", "usr/bin"] {
      try home.makeDirectory(directory)
    }
    symlink("usr/bin", home["bin"])
    try home.write(
      "var/log/dpkg.log",
      """
      2026-11-20 10:00:00 startup archives unpack
      2026-11-20 10:00:00 upgrade early:amd64 1 2
      2026-11-27 06:08:49 startup archives unpack
      2026-11-27 06:08:50 upgrade hello:amd64 2.9-1 2.10-3
      2026-11-27 06:08:50 status half-configured hello:amd64 2.9-1
      2026-11-27 06:08:51 status unpacked hello:amd64 2.10-3
      nonsense
      2026-11-27 06:08:52 configure hello:amd64 2.10-3 <none>
      2026-11-27 06:08:55 status installed hello:amd64 2.10-3
      2026-11-27 06:09:30 remove gone:all 7 <none>

      """)
    try home.write("var/lib/dpkg/info/hello.list", "/.\n/usr\n/usr/bin\n/usr/bin/hello\n/bin/hi\n/etc/hello.conf\n")
    try home.write(
      "var/lib/dpkg/info/hello.md5sums", "00000000000000000000000000000001  usr/bin/hello\n00000000000000000000000000000002  bin/hi\n")
    try home.write(
      "var/lib/dpkg/status",
      "Package: hello\nStatus: install ok installed\nArchitecture: amd64\nConffiles:\n /etc/hello.conf 00000000000000000000000000000003\nDescription: x\n"
    )
  }

  private func ms(_ text: String) throws -> Int64 {
    let result = try run("date", ["-d", text, "+%s"])
    return try #require(Int64(result.text.filter(\.isNumber))) * 1000
  }

  @Test func aFileOfAnUpgradeIsItsPackages() throws {
    let paths = ["/usr/bin/hello", "/usr/bin/hi", "/etc/hello.conf", "/usr/bin", "/usr/bin/other"].map { Array($0.utf8) }
    let records = PackageRecords(paths: paths, since: try ms("2026-11-27 00:00:00"), root: home.path) { Issue.record("\($0)") }
    func package(_ path: String, _ digest: Int?, _ time: String) throws -> String? {
      let text = digest.map { String(repeating: "0", count: 31) + String($0) }
      let mode: UInt32 = digest == nil ? 0o40755 : 0o100644
      let file = InstalledFile(
        path: Array(path.utf8), mode: mode, uid: 0, gid: 0, changedMs: try ms(time), link: { nil }, digest: { $0 == .md5 ? text : nil })
      return records.account(for: file)?.text
    }
    let during = "2026-11-27 06:08:51"
    #expect(try package("/usr/bin/hello", 1, during) == "hello:amd64 2.9-1 → 2.10-3")
    #expect(try package("/usr/bin/hi", 2, during) == "hello:amd64 2.9-1 → 2.10-3")
    #expect(try package("/etc/hello.conf", 3, during) == "hello:amd64 2.9-1 → 2.10-3")
    #expect(try package("/usr/bin", nil, during) == "hello:amd64 2.9-1 → 2.10-3")
    // another content, another time, another file
    #expect(try package("/usr/bin/hello", 2, during) == nil)
    #expect(try package("/usr/bin/hello", 1, "2026-11-27 06:09:10") == nil)
    #expect(try package("/usr/bin/other", 1, during) == nil)
    let dpkg = dpkgRecord(of: [], since: try ms("2026-11-27 00:00:00"), root: home.path)
    #expect(dpkg.account(forRemovalAt: try ms("2026-11-27 06:09:30"))?.text == "gone:all 7 → (none)")
    #expect(dpkg.account(forRemovalAt: try ms("2026-11-27 06:10:30")) == nil)
    #expect(dpkg.transactions.count == 2)
  }

  @Test func aHostWithoutDpkgHasNone() throws {
    #expect(dpkgRecord(of: [], since: 0, root: home["usr"]).transactions.isEmpty)
  }
}
