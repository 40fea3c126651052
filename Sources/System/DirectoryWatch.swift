import CLinux
import Glibc

/// inotify(7) on one directory: the descriptor becomes readable when a file in it is written, made, renamed or removed.
/// It says that something happened, not what; whoever wakes looks for itself.
package struct DirectoryWatch: ~Copyable, Sendable {
  package let descriptor: Descriptor

  package init(_ path: String) throws(SystemError) {
    let made = Descriptor(adopting: try call("inotify_init1", path) { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
    let number = made.raw
    let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)
    try call("inotify_add_watch", path) { inotify_add_watch(number, path, events) }
    descriptor = made
  }

  /// Forgets what has happened so far, so that the descriptor waits for the next event.
  /// - Returns: whether the directory itself is gone (deleted or renamed) and the watch with it.
  package borrowing func clear() -> Bool {
    let number = descriptor.raw
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      var gone = false
      while true {
        let count = Glibc.read(number, buffer.baseAddress, buffer.count)
        if count <= 0 { return gone }
        var offset = 0
        while offset + MemoryLayout<inotify_event>.size <= count {
          let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
          if event.mask & UInt32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF) != 0 { gone = true }
          offset += MemoryLayout<inotify_event>.size + Int(event.len)
        }
      }
    }
  }
}
