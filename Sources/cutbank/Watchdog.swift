import Engine
import Logging
import Transport

/// Looks whether the workers go on: says so to systemd, and to the log when one does not.
struct Watchdog: Sendable {
  let manager: ServiceManager
  let logger: Logger
  var time: any TimeSource = SystemTime()

  /// Without progress for so long a worker is reported, milliseconds.
  private static let patience: Int64 = 30_000

  /// Watches until it is cancelled.
  ///
  /// - Throws: `CancellationError`.
  func watch(_ daemon: Daemon) async throws {
    let interval = min(manager.watchdogInterval ?? 5_000, 5_000)
    var before: [UInt64] = []
    var stalledFor: [Int64] = []
    while true {
      try await time.sleep(milliseconds: interval)
      let turns = daemon.workerTurns
      if before.count != turns.count {
        before = turns.map { _ in 0 }
        stalledFor = turns.map { _ in 0 }
      }
      for worker in turns.indices {
        let wasStalled = stalledFor[worker] >= Self.patience
        stalledFor[worker] = turns[worker] == before[worker] ? stalledFor[worker] + interval : 0
        if stalledFor[worker] >= Self.patience, !wasStalled {
          logger.warning("worker \(worker) has made no progress for \(Self.patience / 1_000) s")
        }
      }
      before = turns
      if stalledFor.allSatisfy({ $0 < Self.patience }) { manager.alive() }
    }
  }
}
