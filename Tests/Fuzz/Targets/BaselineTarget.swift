import Baseline
import System
import SystemPackage

/// A configuration that may include itself, two small files and a program; then what it says about some paths: asked in a row or alone,
/// imported or as it is, the answer is the same.
func readBaseline(_ input: [UInt8]) {
  let host = ConfigHost(
    name: "fuzz", exists: { $0.utf8.count % 2 == 0 },
    file: { path throws(SystemError) in
      switch path.utf8.count % 4 {
      case 0: ConfigHost.File(bytes: Array(input.prefix(2000)))
      case 1: ConfigHost.File(bytes: Array("@@define V x\n/etc/@@{V} R\n!/a f\n".utf8), isWritableByAnybody: true)
      case 2: ConfigHost.File(bytes: input, isExecutable: true)
      default: throw SystemError("open", path, .noSuchFileOrDirectory)
      }
    },
    files: { _ in ["a", "b.conf", "c"] })
  do throws(Failure) {
    let config = try SelectionConfig.parse(input, file: "fuzz", host: host)
    for notice in config.warnings + config.notes {
      require(printable(notice.description) == notice.description, "a control byte in a warning: \(notice.description)")
    }
    let imported: SelectionConfig
    do throws(Failure) { imported = try SelectionConfig.parse(config.nativeText, file: "fuzz", host: host) } catch {
      fatalError("what is imported cannot be read: \(error)")
    }
    require(imported.rules.count == config.rules.count && imported.rootPrefix == config.rootPrefix, "an import that loses something")
    var selector = Selector(config)
    for path in paths(config) {
      let kind = FileKind.allCases[path.count % 7]
      let decision = selector.decide(path.span.bytes, kind)
      require(decision == config.decide(path, kind), "a decision that depends on the one before")
      require(decision == imported.decide(path, kind), "an import that selects something else")
      guard decision.attributes != nil, path.count > 1 else { continue }
      for (index, byte) in path.enumerated() where byte == UInt8(ascii: "/") {
        let parent = index == 0 ? [byte] : Array(path[..<index])
        require(selector.decide(parent.span.bytes, .directory).descends, "a walk would not reach what is selected")
      }
    }
  } catch {
    // an include's own file is named as it was given
    if error.message.hasPrefix("fuzz:") { check(error, .usage) }
  }
}

/// The expressions with their special bytes left out, and paths near them.
private func paths(_ config: SelectionConfig) -> [[UInt8]] {
  var result: [[UInt8]] = [[UInt8(ascii: "/")], Array("/etc/passwd".utf8)]
  for rule in config.rules.prefix(20) where rule.expression.count < 200 {
    var path: [UInt8] = []
    for byte in rule.expression where !"\\()[]$^*?+|".utf8.contains(byte) {
      // no path has an empty name
      if byte != UInt8(ascii: "/") || path.last != byte { path.append(byte) }
    }
    if path.count > 1, path.last == UInt8(ascii: "/") { path.removeLast() }
    result += [path, path + Array("/x".utf8), path + [UInt8(ascii: "\n")], path.dropLast() + [0xff]]
  }
  return result.filter { $0.first == UInt8(ascii: "/") && ($0.count == 1 || $0.last != UInt8(ascii: "/")) }
}
