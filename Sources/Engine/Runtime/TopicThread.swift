import Foundation
import Logging
import Transport

/// A plain thread that writes what a worker's tasks hand to their `TopicWriter`.
enum TopicThread {
  static func start(
    _ writer: TopicWriter, plan: PipelinePlan, broker: any Broker, logger: Logger
  ) {
    let thread = Thread {
      let turns = TopicTurns(
        writer: writer, plan: plan, broker: broker, logger: logger, time: SystemTime(), patience: 5)
      while !turns.isOver {
        if !turns.turn() { turns.wait() }
      }
      turns.finish()
    }
    thread.name = "topics-\(plan.configuration.name)"
    thread.start()
  }
}
