import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// Programs that nobody here wrote work in a watched tree; the changes that were logged, replayed on what was there before, give what is there
  /// afterwards. Nothing may be missing, doubled or at a wrong path for that.
  @Suite struct ReplayTests {
    /// What a workload does: shell, in the watched tree, with `$OUT` an unwatched directory beside it and `$FILEOPS` our own program.
    /// A program that is not installed is passed over by the shell's `have`.
    private static let workload = """
      set -eu
      have() { command -v "$1" >/dev/null; }
      export HOME="$OUT" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b LC_ALL=C

      # git: a repository, a clone of it, branches, a pack
      git init -q repo
      (cd repo; mkdir -p src/deep; for i in 1 2 3 4 5; do echo $i >src/$i.c; echo $i >src/deep/$i.h; done
       git add .; git commit -qm one; git checkout -qb side; git mv src/1.c src/one.c; git rm -q src/2.c; git commit -qm two
       git checkout -q master 2>/dev/null || git checkout -q main; git merge -q side; git gc -q)
      git clone -q repo clone
      git clone -q --bare repo bare.git
      (cd clone; echo more >>src/3.c; git stash -q; git stash pop -q; git commit -qam three; git push -q origin HEAD:pushed)

      # archives and copies, from this directory and from others
      tar cf "$OUT/repo.tar" -C repo src
      mkdir unpacked && tar xf "$OUT/repo.tar" -C unpacked
      (cd /; tar xf "$OUT/repo.tar" -C "$TREE" --transform 's,^src,elsewhere,')
      cp -a unpacked copied
      cp -al unpacked linked
      (cd /tmp; cp -r "$TREE/repo/src" "$TREE/copied/again")
      rsync -a --delete copied/ synced/
      echo changed >copied/src/3.c; rm copied/src/4.c
      rsync -a --delete copied/ synced/
      (cd /; rsync -a --inplace "$TREE/unpacked/" "$TREE/synced2/")

      # moving, also of directories and across the tree's border, and what is in them afterwards
      mkdir -p a/b/c/d/e/f/g/h
      echo x >a/b/c/file; mv a/b moved; echo y >moved/c/file2; mv moved/c/file2 a/; mv moved a/back
      mv "$OUT/incoming" arrived; echo new >arrived/inner/new; rm arrived/inner/old; mkdir arrived/inner/dir
      mv arrived/inner/dir here; mv copied/again "$OUT/left"; mv "$OUT/left" returned
      mv -T a/back/c over; mkdir target; mv over target/over; mv -f a/file2 target/over/file
      "$FILEOPS" exchange target elsewhere; echo e >target/e; echo f >elsewhere/f
      "$FILEOPS" exchange target/e elsewhere/f

      # links, nodes, unnamed files
      ln repo/src/3.c hard; ln -s repo/src soft; ln -sfn repo/src/deep soft; ln -f unpacked/src/5.c hard; mkfifo fifo; mknod null c 1 3
      "$FILEOPS" tmpfile "$TREE" from-tmpfile; (cd /; "$FILEOPS" tmpfile "$TREE/target" from-tmpfile)
      install -d -m 700 installed/x; install -m 644 hard installed/x/hard; truncate -s 0 installed/x/hard; mktemp -d "$TREE/tmp.XXXXXX" >/dev/null

      # editing
      sed -i 's/3/three/' unpacked/src/3.c; sed -i.bak 's/5/five/' unpacked/src/5.c; (cd /; sed -i 's/x/y/' "$TREE/target/e")
      "$FILEOPS" save unpacked/src/1.c saved
      if have ed; then printf 'a\\ntext\\n.\\nw\\nq\\n' | ed -s target/ed-file >/dev/null 2>&1; fi
      if have vim; then vim -u NONE -es -c 'set backup writebackup' -c 'normal ohello' -c 'wq' unpacked/src/deep/1.h </dev/null >/dev/null 2>&1 || true; fi
      if have patch; then printf -- '--- a\\n+++ b\\n@@ -1 +1 @@\\n-2\\n+two\\n' >"$OUT/p"; patch -s unpacked/src/deep/2.h "$OUT/p"; fi
      sort -o unpacked/src/deep/3.h unpacked/src/deep/3.h; gzip -kf unpacked/src/deep/4.h; split -b 1 unpacked/src/3.c part.

      # a package
      mkdir -p system/var/lib/dpkg/updates system/var/lib/dpkg/info; : >system/var/lib/dpkg/status; : >system/var/lib/dpkg/available
      dpkg --root="$TREE/system" --log=/dev/null --force-not-root --force-script-chrootless -i "$OUT/test.deb" >/dev/null 2>&1

      # removing, through names and through descriptors
      rm -rf clone; (cd /; rm -rf "$TREE/bare.git"); (cd repo/src; rm -rf "$TREE/linked")
      find synced -name '*.h' -delete; find synced2 -depth -delete; find unpacked -name '*.c' -print0 | xargs -0 -P2 -n1 rm
      mkdir -p many; (cd many; seq 200 | xargs -P2 -n5 touch); find many -name '1*' -print0 | xargs -0 -P2 -n7 rm; mv many fewer
      rename() { mv "$1" "$2"; }; rename fewer fewer.still; rmdir tmp.*
      """

    /// Two processes at once: one works in a directory while the other renames it.
    private static let contest = """
      set -eu
      mkdir -p contest/0/sub
      (cd contest/0/sub; i=0; while [ $i -lt 150 ]; do : >f$i; mv f$i g$i; [ $((i % 3)) = 0 ] || rm g$i; mkdir d$i; [ $((i % 2)) = 0 ] || rmdir d$i
       i=$((i + 1)); done) &
      i=0
      while [ $i -lt 150 ]; do mv contest/$i contest/$((i + 1)); i=$((i + 1)); done
      wait
      """

    /// Builds what the workload needs outside of the tree.
    private func prepare(_ outside: String) throws {
      let script = """
        set -eu
        cd "$1"
        mkdir -p incoming/inner package/DEBIAN package/usr/share/fsaudit-test package/etc
        echo old >incoming/inner/old; echo kept >incoming/kept
        printf 'Package: fsaudit-test\\nVersion: 1\\nArchitecture: all\\nMaintainer: none <a@b>\\nDescription: test\\n' >package/DEBIAN/control
        for i in 1 2 3 4 5; do echo $i >package/usr/share/fsaudit-test/$i; done; echo c >package/etc/fsaudit-test.conf
        echo /etc/fsaudit-test.conf >package/DEBIAN/conffiles
        dpkg-deb --root-owner-group -b package test.deb >/dev/null
        """
      let made = try run("sh", ["-c", script, "sh", outside])
      try #require(made.status == 0, "\(made.errorText)")
    }

    /// Does the work; returns what there was before.
    private func work(_ scripts: [String], _ tree: String, _ outside: String) throws -> Set<[UInt8]> {
      try prepare(outside)
      let before = try listing([tree, outside]).union([Array(tree.utf8), Array(outside.utf8)])
      for script in scripts {
        let worker = try run(
          "sh", ["-c", "cd \"$TREE\"\n" + script],
          environment: ["TREE": tree, "OUT": outside, "FILEOPS": try CPrograms.path("fileops")])
        try #require(worker.status == 0, "the workload fails: \(worker.text) \(worker.errorText)")
      }
      return before
    }

    private func check(_ lines: [Line], _ before: Set<[UInt8]>, _ tree: String) throws {
      #expect(lines.filter { $0.dataset == .gap }.map(\.json) == [])
      let changes = lines.filter { $0.dataset == .file && $0.succeeded }
      let unsure = changes.filter { $0.confidence != nil }
      print("replay: \(changes.count) changes, \(unsure.count) of them with a path that is not certain")
      // the kernel names no path for a call on a descriptor: of a file with several names, which one was meant only the process could tell
      let guesses = unsure.filter {
        !($0.string("fsaudit.syscall")?.hasPrefix("f") == true && ["descriptor", "inode"].contains($0.confidence))
      }
      #expect(guesses.map(\.json) == [])
      var replay = Replay(before)
      for change in changes { replay.apply(change) }
      #expect(replay.contradictions == [])
      let told = replay.paths(below: tree)
      let real = try listing([tree])
      func names(_ paths: Set<[UInt8]>) -> [String] { paths.map { String(decoding: $0, as: UTF8.self) }.sorted() }
      #expect(names(told.subtracting(real)) == [], "in the log, not on the disk")
      #expect(names(real.subtracting(told)) == [], "on the disk, not in the log")
    }

    @Test func daemon() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        try daemon.start()
        let before = try work([Self.workload, Self.contest], daemon.tree, daemon.outside)
        try daemon.stop()
        try check(try daemon.lines(), before, daemon.tree)
      }
    }

    /// The tree is there before the daemon, which learns it by its walk.
    @Test func runOnWhatIsThereAlready() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        _ = try work([Self.workload], daemon.tree, daemon.outside)
        let before = try listing([daemon.tree, daemon.outside]).union([Array(daemon.tree.utf8)])
        let directories = try run("find", [daemon.tree, "-type", "d", "-printf", "x"]).output.count
        try daemon.start()
        try daemon.wait { ($0.integer("directory_map.directories") ?? 0) >= Int64(directories) }
        let worker = try run(
          "sh",
          [
            "-c",
            """
            set -eu; cd "$1"; (cd /; rm -rf "$1/repo/.git"); mv unpacked unpacked2; (cd unpacked2/src; : >new; mkdir newdir; cd deep; : >new2)
            chmod -R g+w system; find system -type f -delete; cp -a copied copied3; rm -rf copied; mv elsewhere target/; : >target/elsewhere/x
            (cd fewer.still; ls | xargs -P2 -n9 rm); git -C repo init -q; tar cf - fewer.still target | tar xf - -C copied3
            """, "sh", daemon.tree,
          ])
        try #require(worker.status == 0, "\(worker.errorText)")
        try daemon.stop()
        try check(try daemon.lines(), before, daemon.tree)
      }
    }

    @Test func watcher() throws {
      let home = try TemporaryDirectory()
      let (tree, outside) = (try home.makeDirectory("tree"), try home.makeDirectory("outside"))
      try KernelLab.run {
        let watch = try WatchRun(["--format", "json", tree])
        let before = try work([Self.workload, Self.contest], tree, outside)
        let result = try watch.stop()
        #expect(result.status == 0)
        try check(try parse(result.output), before, tree)
      }
    }
  }
}
