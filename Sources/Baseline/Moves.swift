import CLinux
import Glibc
import System

/// What two sets of facts have in common that are of one object. Inode numbers are used again at once, so the birth time, or where there is none
/// the content, has to agree.
private struct ObjectKey: Hashable {
  private let device: UInt64, inode: UInt64
  private let kind: FileKind
  private let btime: Int64, mtime: Int64
  private let size: UInt64
  private let link: [UInt8]?

  init(_ facts: Facts) {
    let status = facts.status
    (device, inode, kind, btime) = (status.device, status.inode, facts.kind, status.btime)
    (mtime, size, link) = btime == 0 ? (status.mtime, status.size, facts.link) : (0, 0, nil)
  }
}

extension Scan {
  /// Makes one move of an object that is gone at one path and new at another, and leaves out what the rules allow.
  func pairMoves() throws(Failure) {
    // of each object where it is gone, the first of them last
    var gone: [ObjectKey: [Int]] = [:]
    for index in differences.indices.reversed() where differences[index].kind == .removed {
      if let old = differences[index].old { gone[ObjectKey(old), default: []].append(index) }
    }
    var isMoved = [Bool](repeating: false, count: differences.count)
    for index in differences.indices where !gone.isEmpty && differences[index].kind == .added {
      guard let new = differences[index].new, let from = gone[ObjectKey(new)]?.popLast(), let old = differences[from].old else { continue }
      isMoved[from] = true
      var moved = Difference(.moved, differences[index].path, old: old, new: new)
      moved.previousPath = differences[from].path
      // a rename itself sets the ctime, and a directory's new parent its size or links
      moved.changed = old.changes(to: new).subtracting(.ctime)
      differences[index] = moved
    }
    var kept = 0
    for index in differences.indices where !isMoved[index] && !isAllowed(differences[index]) {
      differences.swapAt(kept, index)
      kept += 1
    }
    differences.removeSubrange(kept...)
    differences.sort { $0.path.lexicographicallyPrecedes($1.path) }
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
