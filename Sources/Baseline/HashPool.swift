import CLinux
import Glibc
import Synchronization
import System

/// A file to be read.
struct HashJob: Sendable {
  /// Open for reading; the worker closes it.
  var descriptor: Int32
  var digests: Attributes
  /// Also the digests of only so many bytes of the file's beginning.
  var prefixBytes: UInt64?
  /// Keep the content where it is no longer than this.
  var keepBytes: Int
  /// The caller's own name for it.
  var slot: Int
}

/// What reading it brought.
struct HashResult: Sendable {
  var slot: Int
  /// The state of the file that was read.
  var status = linux_status()
  var digests: [[UInt8]?]?
  var prefixDigests: [[UInt8]?]?
  var content: [UInt8]?
  /// The file changed while it was read, both times.
  var isBusy = false
  /// Why it could not be read; 0 where it could.
  var code: Int32 = 0
}

/// Threads that read files and compute their digests. One thread gives and takes.
final class HashPool {
  private final class Shared: Sendable {
    let jobs = Mutex<[HashJob]>([])
    let results = Mutex<[HashResult]>([])
    let jobCount = Semaphore()
    let resultCount = Semaphore()
  }

  private let shared = Shared()
  private let workers: Int
  private var threads: [Handoff<Thread>] = []
  /// Jobs whose results have not been taken.
  private(set) var pending = 0
  /// No more than so many at a time: each holds a descriptor, beside those of the directories that are open.
  let limit: Int

  init(workers: Int) {
    self.workers = workers
    var descriptors = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &descriptors)
    let free = Int(clamping: descriptors.rlim_cur) - 2 * ScanLevel.openLimit
    limit = max(1, min(workers * 32, 512, free))
  }

  /// Ends the threads; what they have not begun is dropped.
  deinit {
    let dropped = shared.jobs.withLock { jobs in
      defer { jobs.removeAll() }
      return jobs
    }
    for job in dropped { close(job.descriptor) }
    for _ in threads { shared.jobCount.signal() }
    for thread in threads { thread.take()?.join() }
  }

  /// Hands over a file; ``isFull`` must not be.
  func add(_ job: HashJob) throws(SystemError) {
    if threads.isEmpty {
      for _ in 0..<workers {
        let shared = shared
        threads.append(Handoff(try Thread("hash") { Self.work(shared) }))
      }
    }
    shared.jobs.withLock { $0.append(job) }
    pending += 1
    shared.jobCount.signal()
  }

  var isFull: Bool { pending >= limit }

  /// The results there are; waits for one if any is pending.
  func take() -> [HashResult] {
    if pending == 0 { return [] }
    shared.resultCount.wait()
    let results = shared.results.withLock { results in
      let taken = results
      results.removeAll(keepingCapacity: true)
      return taken
    }
    // one signal a result; the first was waited for
    for _ in results.dropFirst() { shared.resultCount.wait() }
    pending -= results.count
    return results
  }

  private static func work(_ shared: Shared) {
    var reader = FileReader()
    while true {
      shared.jobCount.wait()
      guard let job = shared.jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
      let result = reader.read(job)
      close(job.descriptor)
      shared.results.withLock { $0.append(result) }
      shared.resultCount.signal()
    }
  }
}

/// Reads files, one after the other, with memory of its own.
struct FileReader: ~Copyable {
  /// Files that say that they hold nothing, as those below /proc do, are read no further.
  private static let sizelessLimitBytes: UInt64 = 64 << 20

  private let digester = Digester()
  private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 4096)

  deinit { block.deallocate() }

  /// Reads a file, a second time where it changed meanwhile.
  mutating func read(_ job: HashJob) -> HashResult {
    var result = HashResult(slot: job.slot)
    for attempt in 0..<2 {
      result.content = nil
      guard linux_status_of(job.descriptor, "", &result.status) == 0 else {
        result.code = errno
        return result
      }
      // something else has taken the name since it was examined
      guard FileKind(mode: result.status.mode) == .regular else {
        result.isBusy = true
        return result
      }
      guard hash(job, &result) else {
        result.code = errno == 0 ? EIO : errno
        return result
      }
      var after = linux_status()
      guard linux_status_of(job.descriptor, "", &after) == 0 else {
        result.code = errno
        return result
      }
      if after.isSameState(as: result.status) {
        if result.digests == nil { result.code = EFBIG }
        return result
      }
      result.isBusy = attempt == 1
    }
    return result
  }

  private mutating func hash(_ job: HashJob, _ result: inout HashResult) -> Bool {
    let size = result.status.size
    let keeps = size <= UInt64(job.keepBytes) && job.keepBytes > 0
    var content: [UInt8] = []
    var offset: UInt64 = 0
    digester.begin(job.digests)
    if job.prefixBytes == 0 { result.prefixDigests = digester.values() }
    while true {
      var wanted = block.count
      if let prefix = job.prefixBytes, offset < prefix { wanted = Int(min(UInt64(wanted), prefix - offset)) }
      errno = 0
      let count = pread(job.descriptor, block.baseAddress, wanted, off_t(clamping: offset))
      if count < 0 {
        if errno == EINTR { continue }
        return false
      }
      if count == 0 { break }
      let bytes = UnsafeRawBufferPointer(rebasing: block[..<count])
      digester.add(bytes)
      if keeps, content.count + count <= job.keepBytes { content.append(contentsOf: bytes) }
      offset += UInt64(count)
      if offset == job.prefixBytes { result.prefixDigests = digester.values() }
      // The end, as far as statx told: one read less. What has grown beyond that is read again anyway, and may never end.
      if count < wanted && offset == size || offset > size && size > 0 { break }
      if offset > Self.sizelessLimitBytes, size == 0 {
        result.digests = nil
        return true
      }
    }
    errno = 0
    result.digests = digester.values()
    if keeps, UInt64(content.count) == offset { result.content = content }
    return result.digests != nil
  }
}
