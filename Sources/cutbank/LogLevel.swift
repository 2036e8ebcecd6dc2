import Logging
import Synchronization

/// From which level on the daemon logs.
///
/// Loggers are values of which every part of the daemon keeps a copy. All copies share this, so that a
/// level that a reload changes is that of each of them from the next message on.
final class LogLevel: Sendable {
  private static let levels = Logger.Level.allCases
  private let index: Atomic<Int>

  /// Begins with the level of this name, with `info` if there is none.
  init(_ name: String) { index = Atomic(Self.index(of: name)) }

  private static func index(of name: String) -> Int {
    levels.firstIndex { $0.rawValue == name } ?? index(of: "info")
  }

  /// The least severe level that is logged.
  var value: Logger.Level { Self.levels[index.load(ordering: .relaxed)] }

  /// Logs from the level of this name on, and says so when the old level or the new one lets it.
  func change(to name: String, _ logger: Logger) {
    let (old, new) = (index.load(ordering: .relaxed), Self.index(of: name))
    guard new != old else { return }
    index.store(min(old, new), ordering: .relaxed)
    logger.notice("reload: the log level is \(name), it was \(Self.levels[old])")
    index.store(new, ordering: .relaxed)
  }

  /// A logger to standard error with this level; it cannot be given another one.
  func logger(_ label: String) -> Logger {
    Logger(label: label) { LevelledLog(stream: .standardError(label: $0), level: self) }
  }
}

/// Writes to a stream what is severe enough at that moment.
private struct LevelledLog: LogHandler {
  var stream: StreamLogHandler
  let level: LogLevel

  var logLevel: Logger.Level {
    get { level.value }
    set { _ = newValue }
  }

  var metadata: Logger.Metadata {
    get { stream.metadata }
    set { stream.metadata = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { stream[metadataKey: key] }
    set { stream[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) { stream.log(event: event) }
}
