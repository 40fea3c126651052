import CLinux
import Glibc
import Synchronization
import System

/// A file to be read.
struct HashJob: Sendable {
  /// Open for reading; the worker closes it.
  var descriptor: Int32
  /// The open file's state, where it is known already.
  var status: linux_status?
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
///
/// Most files are small: waking a thread costs as much as hashing one. So jobs are handed over by the batch, a worker sleeps only when
/// there are none left, and who waits for results is woken when there are many.
final class HashPool {
  private struct State {
    /// From `next` on: those that nobody has begun.
    var jobs: [HashJob] = []
    var next = 0
    var results: [HashResult] = []
    /// Workers that wait for ``Shared/jobsCame``.
    var sleeping = 0
    /// How many results somebody waits for with ``Shared/resultsCame``; 0 where nobody does.
    var awaited = 0
    var isEnding = false

    mutating func takeJob() -> HashJob? {
      if next == jobs.count { return nil }
      defer { next += 1 }
      return jobs[next]
    }

    mutating func add(_ batch: [HashJob]) {
      jobs.removeSubrange(..<next)
      next = 0
      jobs += batch
    }

    /// How many workers have to be woken for all to be awake.
    mutating func takeSleeping() -> Int {
      defer { sleeping = 0 }
      return sleeping
    }
  }

  private final class Shared: Sendable {
    let state = Mutex(State())
    let jobsCame = Semaphore()
    let resultsCame = Semaphore()
  }

  private let shared = Shared()
  /// To be handed over.
  private var batch: [HashJob] = []
  private static let batchCount = 16
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
    let (dropped, sleeping) = shared.state.withLock { state in
      state.isEnding = true
      defer { state.next = state.jobs.count }
      return (state.jobs[state.next...] + batch, state.takeSleeping())
    }
    for job in dropped { close(job.descriptor) }
    for _ in 0..<sleeping { shared.jobsCame.signal() }
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
    batch.append(job)
    pending += 1
    if batch.count >= Self.batchCount { handOver() }
  }

  private func handOver() {
    let sleeping = shared.state.withLock { state in
      state.add(batch)
      return state.takeSleeping()
    }
    batch.removeAll(keepingCapacity: true)
    for _ in 0..<sleeping { shared.jobsCame.signal() }
  }

  var isFull: Bool { pending >= limit }

  /// The results there are, at least half as many as there may be: waits for them, as far as they are pending.
  func take() -> [HashResult] {
    if !batch.isEmpty { handOver() }
    let wanted = min(pending, (limit + 1) / 2)
    let waits = shared.state.withLock { state in
      if state.results.count < wanted { state.awaited = wanted }
      return state.awaited > 0
    }
    if waits { shared.resultsCame.wait() }
    let results = shared.state.withLock { state in
      defer { state.results.removeAll(keepingCapacity: true) }
      return state.results
    }
    pending -= results.count
    return results
  }

  private static func work(_ shared: Shared) {
    var reader = FileReader()
    var result: HashResult?
    while true {
      var isAwaited = false
      var isEnding = false
      let job = shared.state.withLock { state in
        if let result { state.results.append(result) }
        if state.awaited > 0, state.results.count >= state.awaited {
          state.awaited = 0
          isAwaited = true
        }
        let job = state.takeJob()
        isEnding = state.isEnding
        if job == nil, !isEnding { state.sleeping += 1 }
        return job
      }
      if isAwaited { shared.resultsCame.signal() }
      if let job {
        result = reader.read(job)
        close(job.descriptor)
      } else {
        if isEnding { return }
        result = nil
        shared.jobsCame.wait()
      }
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
    if let status = job.status {
      result.status = status
    } else if linux_status_of(job.descriptor, "", &result.status) != 0 {
      result.code = errno
      return result
    }
    // something else has taken the name since it was examined
    guard FileKind(mode: result.status.mode) == .regular else {
      result.isBusy = true
      return result
    }
    // a state from before it was queued may be old, which is nothing to report
    let attempts = job.status == nil ? 2 : 3
    for attempt in 1...attempts {
      result.content = nil
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
      result.isBusy = attempt == attempts
      result.status = after
    }
    return result
  }

  private mutating func hash(_ job: HashJob, _ result: inout HashResult) -> Bool {
    let size = result.status.size
    let keeps = size <= UInt64(job.keepBytes) && job.keepBytes > 0
    var content: [UInt8] = []
    var offset: UInt64 = 0
    digester.begin(job.digests)
    if job.prefixBytes == 0 { result.prefixDigests = digester.valuesSoFar() }
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
      if offset == job.prefixBytes { result.prefixDigests = digester.valuesSoFar() }
      // The end, as far as statx told: one read less. What has grown beyond that is read again anyway, and may never end.
      if count < wanted && offset == size || offset > size && size > 0 { break }
      if offset > Self.sizelessLimitBytes, size == 0 {
        result.digests = nil
        return true
      }
    }
    errno = 0
    result.digests = digester.finish()
    if keeps, UInt64(content.count) == offset { result.content = content }
    return result.digests != nil
  }
}
