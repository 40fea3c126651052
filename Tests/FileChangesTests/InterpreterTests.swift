import AuditEvents
import AuditWire
import Replay
import Testing

@testable import FileChanges

@Suite struct InterpreterTests {
  private static let cases: [(Call, String)] = [
    // relative to a descriptor the kernel names the working directory as the parent: only the inode is right
    (
      Call(name: "mkdirat(fd)", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 11 040755", "CREATE new 30 040755"]),
      "mkdir /w/d/new"
    ),
    (
      Call(
        name: "unlinkat(fd) of an unknown directory", number: 263, arguments: [5, 0, 0, 0], cwd: "/tmp",
        paths: ["PARENT /tmp 99 040755", "DELETE x 31 0100644"]), "delete /tmp/x ?cwd-guess"
    ),
    (
      Call(name: "fchmodat(fd)", number: 268, arguments: [5, 0, 0o600, 0], cwd: "/", paths: ["NORMAL f 20 0100644"]), "chmod /w/d/f 644→600"
    ),
    (Call(name: "fchmod", number: 91, arguments: [5, 0o7777, 0, 0], paths: ["NORMAL - 20 0100644"]), "chmod /w/d/f 644→7777"),
    (
      Call(name: "fchmod of an unknown inode", number: 91, arguments: [5, 0o600, 0, 0], paths: ["NORMAL - 77 0100644"]),
      "chmod - 644→600 ?unknown"
    ),
    (Call(name: "fsetxattr", number: 190, arguments: [5, 0, 0, 0], paths: ["NORMAL - 20 0100644"]), "setxattr /w/d/f"),
    // chown: -1 leaves an id alone, and i386's 16-bit calls say so with 0xffff
    (Call(name: "chown(-1, 7)", number: 92, arguments: [0, 0xffff_ffff, 7, 0], paths: ["NORMAL d/f 20 0100644"]), "chown /w/d/f 5:6→5:7"),
    (
      Call(name: "i386 chown16(7, -1)", number: 182, arch: "40000003", arguments: [0, 7, 0xffff, 0], paths: ["NORMAL d/f 20 0100644"]),
      "chown /w/d/f 5:6→7:6"
    ),
    (
      Call(
        name: "i386 chown32(65535, -1)", number: 212, arch: "40000003", arguments: [0, 0xffff, 0xffff_ffff, 0],
        paths: ["NORMAL d/f 20 0100644"]),
      "chown /w/d/f 5:6→65535:6"
    ),
    (
      Call(name: "aarch64 fchownat", number: 54, arch: "c00000b7", arguments: [cwd, 0, 1, 2], paths: ["NORMAL d/f 20 0100644"]),
      "chown /w/d/f 5:6→1:2"
    ),
    (Call(name: "i386 mkdir", number: 39, arch: "40000003", paths: ["PARENT /w 10 040755", "CREATE new 30 040755"]), "mkdir /w/new"),
    (
      Call(
        name: "aarch64 unlinkat", number: 35, arch: "c00000b7", arguments: [cwd, 0, 0x200, 0],
        paths: ["PARENT /w 10 040755", "DELETE e 12 040755"]), "rmdir /w/e"
    ),
    // renames: by inode, in whatever order
    (
      Call(
        name: "rename", number: 82, paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE a 40 0100644", "CREATE b 40 0100644"]),
      "rename /w/b ← /w/a"
    ),
    (
      Call(
        name: "rename over a victim, victim first", number: 82,
        paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE b 41 0100644", "DELETE a 40 0100644", "CREATE b 40 0100644"]),
      "rename /w/b ← /w/a over 41"
    ),
    (
      Call(
        name: "rename across directories, the new parent first", number: 82,
        paths: ["PARENT e/ 12 040755", "PARENT d/ 11 040755", "DELETE d/f 20 0100644", "CREATE e/g 20 0100644"]),
      "rename /w/e/g ← /w/d/f"
    ),
    (
      Call(
        name: "rename across directories, the old parent first", number: 82,
        paths: ["PARENT d/ 11 040755", "PARENT e/ 12 040755", "DELETE d/f 20 0100644", "CREATE e/g 20 0100644"]),
      "rename /w/e/g ← /w/d/f"
    ),
    (
      Call(
        name: "renameat by two descriptors: the map knows where the file was", number: 264, arguments: [5, 0, 6, 0], cwd: "/",
        paths: ["PARENT / 11 040755", "PARENT / 12 040755", "DELETE f 20 0100644", "CREATE g 20 0100644"]), "rename /w/e/g ← /w/d/f"
    ),
    (
      Call(
        name: "renameat by two descriptors, the other order", number: 264, arguments: [5, 0, 6, 0], cwd: "/",
        paths: ["PARENT / 12 040755", "PARENT / 11 040755", "DELETE f 20 0100644", "CREATE g 20 0100644"]), "rename /w/e/g ← /w/d/f"
    ),
    (
      Call(
        name: "exchange", number: 316, arguments: [cwd, 0, cwd, 0],
        paths: [
          "PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE a 40 0100644", "DELETE b 41 0100644", "CREATE a 41 0100644",
          "CREATE b 40 0100644",
        ]), "exchange /w/a ← /w/b"
    ),
    (
      Call(
        name: "the file system gives another inode", number: 82,
        paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE a 40 0100644", "CREATE b 50 0100644"]), "rename /w/b ← /w/a"
    ),
    // attempts
    (Call(name: "mkdir EEXIST", number: 83, exit: -17, paths: ["PARENT /w 10 040755", "CREATE d 11 040755"]), "mkdir /w/d !"),
    (Call(name: "unlink ENOENT", number: 87, exit: -2, paths: ["PARENT /w 10 040755", "DELETE x 0"]), "delete /w/x !"),
    (Call(name: "open EACCES", number: 2, exit: -13, arguments: [0, 1, 0, 0], paths: ["NORMAL d/f 20 0100644"]), "open /w/d/f !"),
    (
      Call(name: "open O_CREAT EACCES", number: 2, exit: -13, arguments: [0, 0o101, 0, 0], paths: ["PARENT /w 10 040755"]),
      "create /w ?parent-only !"
    ),
    (Call(name: "chmod EPERM", number: 90, exit: -1, arguments: [0, 0o600, 0, 0], paths: ["NORMAL d/f 20 0100644"]), "chmod /w/d/f !"),
    // opens
    (Call(name: "open O_WRONLY", number: 2, arguments: [0, 1, 0, 0], paths: ["NORMAL d/f 20 0100644"]), "open /w/d/f"),
    (Call(name: "open O_TRUNC", number: 2, arguments: [0, 0o1001, 0, 0], paths: ["NORMAL d/f 20 0100644"]), "truncate /w/d/f"),
    (Call(name: "creat of what is there", number: 85, paths: ["PARENT /w/d 11 040755", "NORMAL d/f 20 0100644"]), "truncate /w/d/f"),
    (
      Call(
        name: "openat2 O_TRUNC", number: 437, arguments: [cwd, 0, 0, 24], paths: ["NORMAL d/f 20 0100644"],
        extra: ["OPENAT2 oflag=0101001 mode=0 resolve=0x0"]), "truncate /w/d/f"
    ),
    (Call(name: "openat2 without its record", number: 437, arguments: [cwd, 0, 0, 24], paths: ["NORMAL d/f 20 0100644"]), "open /w/d/f"),
    (Call(name: "open_by_handle_at", number: 304, arguments: [3, 0, 1, 0], paths: ["NORMAL '' 20 0100644"]), "open /w/d/f"),
    // names
    (Call(name: "dots", number: 83, paths: ["PARENT x 10 040755", "CREATE d/../new 30 040755"]), "mkdir /w/new"),
    (Call(name: "a slash at the end", number: 83, paths: ["PARENT /w 10 040755", "CREATE new/ 30 040755"]), "mkdir /w/new"),
    (
      Call(
        name: "through a symbolic link: the parent's inode knows", number: 83,
        paths: ["PARENT /link/ 11 040755", "CREATE /link/new 30 040755"]), "mkdir /w/d/new"
    ),
    (
      Call(name: "symlink", number: 88, paths: ["PARENT /w 10 040755", "UNKNOWN ../text 0", "CREATE l 30 0120777"]),
      "symlink /w/l = ../text"
    ),
    (
      Call(name: "link", number: 86, paths: ["PARENT /w 10 040755", "NORMAL d/f 20 0100644", "CREATE hard 20 0100644"]),
      "link /w/hard = /w/d/f"
    ),
    (
      Call(
        name: "linkat out of an unknown directory", number: 265, arguments: [5, 0, cwd, 0], cwd: "/tmp",
        paths: ["PARENT /w 10 040755", "NORMAL x 31 0100644", "CREATE /w/hard 31 0100644"]), "link /w/hard = /tmp/x ?cwd-guess"
    ),
    (
      Call(
        name: "linkat of O_TMPFILE", number: 265, arguments: [cwd, 0, cwd, 0x400],
        paths: ["PARENT /w 10 040755", "NORMAL /proc/self/fd/4 30 0100600", "CREATE named 30 0100600"]), "create /w/named"
    ),
    (Call(name: "no CWD record", number: 83, cwd: nil, paths: ["PARENT x 99 040755", "CREATE new 30 040755"]), "mkdir new ?cwd-guess"),
  ]

  @Test(arguments: cases.map(\.0)) func means(call: Call) throws {
    let expected = try #require(Self.cases.first { $0.0.name == call.name }).1
    let found = changes([call]).changes
    #expect(found == [expected])
  }

  @Test func aMovedDirectoryTakesItsContentsAlong() {
    let found = changes([
      Call(name: "", number: 82, paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE d 11 040755", "CREATE moved 11 040755"]),
      Call(name: "", number: 91, arguments: [5, 0o600, 0, 0], paths: ["NORMAL - 20 0100644"]),
      Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 11 040755", "CREATE in 30 040755"]),
    ])
    #expect(found.changes == ["rename /w/moved ← /w/d", "chmod /w/moved/f 644→600", "mkdir /w/moved/in"] && found.walks == [])
  }

  @Test func aDirectoryFromElsewhereIsWalked() {
    let found = changes([
      Call(
        name: "", number: 82,
        paths: ["PARENT /w/ 10 040755", "PARENT /out/ 90 040755", "DELETE /out/dir 91 040755", "CREATE /w/dir 91 040755"])
    ])
    #expect(found.changes == ["rename /w/dir ← /out/dir"] && found.walks == ["/w/dir"])
  }

  /// A directory comes from elsewhere, is used by its path before anybody has walked it, and moves on: what was learnt below it moves along,
  /// and the walk is asked for again, under the new name.
  @Test func whatWasLearntMovesAlong() {
    let found = changes([
      Call(
        name: "", number: 82,
        paths: ["PARENT /w/ 10 040755", "PARENT /out/ 90 040755", "DELETE /out/dir 91 040755", "CREATE /w/dir 91 040755"]),
      Call(name: "", number: 83, paths: ["PARENT /w/dir/sub/ 92 040755", "CREATE /w/dir/sub/one 93 040755"]),
      Call(name: "", number: 82, paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE dir 91 040755", "CREATE moved 91 040755"]),
      Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 92 040755", "CREATE two 94 040755"]),
      Call(name: "", number: 258, arguments: [6, 0, 0, 0], cwd: "/", paths: ["PARENT / 93 040755", "CREATE in 95 040755"]),
    ])
    #expect(
      found.changes == [
        "rename /w/dir ← /out/dir", "mkdir /w/dir/sub/one", "rename /w/moved ← /w/dir", "mkdir /w/moved/sub/two",
        "mkdir /w/moved/sub/one/in",
      ])
    #expect(found.walks == ["/w/dir", "/w/moved"])
  }

  /// Two directories change places, both with something learnt below them.
  @Test func whatWasLearntChangesPlaces() {
    func learn(_ directory: String, _ inode: Int) -> Call {
      Call(name: "", number: 83, paths: ["PARENT \(directory)/ \(inode) 040755", "CREATE \(directory)/x\(inode) \(inode + 100) 040755"])
    }
    let found = changes([
      learn("/o/a/s", 50), learn("/o/b/s", 51),
      Call(
        name: "", number: 316, arguments: [cwd, 0, cwd, 0],
        paths: [
          "PARENT /o/ 40 040755", "PARENT /o/ 40 040755", "DELETE /o/a 41 040755", "DELETE /o/b 42 040755", "CREATE /o/b 41 040755",
          "CREATE /o/a 42 040755",
        ]),
      Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 50 040755", "CREATE y 60 040755"]),
      Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 51 040755", "CREATE z 61 040755"]),
    ])
    #expect(found.changes.suffix(2) == ["mkdir /o/b/s/y", "mkdir /o/a/s/z"])
  }

  /// After too many moves, or one from a place that is not known, what was learnt is not believed any more.
  @Test func whatWasLearntIsNotBelievedForever() {
    let learn = Call(name: "", number: 83, paths: ["PARENT /o/s/ 50 040755", "CREATE /o/s/x 51 040755"])
    let use = Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 50 040755", "CREATE y 60 040755"])
    let move = Call(
      name: "", number: 82, paths: ["PARENT /w 10 040755", "PARENT /w 10 040755", "DELETE d 11 040755", "CREATE d 11 040755"])
    let unknown = Call(
      name: "", number: 264, arguments: [5, 0, 6, 0], cwd: "/",
      paths: ["PARENT / 70 040755", "PARENT / 71 040755", "DELETE d 72 040755", "CREATE d 72 040755"])
    #expect(changes([learn] + Array(repeating: move, count: 64) + [use]).changes.last == "mkdir /o/s/y")
    #expect(changes([learn] + Array(repeating: move, count: 65) + [use]).changes.last == "mkdir /y ?cwd-guess")
    #expect(changes([learn, unknown, use]).changes.last == "mkdir /y ?cwd-guess")
  }

  /// Where nobody watches, a directory may have moved unseen.
  @Test func whatWasLearntElsewhereIsMarked() {
    let coverage = Coverage([CoverageScope(object: .directory, path: Array("/w".utf8), keys: [Array("w".utf8)])])
    let found = changes(
      [
        Call(name: "", number: 83, paths: ["PARENT /out/s/ 50 040755", "CREATE /out/s/x 51 040755"]),
        Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 50 040755", "CREATE y 60 040755"]),
        Call(name: "", number: 83, paths: ["PARENT /w/new/ 53 040755", "CREATE /w/new/x 54 040755"]),
        Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 53 040755", "CREATE y 61 040755"]),
      ], coverage: coverage)
    #expect(found.changes == ["mkdir /out/s/x", "mkdir /out/s/y ?learnt", "mkdir /w/new/x", "mkdir /w/new/y"])
  }

  @Test func whatLeavesIsStillKnown() {
    let found = changes([
      Call(
        name: "", number: 82, paths: ["PARENT /out/ 90 040755", "PARENT /w/ 10 040755", "DELETE /w/d 11 040755", "CREATE /out/d 11 040755"]),
      Call(name: "", number: 258, arguments: [5, 0, 0, 0], cwd: "/", paths: ["PARENT / 11 040755", "CREATE in 30 040755"]),
    ])
    #expect(found.changes == ["rename /out/d ← /w/d", "mkdir /out/d/in"])
  }

  @Test func anInodeThatIsUsedAgain() {
    let found = changes([
      Call(name: "", number: 87, paths: ["PARENT d/ 11 040755", "DELETE d/f 20 0100644"]),
      Call(name: "", number: 2, arguments: [0, 0o101, 0, 0], paths: ["PARENT e/ 12 040755", "CREATE e/other 20 0100644"]),
      Call(name: "", number: 91, arguments: [5, 0o600, 0, 0], paths: ["NORMAL - 20 0100644"]),
    ])
    #expect(found.changes == ["delete /w/d/f", "create /w/e/other", "chmod /w/e/other 644→600"])
  }

  @Test func aFileWithSeveralNames() {
    let found = changes([
      Call(name: "", number: 86, paths: ["PARENT /w 10 040755", "NORMAL d/f 20 0100644", "CREATE hard 20 0100644"]),
      Call(name: "", number: 91, arguments: [5, 0o600, 0, 0], paths: ["NORMAL - 20 0100644"]),
      Call(name: "", number: 90, arguments: [0, 0o600, 0, 0], paths: ["NORMAL d/f 20 0100644"]),
      Call(name: "", number: 87, paths: ["PARENT /w/d 11 040755", "DELETE d/f 20 0100644"]),
      Call(name: "", number: 91, arguments: [5, 0o600, 0, 0], paths: ["NORMAL - 20 0100644"]),
    ])
    #expect(
      found.changes == [
        "link /w/hard = /w/d/f", "chmod /w/hard 644→600 ?inode", "chmod /w/d/f 644→600 ?inode", "delete /w/d/f",
        "chmod /w/hard 644→600 ?inode",
      ])
  }

  /// Calls that change no file leave no change, and a mount asks for a walk only where something is watched.
  @Test func whatIsNoChange() {
    let found = changes([
      Call(name: "execve", number: 59, paths: ["NORMAL /bin/x 50 0100755"]),
      Call(name: "unknown", number: 500, paths: ["NORMAL /x 50 0100755"]),
      Call(name: "unknown machine", number: 83, arch: "1", paths: ["PARENT /w 10 040755", "NORMAL x 50 040755"]),
      Call(name: "O_TMPFILE", number: 2, arguments: [0, 0o20200002, 0, 0], paths: ["NORMAL d 60 0100600"]),
    ])
    #expect(found.changes == [] && found.walks == [])
  }
}
