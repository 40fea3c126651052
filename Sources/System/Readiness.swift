import Glibc

extension Descriptor {
  /// poll(2): whether there is input, an end or an error to read, after waiting for it at most `milliseconds` (-1: for ever).
  package borrowing func hasInput(within milliseconds: Int32) throws(SystemError) -> Bool {
    var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
    return try call("poll", "descriptor \(raw)") { poll(&entry, 1, milliseconds) } > 0
  }
}
