import EventLog
import FileChanges

/// What of an object a difference is about: AIDE's attributes, grouped by which changes can cause them.
package struct Aspects: OptionSet, Sendable, Hashable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The name is there, or no longer.
  package static let presence = Aspects(rawValue: 1 << 0)
  /// Hashes, size, blocks.
  package static let content = Aspects(rawValue: 1 << 1)
  package static let mode = Aspects(rawValue: 1 << 2)
  package static let owner = Aspects(rawValue: 1 << 3)
  package static let group = Aspects(rawValue: 1 << 4)
  package static let accessList = Aspects(rawValue: 1 << 5)
  /// Extended attributes, SELinux' label, capabilities.
  package static let extended = Aspects(rawValue: 1 << 6)
  package static let modified = Aspects(rawValue: 1 << 7)
  package static let changed = Aspects(rawValue: 1 << 8)
  package static let accessed = Aspects(rawValue: 1 << 9)
  package static let inode = Aspects(rawValue: 1 << 10)
  package static let links = Aspects(rawValue: 1 << 11)
  /// A symbolic link's text, the type.
  package static let kind = Aspects(rawValue: 1 << 12)
  /// e2fsattrs.
  package static let flags = Aspects(rawValue: 1 << 13)

  package static let all = Aspects(rawValue: .max)

  /// What an action on a name can have changed there. `isTarget`: of the object that it is about, else of the directory it is in.
  init(_ action: Action, inside: Bool) {
    if inside {
      switch action {
      case .create, .delete, .rename, .exchange, .link, .symlink, .mkdir, .rmdir, .mknod: self = [.content, .modified, .changed, .links]
      default: self = []
      }
      return
    }
    switch action {
    case .create, .delete, .rename, .exchange, .symlink, .mkdir, .rmdir, .mknod, .mount, .umount: self = .all
    case .link: self = [.presence, .links, .changed, .inode, .content, .mode, .owner, .group, .kind, .modified]
    // writing takes set-uid bits and capabilities away
    case .write, .truncate, .open: self = [.content, .modified, .changed, .mode, .extended]
    case .chmod: self = [.mode, .accessList, .changed]
    case .chown: self = [.owner, .group, .mode, .extended, .changed]
    case .setxattr, .removexattr, .setacl: self = [.accessList, .extended, .mode, .changed]
    case .utimes: self = [.modified, .accessed, .changed]
    case .chattr: self = [.flags, .changed]
    }
  }
}

/// How far the trail accounts for a difference.
package enum Verdict: String, Sendable, CaseIterable {
  /// A chain of changes leads to what is there now.
  case explained
  /// It accounts for some of what differs.
  case partly
  /// The trail watched the path all the time, lost nothing, and shows nothing that accounts for it.
  case unexplained
  /// The trail cannot know: the reason says why.
  case uncovered
}

/// Whether rules watch a path now.
package enum Watching: Sendable {
  /// All that is done to it; the keys of the rules that do, "" for a rule without any.
  case whole(keys: [String])
  /// Not, or not wholly: why.
  case lacking(String)
}

/// One change of the trail that had a part in a difference.
package struct Cause: Sendable, Equatable {
  package var timeMs: Int64
  package var serial: UInt32?
  package var action: String
  package var path: String
  package var previousPath: String?
  /// The login user: auid, and its name where the log has one; nil where nobody had logged in.
  package var login: String?
  /// The user that the process acted as.
  package var user: String?
  package var executable: String?
  package var arguments: [String]
  package var keys: [String]
  package var host: String?
  /// What the change left: mode as the log writes it, uid, gid, device and inode; nil where the line does not say.
  var mode: String?, uid: Int64?, gid: Int64?
  var object: Trail.ObjectID?
}

/// What the trail says of one difference.
package struct Explanation: Sendable {
  package var verdict: Verdict
  /// Newest first.
  package var causes: [Cause] = []
  /// Why the trail cannot know, or which part is not accounted for.
  package var reason = ""
}

/// A difference, as far as it has to be explained.
package struct Subject: Sendable {
  package var path: [UInt8]
  package var aspects: Aspects
  package var isDirectory = false
  /// Whether there is something at the path now.
  package var isThere = true
  /// What is there now, where that is known: st_mode, uid, gid, `fe:00`, inode.
  package var mode: UInt32?, uid: UInt32?, gid: UInt32?
  package var device = "", inode: UInt64 = 0

  package init(path: [UInt8], aspects: Aspects) {
    self.path = path
    self.aspects = aspects
  }
}
