import Testing

@testable import Daemon
@testable import System

/// Which mounts are new, told by what is known of them.
@Suite struct MountWatchTests {
  /// Mounts by what /proc/self/mountinfo says of them: id, device, point.
  private func mounts(_ lines: String..., numbers: [String: UInt64] = [:]) throws -> MountWatch {
    let table = try lines.map { line in
      let words = line.split(separator: " ")
      return try #require(Mount(ArraySlice("\(words[0]) 1 \(words[1]) / \(words[2]) rw shared:1 - tmpfs none rw".utf8)))
    }
    return MountWatch(table, below: [Array("/srv".utf8)]) { numbers[String(decoding: $0, as: UTF8.self)] }
  }

  private func news(_ old: MountWatch, _ new: MountWatch) -> [String] { old.news(in: new).map { String(decoding: $0, as: UTF8.self) } }

  @Test func whatWasNotThereIsNew() throws {
    let old = try mounts("40 0:30 /srv/a")
    #expect(try news(old, mounts("40 0:30 /srv/a", "41 0:31 /srv/b\\040c")) == ["/srv/b c"])
    #expect(try news(old, mounts()) == [])
    #expect(try news(old, mounts("40 0:31 /srv/a")) == ["/srv/a"] && news(old, mounts("41 0:30 /srv/a")) == ["/srv/a"])
  }

  @Test func aMountIsToldFromTheOneBeforeByItsNumber() throws {
    let line = "40 0:30 /srv/a"
    var watch = try mounts(line, numbers: ["/srv/a": 7])
    #expect(try news(watch, mounts(line, numbers: ["/srv/a": 8])) == ["/srv/a"])
    // not known, once or for ever: it may be the same
    let unknown = try mounts(line)
    #expect(news(watch, unknown) == [] && news(unknown, watch) == [])
    watch.follow(unknown)
    #expect(try news(watch, mounts(line, numbers: ["/srv/a": 7])) == [] && news(watch, mounts(line, numbers: ["/srv/a": 8])) == ["/srv/a"])
    // it went away, and another one came that has no number yet
    watch.follow(try mounts())
    watch.follow(unknown)
    #expect(try news(watch, mounts(line, numbers: ["/srv/a": 8])) == [])
    // beside the trees that are watched, nobody asks
    let beside = "40 0:30 /srvs"
    #expect(try news(mounts(beside, numbers: ["/srvs": 7]), mounts(beside, numbers: ["/srvs": 8])) == [])
  }

  /// Somebody who mounts and unmounts all day gets the rules less and less often, and a quiet time makes up for it.
  @Test func rulesDoNotFollowEveryMountAtOnce() {
    var pace = MountPace()
    #expect(pace.isDue(nowMs: 0))
    var (now, times): (Int64, [Int64]) = (0, [])
    while now < 60_000 {
      if pace.isDue(nowMs: now) {
        times.append(now)
        pace.worked(didReload: true, nowMs: now, longestMs: 5000)
      }
      now += 10
    }
    #expect(times.prefix(7) == [0, 100, 300, 700, 1500, 3100, 6300] && times.count < 20)
    // an unmount in between changes no rule, and does not make the next one due sooner
    pace.worked(didReload: false, nowMs: now, longestMs: 5000)
    #expect(!pace.isDue(nowMs: now + 4999) && pace.isDue(nowMs: now + 5000))
    pace.worked(didReload: true, nowMs: now + 20_000, longestMs: 5000)
    #expect(pace.isDue(nowMs: now + 20_100))
  }
}
