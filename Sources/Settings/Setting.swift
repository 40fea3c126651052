import System

/// One row per setting: its place in the file, and how its value gets into ``Settings``.
struct Setting {
  let section: String
  let key: String
  /// Puts a value of the file into the settings; throws ``Problem`` where it cannot.
  let assign: (_ value: TOMLValue, _ settings: inout Settings) throws -> Void

  private init<Value>(
    _ section: String, _ key: String, _ property: WritableKeyPath<Settings, Value>, _ kind: Kind<Value>
  ) {
    self.section = section
    self.key = key
    self.assign = { value, settings in settings[keyPath: property] = try kind.read(value) }
  }

  /// Every setting there is. A key that is not here is an error.
  static var all: [Setting] {
    [
      Setting("source", "kind", \.source.kind, .choice()),
      Setting("source", "backlog_limit", \.source.backlogLimitRecords, .number(64...1_048_576, "records")),
      // The kernel takes at most ten times its default of 60 s (kernel audit.c, AUDIT_STATUS_BACKLOG_WAIT_TIME).
      Setting("source", "backlog_wait_time", \.source.backlogWaitTime, .time(.zero ... .seconds(600))),
      Setting("source", "receive_buffer", \.source.receiveBufferBytes, .size(64 << 10...512 << 20)),

      Setting("rules", "directory", \.rules.directory, .path()),
      Setting("rules", "unload_on_stop", \.rules.unloadOnStop, .flag()),

      Setting("log", "directory", \.log.directory, .path()),
      Setting("log", "group", \.log.groupID, .group()),
      Setting("log", "rotate_size", \.log.rotateSizeBytes, .size(64 << 10...64 << 30)),
      Setting("log", "rotate_every", \.log.rotateEvery, .limit("never", .time(.seconds(60) ... .days(366)))),
      Setting("log", "keep_count", \.log.keepCount, .limit("unlimited", .number(1...1_000_000, "segments"))),
      Setting("log", "keep_age", \.log.keepAge, .limit("unlimited", .time(.seconds(3600) ... .days(36600)))),
      Setting("log", "keep_size", \.log.keepSizeBytes, .limit("unlimited", .size(64 << 10...1 << 50))),
      Setting("log", "compress", \.log.compress, .choice()),
      Setting("log", "compress_level", \.log.compressLevel, .number(1...19, "(fast to small)")),
      Setting("log", "sync", \.log.sync, .choice()),
      Setting("log", "sync_interval", \.log.syncInterval, .time(.milliseconds(10) ... .seconds(3600))),
      Setting("log", "queue_size", \.log.queueSizeBytes, .size(1 << 20...4 << 30)),

      Setting("seal", "enabled", \.seal.enabled, .flag()),
      Setting("seal", "every", \.seal.every, .time(.seconds(1) ... .seconds(3600))),
      // a seal has room for the digests of 4096 lines, and what comes in one batch is not divided
      Setting("seal", "lines", \.seal.lines, .number(1...3000, "lines")),

      Setting("directory_map", "max_entries", \.directoryMap.maxEntries, .number(1000...100_000_000, "directories")),

      Setting("check", "trail", \.check.trail, .flag()),
      Setting("check", "full_every", \.check.fullEvery, .limit("never", .time(.seconds(60) ... .days(3660)))),

      Setting("daemon", "state_directory", \.daemon.stateDirectory, .path()),
      Setting("daemon", "runtime_directory", \.daemon.runtimeDirectory, .path()),
      Setting("daemon", "status_interval", \.daemon.statusInterval, .time(.seconds(1) ... .seconds(3600))),
      Setting("daemon", "log_level", \.daemon.logLevel, .choice()),
    ]
  }
}

/// What is wrong with a value, and what would be right.
struct Problem: Error {
  let wrong: String
  let right: String

  /// - Parameter right: what the setting takes; follows "give".
  init(_ value: TOMLValue, _ right: String) {
    let written =
      switch value {
      case .string(let text): "\"\(text)\""
      case .number(let number): "\(number)"
      case .flag(let flag): "\(flag)"
      }
    self.wrong = "cannot be \(written)"
    self.right = "give \(right)"
  }

  private init(wrong: String, right: String) {
    self.wrong = wrong
    self.right = right
  }

  /// The same, with one more value that would have been right.
  func or(_ word: String) -> Problem { Problem(wrong: wrong, right: "\(right), or \"\(word)\"") }
}

/// A kind of value: how it is read, within which bounds.
private struct Kind<Value> {
  let read: (TOMLValue) throws -> Value

  /// `kind`, or nil for the word `none`.
  static func limit<Bounded>(_ none: String, _ kind: Kind<Bounded>) -> Kind where Value == Bounded? {
    Kind { value in
      if value.string == none { return nil }
      do { return try kind.read(value) } catch let problem as Problem { throw problem.or(none) }
    }
  }
}

extension Kind where Value: FixedWidthInteger {
  static func number(_ range: ClosedRange<Value>, _ unit: String) -> Kind {
    Kind { value in
      guard let number = value.number.flatMap(Value.init(exactly:)), range.contains(number) else {
        throw Problem(value, "a number from \(range.lowerBound) to \(range.upperBound) \(unit)")
      }
      return number
    }
  }
}

extension Kind<Duration> {
  static func time(_ range: ClosedRange<Duration>) -> Kind {
    Kind { value in
      guard let time = value.string.flatMap(parseDuration), range.contains(time) else {
        throw Problem(value, "a time from \"\(format(range.lowerBound))\" to \"\(format(range.upperBound))\" (units ms, s, m, h, d)")
      }
      return time
    }
  }
}

extension Kind<Int> {
  static func size(_ range: ClosedRange<Int>) -> Kind {
    Kind { value in
      guard let bytes = value.string.flatMap(parseSize), range.contains(bytes) else {
        let (least, most) = (format(bytes: range.lowerBound), format(bytes: range.upperBound))
        throw Problem(value, "a size from \"\(least)\" to \"\(most)\" (units B, KiB, MiB, GiB, TiB)")
      }
      return bytes
    }
  }
}

extension Kind<UInt32> {
  static func group() -> Kind {
    Kind { value in
      if let number = value.number, let id = UInt32(exactly: number) { return id }
      guard let name = value.string, let id = try groupID(named: name) else {
        throw Problem(value, "the name or number of a group that this host has (see getent group)")
      }
      return id
    }
  }
}

extension Kind<Bool> {
  static func flag() -> Kind {
    Kind { value in
      guard let flag = value.flag else { throw Problem(value, "true or false, without quotes") }
      return flag
    }
  }
}

extension Kind<String> {
  /// An absolute path, normalised. `..` is refused: a path in a message should name the place by itself.
  static func path() -> Kind {
    Kind { value in
      guard let path = value.string, path.utf8.first == UInt8(ascii: "/"), printable(path) == path else {
        throw Problem(value, "an absolute path")
      }
      let parts = path.split(separator: "/").filter { $0 != "." }
      if parts.isEmpty || parts.contains("..") { throw Problem(value, "an absolute path, without .. and not / itself") }
      return "/" + parts.joined(separator: "/")
    }
  }
}

extension Kind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  static func choice() -> Kind {
    Kind { value in
      guard let chosen = value.string.flatMap(Value.init(rawValue:)) else {
        throw Problem(value, "one of " + Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
      }
      return chosen
    }
  }
}

extension Duration {
  fileprivate static func days(_ count: Int) -> Duration { .seconds(count * 86400) }
}
