import System

/// Where something stands in a configuration.
package struct ConfigPlace: Sendable, Equatable {
  package let file: String
  /// From 1.
  package let line: Int
  /// The byte in the line, from 1.
  package let column: Int

  package var description: String { "\(printable(file)):\(line):\(column)" }
}

/// One rule of the configuration.
package struct SelectionRule: Sendable {
  package enum Kind: Sendable {
    /// `/re`: what matches, and everything below it that matches.
    case selective
    /// `=/re`: what matches, without what is below.
    case equal
    /// `!/re`: not what matches, and nothing below it.
    case negative
  }

  package let kind: Kind
  package let place: ConfigPlace
  /// The rule as it stands in the file.
  package let text: String
  /// The regular expression, macros and escapes resolved.
  package let expression: [UInt8]
  /// The kinds it is restricted to; empty: any.
  package let kinds: FileKinds
  /// The file system it is restricted to (AIDE 0.19), `ext4` for example.
  package let fileSystem: String?
  package let attributes: Attributes
  /// The attributes as they stand in the file, with what is obsolete replaced; empty for a negative rule.
  let attributesText: String

  let pattern: Pattern
  let literal: Literal
  /// Where AIDE files it, `/etc` for `/etc/pam\.d`; empty for the root.
  let node: [UInt8]

  var isUnrestricted: Bool { kinds.isEmpty && fileSystem == nil }

  func allows(_ kind: FileKind, _ fileSystem: String?) -> Bool {
    (kinds.isEmpty || kinds.contains(FileKinds(kind))) && (self.fileSystem == nil || self.fileSystem == fileSystem)
  }
}
