import Glibc
import System
import SystemPackage

/// What a configuration sees of the host it is read on.
package struct ConfigHost: Sendable {
  /// A file of the configuration.
  package struct File: Sendable {
    let bytes: [UInt8]
    /// Whether it is a program (a file that anybody may execute) rather than text: AIDE would run it.
    let isExecutable: Bool
    let isWritableByAnybody: Bool

    package init(bytes: [UInt8], isExecutable: Bool = false, isWritableByAnybody: Bool = false) {
      self.bytes = bytes
      self.isExecutable = isExecutable
      self.isWritableByAnybody = isWritableByAnybody
    }
  }

  /// Without the domain.
  package var name: String
  package var exists: @Sendable (String) -> Bool
  package var file: @Sendable (String) throws(SystemError) -> File
  /// The names of the regular files in a directory.
  package var files: @Sendable (String) throws(SystemError) -> [String]

  package init(
    name: String, exists: @escaping @Sendable (String) -> Bool, file: @escaping @Sendable (String) throws(SystemError) -> File,
    files: @escaping @Sendable (String) throws(SystemError) -> [String]
  ) {
    self.name = name
    self.exists = exists
    self.file = file
    self.files = files
  }

  /// This host.
  package static let system = ConfigHost(
    name: String(hostName().prefix { $0 != "." }),
    exists: { path in (try? status(of: path)) != nil },
    file: { path throws(SystemError) in
      // not a FIFO's reader for ever
      let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK)
      let status = try file.status()
      guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("read", path, .isDirectory) }
      return File(
        bytes: try file.readToEnd(limitBytes: 16 << 20), isExecutable: status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) != 0,
        isWritableByAnybody: status.st_mode & S_IWOTH != 0)
    },
    files: { directory throws(SystemError) in
      try directoryEntries(directory).filter { name in
        var status = stat()
        return stat(directory + "/" + name, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
      }
    })
}
