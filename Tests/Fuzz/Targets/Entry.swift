import Glibc

/// Chosen once: `FSAUDIT_FUZZ_TARGET`.
private let chosen: FuzzTarget = {
  let name = getenv("FSAUDIT_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    fatalError("FSAUDIT_FUZZ_TARGET: one of \(FuzzTarget.allCases.map(\.rawValue))")
  }
  return target
}()

/// What Tests/Fuzz/Engine calls for libFuzzer.
@_cdecl("fsaudit_fuzz")
package func fuzzEntry(_ data: UnsafePointer<UInt8>?, _ size: Int) {
  chosen.run(Array(UnsafeBufferPointer(start: data, count: size)))
}
