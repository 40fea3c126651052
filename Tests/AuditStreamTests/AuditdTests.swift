import AuditControl
import AuditStream
import Glibc
import System
import TestSupport
import Testing

/// The real auditd with a configuration of its own: what it writes to its log is the oracle for what its plugin gets.
@Suite(
  .serialized, .enabled(if: KernelLab.isOpen, "\(KernelLab.reason)"),
  .enabled(if: access("/sbin/auditd", X_OK) == 0, "auditd is not installed")
) struct AuditdTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Starts auditd with a plugin that keeps all it gets, lets 40 records pass, stops auditd; returns the log's lines and the plugin's bytes.
  private func auditd(logFormat: String, pluginFormat: String, extra: String = "", _ meanwhile: (Lab) throws -> Void = { _ in }) throws
    -> (log: [String], plugin: [UInt8])
  {
    let log = directory["audit.log"]
    let copy = directory["copy"]
    try directory.write(
      "auditd.conf",
      """
      local_events = yes
      write_logs = yes
      log_file = \(log)
      log_format = \(logFormat)
      flush = NONE
      max_log_file = 8
      num_logs = 2
      max_log_file_action = IGNORE
      space_left = 2
      space_left_action = IGNORE
      admin_space_left = 1
      admin_space_left_action = IGNORE
      disk_full_action = IGNORE
      disk_error_action = IGNORE
      plugin_dir = \(try directory.makeDirectory("plugins.d"))
      \(extra)

      """)
    // auditd ends its plugins with SIGTERM, before they have read everything.
    try directory.write("plugin", "#!/bin/sh\ntrap '' TERM HUP\nexec cat > \(copy)\n", mode: 0o750)
    chmod(directory["plugin"], 0o750)  // exactly this, says load_pconfig, and umask may have taken some
    try directory.write(
      "plugins.d/copy.conf",
      "active = yes\ndirection = out\npath = \(directory["plugin"])\ntype = always\nformat = \(pluginFormat)\n", mode: 0o640)

    try KernelLab.run {
      let lab = try Lab()
      let daemon = try RunningProgram("/sbin/auditd", ["-n", "-s", "nochange", "-c", directory.path])
      let isUp = try daemon.wait(seconds: 10) { try lab.registered() == UInt32(daemon.pid) }
      try #require(isUp, "auditd does not start")
      try meanwhile(lab)
      try lab.emit(40, "auditd")
      let last = Array("msg='auditd-40'".utf8)
      let isDone = daemon.wait(seconds: 10) { (try? contents(of: copy, limitBytes: 8 << 20))?.contains(last) == true }
      #expect(isDone)
      daemon.signal(SIGTERM)
      #expect(try daemon.wait(seconds: 10).status == 0)
      // The plugin is auditd's child, not ours: it ends with its input.
      usleep(100_000)
    }
    return (
      String(decoding: try contents(of: log), as: UTF8.self).split(separator: "\n").map(String.init),
      try contents(of: copy, limitBytes: 8 << 20)
    )
  }

  /// auditd tells its log of its start before it starts the plugin, and of its end after it has stopped it; it hands on EOE but does not log it.
  private func isShared(_ line: String) -> Bool { !line.contains("type=DAEMON_") && !line.contains("type=EOE ") }

  @Test(arguments: ["RAW", "ENRICHED"], ["", "name_format = USER\nname = host1"])
  func lines(logFormat: String, extra: String) throws {
    let (log, bytes) = try auditd(logFormat: logFormat, pluginFormat: "string", extra: extra)
    let result = try plugin(bytes, piece: 1000)
    #expect(result.ended)
    let got = result.lines.filter(isShared)
    #expect(got.count { $0.contains("auditd-") } == 40)
    #expect(got == log.filter(isShared))
  }

  @Test(arguments: ["RAW", "ENRICHED"], ["", "name_format = USER\nname = host1"])
  func frames(logFormat: String, extra: String) throws {
    let (log, bytes) = try auditd(logFormat: logFormat, pluginFormat: "binary", extra: extra)
    #expect(bytes.first.map { $0 <= 1 } == true)
    #expect(bytes.count % (16 + 8970) == 0)
    let result = try plugin(bytes, piece: 1000)
    #expect(result.fault == nil)
    #expect(result.ended)
    // Unformatted frames have the type's number where the log has its name.
    func message(_ line: String) -> Substring { line[(line.firstRange(of: "msg=audit(")?.lowerBound ?? line.startIndex)...] }
    let got = result.lines.filter { $0.contains("auditd-") }
    #expect(got.count == 40)
    #expect(got.map(message) == log.filter { $0.contains("auditd-") }.map(message))
    let isFormatted = logFormat == "ENRICHED" || !extra.isEmpty
    let prefix = isFormatted ? (extra.isEmpty ? "" : "node=host1 ") + "type=USER_AVC msg=" : "type=1107 msg="
    #expect(got.allSatisfy { $0.hasPrefix(prefix) })
  }

  /// What auditd has logged live, counted by aureport and by us.
  @Test func itsLogIsCountedAsAureportDoes() throws {
    let tree = try directory.makeDirectory("tree")
    _ = try auditd(logFormat: "ENRICHED", pluginFormat: "string") { _ in
      let watch = ["\(tree)", "-p", "wa", "-k", "counted"]
      let added = try run("auditctl", ["-w"] + watch)
      #expect(added.status == 0)
      defer { _ = try? run("auditctl", ["-W"] + watch) }
      let work = "cd \(tree) && for n in 1 2 3; do touch f$n; chmod 600 $PWD/f$n; mv f$n g$n; done; rm g1"
      let done = try run("sh", ["-c", work])
      #expect(done.status == 0)
    }
    let log = directory["audit.log"]
    var (ours, theirs): ([String: Int], [String: Int]) = ([:], [:])
    let table = try run(fsauditBinary, ["report", "executables", "--key", "counted", "--format", "csv", "--audit-log", log]).text
    for row in table.split(separator: "\r\n").dropFirst() {
      let fields = row.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false)
      ours[String(fields[4])] = Int(fields[0])
    }
    for row in try run("sh", ["-c", "ausearch -if \(log) -k counted --raw | aureport -x --summary"]).text.split(separator: "\n") {
      let words = row.split(separator: " ")
      if words.count == 2, let count = Int(words[0]) { theirs[String(words[1])] = count }
    }
    // whoever adds the rule mentions its key
    for path in ["/sbin/auditctl", "/usr/sbin/auditctl"] { (ours[path], theirs[path]) = (nil, nil) }
    #expect(ours.count == 4 && ours == theirs, "\(ours) \(theirs)")
    let files = try run(fsauditBinary, ["report", "files", "--key", "counted", "--format", "csv", "--audit-log", log]).text
    // made, its mode changed, renamed; and the one that was removed, too
    for (name, count) in [("f1", 3), ("f2", 3), ("g1", 2), ("g2", 1)] {
      let row = files.split(separator: "\r\n").first { $0.hasSuffix(",\(tree)/\(name)") }
      #expect(row?.hasPrefix("\(count),0,") == true, "\(files)")
    }
  }

  @Test func besideAuditdWeListenByMulticast() throws {
    _ = try auditd(logFormat: "RAW", pluginFormat: "string") { lab in
      var stream = try KernelStream.open(.auto, registered: lab.registered())
      #expect(stream.source == .multicast)
      try lab.emit(20, "beside")
      var delivery = Delivery()
      try delivery.take(&stream, until: 20, with: "msg='beside-")
      #expect(delivery.count("msg='beside-") == 20)
      let refusal = #expect(throws: Failure.self) { _ = try KernelStream.open(.unicast, registered: lab.registered()) }
      #expect(refusal?.message.contains(", auditd) owns the stream") == true)
    }
  }
}

extension [UInt8] {
  /// Whether the bytes occur.
  func contains(_ other: [UInt8]) -> Bool { firstRange(of: other) != nil }
}
