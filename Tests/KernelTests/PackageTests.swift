import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// An upgrade by a real package manager, with a database and a log of its own in a mount namespace: nothing of it is left, however it ends.
  @Suite struct PackageTests {
    struct Manager: Sendable, CustomTestStringConvertible {
      let testDescription: String
      /// Shell: makes the databases in `$O/lib`, and packages of `$T/…` from the directories `$O/v1` and `$O/v2`.
      let build: String
      /// Shell: installs version `$1`.
      let install: String
      /// Name, old and new version, as the report has them.
      let change: String
    }

    private static let rpmBuild = """
      mkdir -p $O/lib/rpm $O/lib/dnf
      echo '%_dbpath /var/lib/rpm' >$O/.rpmmacros
      printf '%s\\n' 'Name: fsaudit-test' 'Version: %{v}' 'Release: 1' 'Summary: of a test' 'License: none' 'BuildArch: noarch' \\
        '%description' 'Of a test.' '%install' "cp -a $O/v%{v}/. %{buildroot}/" \\
        '%files' "$T/bin" "$T/share" "%config $T/etc/tool.conf" >$O/spec
      for version in 1 2; do rpmbuild -bb --define "v $version" --define "_topdir $O/build" --define "_rpmdir $O" $O/spec; done
      """

    static let managers = [
      Manager(
        testDescription: "dpkg",
        build: """
          D=$O/lib/dpkg; mkdir -p $D/info $D/updates $D/triggers; : >>$D/status
          for version in 1 2; do
            P=$O/v$version; mkdir -p $P/DEBIAN
            printf '%s\\n' 'Package: fsaudit-test' "Version: $version" 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' \\
              'Description: of a test' >$P/DEBIAN/control
            echo $T/etc/tool.conf >$P/DEBIAN/conffiles
            dpkg-deb --root-owner-group --build $P $O/$version.deb
          done
          """,
        install: "dpkg -i $O/$1.deb", change: "fsaudit-test:all 1 2"),
      Manager(
        testDescription: "rpm", build: rpmBuild,
        install: "rpm -U $O/noarch/fsaudit-test-$1-1.noarch.rpm", change: "fsaudit-test.noarch - 2-1"),
      Manager(
        testDescription: "dnf", build: rpmBuild,
        install: """
          dnf -y --disablerepo='*' --nogpgcheck --releasever=9 --setopt=cachedir=$O/cache install $O/noarch/fsaudit-test-$1-1.noarch.rpm
          """, change: "fsaudit-test.noarch 1-1 2-1"),
    ]

    /// Shell: the files of both versions, below the watched tree.
    private static let files = """
      for version in 1 2; do
        P=$O/v$version; mkdir -p $P$T/bin $P$T/etc $P$T/share/doc-$version
        echo setting $version >$P$T/etc/tool.conf
        for name in tool edited replaced mode; do echo $name $version >$P$T/bin/$name; done
        ln -s tool-$version $P$T/bin/link
        echo same >$P$T/share/same
        echo $version >$P$T/share/only-$version
      done

      """

    @Test(arguments: managers) func anUpgradeIsThePackages(_ manager: Manager) throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        func shell(_ script: String) throws {
          let environment = "export LC_ALL=C T='\(daemon.tree)' O='\(daemon.outside)'; export HOME=$O; "
          // the whole host's view but for the manager's own files
          let mounts = "mkdir -p $O/lib $O/log; mount --bind $O/lib /var/lib; mount --bind $O/log /var/log; "
          let result = try run("unshare", ["-m", "sh", "-euc", environment + mounts + script])
          try #require(result.status == 0, "\(result.text) \(result.errorText)")
        }
        func install(_ version: Int) throws { try shell("set -- \(version); \(manager.install)") }
        try shell(Self.files + manager.build)
        try install(1)
        try shell("echo content >$T/stranger")
        try daemon.start()
        try daemon.settle()
        let configuration = try daemon.home.write(
          "baseline.conf", "\(daemon.tree)/ ftype+p+u+g+n+i+s+m+c+l+sha256\n")
        let options = ["--config", configuration, "--database", daemon.home["baseline.db"]]
        let made = try run(fsauditBinary, ["baseline", "init"] + options)
        try #require(made.status == 0, "\(made.errorText)")
        try install(2)
        // what nobody must take for the package's: by hand, at the same time, of its own files and beside them
        try shell(
          "chmod 4755 $T/bin/mode; echo backdoor >>$T/bin/edited; mv $T/bin/replaced $T/bin/aside; echo backdoor >$T/bin/replaced; echo more >>$T/stranger"
        )
        try daemon.settle()
        try shell(
          """
          check() {
            '\(fsauditBinary)' check --log '\(daemon.logDirectory)' --daemon-config '\(daemon.configuration)' \(options.joined(separator: " ")) \
              "$@" || [ $? -lt 8 ]
          }
          check --format json >$O/report
          check --fold-packages >$O/folded
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
        let upgrade = "explained \(manager.change)"
        for line in [
          "bin/tool changed \(upgrade)", "bin/link changed \(upgrade)", "etc/tool.conf changed \(upgrade)", "share/same changed \(upgrade)",
          "share/only-1 removed \(upgrade)", "share/only-2 added \(upgrade)", "share/doc-1 removed \(upgrade)",
          "share/doc-2 added \(upgrade)",
          "bin/edited changed explained - - -", "bin/mode changed explained - - -", "stranger changed explained - - -",
        ] { #expect(lines.contains(line), "\(line): \(report.text)") }
        // either half of the replaced file is nobody's
        #expect(lines.filter { $0.contains("bin/aside") || $0.contains("bin/replaced") }.allSatisfy { $0.hasSuffix(" explained - - -") })
        #expect(lines.contains { $0.contains("bin/replaced") })
        // the same as text, with one line for all of them
        let change = manager.change.replacing(" - ", with: " ").split(separator: " ")
        let text = "package  \(change.dropLast().joined(separator: " ")) → \(change.last ?? ""): 2 added, 2 removed, "
        let folded = String(decoding: try contents(of: daemon.outside + "/folded"), as: UTF8.self)
        #expect(folded.contains(text) && !folded.contains("bin/tool") && folded.contains("bin/edited"), "\(folded)")
      }
    }
  }
}
