/// What a report counts by.
package enum ReportKind: String, CaseIterable, Sendable {
  case files, users, executables, keys, actions, hosts, syscalls, failures, timeline, summary

  /// Those that are a table with a row for each name.
  static let tables: [ReportKind] = [.files, .users, .executables, .keys, .actions, .hosts, .syscalls, .failures]

  /// The heading.
  var title: StaticString {
    switch self {
    case .files: "Files"
    case .users: "Users"
    case .executables: "Programs"
    case .keys: "Rule keys"
    case .actions: "Actions"
    case .hosts: "Hosts"
    case .syscalls: "System calls"
    case .failures: "Failures"
    case .timeline: "Timeline"
    case .summary: "Summary"
    }
  }

  /// The parts of a row's name, which a NUL byte separates in its key.
  var columns: [StaticString] {
    switch self {
    case .files: ["file"]
    case .users: ["user", "login"]
    case .executables: ["executable"]
    case .keys: ["key"]
    case .actions: ["action"]
    case .hosts: ["host"]
    case .syscalls: ["syscall"]
    case .failures: ["error", "action", "file"]
    case .timeline: ["time"]
    case .summary: []
    }
  }
}

/// The steps of a timeline.
package enum ReportStep: String, CaseIterable, Sendable { case hour, day }
