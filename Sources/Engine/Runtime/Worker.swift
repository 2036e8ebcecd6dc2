import Foundation
import Kafka

/// A plain thread that runs the tasks pinned to it, one turn after the other.
final class Worker: Sendable {
  let mailbox: Mailbox<WorkerMessage>
  private let wakeup: Wakeup

  init(number: Int) {
    wakeup = Wakeup()
    mailbox = Mailbox(wakeup: wakeup)
    let thread = Thread { [self] in run() }
    thread.name = "worker-\(number)"
    thread.stackSize = 8 << 20
    thread.start()
  }

  private func run() {
    let turns = WorkerTurns(mailbox: mailbox, wakeup: wakeup)
    while !turns.isOver {
      if !turns.turn() { wakeup.wait(timeout: .milliseconds(20)) }
    }
  }
}
