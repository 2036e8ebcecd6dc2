import Kafka
import Synchronization

/// The commits of one worker's tasks on their way into topics and the consumer group.
///
/// Tasks hand in their commits with the rows that these account for; `TopicTurns` writes them.
package final class TopicWriter: Sendable {
  /// Names the producer to the brokers; nil when rows are written at least once.
  let transactionalID: String?
  private let state: Mutex<State>
  private let wakeup = Wakeup()

  private struct State {
    var waiting: [TopicCommit] = []
    /// Tasks whose commit is on its way to the disk and will be handed in.
    var announced: Set<TaskName> = []
    var waitingBytes: Int { waiting.reduce(0) { $0 + $1.byteCount } }
    /// Tasks that ended while something of theirs may have been taken.
    var dropped: Set<TaskName> = []
    var interval: CommitInterval
    var isClosed = false
    var isReady: Bool
    var problem: String?
    var failure: String?
  }

  /// Creates a writer; with an id it writes in transactions, and the id must be the same after a
  /// restart and in use only once.
  package init(transactionalID: String?, timing: PipelineConfiguration.Timing) {
    self.transactionalID = transactionalID
    takesRowsAhead = transactionalID == nil || timing.commitInterval <= Self.longestTransaction
    state = Mutex(State(interval: CommitInterval(timing), isReady: transactionalID == nil))
  }

  // MARK: For tasks and their control

  /// Notes that a task will hand in a commit as soon as its disk has it.
  package func announce(_ task: TaskName) { state.withLock { _ = $0.announced.insert(task) } }

  /// Takes over a commit; the answer comes to the task's worker.
  package func submit(_ commit: TopicCommit) {
    state.withLock {
      if commit.isCommit { $0.announced.remove(commit.task) }
      $0.waiting.append(commit)
    }
    wakeup.signal()
  }

  /// How many bytes of rows may wait before tasks take no more records.
  private static let byteLimit = 32 << 20

  /// Whether rows may be handed in ahead of their commit: not when commits are so far apart that the
  /// brokers might think a transaction forgotten.
  package let takesRowsAhead: Bool
  private static let longestTransaction: Int64 = 5_000

  /// Whether more rows may be handed in.
  var hasRoom: Bool { state.withLock { $0.waitingBytes < Self.byteLimit } }

  /// How long tasks wait between two commits, milliseconds: the same for all, so that one transaction or
  /// one flush serves them.
  var commitInterval: Int64 { state.withLock { $0.interval.milliseconds } }

  /// Forgets the commits of a task that has ended.
  package func drop(_ task: TaskName) {
    state.withLock {
      $0.announced.remove(task)
      $0.waiting.removeAll { $0.task == task }
      $0.dropped.insert(task)
    }
    wakeup.signal()
  }

  /// Lets the turns end.
  package func close() {
    state.withLock { $0.isClosed = true }
    wakeup.signal()
  }

  /// Whether nothing that an earlier process left open can change the group's commits any more.
  var isReady: Bool { state.withLock { $0.isReady } }

  /// What hinders the writer, while it lasts.
  var problem: String? { state.withLock { $0.problem } }

  /// Why the writer cannot go on.
  var failure: String? { state.withLock { $0.failure } }

  // MARK: For the turns

  var isClosed: Bool { state.withLock { $0.isClosed } }

  var isIdle: Bool { state.withLock { $0.waiting.isEmpty } }

  func wait(timeout: Duration) { wakeup.wait(timeout: timeout) }

  /// Whether a commit will come that is not handed in yet.
  var isAwaitingCommits: Bool { state.withLock { !$0.announced.isEmpty } }

  /// All that waits.
  func takeAll() -> [TopicCommit] {
    state.withLock { state in
      state.dropped.removeAll()
      defer { state.waiting.removeAll() }
      return state.waiting
    }
  }

  /// What may be added to a transaction now: of a task whose commit is in it nothing more.
  ///
  /// - Parameters:
  ///   - transaction: What was taken before.
  ///   - slowTasks: Tasks whose rows are taken only together with their commit.
  /// - Returns: nil when a task of the transaction has ended: what it wrote must not be committed.
  func take(
    for transaction: OpenTransaction, slowTasks: Set<TaskName>
  ) -> [TopicCommit]? {
    state.withLock { state in
      guard !state.dropped.contains(where: transaction.holds) else { return nil }
      state.dropped.removeAll()
      let committing =
        slowTasks.isEmpty ? [] : Set(state.waiting.lazy.filter(\.isCommit).map(\.task))
      var closed = Set<TaskName>()
      var taken: [TopicCommit] = []
      state.waiting.removeAll { next in
        guard !transaction.isClosed(to: next.task), !closed.contains(next.task),
          !slowTasks.contains(next.task) || committing.contains(next.task)
        else { return false }
        if next.isCommit { closed.insert(next.task) }
        taken.append(next)
        return true
      }
      return taken
    }
  }

  /// The member's place in the group, by which the group judges the transaction's offsets.
  ///
  /// A task that is dropped later is not committed by a place that the member gets later: the group
  /// refuses the older place as soon as the partition is somebody else's.
  ///
  /// - Returns: nil when a task of the transaction has ended.
  func place(for transaction: OpenTransaction) throws(KafkaError) -> (any GroupPlace)? {
    let found = state.withLock { state -> Result<(any GroupPlace)?, KafkaError> in
      guard !state.dropped.contains(where: transaction.holds) else { return .success(nil) }
      do throws(KafkaError) {
        return .success(try transaction.place())
      } catch {
        return .failure(error)
      }
    }
    return try found.get()
  }

  /// Puts back what was not accepted, before all others, without the tasks that have ended.
  func putBack(_ commits: [TopicCommit]) {
    state.withLock { state in
      state.waiting.insert(
        contentsOf: commits.filter { !state.dropped.contains($0.task) }, at: 0)
    }
  }

  /// Answers the commits whose rows are acknowledged, without those of tasks that have ended: the group would
  /// take them though it has a later one of another owner.
  func tellWritten(_ commits: [TopicCommit]) {
    state.withLock { state in
      for commit in commits where commit.isCommit && !state.dropped.contains(commit.task) {
        commit.answer(.written)
      }
    }
  }

  /// Notes how long a transaction took to end, from its last commit's arrival, in milliseconds.
  func ended(after milliseconds: Int64) {
    state.withLock { $0.interval.adapt(to: milliseconds) }
  }

  func becomeReady() { state.withLock { $0.isReady = true } }

  /// Tells what hinders the writer; returns whether that is new.
  func tell(problem: String?) -> Bool {
    state.withLock { state in
      defer { state.problem = problem }
      return state.problem != problem
    }
  }

  func fail(_ text: String) { state.withLock { $0.failure = $0.failure ?? text } }
}
