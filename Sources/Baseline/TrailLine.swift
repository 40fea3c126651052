import AuditWire
import EventLog
import FileChanges

/// What a trail reads of a line.
extension Trail {
  /// Where a line has what.
  enum Place {
    static let outcome: JSONPath = "event.outcome"
    static let action: JSONPath = "fsaudit.action"
    static let path: JSONPath = "file.path"
    static let rawPath: JSONPath = "fsaudit.raw.path"
    static let previous: JSONPath = "fsaudit.previous.path"
    static let rawPrevious: JSONPath = "fsaudit.raw.previous_path"
    static let target: JSONPath = "fsaudit.target.path"
    static let rawTarget: JSONPath = "fsaudit.raw.target_path"
    static let device: JSONPath = "file.device"
    static let inode: JSONPath = "file.inode"
    static let type: JSONPath = "file.type"
  }

  static func action(of line: borrowing LogLine) -> Action? { text(line, Place.action).flatMap { Action(named: $0) } }

  /// A short text.
  static func text(_ line: borrowing LogLine, _ path: JSONPath) -> String? {
    var result: String?
    _ = line.contains(at: path) { text in
      result = text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
      return true
    }
    return result
  }

  /// The exact bytes of a name.
  static func name(_ line: borrowing LogLine, _ path: JSONPath, _ raw: JSONPath) -> [UInt8]? {
    var name: [UInt8]?
    _ = line.name(path, raw: raw) { bytes in
      name = bytes.withUnsafeBytes { Array($0) }
      return true
    }
    return name
  }
}
