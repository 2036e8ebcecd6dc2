import Foundation
import Logging

/// A plain thread that writes what a worker's tasks hand to their `TopicWriter`.
enum TopicThread {
  static func start(
    _ writer: TopicWriter, plan: PipelinePlan, broker: any Broker, logger: Logger
  ) {
    let thread = Thread {
      let turns = TopicTurns(
        writer: writer, plan: plan, broker: broker, logger: logger, patience: .milliseconds(5))
      while !turns.isOver {
        // Whatever is handed in, and the end, signal it.
        if !turns.turn() { turns.wait(timeout: .milliseconds(turns.isHindered ? 200 : 1_000)) }
      }
    }
    thread.name = "topics-\(plan.configuration.name)"
    thread.start()
  }
}
