import Alerting
import Logging
import Synchronization
import Transport

/// What the pipelines of a daemon share: clock, disk, brokers, boards, threads, outbox.
final class SharedServices: Sendable {
  let time: any TimeSource
  let disk: any Disk
  let broker: any Broker
  let logger: Logger
  /// Seeds lives of tasks and jitter of retries; results never depend on it.
  let seed: UInt64
  let board = StatusBoard()
  let slots = SlotBoard()
  let suspects = SuspectGate()
  /// Files and compression.
  let threads = BlockingThreads(count: 2)
  /// Addresses: a name server that does not answer must not keep files waiting.
  let lookups = BlockingThreads(count: 2)
  let lives: Lives
  private let current: Mutex<DaemonConfiguration>
  private let outbox = Mutex<Outbox?>(nil)
  /// The name that brokers know this daemon by, once it is needed.
  private let taken = Mutex<(name: String, lock: any FileLock)?>(nil)

  init(
    configuration: DaemonConfiguration, logger: Logger, time: any TimeSource, disk: any Disk,
    broker: any Broker, seed: UInt64
  ) {
    self.time = SteadyTime(time)
    self.disk = disk
    self.broker = broker
    self.logger = logger
    self.seed = seed
    lives = Lives(seed: seed)
    current = Mutex(configuration)
  }

  /// The settings of the daemon, which a reload may change.
  var configuration: DaemonConfiguration { current.withLock { $0 } }

  func use(_ configuration: DaemonConfiguration) { current.withLock { $0 = configuration } }

  /// Makes the data directory.
  ///
  /// - Throws: `ConfigurationRefused` when it cannot be made.
  func makeDataDirectory() throws {
    let path = configuration.dataDirectory
    do {
      try disk.createDirectory(path)
    } catch {
      throw ConfigurationRefused(
        path, "\(error)",
        hint: "set data_directory (CUTBANK_DATA_DIRECTORY) to a folder that can be written")
    }
  }

  /// The daemon's outbox, which the first pipeline with alerts opens.
  func openOutbox() throws -> Outbox {
    if let opened = outbox.withLock({ $0 }) { return opened }
    let opened = try Outbox(path: configuration.outboxPath, time: time)
    outbox.withLock { $0 = opened }
    return opened
  }

  /// The name of this daemon to brokers that it writes to: the same after a restart, and no other daemon's.
  ///
  /// Daemons that share a data directory take its names in the order of their starts.
  ///
  /// - Throws: `DiskError`.
  func instance() throws -> String {
    try taken.withLock { taken in
      if let taken { return taken.name }
      var number = 1
      while true {
        let path =
          "\(configuration.dataDirectory)/instance" + (number == 1 ? "" : "-\(number)")
        if let lock = try disk.lock(path) {
          let name = try name(in: path, number)
          taken = (name, lock)
          return name
        }
        logger.notice("\(path) belongs to another daemon that uses this data directory")
        number += 1
      }
    }
  }

  /// The name that a locked file holds, which is written when it is new.
  private func name(in path: String, _ number: Int) throws -> String {
    if let bytes = try disk.read(path), !bytes.isEmpty {
      return String(decoding: bytes, as: UTF8.self)
    }
    let name = Lives(seed: (seed ^ 0x1057_A9CE) &+ UInt64(number)).next()
    // In place: another file of this name would not be locked.
    try disk.note(Array(name.utf8), in: path, isDurable: true)
    return name
  }

  func stopThreads() async throws {
    try await threads.stop()
    try await lookups.stop()
  }
}

extension ConfigurationRefused {
  /// Refuses for one reason.
  init(_ file: String, _ message: String, hint: String?) {
    self.init(problems: [ConfigurationProblem(file: file, message: message, hint: hint)])
  }
}

/// Names for births of tasks.
final class Lives: Sendable {
  private let generator: Mutex<SplitMix64>

  init(seed: UInt64) { generator = Mutex(SplitMix64(seed: seed)) }

  func next() -> String {
    let number = generator.withLock { $0.next() }
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
