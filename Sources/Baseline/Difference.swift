/// A file that is not as the baseline has it.
package struct Difference: Sendable {
  package enum Kind: String, Sendable, CaseIterable { case added, removed, changed, moved }

  package var kind: Kind
  /// Where it is now; of a removed file, where it was. Absolute, as bytes.
  package var path: [UInt8]
  /// Where a moved file was.
  package var previousPath: [UInt8]?
  /// As the baseline has it; nil of an added one.
  package var old: Facts?
  /// As it is now; nil of a removed one.
  package var new: Facts?
  /// What differs, of that which the rules ask for in both.
  package var changed: Attributes = []
  /// A unified diff of the content, where the baseline kept it and `--diff` asks.
  package var contentDiff: String?

  package init(_ kind: Kind, _ path: [UInt8], old: Facts? = nil, new: Facts? = nil, changed: Attributes = []) {
    (self.kind, self.path, self.old, self.new, self.changed) = (kind, path, old, new, changed)
  }
}

extension Facts {
  /// What has changed from the baseline to `new`, of the attributes that both have, as AIDE means them.
  /// - Parameter prefix: the new content's digests up to the old size, for `growing`.
  func changes(to new: Facts, prefix: [[UInt8]?]? = nil) -> Attributes {
    let both = attributes.intersection(new.attributes)
    let grows = both.contains(.growing)
    var result: Attributes = []
    func check(_ attribute: Attributes, _ isSame: @autoclosure () -> Bool) {
      if both.contains(attribute), !isSame() { result.insert(attribute) }
    }
    func number<Value: Comparable>(_ attribute: Attributes, _ path: KeyPath<Facts, Value>) {
      check(attribute, self[keyPath: path] == new[keyPath: path] || grows && self[keyPath: path] < new[keyPath: path])
    }
    check(.ftype, kind == new.kind)
    check(.permissions, status.mode & 0o7777 == new.status.mode & 0o7777)
    check(.inode, status.inode == new.status.inode)
    check(.linkCount, status.links == new.status.links)
    check(.user, status.uid == new.status.uid)
    check(.group, status.gid == new.status.gid)
    number(.size, \.status.size)
    number(.blocks, \.status.blocks)
    number(.mtime, \.status.mtime)
    number(.ctime, \.status.ctime)
    number(.atime, \.status.atime)
    check(.linkName, link == new.link)
    check(.acl, effectiveAccess == new.effectiveAccess)
    check(.xattrs, xattrs == new.xattrs)
    check(.selinux, selinux == new.selinux)
    check(.caps, capabilities == new.capabilities)
    check(.e2fsattrs, inodeFlags == new.inodeFlags)
    for (index, digest) in Digest.all.enumerated() {
      // what could not be read is a problem of its own, not a change
      guard let old = digests[index], let now = new.digests[index] else { continue }
      check(digest.attribute, old == now || grows && old == prefix?[index])
    }
    return result
  }

  /// The access list that counts: without entries of its own, the mode is the list.
  var effectiveAccess: String? {
    if let acl { return acl }
    if kind == .symlink { return nil }
    func text(_ bits: UInt32) -> String { (bits & 4 != 0 ? "r" : "-") + (bits & 2 != 0 ? "w" : "-") + (bits & 1 != 0 ? "x" : "-") }
    return "user::\(text(status.mode >> 6))\ngroup::\(text(status.mode >> 3))\nother::\(text(status.mode))"
  }

  /// Whether the store would keep the same row.
  func isSameRow(as other: Facts) -> Bool {
    let (a, b) = (status, other.status)
    return a.isSameState(as: b) && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.links == b.links && a.blocks == b.blocks
      && a.btime == b.btime && (!attributes.contains(.atime) || a.atime == b.atime) && attributes == other.attributes
      && descends == other.descends && link == other.link && acl == other.acl && xattrs == other.xattrs && selinux == other.selinux
      && capabilities == other.capabilities && inodeFlags == other.inodeFlags && digests == other.digests
  }
}
