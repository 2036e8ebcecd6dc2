import Kafka

/// What was handed to a producer since its transaction began.
///
/// Rows go ahead of the commits that account for them, so that they are on their way while the interval
/// passes. The transaction may end only when each task with rows in it has its commit in it too, and
/// nothing may follow a task's commit in the same transaction.
struct OpenTransaction {
  /// One entry per task, in the order of their first rows: all its rows, and its commit once that has
  /// come.
  private(set) var commits: [TopicCommit] = []
  private var places: [TaskName: Int] = [:]
  private var commitCount = 0
  /// When it began, on the monotonic clock.
  private(set) var begin: Int64 = 0
  /// When the last commit came; nil before the first.
  private(set) var lastCommit: Int64?

  var isEmpty: Bool { commits.isEmpty }

  /// Whether each task's rows are accounted for.
  var isCovered: Bool { commitCount == commits.count }

  /// The tasks whose commits have not come.
  var uncovered: [TaskName] { commits.filter { !$0.isCommit }.map(\.task) }

  /// Whether a task has rows or a commit in the transaction.
  func holds(_ task: TaskName) -> Bool { places[task] != nil }

  /// Whether a task's commit is in the transaction, so that what follows it waits for the next one.
  func isClosed(to task: TaskName) -> Bool { places[task].map { commits[$0].isCommit } ?? false }

  /// The member's place in the group, as whom the tasks were given their partitions.
  ///
  /// - Throws: `KafkaError` when the group has forgotten that member: what it had may be somebody else's, though
  ///   it has joined again and keeps reading.
  func place() throws(KafkaError) -> (any GroupPlace)? {
    guard let member = commits.first?.member else { return nil }
    let place = try member.place()
    // Ids never come back: one that is the same now was the same then.
    let id = member.memberID
    guard commits.allSatisfy({ $0.memberID == id }) else {
      throw KafkaError(.unknownMember, operation: "send offsets")
    }
    return place
  }

  /// Notes what the producer is about to be given; nothing of a task to which the transaction is closed.
  mutating func add(_ more: [TopicCommit], now: Int64) {
    if isEmpty { begin = now }
    for next in more {
      if let place = places[next.task] {
        commits[place].absorb(next)
      } else {
        places[next.task] = commits.count
        commits.append(next)
      }
      guard next.isCommit else { continue }
      commitCount += 1
      lastCommit = now
    }
  }
}
