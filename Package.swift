// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: Swift 6 language mode (the tools-version default), warnings are errors. Release builds optimise
/// across our modules, which is what makes small accessors in AuditWire free for its callers.
let strict: [SwiftSetting] =
  [
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
  ]

/// Pure targets import the standard library alone: no C, no Glibc, no Foundation, no I/O (Tests/check-imports enforces it).
func target(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
  .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "fsaudit",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // C, and what of it Swift sees
    .systemLibrary(name: "CAudit", providers: [.apt(["libaudit-dev"])]),
    .systemLibrary(name: "CCompression", providers: [.apt(["libzstd-dev", "zlib1g-dev"])]),
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
    .target(name: "CLinux"),

    // pure
    target("AuditWire"),
    target("AuditEvents", ["AuditWire"]),
    target("FileChanges", ["AuditEvents", "AuditWire"]),

    // impure
    target("System", ["CLinux", systemPackage]),
    target("EventLog", ["FileChanges", "AuditEvents", "AuditWire", "System", "CCompression", "CCrypto", systemPackage]),
    target("AuditControl", ["CAudit", "System", systemPackage]),
    target("AuditStream", ["System", "CLinux", "CCompression", systemPackage]),
    target("LogQuery", ["EventLog", "AuditStream", "FileChanges", "AuditEvents", "AuditWire", "System", systemPackage]),
    target(
      "Baseline",
      ["System", "EventLog", "FileChanges", "AuditWire", "CSQLite", "CCrypto", "CCompression", "CLinux", "CPCRE2", systemPackage]),
    target("Settings", ["System", systemPackage]),
    target(
      "Daemon",
      [
        "AuditWire", "AuditEvents", "FileChanges", "System", "AuditControl", "AuditStream", "EventLog", "Settings", log,
      ]),
    .executableTarget(
      name: "fsaudit",
      dependencies: [
        "Daemon", "AuditControl", "Baseline", "EventLog", "LogQuery", "Settings", "System", systemPackage,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // Writes a log as the daemon does, so that a test can kill it.
    .executableTarget(name: "log-torture", dependencies: ["EventLog", "System"], path: "Tests/LogTorture", swiftSettings: strict),
    // tests
    tests("AuditWireTests", ["AuditWire", "Replay"]),
    tests("AuditEventsTests", ["AuditEvents", "AuditWire", "Replay"]),
    tests("FileChangesTests", ["FileChanges", "AuditEvents", "AuditWire", "Replay"]),
    tests(
      "EventLogTests",
      [
        "EventLog", "FileChanges", "AuditEvents", "AuditWire", "System", "CCompression", systemPackage, "Replay", "TestSupport",
        "log-torture",
      ]),
    /// The pure core over a whole log, for golden, differential and fuzz tests.
    .target(
      name: "Replay", dependencies: ["EventLog", "FileChanges", "AuditEvents", "AuditWire"], path: "Tests/Replay", swiftSettings: strict),
    // The audit project's own decoder, an oracle for tests alone.
    .systemLibrary(name: "CAuparse", path: "Tests/CAuparse", providers: [.apt(["libauparse-dev"])]),
    tests("DifferentialTests", ["CAuparse", "EventLog", "AuditEvents", "AuditWire", "Replay"]),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "AuditControl", "Baseline", "Settings", "System", "LogQuery", "EventLog", "FileChanges", "AuditEvents", "AuditWire", "Replay",
      ],
      path: "Tests/Fuzz/Targets", swiftSettings: strict),
    tests("FuzzTests", ["FuzzTargets", "Replay"]),
    .target(name: "TestSupport", dependencies: ["AuditControl", "System", systemPackage], path: "Tests/Support", swiftSettings: strict),
    tests("AuditControlTests", ["AuditControl", "System", "TestSupport", "fsaudit", systemPackage]),
    tests("AuditStreamTests", ["AuditStream", "AuditControl", "CCompression", "System", "TestSupport", systemPackage]),
    tests("LogQueryTests", ["LogQuery", "EventLog", "AuditWire", "CCompression", "System", "TestSupport", systemPackage, "Replay"]),
    // What only the built program can show: on the live kernel, and without it.
    .testTarget(
      name: "KernelTests", dependencies: ["AuditControl", "EventLog", "System", "TestSupport", systemPackage],
      exclude: ["Programs"], swiftSettings: strict),
    tests("BinaryTests", ["EventLog", "System", "TestSupport"]),
    tests("BaselineTests", ["Baseline", "EventLog", "FileChanges", "CLinux", "Replay", "System", "TestSupport"]),
    tests("SettingsTests", ["Settings", "System"]),
    tests("DaemonTests", ["Daemon", "System"]),
  ]
)

// libFuzzer brings its own main and wants everything instrumented, so its program is only there when Tests/Fuzz/run asks.
if Context.environment["FSAUDIT_FUZZ"] != nil {
  package.targets.append(.executableTarget(name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Engine"))
}
