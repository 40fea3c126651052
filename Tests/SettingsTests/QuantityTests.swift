import Testing

@testable import Settings

@Suite struct QuantityTests {
  @Test(arguments: [
    ("90d", Duration.seconds(90 * 86400)), ("24h", .seconds(86400)), ("30m", .seconds(1800)), ("1s", .seconds(1)),
    ("250ms", .milliseconds(250)), ("0s", .zero), ("007s", .seconds(7)),
  ])
  func durations(_ text: String, _ time: Duration) { #expect(parseDuration(text) == time) }

  @Test(arguments: [
    "", "s", "1", "1 s", " 1s", "1s ", "-1s", "+1s", "1.5s", "1S", "1sec", "1h30m", "1w", "٣s", "1s\n", "9223372036854775807d",
  ])
  func notDurations(_ text: String) { #expect(parseDuration(text) == nil) }

  @Test(arguments: [
    ("512B", 512), ("64KiB", 65536), ("100MiB", 100 << 20), ("10GiB", 10 << 30), ("1TiB", 1 << 40), ("0B", 0),
  ])
  func sizes(_ text: String, _ bytes: Int) { #expect(parseSize(text) == bytes) }

  @Test(arguments: ["", "B", "1", "1KB", "1kib", "1 MiB", "-1B", "1.5GiB", "8388608TiB", "99999999999999999999B"])
  func notSizes(_ text: String) { #expect(parseSize(text) == nil) }

  @Test(arguments: ["0s", "1ms", "250ms", "1s", "90s", "1m", "24h", "366d"])
  func durationsPrintAsTheyAreRead(_ text: String) throws {
    let time = try #require(parseDuration(text))
    #expect(parseDuration(format(time)) == time)
  }

  @Test func printedInTheLargestUnitThatIsExact() {
    #expect(format(.seconds(86400)) == "1d")
    #expect(format(.seconds(90)) == "90s")
    #expect(format(.zero) == "0s")
    #expect(format(bytes: 100 << 20) == "100MiB")
    #expect(format(bytes: 1 << 30) == "1GiB")
    #expect(format(bytes: 1000) == "1000B")
    #expect(format(bytes: 0) == "0B")
  }
}
