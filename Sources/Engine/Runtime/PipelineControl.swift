import Foundation
import Kafka
import Logging
import Synchronization

/// The control thread of one pipeline: serves its consumer, answers rebalances, commits for its tasks.
final class PipelineControl: Sendable {
  let plan: PipelinePlan
  private let services: [TaskServices]
  private let logger: Logger
  private let broker: any Broker
  private let board: StatusBoard
  private let stopping = Mutex<StopMode?>(nil)
  private let failing = Mutex<String?>(nil)
  private let wakeup = Wakeup()
  private let end = Latch()
  private let makeLife: @Sendable () -> String

  /// Creates the control of a pipeline whose task i runs on worker `i % services.count`.
  init(
    plan: PipelinePlan, broker: any Broker, services: [TaskServices], board: StatusBoard,
    logger: Logger, makeLife: @escaping @Sendable () -> String
  ) {
    self.plan = plan
    self.services = services
    self.board = board
    self.broker = broker
    self.logger = logger
    self.makeLife = makeLife
  }

  private var name: String { plan.configuration.name }

  /// Starts the thread.
  func begin() {
    let thread = Thread { [self] in
      runUntilStopped()
      end.open()
    }
    thread.name = "control-\(name)"
    thread.start()
  }

  /// Lets the pipeline end: after delivering what it has, or at a barrier.
  func stop(_ mode: StopMode) {
    stopping.withLock { $0 = $0 == .drain ? .drain : mode }
    wakeup.signal()
  }

  /// Lets the pipeline stop for good, since something beside its tasks cannot go on.
  func fail(_ problem: String) {
    failing.withLock { $0 = $0 ?? problem }
    wakeup.signal()
  }

  /// Whether the thread has ended: it was stopped, or its pipeline has failed.
  var hasEnded: Bool { end.isOpen }

  /// Waits for the end of the thread.
  func waitUntilEnded() async { await end.wait() }

  private func runUntilStopped() {
    do {
      let turns = try ControlTurns(
        plan: plan, broker: broker, services: services, board: board, logger: logger,
        wakeup: wakeup, makeLife: makeLife)
      while !turns.isOver {
        if let problem = failing.withLock({ $0 }) { try turns.fail(problem) }
        if let mode = stopping.withLock({ $0 }) { turns.end(mode) }
        try turns.turn(timeout: .zero)
        // Problems of the writers are looked at so often, and the group hears of this member.
        wakeup.wait(timeout: .milliseconds(turns.isSettled ? 200 : 20))
      }
    } catch {
      board.report(name, problem: "\(error)", hasFailed: true)
      logger.error("pipeline \(name) has stopped: \(error)")
    }
  }
}
