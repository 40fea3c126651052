import Glibc
import Synchronization
import System
import Testing

@testable import EventLog

@Suite struct FollowerTests {
  private let scratch = Scratch()
  private var policy: LogPolicy {
    var policy = LogPolicy(directory: scratch.path)
    policy.sync = .none
    policy.rotateBytes = 2000
    policy.rotateEverySeconds = nil
    return policy
  }

  private func write(_ writer: SegmentWriter, _ serials: ClosedRange<UInt32>) {
    for serial in serials {
      var batch = changes(serial...serial)
      _ = writer.write(&batch, nowMs: 1_795_262_400_000, monotonicMs: 0)
    }
  }

  private func start(_ follower: inout LogFollower, last count: Int?, wants: (RawSpan) -> Bool = { _ in true }) throws -> [String] {
    var lines: [String] = []
    try follower.start(last: count, wants: wants) { lines.append(summary(of: $0)) }
    return lines
  }

  private func poll(_ follower: inout LogFollower) throws -> [String] {
    var lines: [String] = []
    try follower.poll { lines.append(summary(of: $0)) }
    return lines
  }

  private func numbers(_ range: ClosedRange<Int>) -> [String] { range.map(String.init) }

  /// Compression makes the new name, then removes the old one, at any time between the reading of the directory and the look at a file.
  @Test func aListingHasEverySegmentWhileTheyAreCompressed() throws {
    let names = (0..<50).map { SegmentName(timeMs: 1_795_262_400_000 + $0, firstSerial: 1) }
    for name in names { try scratch.write(name.fileName, "x\n") }
    let path = scratch.path
    let stop = Flag()
    let compressor = try Thread("compressor") {
      while !stop.isSet {
        for (from, to) in names.map({ ($0, $0.compressed) }) + names.map({ ($0.compressed, $0) }) {
          link(path + "/" + from.fileName, path + "/" + to.fileName)
          unlink(path + "/" + from.fileName)
          usleep(20_000)
        }
      }
    }
    for _ in 0..<200 { #expect(try SegmentSet(directory: path).segments.compactMap(\.name?.timeMs) == names.map(\.timeMs)) }
    stop.set()
    compressor.join()
  }

  @Test func theLastLinesComeFromAsManySegmentsAsItTakes() throws {
    let writer = SegmentWriter(policy, host: "h")
    write(writer, 1...60)
    #expect(try SegmentSet(directory: scratch.path).segments.count > 4)
    var retention = RetentionPolicy()
    for compressed in [false, true] {
      retention.compressionLevel = compressed ? 3 : nil
      _ = Housekeeper(directory: scratch.path, policy: retention).run()
      for count in [0, 1, 10, 35, 60, 1000] {
        var follower = LogFollower(directory: scratch.path)
        let lines = try start(&follower, last: count)
        #expect(lines == (count == 0 ? [] : numbers(max(1, 61 - count)...60)))
        let more = try poll(&follower)
        #expect(more == [], "what was shown is not shown again")
      }
      var follower = LogFollower(directory: scratch.path)
      let all = try start(&follower, last: nil)
      #expect(all == numbers(1...60))
      let odd = try start(&follower, last: 3) { (UInt32(summary(of: $0)) ?? 0) % 7 == 0 }
      #expect(odd == ["42", "49", "56"])
    }
  }

  /// Whatever the damage, all lines that can be read are there, and the segment is named.
  @Test func aDamagedSegmentTakesNoOthersAway() throws {
    let writer = SegmentWriter(policy, host: "h")
    write(writer, 1...60)
    var retention = RetentionPolicy()
    retention.compressionLevel = 3
    _ = Housekeeper(directory: scratch.path, policy: retention).run()
    let damaged = try SegmentSet(directory: scratch.path).rotated[1]
    var reader = try LineReader(damaged)
    var lost: Set<String> = []
    while try reader.next({ lost.insert(summary(of: $0)) }) {}
    let name = String(damaged.path.dropFirst(scratch.path.count + 1))
    let whole = try contents(of: damaged.path, limitBytes: 1 << 20)
    for bytes in [[], Array("not zstd".utf8), Array(whole.prefix(whole.count / 2))] {
      try scratch.write(name, bytes)
      for count in [nil, 1000] {
        var follower = LogFollower(directory: scratch.path)
        let lines = try start(&follower, last: count)
        #expect(lines.filter { !lost.contains($0) } == numbers(1...60).filter { !lost.contains($0) })
        #expect(follower.takeDamaged().map(\.subject) == [damaged.path] && follower.takeDamaged().isEmpty)
      }
      // it is not asked
      var follower = LogFollower(directory: scratch.path)
      #expect(try start(&follower, last: 1) == ["60"] && follower.takeDamaged().isEmpty)
    }
  }

  /// Every kind of rotation between two looks: none, one, several, with compression of those in between.
  @Test(arguments: [1, 3, 10, 40]) func nothingIsLostOrDoubledOverRotations(step: UInt32) throws {
    let writer = SegmentWriter(policy, host: "h")
    var follower = LogFollower(directory: scratch.path)
    var lines = try start(&follower, last: 10)
    var serial: UInt32 = 0
    while serial < 400 {
      write(writer, serial + 1...serial + step)
      serial += step
      if serial % 80 == 0 { _ = Housekeeper(directory: scratch.path, policy: RetentionPolicy()).run() }
      lines += try poll(&follower)
    }
    #expect(lines == numbers(1...Int(serial)))
    #expect(writer.status.counters.rotations > 20)
  }

  /// The follower opened the live segment, and before it listed the directory the writer had rotated twice.
  @Test func aFileThatIsNotThereYetIsReadFromItsBeginning() throws {
    var follower = LogFollower(directory: scratch.path + "/later")
    var lines = try start(&follower, last: 10) + poll(&follower)
    #expect(lines == [])
    var policy = policy
    policy.directory += "/later"
    let writer = SegmentWriter(policy, host: "h")
    write(writer, 1...40)
    lines = try poll(&follower)
    #expect(lines == numbers(1...40))
    Scratch.remove(policy.directory)
    lines = try poll(&follower)
    #expect(lines == [])
    write(SegmentWriter(policy, host: "h"), 41...80)
    lines = try poll(&follower)
    #expect(lines == numbers(41...80))
  }

  @Test func aFileThatWasEmptiedBeginsAgain() throws {
    try scratch.write("events.jsonl", changes(1...5).bytes)
    var follower = LogFollower(directory: scratch.path)
    _ = try start(&follower, last: 0)
    let file = try Descriptor.open(scratch.path + "/events.jsonl", O_WRONLY)
    try file.truncate(to: 0)
    try scratch.write("events.jsonl", changes(6...7).bytes)
    let lines = try poll(&follower)
    #expect(lines == ["6", "7"])
  }

  /// A line that is half there, and is taken back and replaced by a longer one (the disk was full).
  @Test func halfALineIsNotRead() throws {
    let (whole, half) = (changes(1...3).bytes, Array(changeLine(4).dropLast(20)))
    try scratch.write("events.jsonl", whole + half)
    var follower = LogFollower(directory: scratch.path)
    var lines = try start(&follower, last: 10) + poll(&follower)
    #expect(lines == ["1", "2", "3"])
    try scratch.write("events.jsonl", whole + changes(5...6, padding: 100).bytes)
    lines = try poll(&follower)
    #expect(lines == ["5", "6"])
  }

  @Test func aLineBeyondAllBoundsIsPassedOver() throws {
    let monster = [UInt8](repeating: UInt8(ascii: "x"), count: 3 << 20) + [UInt8(ascii: "\n")]
    try scratch.write("events.jsonl", changes(1...2).bytes + monster + changes(3...4).bytes)
    #expect(try summary(of: scratch.path) == ["1", "2", "3", "4"])
    var follower = LogFollower(directory: scratch.path)
    let lines = try poll(&follower)
    #expect(lines.filter { $0 != "?" } == ["1", "2", "3", "4"])
    let last = try start(&follower, last: 4)
    #expect(last.filter { $0 != "?" }.suffix(3) == ["2", "3", "4"])
  }
}

private final class Flag: Sendable {
  private let value = Atomic(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
