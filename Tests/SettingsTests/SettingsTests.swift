import System
import Testing

@testable import Settings

/// The settings that `text` gives, read as the file `f.toml`.
private func parse(_ text: String) throws -> Settings { try Settings.parse(Array(text.utf8), file: "f.toml") }

@Suite struct SettingsTests {
  @Test func everySettingCanBeSet() throws {
    let settings = try parse(
      """
      [source]
      kind = "multicast"
      backlog_limit = 64
      backlog_wait_time = "0s"
      receive_buffer = "64KiB"
      [rules]
      directory = "/r//x/./y/"
      unload_on_stop = false
      [log]
      directory = "/l"
      group = 4
      rotate_size = "1MiB"
      rotate_every = "never"
      keep_count = 3
      keep_age = "1d"
      keep_size = "1MiB"
      compress = "none"
      compress_level = 19
      sync = "batch"
      sync_interval = "10ms"
      queue_size = "1MiB"
      [directory_map]
      max_entries = 1000
      [check]
      trail = false
      full_every = "never"
      [daemon]
      state_directory = "/s"
      runtime_directory = "/t"
      status_interval = "1h"
      log_level = "debug"
      """)
    var expected = Settings()
    expected.source = .init(kind: .multicast, backlogLimitRecords: 64, backlogWaitTime: .zero, receiveBufferBytes: 65536)
    expected.rules = .init(directory: "/r/x/y", unloadOnStop: false)
    expected.log = .init(
      directory: "/l", groupID: 4, rotateSizeBytes: 1 << 20, rotateEvery: nil, keepCount: 3, keepAge: .seconds(86400),
      keepSizeBytes: 1 << 20, compress: .none, compressLevel: 19, sync: .batch, syncInterval: .milliseconds(10),
      queueSizeBytes: 1 << 20)
    expected.directoryMap.maxEntries = 1000
    expected.check = .init(trail: false, fullEvery: nil)
    expected.daemon = .init(
      stateDirectory: "/s", runtimeDirectory: "/t", statusInterval: .seconds(3600), logLevel: .debug)
    #expect(settings == expected)
    #expect(settings != Settings())
  }

  @Test func absentMeansDefault() throws {
    #expect(try parse("") == Settings())
    #expect(try parse("[log]\n[source]\n# nothing\n") == Settings())
    #expect(try parse("\r\n[log]\r\n").log == Settings.Log())
  }

  @Test func limitsCanBeLifted() throws {
    let log = try parse("log.keep_count = 'unlimited'\nlog.keep_age = 'unlimited'\nlog.keep_size = 'unlimited'").log
    #expect(log.keepCount == nil && log.keepAge == nil && log.keepSizeBytes == nil)
  }

  @Test func groupsByName() throws {
    #expect(try parse("[log]\ngroup = \"root\"").log.groupID == 0)
    #expect(try parse("[log]\ngroup = \"adm\"").log.groupID == 4)
  }

  /// What a mistake says: all of it, because that is what the reader has.
  @Test(arguments: [
    ("\n[log]\nrotate_sise = \"1MiB\"", "f.toml:3: unknown setting rotate_sise in [log]: did you mean rotate_size?"),
    ("[source]\nlog_level = \"info\"", "f.toml:2: unknown setting log_level in [source]: it belongs in [daemon]"),
    ("keep_count = 3", "f.toml:1: unknown setting keep_count: it belongs in [log]"),
    ("[logs]", "f.toml:1: unknown section [logs]: did you mean log?"),
    ("\n[zzzzzzzzz]", "f.toml:2: unknown section [zzzzzzzzz]: the sections are check, daemon, directory_map, log, rules, seal, source"),
    ("[rules]\nwhatever_this_is = 1", "f.toml:2: unknown setting whatever_this_is in [rules]: the settings are directory, unload_on_stop"),
    ("log = 3", "f.toml:1: log is a section: write [log]"),
    ("logg.a = 3", "f.toml:1: unknown section [logg]: did you mean log?"),
    ("keep_cuont = 3", "f.toml:1: unknown setting keep_cuont: did you mean keep_count?"),
    ("[source]\n\nkind = \"udp\"", "f.toml:3: kind cannot be \"udp\": give one of \"auto\", \"unicast\", \"multicast\", \"plugin\""),
    ("[source]\nkind = 7", "f.toml:2: kind cannot be 7: give one of \"auto\", \"unicast\", \"multicast\", \"plugin\""),
    // 0 would be no limit at all to the kernel.
    ("[source]\nbacklog_limit = 0", "f.toml:2: backlog_limit cannot be 0: give a number from 64 to 1048576 records"),
    ("[source]\nbacklog_limit = -1", "f.toml:2: backlog_limit cannot be -1: give a number from 64 to 1048576 records"),
    (
      "[source]\nbacklog_wait_time = \"20m\"",
      "f.toml:2: backlog_wait_time cannot be \"20m\": give a time from \"0s\" to \"10m\" (units ms, s, m, h, d)"
    ),
    (
      "[source]\nbacklog_wait_time = 60000",
      "f.toml:2: backlog_wait_time cannot be 60000: give a time from \"0s\" to \"10m\" (units ms, s, m, h, d)"
    ),
    (
      "[source]\nreceive_buffer = \"16MB\"",
      "f.toml:2: receive_buffer cannot be \"16MB\": give a size from \"64KiB\" to \"512MiB\" (units B, KiB, MiB, GiB, TiB)"
    ),
    ("[rules]\nunload_on_stop = \"yes\"", "f.toml:2: unload_on_stop cannot be \"yes\": give true or false, without quotes"),
    ("[rules]\ndirectory = \"rules.d\"", "f.toml:2: directory cannot be \"rules.d\": give an absolute path"),
    ("[rules]\ndirectory = true", "f.toml:2: directory cannot be true: give an absolute path"),
    ("[log]\ndirectory = \"/a/../b\"", "f.toml:2: directory cannot be \"/a/../b\": give an absolute path, without .. and not / itself"),
    ("[log]\ndirectory = \"//\"", "f.toml:2: directory cannot be \"//\": give an absolute path, without .. and not / itself"),
    ("[log]\ndirectory = \"/a\\u001bb\"", "f.toml:2: directory cannot be \"/a\\x1bb\": give an absolute path"),
    (
      "[log]\ngroup = \"no-such-group\"",
      "f.toml:2: group cannot be \"no-such-group\": give the name or number of a group that this host has (see getent group)"
    ),
    (
      "[log]\nrotate_every = \"1s\"",
      "f.toml:2: rotate_every cannot be \"1s\": give a time from \"1m\" to \"366d\" (units ms, s, m, h, d), or \"never\""
    ),
    ("[log]\nkeep_count = 0", "f.toml:2: keep_count cannot be 0: give a number from 1 to 1000000 segments, or \"unlimited\""),
    ("[log]\ncompress_level = 20", "f.toml:2: compress_level cannot be 20: give a number from 1 to 19 (fast to small)"),
    (
      "[log]\nkeep_size = \"1MiB\"",
      "f.toml:2: keep_size 1MiB is less than rotate_size 100MiB: every rotated segment would be deleted at once; give keep_size at least rotate_size"
    ),
    // The first mistake of the file, not of the alphabet.
    (
      "[source]\nkind = \"x\"\n[daemon]\nlog_level = \"x\"",
      "f.toml:2: kind cannot be \"x\": give one of \"auto\", \"unicast\", \"multicast\", \"plugin\""
    ),
    ("[log]\nsync = \"never\"\ncompress = \"gzip\"", "f.toml:2: sync cannot be \"never\": give one of \"none\", \"interval\", \"batch\""),
  ])
  func mistakes(_ text: String, _ message: String) {
    let failure = #expect(throws: Failure.self) { try parse(text) }
    #expect(failure?.description == message)
    #expect(failure?.exit == .usage)
  }

  @Test func notText() {
    let failure = #expect(throws: Failure.self) { try Settings.parse([0x23, 0x0a, 0x0a, 0x23, 0xff], file: "f.toml") }
    #expect(failure?.description == "f.toml:3: not text: save the file as UTF-8")
  }

  @Test func aNamedFileHasToBeThere() {
    let failure = #expect(throws: Failure.self) { try Settings.load(from: "/nonexistent/fsaudit.toml") }
    #expect(failure?.description == "/nonexistent/fsaudit.toml: no such file: name a settings file, or none for the defaults")
  }

  /// The time goes in, jiffies come out: rounded up, so that a short wait never becomes none.
  @Test func waitTimeInJiffies() throws {
    let tick = try kernelTickNanoseconds()
    #expect([10_000_000, 4_000_000, 3_333_333, 1_000_000].contains(tick), "CONFIG_HZ is 100, 250, 300 or 1000")
    var source = Settings.Source()
    source.backlogWaitTime = .zero
    #expect(try source.backlogWaitJiffies() == 0)
    source.backlogWaitTime = .milliseconds(1)
    #expect(try source.backlogWaitJiffies() == 1)
    source.backlogWaitTime = .nanoseconds(tick * 250)
    #expect(try source.backlogWaitJiffies() == 250)
  }
}
