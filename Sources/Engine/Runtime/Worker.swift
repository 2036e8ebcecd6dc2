import Foundation
import Kafka
import Synchronization

/// A plain thread that runs the tasks pinned to it, one turn after the other.
final class Worker: Sendable {
  let mailbox: Mailbox<WorkerMessage>
  private let wakeup: Wakeup
  private let turns = Atomic<UInt64>(0)

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
    while !tasks.isOver {
      if !tasks.turn() { wakeup.wait(timeout: .milliseconds(20)) }
      turns.add(1, ordering: .relaxed)
    }
  }
}
