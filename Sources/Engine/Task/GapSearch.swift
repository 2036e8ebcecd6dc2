import Kafka
import Logging

/// Asks the brokers where the records of partitions begin and end that had not what was to be read next.
///
/// They are asked beside the worker, whose other tasks go on, and again while they do not answer.
final class GapSearch {
  /// What is known of a partition.
  private struct Search {
    var isAsking = false
    var nextAttempt = Int64.min
    var marks: Watermarks?
  }

  private let start: TaskStart
  private let work: any BackgroundWork
  private var searches: [TopicPartition: Search] = [:]
  /// Why the brokers have not answered, if they have not.
  private(set) var problem: String?

  /// How long to wait between two attempts, milliseconds.
  private static let delay: Int64 = 1_000

  init(_ start: TaskStart) {
    self.start = start
    work = start.services.makeBackground("gap")
  }

  /// What a partition holds, once the brokers have answered; asks them when it is time.
  func marks(of partition: TopicPartition, now: Int64) -> Watermarks? {
    var search = searches.removeValue(forKey: partition) ?? Search()
    if let marks = search.marks { return marks }
    if !search.isAsking, now >= search.nextAttempt {
      search.isAsking = true
      ask(partition)
    }
    searches[partition] = search
    return nil
  }

  private func ask(_ partition: TopicPartition) {
    let (name, worker, consumer) = (start.name, start.services.worker, start.consumer)
    work.perform {
      let answer = Result { () throws(KafkaError) in
        try consumer.watermarks(of: partition, timeout: .seconds(5))
      }
      worker.post(.gap(name, partition, answer))
    }
  }

  /// The brokers have answered, or not: then it is said once.
  ///
  /// - Throws: `TaskFailure` when they never will.
  func answered(
    _ partition: TopicPartition, _ answer: Result<Watermarks, KafkaError>, now: Int64
  ) throws(TaskFailure) {
    guard var search = searches[partition], search.isAsking else { return }
    search.isAsking = false
    defer { searches[partition] = search }
    switch answer {
    case .success(let marks):
      search.marks = marks
      problem = nil
    case .failure(let error):
      guard error.isPassing else { throw .kafka(error) }
      search.nextAttempt = now + Self.delay
      let text = "it waits to be told where \(partition) begins: \(error)"
      if text != problem {
        start.services.logger.warning("task \(start.name): \(text); still trying")
      }
      problem = text
    }
  }
}
