import AuditWire

/// A path whose meaning only a process knows, proc_pid_fd(5): `/proc/self/fd/3`, `/dev/stdin`, `/proc/12/cwd/x`.
struct ProcessPath {
  /// Nil for the process that uses the path.
  var pid: Int32?
  /// The descriptor that the path goes through; nil where it goes through something else.
  var descriptor: Int32?
  /// Where in the path the descriptor's number ends.
  var end = 0

  /// - Parameter path: absolute, without `//`, `.` and `..`
  /// - Returns: nil where the path means the same to everybody.
  init?(_ path: RawSpan) {
    var cursor = Cursor(at: 0)
    if cursor.skip("/dev/", path) {
      let file = path.extracting(cursor.at..<path.byteCount)
      descriptor = file.equals("stdin") ? 0 : file.equals("stdout") ? 1 : file.equals("stderr") ? 2 : nil
      end = path.byteCount
      if descriptor != nil { return }
      guard cursor.skip("fd/", path), readDescriptor(&cursor, path) else { return nil }
      return
    }
    guard cursor.skip("/proc/", path) else { return nil }
    let isOwn = cursor.skip("self/", path) || cursor.skip("thread-self/", path)
    if !isOwn {
      guard let number = cursor.decimal(path).flatMap({ Int32(exactly: $0) }), cursor.skip("/", path) else { return nil }
      pid = number
    }
    if cursor.skip("task/", path) {
      guard cursor.decimal(path) != nil, cursor.skip("/", path) else { return nil }
    }
    if cursor.skip("fd/", path), readDescriptor(&cursor, path) { return }
    let rest = path.extracting(cursor.at..<path.byteCount)
    let isLink =
      rest.hasPrefix("cwd", at: 0) || rest.hasPrefix("root", at: 0) || rest.hasPrefix("exe", at: 0) || rest.hasPrefix("map_files/", at: 0)
    guard isOwn || isLink else { return nil }
  }

  private mutating func readDescriptor(_ cursor: inout Cursor, _ path: RawSpan) -> Bool {
    guard let number = cursor.decimal(path).flatMap({ Int32(exactly: $0) }),
      cursor.at == path.byteCount || path.byte(cursor.at) == UInt8(ascii: "/")
    else { return false }
    descriptor = number
    end = cursor.at
    return true
  }
}
