import Testing

@testable import EventLog

@Suite struct LogLineTests {
  private let example = parsed(
    #"{"@timestamp":"2026-11-20T23:32:51.738Z","event":{"kind":"event","category":["file"],"sequence":6,"#
      + #""dataset":"fsaudit.file"},"#
      + #""file":{"path":"/srv/\"c\"\u00e4\ud83d\ude42","inode":"16220223"},"process":{"pid":2334,"args":["mv",7,"/srv/b",["x"],"\\"]},"#
      + #""empty":{},"none":[],"fsaudit":{"raw":{"path":"2f73ff"}},"file":{"path":"second"}}"#)

  @Test func valuesAreFoundByPath() {
    #expect(example.timeMs == 1_795_217_571_738)
    #expect(example.dataset == .file)
    #expect(example.sequence == 6)
    #expect(example.string("file.path") == "/srv/\"c\"ä🙂")
    #expect(example.integer("file.inode") == 16_220_223)
    #expect(example.integer("process.pid") == 2334 && example.string("process.pid") == "2334")
    #expect(example.strings("process.args") == ["mv", "/srv/b", "\\"])
    #expect(example.name("file.path", raw: "fsaudit.raw.path") == [0x2f, 0x73, 0xff])
    #expect(example.string("event.kind", equals: "event") && !example.string("event.kind", equals: "even"))
    #expect(example.string("file.path", equals: "/srv/\"c\"ä🙂"))
    #expect(example.string("process.args.2") == "/srv/b" && example.string("process.args.3.0") == "x")
    #expect(example.members("file").map(\.name) == ["path", "inode"] && example.members("process").map(\.value) == ["2334"])
    #expect(example.has("empty") && example.strings("none") == [])
  }

  @Test(arguments: [
    "", ".", "file.", "file.path.x", "process.args.9", "process.args.-1", "process.args.x", "process.args.3", "empty.x", "@timestamp.x",
    "fil", "filex", "event.category",
  ])
  func whatIsNotThereIsNil(path: String) { #expect(example.string(path) == nil && example.integer(path) == nil) }

  /// RFC 8259, what is not JSON, or not one object.
  @Test(arguments: [
    "", " ", "{", "}", "[]", "1", "\"a\"", "null", "{}{}", "{} x", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{a:1}",
    "{'a':1}", "{\"a\":01}", "{\"a\":-}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":+1}", "{\"a\":0x1}", "{\"a\":NaN}",
    "{\"a\":tru}",
    "{\"a\":truex}", "{\"a\":[1,]}", "{\"a\":[1 2]}", "{\"a\":[}", "{\"a\":{]}", "{\"a\":\"}", "{\"a\":\"\\\"}", "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u123\"}", "{\"a\":\"\n\"}", "{\"a\":\"\0\"}", "{\"a\":1}\0", "\u{feff}{}", "{\"a\\\":1}", "{1:2}",
    "{\"a\":1]", "{\"a\":[1}",
  ])
  func whatIsNoObjectIsRefused(text: String) {
    var line = LogLine()
    #expect(line.parse(Array("{\"@timestamp\":\"x\"}".utf8).span.bytes) == true)
    let good = line.parse(Array(text.utf8).span.bytes)
    #expect(!good)
    #expect(!line.has("@timestamp") && !line.has("a"))
  }

  @Test(arguments: [
    "{}", " { } ", "{\"a\":-0}", "{\"a\":0.5e-7,\"b\":1E+2}", "{\"a\":[[],{},[{}]]}", "{\"\":null}", "\t{\"a\" : true ,\r\"b\":false}\n",
    "{\"a\":\"\u{7f}ä\"}", "{\"a\":\"\\ud800\"}",
  ])
  func objectsAreTaken(text: String) {
    var line = LogLine()
    let good = line.parse(Array(text.utf8).span.bytes)
    #expect(good)
  }

  @Test func halfASurrogatePairIsReplaced() {
    #expect(parsed(#"{"a":"\ud83dx\ude42\ud83d\ud83d\ude42"}"#).string("a") == "\u{fffd}x\u{fffd}\u{fffd}🙂")
  }

  @Test func depthAndSizeAreBounded() {
    var line = LogLine()
    for (depth, wanted) in [(LogLine.maximumDepth - 1, true), (LogLine.maximumDepth + 1, false), (100_000, false)] {
      let text = "{\"a\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
      let good = line.parse(Array(text.utf8).span.bytes)
      #expect(good == wanted)
    }
    for (count, wanted) in [(LogLine.maximumValues - 2, true), (LogLine.maximumValues, false)] {
      let text = "{\"a\":[" + Array(repeating: "1", count: count).joined(separator: ",") + "]}"
      let good = line.parse(Array(text.utf8).span.bytes)
      #expect(good == wanted)
    }
  }

  /// Numbers that no integer holds, times that no calendar has.
  @Test func valuesOutOfRangeAreNil() {
    #expect(parsed("{\"a\":9223372036854775808}").integer("a") == nil)
    #expect(parsed("{\"a\":1.5}").integer("a") == nil)
    #expect(parsed("{\"event\":{\"sequence\":4294967296}}").sequence == nil)
    for time in ["2026-11-20T23:32:51.7381234567890123456789Z", "2026-11-20T23:32:51.7Z", "2026-11-20T23:32:51Z"] {
      #expect(parsed("{\"@timestamp\":\"\(time)\"}").timeMs.map { $0 / 1000 } == 1_795_217_571)
    }
    for time in [
      "", "Z", "2026-13-20T23:32:51Z", "2026-11-20T24:32:51Z", "2026-11-20T23:32:51", "2026-11-20T23:32:51.Z", "99999999999999999999Z",
    ] {
      #expect(parsed("{\"@timestamp\":\"\(time)\"}").timeMs == nil)
    }
    #expect(parsed(#"{"r":"0"}"#).hex("r") == nil && parsed(#"{"r":"0g"}"#).hex("r") == nil)
  }

  /// Whatever the bytes are, nothing traps; and what a good line becomes by one changed byte is judged at all.
  @Test func randomBytesNeverTrap() {
    var random = SplitMix(seed: 4)
    let seed = example.bytes
    var line = LogLine()
    var taken = 0
    for round in 0..<30_000 {
      var bytes = round % 3 == 0 ? random.bytes(count: round % 100, alphabet: round % 3) : seed
      for _ in 0..<(round % 4) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(Array("{}[]\",:\\u0".utf8).randomElement(using: &random) ?? 0, at: place)
        }
      }
      if line.parse(bytes.span.bytes) { taken += 1 }
      _ = (line.timeMs, line.string("file.path"), line.strings("process.args"), line.name("file.path", raw: "fsaudit.raw.path"))
    }
    #expect(taken > 5000)
  }

  /// What the writer writes, the reader reads: any bytes, through both forms of a name.
  @Test func namesSurviveTheRoundTrip() {
    var random = SplitMix(seed: 5)
    for round in 0..<5000 {
      let name = random.bytes(count: round % 60, alphabet: round % 3)
      var writer = JSONWriter()
      writer.raw("{\"file\":{\"path\":")
      let whole = writer.string(name.span.bytes)
      writer.raw("}")
      if !whole {
        writer.raw(",\"fsaudit\":{\"raw\":{\"path\":")
        writer.hexString(name.span.bytes)
        writer.raw("}}")
      }
      writer.raw("}")
      var line = LogLine()
      let good = line.parse(writer.bytes.span.bytes)
      #expect(good)
      #expect(line.name("file.path", raw: "fsaudit.raw.path") == name)
    }
  }

  @Test func noticesAreLinesOfTheirOwn() {
    var writer = JSONWriter()
    var gap = Gap(.kernelLost, count: 12, firstSerial: 5, lastSerial: 18, sinceMs: 1000, untilMs: 2000, detail: "a\n\"b\"")
    writer.line(gap, timeMs: 3000, host: "web\n1")
    gap = Gap(.notRunning)
    writer.line(gap, timeMs: 3000, host: "web-1")
    var daemon = DaemonNotice(.recovered, pid: 7, version: "0.1.0", message: "mended")
    daemon.details = [("truncated_bytes", "17"), ("last_serial", "5")]
    writer.line(daemon, timeMs: 3000, host: "web-1")
    let lines = String(decoding: writer.bytes, as: UTF8.self).split(separator: "\n").map { parsed($0) }
    #expect(lines.map(\.dataset) == [.gap, .gap, .daemon])
    #expect(lines.allSatisfy { $0.timeMs == 3000 })
    #expect(lines[0].string("host.name") == "web\n1" && lines[0].string("fsaudit.gap.detail") == "a\n\"b\"")
    #expect(lines[0].integer("fsaudit.gap.count") == 12 && lines[0].string("fsaudit.gap.unit") == "records")
    #expect(lines[0].string("fsaudit.gap.until") == "1970-01-01T00:00:02.000Z")
    #expect(lines[1].string("fsaudit.gap.reason") == "not_running" && !lines[1].has("fsaudit.gap.count"))
    #expect(lines[2].string("fsaudit.daemon.truncated_bytes") == "17" && lines[2].string("event.action") == "recovered")
  }
}
