import CLinux
import Glibc
import System

/// Whether two sets of facts are of one inode. Inode numbers are used again at once, so the birth time, or where there is none the content,
/// has to agree.
private struct InodeKey: Hashable {
  var device: UInt64
  var inode: UInt64
}

extension Scan {
  /// Makes one move of an object that is gone at one path and new at another, and leaves out what the rules allow.
  func pairMoves() throws(Failure) {
    var gone: [InodeKey: [Int]] = [:]
    for (index, difference) in differences.enumerated() {
      if difference.kind == .removed, let old = difference.old {
        gone[InodeKey(device: old.status.device, inode: old.status.inode), default: []].append(index)
      }
    }
    var dropped = Set<Int>()
    for index in differences.indices {
      guard !gone.isEmpty, differences[index].kind == .added, let new = differences[index].new else { continue }
      let key = InodeKey(device: new.status.device, inode: new.status.inode)
      guard let place = gone[key]?.firstIndex(where: { differences[$0].old.map { isOneObject($0, new) } == true }),
        let from = gone[key]?.remove(at: place), let old = differences[from].old
      else { continue }
      dropped.insert(from)
      var moved = Difference(.moved, differences[index].path, old: old, new: new)
      moved.previousPath = differences[from].path
      // a rename itself sets the ctime, and a directory's new parent its size or links
      moved.changed = old.changes(to: new).subtracting(.ctime)
      differences[index] = moved
    }
    differences = differences.enumerated().filter { !dropped.contains($0.offset) && !isAllowed($0.element) }.map(\.element)
    differences.sort { $0.path.lexicographicallyPrecedes($1.path) }
  }

  private func isOneObject(_ old: Facts, _ new: Facts) -> Bool {
    guard old.kind == new.kind else { return false }
    if old.status.btime != 0 || new.status.btime != 0 { return old.status.btime == new.status.btime }
    return old.status.mtime == new.status.mtime && old.status.size == new.status.size && old.link == new.link
  }

  /// What a rule says is no difference: ANF, ARF, I.
  private func isAllowed(_ difference: Difference) -> Bool {
    switch difference.kind {
    case .added: difference.new?.attributes.contains(.allowNewFile) == true
    case .removed: difference.old?.attributes.contains(.allowRemovedFile) == true
    case .moved:
      difference.changed.isEmpty && difference.old?.attributes.contains(.ignoreName) == true
        && parent(difference.path) == difference.previousPath.map(parent)
        || difference.old?.attributes.contains(.allowRemovedFile) == true && difference.new?.attributes.contains(.allowNewFile) == true
    case .changed: false
    }
  }

  private func parent(_ path: [UInt8]) -> ArraySlice<UInt8> { path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)] }
}
