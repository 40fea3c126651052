import EventLog
import Glibc
import System
import TestSupport
import Testing

extension KernelTests {
  /// The baseline and the trail together: what a check finds, and whom it names for it.
  @Suite struct CheckTests {
    /// One way to change a file.
    private struct Way {
      /// What it is done to: a name in the watched tree, `F` in the script.
      let name: String
      /// Shell, with `T` the watched tree and `O` a directory beside it that no rule watches.
      let script: String
      let verdict: String

      init(_ name: String, _ script: String, _ verdict: String = "explained") {
        (self.name, self.script, self.verdict) = (name, script, verdict)
      }
    }

    private static let ways = [
      Way("append", "echo more >>$F"), Way("empty", ": >$F"), Way("shorten", "truncate -s 1 $F"),
      Way("rename-over", "echo new >$O/new; mv $O/new $F"), Way("rename-within", "echo new >$F.tmp; mv $F.tmp $F"),
      Way("sed", "sed -i s/content/other/ $F"), Way("copy-over", "cp /etc/passwd $F"),
      Way("copy-anew", "cp --remove-destination /etc/passwd $F"),
      Way("dd", "dd if=/etc/passwd of=$F conv=notrunc status=none"), Way("hole", "fallocate -p -o 0 -l 1 $F"),
      Way("chmod", "chmod 600 $F"), Way("set-uid", "chmod 4755 $F"), Way("chown", "chown 1:1 $F"), Way("chgrp", "chgrp 1 $F"),
      Way("acl", "setfacl -m u:1:r $F"), Way("xattr", "setfattr -n user.x -v 1 $F"), Way("capability", "setcap cap_net_raw+p $F"),
      Way("touch", "touch -d 2001-01-01 $F"), Way("restored-times", "cp -p $F $O/ref; echo more >>$F; touch -r $O/ref $F"),
      Way("deleted", "rm $F"), Way("created", "rm $F; echo again >$F"), Way("new", "mv $F $O/gone-new; echo other >$F"),
      Way("link-instead", "ln -sf /etc/passwd $F"), Way("fifo-instead", "rm $F; mkfifo $F"), Way("node-instead", "rm $F; mknod $F c 1 3"),
      Way("directory-instead", "rm $F; mkdir $F"), Way("second-name", "ln $F $F.second"),
      Way("mapped", "python3 -c 'import mmap,sys; f=open(sys.argv[1],\"r+b\"); m=mmap.mmap(f.fileno(),0); m[0:1]=b\"X\"; m.flush()' $F"),
      Way("by-descriptor", "exec 9<>$F; echo more >&9; exec 9>&-"), Way("by-proc", "exec 9<>$F; echo more >>/proc/self/fd/9; exec 9>&-"),
      Way("patch", "printf -- '--- a\\n+++ b\\n@@ -1 +1 @@\\n-content\\n+changed\\n' | patch -s $F"),
      Way("ed", "printf 'a\\nmore\\n.\\nw\\nq\\n' | ed -s $F"), Way("rsync", "cp /etc/group $O/rsync; rsync --inplace $O/rsync $F"),
      Way("tar", "(cd $O; cp /etc/group tar; tar cf t.tar tar); tar xOf $O/t.tar tar >$F"),
      Way("other-user", "chmod 666 $F; setpriv --reuid 1 --clear-groups sh -c \"echo more >>$F\""),
      Way("in-chroot", "mkdir -p $O/root; mount --bind / $O/root; chroot $O/root sh -c \"echo more >>$F\"; umount $O/root"),
      Way("by-bind-mount", "mkdir -p $O/bind; mount --bind $T $O/bind; echo more >>$O/bind/by-bind-mount; umount $O/bind"),
      Way("by-link", "ln -s $F $O/link; echo more >>$O/link"), Way("moved", "mv $F $F.elsewhere"),
      // what no rule on the tree can show
      Way("by-outer-name", "echo more >>$O/outer", "unexplained"),
      Way("flags", "chattr +d $F", "unexplained"),
      Way("by-older-descriptor", "echo more >$O/pipe; while [ ! -e $O/done ]; do sleep 0.05; done", "unexplained"),
    ]

    /// What a check in JSON says of each path: the verdict, and the reason with the causes behind, each after a `;`.
    private func findings(of check: ProgramResult) throws -> [String: (verdict: String, causes: String)] {
      var report = LogLine()
      let bytes = Array(check.output.dropLast())
      let isObject = report.parse(bytes.span.bytes)
      try #require(isObject, "\(check.text.prefix(2000))")
      var found: [String: (verdict: String, causes: String)] = [:]
      var index = 0
      while let path = report.string("differences.\(index).path") {
        let place = "differences.\(index)"
        var causes = report.string("\(place).explanation.reason") ?? ""
        var cause = 0
        while let action = report.string("\(place).explanation.causes.\(cause).action") {
          causes += "; \(action) \(report.string("\(place).explanation.causes.\(cause).path") ?? "?")"
          cause += 1
        }
        let names = [path, report.string("\(place).previous_path") ?? path]
        for name in names { found[name] = (report.string("\(place).verdict") ?? "none", causes) }
        index += 1
      }
      return found
    }

    @Test func whatARuleKeepsFromBeingRecordedIsNoAlarm() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        let files = ["tree/plain", "tree/never/file", "tree/reading/file", "outside/native", "outside/flags"]
        for directory in ["tree/never", "tree/reading"] { try daemon.home.makeDirectory(directory) }
        for file in files { try daemon.home.write(file, "content\n") }
        try daemon.setRules(
          """
          -a never,exit -F dir=TREE/reading -F perm=r
          -a never,exit -F arch=b64 -S adjtimex
          -a never,exit -F dir=TREE/never -F perm=wa
          -w TREE -p wa -k tree
          -a always,exit -F arch=b64 -F dir=\(daemon.outside) -F perm=wa -k native
          """)
        try daemon.start()
        try daemon.settle()
        let configuration = try daemon.home.write(
          "baseline.conf", files.map { "=\(daemon.home[$0])$ sha256+e2fsattrs\n" }.joined())
        let options = ["--config", configuration, "--database", daemon.home["baseline.db"]]
        let made = try run(fsauditBinary, ["baseline", "init"] + options)
        try #require(made.status == 0, "\(made.errorText)")
        for file in ["tree/never/file", "outside/native"] { try daemon.home.write(file, "other\n") }
        for file in ["tree/plain", "tree/reading/file", "outside/flags"] {
          #expect(try run("chattr", ["+d", daemon.home[file]]).status == 0)
        }
        try daemon.settle()
        let found = try findings(
          of: try run(
            fsauditBinary,
            ["check", "--format", "json", "--log", daemon.logDirectory, "--daemon-config", daemon.configuration] + options))
        try daemon.stop()
        let wanted = [
          ("tree/plain", "unexplained", ""), ("tree/reading/file", "unexplained", ""),
          ("tree/never/file", "uncovered", "-F dir=\(daemon.tree)/never -F perm=wa"), ("outside/native", "explained", ""),
          ("outside/flags", "uncovered", "not for arch=b32: "),
        ]
        for (file, verdict, reason) in wanted {
          let finding = found[daemon.home[file]]
          #expect(
            finding?.verdict == verdict && finding?.causes.contains(reason) != false,
            "\(file): \(finding?.verdict ?? "-"): \(finding?.causes ?? "")")
        }
      }
    }

    @Test func fortyWaysToChangeAFile() throws {
      try KernelLab.run {
        let daemon = try TestDaemon()
        let environment = "export LC_ALL=C T='\(daemon.tree)' O='\(daemon.outside)'; "
        func shell(_ script: String) throws -> ProgramResult { try run("sh", ["-c", environment + script]) }
        for way in Self.ways { try daemon.home.write("tree/\(way.name)", "content\n", mode: 0o644) }
        try daemon.home.write("outside/unwatched", "content\n", mode: 0o644)
        #expect(try shell("chmod 755 $T/..; ln $T/by-outer-name $O/outer; mkfifo $O/pipe").status == 0)
        // opened before there is a rule
        let writer = try RunningProgram(
          "sh", ["-c", environment + "exec 9>>$T/by-older-descriptor; cat $O/pipe >&9; exec 9>&-; : >$O/done"])
        try daemon.start()
        try daemon.settle()
        let configuration = try daemon.home.write(
          "baseline.conf",
          """
          All = ftype+p+u+g+n+i+s+m+c+l+acl+xattrs+caps+e2fsattrs+sha256
          =\(daemon.home.path)/tree$ ftype
          \(daemon.home.path)/tree/ All
          \(daemon.home.path)/outside/unwatched All

          """)
        let options = ["--config", configuration, "--database", daemon.home["baseline.db"]]
        let made = try run(fsauditBinary, ["baseline", "init"] + options)
        try #require(made.status == 0, "\(made.errorText)")
        for way in Self.ways {
          let done = try shell("F=\"$T/\(way.name)\"; " + way.script)
          #expect(done.status == 0, "\(way.name): \(done.errorText)")
        }
        #expect(try shell("echo more >>$O/unwatched").status == 0)
        #expect(try writer.wait(seconds: 10).status == 0)
        try daemon.settle()
        let check = try run(
          fsauditBinary,
          ["check", "--format", "json", "--log", daemon.logDirectory, "--daemon-config", daemon.configuration] + options)
        #expect(check.status & ~15 == 0 && check.status & 8 == 8, "\(check.status) \(check.errorText)")
        try daemon.stop()

        let found = try findings(of: check)
        for way in Self.ways {
          let path = "\(daemon.tree)/\(way.name)"
          #expect(found[path]?.verdict == way.verdict, "\(way.name): \(found[path]?.verdict ?? "not found"): \(found[path]?.causes ?? "")")
        }
        #expect(found["\(daemon.outside)/unwatched"]?.verdict == "uncovered")
        // nobody is named for what nobody saw
        for way in Self.ways where way.verdict == "unexplained" {
          let causes = found["\(daemon.tree)/\(way.name)"]?.causes ?? ""
          #expect(!causes.contains(";"), "\(way.name): \(causes)")
        }
        let unexplained = found.filter { $0.value.verdict == "unexplained" }.keys.map {
          $0.split(separator: "/").last.map(String.init) ?? ""
        }
        #expect(Set(unexplained) == Set(Self.ways.filter { $0.verdict == "unexplained" }.map(\.name)))
      }
    }
  }
}
