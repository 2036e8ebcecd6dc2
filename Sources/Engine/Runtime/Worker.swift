import Foundation
import Kafka
import Synchronization

/// A plain thread that runs the tasks pinned to it, one turn after the other.
final class Worker: Sendable {
  let mailbox: Mailbox<WorkerMessage>
  private let wakeup: Wakeup
  private let turns = Atomic<UInt64>(0)

  /// How often tasks look what the time has brought: commits, intervals, time-outs.
  private static let wait = Duration.milliseconds(20)
  /// The same when nothing has come for a second: a fifth of the processor time of an idle daemon.
  private static let idleWait = Duration.milliseconds(100)
  private static let idleLimit = 50

  /// How many turns it has made; a number that stays the same is a worker that is stuck.
  var turnCount: UInt64 { turns.load(ordering: .relaxed) }

  init(number: Int) {
    wakeup = Wakeup()
    mailbox = Mailbox(wakeup: wakeup)
    let thread = Thread { [self] in run() }
    thread.name = "worker-\(number)"
    thread.stackSize = 8 << 20
    thread.start()
  }

  private func run() {
    let tasks = WorkerTurns(mailbox: mailbox, wakeup: wakeup)
    var idleTurns = 0
    while !tasks.isOver {
      if tasks.turn() {
        idleTurns = 0
      } else {
        let isSignalled = wakeup.wait(
          timeout: idleTurns < Self.idleLimit ? Self.wait : Self.idleWait)
        idleTurns = isSignalled ? 0 : idleTurns + 1
      }
      turns.add(1, ordering: .relaxed)
    }
  }
}
