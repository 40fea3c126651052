import CLinux
import Glibc
import System
import TestSupport
import Testing

@testable import Baseline

/// What we read of rpm's database, against what rpm says of it, and what follows for files.
@Suite struct RpmRecordTests {
  private let home: TemporaryDirectory
  private let tree: String

  init() throws {
    home = try TemporaryDirectory()
    tree = home["tree"]
    for directory in ["var", "var/lib", "var/lib/rpm", "var/lib/dnf"] { try home.makeDirectory(directory) }
  }

  /// Installs two versions of a package, one after the other.
  private func upgrade() throws {
    try home.write(
      "test.spec",
      """
      Name: fsaudit-test
      Version: %{v}
      Release: 1
      Epoch: 3
      Summary: of a test
      License: none
      BuildArch: noarch
      %description
      Of a test.
      %install
      mkdir -p %{buildroot}\(tree)/doc-%{v}
      cd %{buildroot}\(tree)
      echo %{v} | tee tool setuid conf kept >doc-%{v}/text
      ln -s tool-%{v} link
      %files
      \(tree)
      %attr(4750, root, mail) \(tree)/setuid
      %config(noreplace) \(tree)/conf
      %ghost \(tree)/ghost

      """)
    for version in [1, 2] {
      try sh(
        """
        rpmbuild -bb --define 'v \(version)' --define "_topdir $H/build" --define "_rpmdir $H" --define '_buildhost test' test.spec
        rpm --dbpath $H/var/lib/rpm --nodeps -U noarch/fsaudit-test-\(version)-1.noarch.rpm
        """)
    }
  }

  @discardableResult
  private func sh(_ script: String) throws -> String {
    let result = try run("sh", ["-euc", "export LC_ALL=C H='\(home.path)' T='\(tree)'; cd $H; " + script])
    try #require(result.status == 0, "\(result.text) \(result.errorText)")
    return result.text
  }

  private func query(_ format: String) throws -> String {
    try sh("rpm --dbpath $H/var/lib/rpm -q --qf '\(format)' fsaudit-test")
  }

  private func header() throws -> RpmHeader {
    let hexadecimal = Array(try sh("sqlite3 var/lib/rpm/rpmdb.sqlite 'SELECT hex(blob) FROM Packages'").utf8).filter { $0 != 10 }
    let bytes = stride(from: 0, to: hexadecimal.count, by: 2).map { at in
      UInt8(String(decoding: hexadecimal[at..<at + 2], as: UTF8.self), radix: 16) ?? 0
    }
    return try #require(RpmHeader(bytes))
  }

  private func records(of names: String...) -> (PackageRecords, complaints: [String]) {
    var complaints: [String] = []
    let paths = names.map { Array("\(tree)/\($0)".utf8) }
    let records = PackageRecords(paths: paths, since: 0, root: home.path) { complaints.append($0) }
    return (records, complaints)
  }

  private func file(_ name: String) throws -> InstalledFile {
    var status = linux_status()
    let path = "\(tree)/\(name)"
    try #require(linux_status_of(AT_FDCWD, path, &status) == 0, "\(path)")
    return InstalledFile(Array(path.utf8), Facts(attributes: [], descends: false, status: status))
  }

  @Test func aHeaderSaysWhatRpmReads() throws {
    try upgrade()
    let header = try header()
    #expect(try query("%{NAME}.%{ARCH} %{EPOCH}:%{VERSION}-%{RELEASE}") == "\(header.name ?? "") \(header.version ?? "")")
    #expect(try query("%{INSTALLTIME} %{INSTALLTID}") == "\(header.installTime ?? 0) \(header.transaction ?? 0)")
    #expect(header.digestAlgorithm == .sha256)
    #expect(try query("%{FILEDIGESTALGO}") == "8")
    let files = header.files { _ in true }.map { path, file in
      "\(String(decoding: path, as: UTF8.self)) \(file.mode) \(file.digest) \(file.user) \(file.group) \(String(decoding: file.link, as: UTF8.self))"
    }
    let expected = try query(#"[%{FILENAMES} %{FILEMODES} %{FILEDIGESTS} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILELINKTOS}\n]"#)
    #expect(Set(files) == Set(expected.split(separator: "\n").map(String.init).filter { !$0.contains("/ghost ") }))
    #expect(files.count == 8)
  }

  @Test func aFileOfAnUpgradeIsItsPackages() throws {
    try upgrade()
    try sh("echo >$T/ghost; echo >$T/other")
    let names = ["tool", "setuid", "conf", "link", "doc-2", "doc-2/text", "kept", "ghost", "other"]
    let (records, complaints) = records(of: "tool", "setuid", "conf", "link", "doc-2", "doc-2/text", "kept", "ghost", "other")
    #expect(complaints == [])
    for name in names {
      let isIts = name != "ghost" && name != "other"
      #expect(records.account(for: try file(name))?.text == (isIts ? "fsaudit-test.noarch → 3:2-1" : nil), "\(name)")
    }
    // at another time; nothing about it but the time
    var late = try file("tool")
    late.changedMs += 60_000
    #expect(records.account(for: late) == nil)
    // another mode, owner, group, content, text of a link
    try sh("chmod 4755 $T/setuid; chown mail $T/tool; chgrp mail $T/conf; echo 3 >$T/kept; ln -sfn tool-3 $T/link; chmod 700 $T/doc-2")
    for name in ["tool", "setuid", "conf", "link", "doc-2", "kept"] { #expect(records.account(for: try file(name)) == nil, "\(name)") }
    // what only looks like it: a directory in a file's place
    try sh("rm $T/doc-2/text; mkdir $T/doc-2/text")
    #expect(records.account(for: try file("doc-2/text")) == nil)
    // what is in the database's journal alone, after a crash, counts
    try sh("chown root:mail $T/setuid; chmod 4750 $T/setuid")
    #expect(self.records(of: "setuid").0.account(for: try file("setuid")) != nil)
    try sh(
      """
      python3 -c "import sqlite3, os; c = sqlite3.connect('var/lib/rpm/rpmdb.sqlite'); c.execute('DELETE FROM Packages'); c.commit(); os._exit(0)"
      """)
    let (after, none) = self.records(of: "setuid")
    #expect(after.account(for: try file("setuid")) == nil && none == [])
  }

  /// As dnf 4.14 writes it.
  private static let history = """
    CREATE TABLE trans (id INTEGER PRIMARY KEY AUTOINCREMENT, dt_begin INTEGER NOT NULL, dt_end INTEGER, rpmdb_version_begin TEXT,
      rpmdb_version_end TEXT, releasever TEXT NOT NULL, user_id INTEGER NOT NULL, cmdline TEXT, state INTEGER NOT NULL, comment TEXT DEFAULT '');
    CREATE TABLE trans_item (id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER, item_id INTEGER, repo_id INTEGER,
      action INTEGER NOT NULL, reason INTEGER NOT NULL, state INTEGER NOT NULL);
    CREATE TABLE item_replaced_by (trans_item_id INTEGER, by_trans_item_id INTEGER, PRIMARY KEY (trans_item_id, by_trans_item_id));
    CREATE TABLE rpm (item_id INTEGER UNIQUE NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL, version TEXT NOT NULL,
      release TEXT NOT NULL, arch TEXT NOT NULL);
    INSERT INTO rpm VALUES (1, 'fsaudit-test', 3, '1', '1', 'noarch'), (2, 'fsaudit-test', 3, '2', '1', 'noarch'),
      (3, 'other', 0, '5', '1', 'noarch');
    """

  private func history(_ rows: String) throws { try sh("sqlite3 var/lib/dnf/history.sqlite \"\(Self.history) \(rows)\"") }

  @Test func dnfKnowsWhatWasThereBefore() throws {
    try upgrade()
    let time = try #require(Int64(try query("%{INSTALLTIME}")))
    try history(
      """
      INSERT INTO trans VALUES (1, \(time - 500), \(time - 500), '', '', '9', 0, '', 1, ''), (2, \(time), \(time), '', '', '9', 0, '', 1, ''),
        (3, \(time + 100), \(time + 100), '', '', '9', 0, '', 1, ''), (4, \(time + 200), \(time + 200), '', '', '9', 0, '', 1, '');
      INSERT INTO trans_item VALUES (1, 1, 1, 1, 1, 2, 1), (2, 2, 1, 2, 7, 2, 1), (3, 2, 2, 1, 6, 2, 1), (4, 3, 3, 1, 1, 2, 1),
        (5, 3, 2, 1, 5, 2, 1), (6, 4, 3, 1, 8, 2, 1);
      INSERT INTO item_replaced_by VALUES (2, 3), (5, 4);
      """)
    let (records, complaints) = records(of: "tool")
    #expect(complaints == [])
    #expect(records.account(for: try file("tool"))?.text == "fsaudit-test.noarch 3:1-1 → 3:2-1")
    let record = rpmRecord(of: [], since: 0, root: home.path) { Issue.record("\($0)") }
    #expect(
      record.transactions.map(\.change.text) == [
        "fsaudit-test.noarch (none) → 3:1-1", "fsaudit-test.noarch 3:1-1 → 3:2-1", "other.noarch (none) → 5-1",
        "fsaudit-test.noarch 3:2-1 → (none)", "other.noarch 5-1 → (none)",
      ])
    #expect(record.account(forRemovalAt: time * 1000)?.text == "fsaudit-test.noarch 3:1-1 → 3:2-1")
    #expect(record.account(forRemovalAt: (time + 100) * 1000)?.text == "fsaudit-test.noarch 3:2-1 → (none)")
    #expect(record.account(forRemovalAt: (time + 300) * 1000) == nil)
    let later = rpmRecord(of: [], since: (time + 150) * 1000, root: home.path) { Issue.record("\($0)") }
    #expect(later.transactions.map(\.change.text) == ["other.noarch 5-1 → (none)"])
  }

  @Test func whatIsNotRpmsDatabaseIsSaidOnce() throws {
    #expect(records(of: "tool").complaints == [])
    try home.write("var/lib/rpm/Packages", "")
    #expect(
      records(of: "tool").complaints == [
        "fsaudit: \(home.path)/var/lib/rpm/Packages: the Berkeley DB of rpm is not read: nothing is ascribed to rpm's packages"
      ])
    try home.write("var/lib/rpm/rpmdb.sqlite", String(repeating: "no database ", count: 1000))
    #expect(
      records(of: "tool").complaints == [
        "fsaudit: \(home.path)/var/lib/rpm/rpmdb.sqlite: file is not a database: nothing is ascribed to rpm's packages"
      ])
    for (sql, complaint) in [
      ("CREATE VIEW Packages AS SELECT 1 AS blob", "it has not the tables that it should have: nothing is ascribed to rpm's packages"),
      (
        "CREATE TABLE Packages(hnum, blob); INSERT INTO Packages VALUES (1, NULL), (2, 'x'), (3, x'00000001ffffffff'), (4, 5)",
        "4 rows are no package, or one over 32 MiB: their files are not ascribed to them"
      ),
      (
        "CREATE TABLE Packages(hnum, blob); INSERT INTO Packages VALUES (1, zeroblob(33 << 20))",
        "1 rows are no package, or one over 32 MiB: their files are not ascribed to them"
      ),
    ] {
      try sh("rm var/lib/rpm/rpmdb.sqlite; sqlite3 var/lib/rpm/rpmdb.sqlite \"\(sql)\"")
      #expect(records(of: "tool").complaints == ["fsaudit: \(home.path)/var/lib/rpm/rpmdb.sqlite: \(complaint)"])
    }
  }

  @Test(arguments: [
    (["/usr/bin/rpm", "rpm", "-U"], true), (["/usr/bin/dnf5", "dnf"], true), (["/usr/bin/dpkg", "dpkg"], false),
    (["/usr/bin/python3.9", "/usr/bin/python3", "/usr/bin/dnf", "upgrade"], true),
    (["/usr/bin/python3.9", "/usr/bin/python3", "-sP", "/bin/yum", "upgrade"], true),
    (["/usr/bin/python3.9", "/usr/bin/python3", "/srv/evil.py", "/usr/bin/dnf"], false),
    (["/usr/bin/python3.9", "/usr/bin/python3", "-c", "/usr/bin/dnf"], false),
    (["/usr/bin/python3-evil", "/usr/bin/python3", "/usr/bin/dnf"], false), (["/tmp/rpm", "rpm"], false),
  ])
  func onlyItsOwnProgramsAreRpm(_ process: [String], isOwn: Bool) {
    let cause = Cause(
      timeMs: 0, action: "write", path: "/a", executable: process.first, arguments: Array(process.dropFirst()), keys: [])
    #expect(rpmRecord(of: [], since: 0, root: "/nowhere") { _ in }.isOwn(cause) == isOwn)
  }
}
