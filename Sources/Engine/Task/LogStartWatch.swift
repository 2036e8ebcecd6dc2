import Kafka
import Logging

/// Looks from time to time whether the brokers still have what a task would read again after a crash.
final class LogStartWatch {
  private let start: TaskStart
  /// Asks the brokers, beside the worker.
  private let work: any BackgroundWork
  private var nextLook: Int64 = 0
  private var isLooking = false
  private var told: [TopicPartition: ReplayMargin.Level] = [:]
  /// The partition with the least margin when the brokers answered last.
  private(set) var worst: ReplayMargin?

  /// How often the brokers are asked, milliseconds.
  static let interval: Int64 = 30_000

  init(_ start: TaskStart) {
    self.start = start
    work = start.services.makeBackground("log-start")
  }

  /// Asks the brokers, if it is time; the answer comes as a message.
  func lookIfDue(now: Int64) {
    guard now >= nextLook, !isLooking else { return }
    isLooking = true
    nextLook = now + Self.interval
    let (name, worker, logger) = (start.name, start.services.worker, start.services.logger)
    let (partitions, consumer) = (start.partitions.map(\.topicPartition), start.consumer)
    work.perform {
      var marks: [Watermarks]?
      do throws(KafkaError) {
        marks = try Self.marks(of: partitions, consumer)
      } catch {
        // Brokers that are away are told elsewhere; it is tried again at the next look.
        logger.debug("task \(name): the log start is not known: \(error)")
      }
      worker.post(.logStarts(name, marks))
    }
  }

  private static func marks(
    of partitions: [TopicPartition], _ consumer: any GroupMember
  ) throws(KafkaError) -> [Watermarks] {
    var all: [Watermarks] = []
    for partition in partitions {
      all.append(try consumer.watermarks(of: partition, timeout: .seconds(5)))
    }
    return all
  }

  /// Compares the brokers' answer with the offsets from which a replay would read; says what is new.
  func found(_ marks: [Watermarks]?, needed: [Int64]?) {
    isLooking = false
    guard let marks, let needed else { return }
    let margins = zip(start.partitions, zip(needed, marks)).map { partition, found in
      ReplayMargin(partition: partition.topicPartition, needed: found.0, marks: found.1)
    }
    worst = margins.max { $0.isBetter(than: $1) }
    for margin in margins {
      let before = told.updateValue(margin.level, forKey: margin.partition) ?? .ample
      guard margin.level != before else { continue }
      if let problem = margin.problem {
        start.services.logger.log(
          level: margin.level == .passed ? .error : .warning, "task \(start.name): \(problem)",
          metadata: ["hint": "\(margin.hint)"])
      } else {
        start.services.logger.notice(
          "task \(start.name): the log start of \(margin.partition) leaves room for a replay again")
      }
    }
  }
}
