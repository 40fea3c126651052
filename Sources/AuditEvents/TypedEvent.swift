import AuditWire

/// An ``Event``'s records, read into types. One of these is used again for every event; not copyable, because a copy is what the
/// compiler would make of it, unseen, for each call that borrows it.
package struct TypedEvent: ~Copyable, Sendable {
  package var syscall = SyscallRecord()
  package var hasSyscall = false
  package var uring = UringRecord()
  package var hasUring = false
  /// Where the event's actor is described: the SYSCALL's tail, or URINGOP's body.
  package private(set) var actor = Slice.none
  /// The process' working directory.
  package var cwd: Value = .absent
  package private(set) var paths = ReusedArray<PathRecord>(capacity: 16)
  /// Changes whenever ``cwd`` is not known to be the same as before (not to be there is neither).
  package private(set) var cwdVersion = 0
  /// The command line as the process shows it: at most 128 bytes, NUL between arguments (kernel/auditsc.c MAX_PROCTITLE_AUDIT_LEN).
  package var commandLine: Value = .absent
  /// Changes whenever ``commandLine`` is not known to be the same as before.
  package private(set) var commandLineVersion = 0
  /// OPENAT2's flags: openat2(2) passes them in memory, where a2 only points to.
  package var openFlags: UInt64?
  package var hasExecve = false
  /// Records whose meaning is not in the fields above (AVC, CONFIG_CHANGE, SOCKADDR, unknown types …): indices into the
  /// event's records. They are logged field by field.
  package private(set) var otherRecords = ReusedArray<Int32>(capacity: 16)
  /// PATH records are numbered without holes, so a hole is a lost record.
  private var isMissingPaths = false
  /// Whether records are known to be missing. What the kernel says outside of a system call (CONFIG_CHANGE when a rule is added) has no end
  /// record: it is whole, though it waits until its time or its place runs out.
  package private(set) var isIncomplete = false

  private var tails = PathTails()
  private var heads = SyscallHeads()
  private var titles = LastRecord()
  private var directories = LastRecord()

  package init() {}

  /// Reads `event`, replacing what was read before.
  package mutating func read(_ event: borrowing Event) {
    hasSyscall = false
    hasUring = false
    cwd = .absent
    commandLine = .absent
    openFlags = nil
    hasExecve = false
    isMissingPaths = false
    paths.removeAll()
    otherRecords.removeAll()
    let bytes = event.text.storage.span.bytes
    var recordCount = 0
    var hasNameless = false
    for index in 0..<event.records.count {
      let record = event.records[index]
      switch record.type.rawValue {
      case RecordType.path.rawValue:
        var path = PathRecord()
        if path.read(bytes, record.body, &tails) {
          if Int(path.item) != recordCount { isMissingPaths = true }
          recordCount &+= 1
          if !path.name.isPresent { hasNameless = true }
          paths.append(path)
        } else {
          otherRecords.append(Int32(index))
        }
      case RecordType.syscall.rawValue where !hasSyscall:
        hasSyscall = syscall.read(bytes, record.body, &heads)
        if !hasSyscall { otherRecords.append(Int32(index)) }
      case RecordType.cwd.rawValue:
        if directories.holds(bytes.extracting(record.body.range)) {
          cwd = directories.value(at: record.body.start)
        } else {
          cwdVersion &+= 1
          let text = bytes.extracting(0..<record.body.end)
          var cursor = Cursor(at: Int(record.body.start))
          if cursor.skip("cwd=", text) {
            cwd = cursor.value(text)
            directories.remember(bytes.extracting(record.body.range), cwd, at: record.body.start)
          }
        }
      case RecordType.proctitle.rawValue:
        if titles.holds(bytes.extracting(record.body.range)) {
          commandLine = titles.value(at: record.body.start)
        } else {
          commandLineVersion &+= 1
          let text = bytes.extracting(0..<record.body.end)
          var cursor = Cursor(at: Int(record.body.start))
          if cursor.skip("proctitl", text), cursor.skip("e=", text) {
            commandLine = cursor.lastValue(text)
            titles.remember(bytes.extracting(record.body.range), commandLine, at: record.body.start)
          }
        }
      case RecordType.uringOperation.rawValue:
        hasUring = uring.read(bytes, record.body)
        if !hasUring { otherRecords.append(Int32(index)) }
      case RecordType.openat2.rawValue:
        var cursor = Cursor(at: Int(record.body.start))
        if cursor.skip("oflag=", bytes) { openFlags = cursor.octal(bytes) }
      case RecordType.execve.rawValue:
        hasExecve = true
      default:
        otherRecords.append(Int32(index))
      }
    }
    actor = hasSyscall ? syscall.actor : hasUring ? uring.actor : .none
    isIncomplete = isMissingPaths || hasSyscall && (event.completion == .timeout || event.completion == .evicted)
    if hasNameless { leaveOutSideEffects() }
  }

  /// Of the records without a name, leaves out those that are not about what was asked for.
  private mutating func leaveOutSideEffects() {
    let first = paths[0]
    if first.name.isPresent, !first.identity.isUnknown,
      paths.contains(where: { !$0.name.isPresent && !$0.identity.isUnknown && $0.identity.device != first.identity.device })
    {
      // what overlayfs did in the file systems below it
      paths.removeAll { !$0.name.isPresent && $0.identity.device != first.identity.device }
    } else if paths.contains(where: \.isPlaceholder), paths.contains(where: { $0.nameType == .create && !$0.isPlaceholder }) {
      paths.removeAll(where: \.isPlaceholder)
    }
  }
}

/// The last record of a type that has one value: the next event tends to be of the same process.
private struct LastRecord: Sendable {
  private var text = ByteScratch(capacity: 1024)
  private var value = Value.absent

  func holds(_ body: RawSpan) -> Bool {
    text.count == body.byteCount && !text.isEmpty && body.equals(text.storage.span.bytes.extracting(0..<text.count))
  }

  /// Its value, for a body that starts there.
  func value(at start: Int32) -> Value {
    var value = value
    value.slice.start &+= start
    return value
  }

  mutating func remember(_ body: RawSpan, _ value: Value, at start: Int32) {
    text.truncate(to: 0)
    // a deep directory, or a log from anybody's hand: then there is no last one
    if body.byteCount <= 1024 { text.append(body) }
    self.value = value
    self.value.slice.start &-= start
  }
}
