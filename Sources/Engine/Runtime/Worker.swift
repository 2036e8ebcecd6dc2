import Delivery
import Foundation
import Kafka
import Logging

/// A plain thread that runs the tasks pinned to it, one turn after the other.
///
/// A failing task ends alone; the others go on.
final class Worker: Sendable {
  let mailbox: Mailbox<WorkerMessage>
  private let wakeup: Wakeup
  private let logger: Logger

  init(number: Int, logger: Logger) {
    wakeup = Wakeup()
    mailbox = Mailbox(wakeup: wakeup)
    self.logger = logger
    let thread = Thread { [self] in run() }
    thread.name = "worker-\(number)"
    thread.stackSize = 8 << 20
    thread.start()
  }

  private func run() {
    var runners: [TaskName: TaskRunner] = [:]
    while true {
      for message in mailbox.drain() {
        if case .quit = message { return }
        handle(message, &runners)
      }
      var isBusy = false
      for name in runners.keys.sorted(by: { "\($0)" < "\($1)" }) {
        guard let runner = runners[name] else { continue }
        guarded(runner) { isBusy = try $0.turn() || isBusy }
        if case .ended = runner.phase { runners[name] = nil }
      }
      if !isBusy { wakeup.wait(timeout: .milliseconds(20)) }
    }
  }

  private func handle(_ message: WorkerMessage, _ runners: inout [TaskName: TaskRunner]) {
    switch message {
    case .start(let start):
      do {
        runners[start.name] = try TaskRunner(start)
      } catch {
        start.control.post(.stopped(start.name, Self.failure(error)))
      }
    case .assigned(let name, let queues):
      runners[name]?.assigned(queues, wakeup: wakeup)
    case .committed(let name, let commit):
      guarded(runners[name]) { try $0.committed(commit) }
    case .refused(let name, let error):
      runners[name]?.end(.lost("\(error)"))
    case .delivered(let name, let output, let firstRow):
      guarded(runners[name]) { try $0.delivered(output: output, firstRow: firstRow) }
    case .undeliverable(let name, let output, let error):
      runners[name]?.end(
        .output("output \(output) of task \(name) refuses an object for good: \(error)"))
    case .stop(let name, let mode):
      guarded(runners[name]) { try $0.stop(mode) }
    case .quit: break
    }
  }

  private func guarded(_ runner: TaskRunner?, _ body: (TaskRunner) throws -> Void) {
    guard let runner else { return }
    do {
      try body(runner)
    } catch {
      runner.end(Self.failure(error))
    }
  }

  private static func failure(_ error: any Error) -> TaskFailure {
    (error as? TaskFailure) ?? .disk("\(error)")
  }
}
