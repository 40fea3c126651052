import System

/// What became of a question: how much was found, and what could not be read.
package struct Outcome: Equatable, Sendable {
  /// Lines that match (events, where the kernel's records are asked for). Where lines are passed on by the block, at least 1 if there are any.
  package var matched = 0
  /// Lines that say that the answer may be incomplete; they are not in ``matched``.
  package var gaps = 0
  /// Lines that are no JSON, or no records.
  package var corrupt = 0
  /// Lines that were longer than any that is read.
  package var tooLong = 0
  /// Why some source could not be read to its end: the first such reason.
  package var fault: ExitStatus?

  package init() {}

  /// How a command that only asked this ends.
  package var exit: ExitStatus {
    if let fault { return fault }
    if corrupt + tooLong > 0 { return .inputOutput }
    return matched > 0 ? .ok : .findings
  }
}
