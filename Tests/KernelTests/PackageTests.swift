import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// An upgrade by the real dpkg, with a database and a log of its own in a mount namespace: nothing of it is left, however it ends.
  @Suite struct PackageTests {
    /// Shell: makes `$O/VERSION.deb`, whose files lie below the watched tree.
    private static let build = """
      set -eu
      mkdir -p $O/dpkg/info $O/dpkg/updates $O/dpkg/triggers $O/varlog; : >>$O/dpkg/status
      for version in 1 2; do
        P=$O/v$version; mkdir -p $P/DEBIAN $P$T/bin $P$T/etc $P$T/share/doc-$version
        printf '%s\\n' 'Package: fsaudit-test' "Version: $version" 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' \\
          'Description: of a test' >$P/DEBIAN/control
        echo $T/etc/tool.conf >$P/DEBIAN/conffiles
        echo setting $version >$P$T/etc/tool.conf
        for name in tool edited replaced mode; do echo $name $version >$P$T/bin/$name; done
        ln -s tool-$version $P$T/bin/link
        echo same >$P$T/share/same
        echo $version >$P$T/share/only-$version
        dpkg-deb --root-owner-group --build $P $O/$version.deb
      done
      """

    @Test func anUpgradeIsThePackages() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        func shell(_ script: String) throws {
          let environment = "export LC_ALL=C T='\(daemon.tree)' O='\(daemon.outside)'; "
          // the whole host's view but for dpkg's own files
          let mounts = "mount --bind $O/dpkg /var/lib/dpkg; mount --bind $O/varlog /var/log; "
          let isBuilding = script == Self.build
          let result = try run("unshare", ["-m", "sh", "-euc", environment + (isBuilding ? "" : mounts) + script])
          try #require(result.status == 0, "\(result.text) \(result.errorText)")
        }
        try shell(Self.build)
        try shell("dpkg -i $O/1.deb; echo content >$T/stranger")
        try daemon.start()
        try daemon.settle()
        let configuration = try daemon.home.write(
          "baseline.conf", "\(daemon.tree)/ ftype+p+u+g+n+i+s+m+c+l+sha256\n")
        let options = ["--config", configuration, "--database", daemon.home["baseline.db"]]
        let made = try run(fsauditBinary, ["baseline", "init"] + options)
        try #require(made.status == 0, "\(made.errorText)")
        try shell("dpkg -i $O/2.deb")
        // what nobody must take for the package's: by hand, at the same time, of its own files and beside them
        try shell(
          "chmod 4755 $T/bin/mode; echo backdoor >>$T/bin/edited; mv $T/bin/replaced $T/bin/aside; echo backdoor >$T/bin/replaced; echo more >>$T/stranger"
        )
        try daemon.settle()
        try shell(
          """
          '\(fsauditBinary)' check --format json --log '\(daemon.logDirectory)' --daemon-config '\(daemon.configuration)' \
          \(options.joined(separator: " ")) >$O/report || [ $? -lt 8 ]
          """)
        try daemon.stop()
        let report = try run(
          "jq",
          [
            "-r",
            ".differences[] | [.path, .kind, .verdict, (.explanation.package // {} | .name, .old, .new)] | map(. // \"-\") | join(\" \")",
          ],
          input: try contents(of: daemon.outside + "/report"))
        let lines = Set(report.text.split(separator: "\n").map { String($0).replacing(daemon.tree + "/", with: "") })
        let upgrade = "explained fsaudit-test:all 1 2"
        for line in [
          "bin/tool changed \(upgrade)", "bin/link changed \(upgrade)", "etc/tool.conf changed \(upgrade)", "share/same changed \(upgrade)",
          "share/only-1 removed \(upgrade)", "share/only-2 added \(upgrade)", "share/doc-1 removed \(upgrade)",
          "share/doc-2 added \(upgrade)",
          "bin/edited changed explained - - -", "bin/mode changed explained - - -", "stranger changed explained - - -",
        ] { #expect(lines.contains(line), "\(line): \(report.text)") }
        // either half of the replaced file is nobody's
        #expect(lines.filter { $0.contains("bin/aside") || $0.contains("bin/replaced") }.allSatisfy { $0.hasSuffix(" explained - - -") })
        #expect(lines.contains { $0.contains("bin/replaced") })
      }
    }
  }
}
