import Logging
import Synchronization

/// Keeps the last lines that were logged, for tests that must say why something stood still.
final class LastLines: LogHandler {
  private let entries = Mutex<[String]>([])
  private let level: Logger.Level

  init(from level: Logger.Level = .debug) { self.level = level }

  var lines: [String] { entries.withLock { $0 } }

  var metadata: Logger.Metadata {
    get { [:] }
    set { _ = newValue }
  }

  var logLevel: Logger.Level {
    get { level }
    set { _ = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set { _ = newValue }
  }

  func log(event: LogEvent) {
    let entry = "\(ContinuousClock.now) \(event.level) \(event.message) \(event.metadata ?? [:])"
    entries.withLock { entries in
      if entries.count == 100 { entries.removeFirst() }
      entries.append(entry)
    }
  }
}
