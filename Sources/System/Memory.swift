import CLinux
import Glibc

/// Gives back the pages of the program's and its libraries' text that only the start needed: with the runtime's tables and the
/// parsing of the command line those are 5 of 13 MB, which a daemon would keep resident for good. Text is never written, so what
/// is needed after all is read again, from the page cache.
package func releaseStartupText() {
  guard let maps = try? contents(of: "/proc/self/maps", limitBytes: 1 << 20) else { return }
  // 55d0c8a00000-55d0c9800000 r-xp 00000000 fe:00 1234   /usr/sbin/fsaudit (proc_pid_maps(5)). Only executable mappings:
  // the read-only ones include what was relocated, and that is in no file.
  for line in maps.split(separator: UInt8(ascii: "\n")) {
    let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
    guard fields.count == 6, fields[1].elementsEqual("r-xp".utf8), fields[5].first(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "/")
    else { continue }
    let range = fields[0].split(separator: UInt8(ascii: "-")).compactMap { UInt(String(decoding: $0, as: UTF8.self), radix: 16) }
    guard range.count == 2, range[0] < range[1], let start = UnsafeMutableRawPointer(bitPattern: range[0]) else { continue }
    madvise(start, Int(range[1] - range[0]), MADV_DONTNEED)
  }
}

/// memmem(3): where `wanted`, which is not empty, stands in `text` for the first time at or behind `start`; nil where it does not.
package func firstOccurrence(of wanted: [UInt8], in text: UnsafeRawBufferPointer, from start: Int) -> Int? {
  guard let base = text.baseAddress, start >= 0, start < text.count else { return nil }
  return wanted.withUnsafeBytes { wanted in
    guard let first = wanted.baseAddress else { return nil }
    return memmem(base + start, text.count - start, first, wanted.count).map { UnsafeRawPointer($0) - base }
  }
}
