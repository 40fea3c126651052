import Glibc
import System
import TestSupport
import Testing

/// A file system's names, changed by what the log tells and by nothing else. If the log is right and whole, it ends up with the names that the disk has.
struct Replay {
  private final class Node { var children: [[UInt8]: Node] = [:] }

  private let root = Node()
  /// What cannot have happened in the world as the log tells it: removing what is not there, creating what is.
  private(set) var contradictions: [String] = []

  /// - Parameter paths: what there is at the beginning.
  init(_ paths: Set<[UInt8]>) { for path in paths { _ = make(path) } }

  /// Every path below `directory`.
  func paths(below directory: String) -> Set<[UInt8]> {
    var result: Set<[UInt8]> = []
    func collect(_ node: Node, _ path: [UInt8]) {
      for (name, child) in node.children {
        let below = path + [UInt8(ascii: "/")] + name
        result.insert(below)
        collect(child, below)
      }
    }
    if let start = find(Array(directory.utf8)) { collect(start, Array(directory.utf8)) }
    return result
  }

  /// Applies a change that succeeded. Those that give or take no name are passed over.
  mutating func apply(_ change: Line) {
    switch change.action {
    case "create", "mkdir", "mknod", "link", "symlink":
      if find(change.path) != nil { contradict("is there already", change) }
      if make(change.path) == false { contradict("has no parent", change) }
    case "delete", "rmdir":
      guard let node = take(change.path) else { return contradict("is not there", change) }
      if !node.children.isEmpty { contradict("is not empty", change) }
    case "rename":
      guard let node = take(change.previous ?? []) else { return contradict("is not there", change) }
      put(node, change.path, change)
    case "exchange":
      guard let previous = change.previous, let one = take(change.path), let other = take(previous) else {
        return contradict("is not there", change)
      }
      put(one, previous, change)
      put(other, change.path, change)
    default: break
    }
  }

  private mutating func contradict(_ what: String, _ change: Line) { contradictions.append("\(what): \(change.json)") }

  private static func names(_ path: [UInt8]) -> [[UInt8]] { path.split(separator: UInt8(ascii: "/")).map(Array.init) }

  private func find(_ path: [UInt8]) -> Node? {
    var node = root
    for name in Replay.names(path) {
      guard let child = node.children[name] else { return nil }
      node = child
    }
    return node
  }

  /// Makes a path with all that is above it; false if some of that was missing.
  private func make(_ path: [UInt8]) -> Bool {
    var node = root
    var missing = 0
    for name in Replay.names(path) {
      if let child = node.children[name] {
        node = child
      } else {
        let child = Node()
        node.children[name] = child
        node = child
        missing += 1
      }
    }
    return missing <= 1
  }

  private func parent(_ path: [UInt8]) -> (Node, name: [UInt8])? {
    let names = Replay.names(path)
    guard let last = names.last else { return nil }
    var node = root
    for name in names.dropLast() {
      guard let child = node.children[name] else { return nil }
      node = child
    }
    return (node, last)
  }

  private func take(_ path: [UInt8]) -> Node? {
    guard let (node, name) = parent(path) else { return nil }
    return node.children.removeValue(forKey: name)
  }

  private mutating func put(_ node: Node, _ path: [UInt8], _ change: Line) {
    guard let (directory, name) = parent(path) else { return contradict("has no parent", change) }
    directory.children[name] = node
  }
}

/// Every path below the directories, as the disk has them.
func listing(_ directories: [String]) throws -> Set<[UInt8]> {
  let found = try run("find", directories + ["-mindepth", "1", "-print0"])
  #expect(found.status == 0, "\(found.errorText)")
  return Set(found.output.split(separator: 0).map(Array.init))
}
