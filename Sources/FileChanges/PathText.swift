import AuditWire

/// Lexical work on paths. No symbolic link is followed: that would need the file system as it was then.
package enum PathText {
  /// Where the last component starts and ends, trailing slashes left out; nil for a name that has none (`/`, empty).
  @inline(__always)
  static func lastComponent(_ name: RawSpan) -> Range<Int>? {
    var end = name.byteCount
    while end > 0, name.byte(end &- 1) == UInt8(ascii: "/") { end &-= 1 }
    let start = name.lastIndex(of: UInt8(ascii: "/"), before: end).map { $0 &+ 1 } ?? 0
    return start < end ? start..<end : nil
  }

  /// Whether the component is `.` or `..`, which name no entry of their own.
  static func isDots(_ component: RawSpan) -> Bool {
    component.byteCount <= 2 && component.peek(0) == UInt8(ascii: ".")
      && (component.byteCount == 1 || component.peek(1) == UInt8(ascii: "."))
  }

  /// Appends `name` to the absolute path that starts at `start` in `output`, resolving `//`, `.` and `..`.
  static func join(_ text: ByteScratch, to output: inout ByteScratch, from start: Int) {
    let name = text.storage.span.bytes.extracting(0..<text.count)
    var at = 0
    let count = name.byteCount
    while at < count {
      if name.byte(at) == UInt8(ascii: "/") {
        at &+= 1
        continue
      }
      let end = name.firstIndex(of: UInt8(ascii: "/"), from: at, before: count) ?? count
      let component = name.extracting(at..<end)
      at = end
      if isDots(component) {
        if component.byteCount == 2 { dropLast(&output, from: start) }
        continue
      }
      if output.count == start || output.last != UInt8(ascii: "/") { output.append(UInt8(ascii: "/")) }
      output.append(component)
    }
    if output.count == start { output.append(UInt8(ascii: "/")) }
  }

  /// Cuts the last component off, down to the root.
  private static func dropLast(_ output: inout ByteScratch, from start: Int) {
    var end = output.count
    while end > start, output[end &- 1] != UInt8(ascii: "/") { end &-= 1 }
    while end > start, output[end &- 1] == UInt8(ascii: "/") { end &-= 1 }
    output.truncate(to: end)
  }
}
