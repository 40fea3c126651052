import ArgumentParser
import EventLog
import System

/// The help of `--format`, of every command that prints lines of the log.
let formatHelp: ArgumentHelp = """
  text: one line a change; long: a paragraph; json: the lines of the log; csv: RFC 4180; ocsf: OCSF 1.3, File System Activity for changes and Base \
  Event for all else.
  """

extension TextStyle {
  /// What a terminal wants, or a pipe.
  init(_ terminal: Terminal, showsKeys: Bool = true) {
    self.init(colour: terminal.hasColour, columns: terminal.columns, showsKeys: showsKeys)
  }
}
