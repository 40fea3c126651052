import ArgumentParser
import EventLog
import System

/// The help of `--format`, of every command that prints lines of the log.
let formatHelp: ArgumentHelp = """
  text: one line a change; long: a paragraph; json: the lines of the log; csv: RFC 4180; ocsf: OCSF 1.3, File System Activity for changes and Base \
  Event for all else.
  """

/// The same of `search`, which alone has the kernel's records.
let searchFormatHelp: ArgumentHelp = """
  text: one line a change; long: a paragraph; json: the lines of the log; csv: RFC 4180; ocsf: OCSF 1.3, File System Activity for changes and Base \
  Event for all else; raw: the kernel's records, which auditd's logs alone have.
  """

extension LineFormat: ExpressibleByArgument {
  /// For commands whose lines hold no records.
  func checkIsOfLines() throws {
    if self == .raw {
      throw ValidationError("--format raw: the log does not keep the kernel's records: `fsaudit search --audit-log` has them")
    }
  }
}

extension TextStyle {
  /// What a terminal wants, or a pipe.
  init(_ terminal: Terminal, showsKeys: Bool = true, showsHosts: Bool = false) {
    self.init(
      colour: terminal.hasColour, columns: terminal.columns, isTerminal: terminal.isTerminal, showsKeys: showsKeys, showsHosts: showsHosts)
  }
}
