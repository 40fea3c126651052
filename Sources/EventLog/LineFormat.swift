/// `--format` of the commands that print the log's lines.
package enum LineFormat: String, CaseIterable, Sendable {
  /// One aligned line a change, for people.
  case text
  /// A paragraph a line of the log, in sentences.
  case long
  /// The lines of the log as they are.
  case json
  /// RFC 4180, with a header line.
  case csv
  /// The Open Cybersecurity Schema Framework, 1.3.0.
  case ocsf
  /// The kernel's records, of auditd's logs, as they are.
  case raw
}

/// How text for people is to look.
package struct TextStyle: Sendable {
  package var colour: Bool
  /// The terminal's width, which the path column fills; nil for a pipe, which gets the full date.
  /// Nothing is ever cut: what is too long pushes the rest to the right.
  package var columns: Int?
  /// Whether a terminal reads it, which would obey what names hold.
  package var isTerminal: Bool
  /// False where the rule key is none of the reader's.
  package var showsKeys: Bool
  /// True where lines of several hosts come together.
  package var showsHosts: Bool
  /// False for the local zone.
  package var isUTC: Bool

  package init(colour: Bool, columns: Int?, isTerminal: Bool = false, showsKeys: Bool = true, showsHosts: Bool = false, isUTC: Bool = false)
  {
    self.colour = colour
    self.columns = columns
    self.isTerminal = isTerminal
    self.showsKeys = showsKeys
    self.showsHosts = showsHosts
    self.isUTC = isUTC
  }
}
