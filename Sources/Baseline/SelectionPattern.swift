import CPCRE2

/// A regular expression as AIDE applies it: PCRE2 over single bytes, anchored at its start and open at its end.
///
/// It is compiled once and may be used from several threads, each with a ``Matcher`` of its own.
final class Pattern: @unchecked Sendable {
  private let code: OpaquePointer

  /// What PCRE2 says is wrong with an expression, and at which byte of it.
  struct Fault: Error {
    let message: String
    let offset: Int
  }

  /// - Parameter anchored: whether a match has to begin at the first byte.
  init(_ expression: [UInt8], anchored: Bool = true) throws(Fault) {
    var number: Int32 = 0
    var offset = 0
    let compiled = expression.withUnsafeBufferPointer {
      pcre2_compile_8($0.baseAddress, $0.count, anchored ? PCRE2_ANCHORED : 0, &number, &offset, nil)
    }
    guard let compiled else {
      var text = [UInt8](repeating: 0, count: 256)
      let count = pcre2_get_error_message_8(number, &text, text.count)
      throw Fault(message: String(decoding: text.prefix(Int(max(0, count))), as: UTF8.self), offset: min(offset, expression.count))
    }
    code = compiled
    // without the compiler for this processor matching is slower, nothing else
    pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_SOFT)
  }

  deinit { pcre2_code_free_8(code) }

  /// What came of a try. PCRE2 may also give up: on an expression with nested repetitions a hostile file name takes it to its limits.
  enum Outcome { case match, none, partial, gaveUp }

  /// Tries it on a path, which must not be empty.
  /// - Parameter partial: whether to tell apart paths that more bytes could make match (which costs a little more).
  func apply(_ path: UnsafeBufferPointer<UInt8>, _ matcher: borrowing Matcher, partial: Bool = false) -> Outcome {
    let result = pcre2_match_8(code, path.baseAddress, path.count, 0, partial ? PCRE2_PARTIAL_SOFT : 0, matcher.data, nil)
    switch result {
    case 0...: return .match
    case PCRE2_ERROR_NOMATCH: return .none
    case PCRE2_ERROR_PARTIAL: return .partial
    case PCRE2_ERROR_JIT_STACKLIMIT:
      let slow = pcre2_match_8(code, path.baseAddress, path.count, 0, PCRE2_NO_JIT | (partial ? PCRE2_PARTIAL_SOFT : 0), matcher.data, nil)
      return slow >= 0 ? .match : slow == PCRE2_ERROR_NOMATCH ? .none : slow == PCRE2_ERROR_PARTIAL ? .partial : .gaveUp
    default: return .gaveUp
    }
  }
}

/// The memory that PCRE2 needs while it matches. For one thread at a time.
struct Matcher: ~Copyable {
  fileprivate let data: OpaquePointer?

  init() { data = pcre2_match_data_create_8(1, nil) }

  deinit { pcre2_match_data_free_8(data) }
}
