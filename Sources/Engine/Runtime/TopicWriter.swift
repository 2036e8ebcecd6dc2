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
    /// Tasks that ended while their commit was under way.
    var dropped: Set<TaskName> = []
    var isClosed = false
    var isReady: Bool
    var problem: String?
    var failure: String?
  }

  /// Creates a writer; with an id it writes in transactions, and the id must be the same after a
  /// restart and in use only once.
  package init(transactionalID: String?) {
    self.transactionalID = transactionalID
    state = Mutex(State(isReady: transactionalID == nil))
  }

  // MARK: For tasks and their control

  /// Notes that a task will hand in a commit as soon as its disk has it.
  func announce(_ task: TaskName) { state.withLock { _ = $0.announced.insert(task) } }

  /// Takes over a commit; the answer comes to the task's worker.
  func submit(_ commit: TopicCommit) {
    state.withLock {
      $0.announced.remove(commit.task)
      $0.dropped.remove(commit.task)
      $0.waiting.append(commit)
    }
    wakeup.signal()
  }

  /// How many bytes of rows may wait before tasks take no more records.
  private static let byteLimit = 32 << 20

  /// Whether more rows may be handed in.
  var hasRoom: Bool { state.withLock { $0.waitingBytes < Self.byteLimit } }

  /// Forgets the commits of a task that has ended.
  func drop(_ task: TaskName) {
    state.withLock {
      $0.announced.remove(task)
      $0.waiting.removeAll { $0.task == task }
      $0.dropped.insert(task)
    }
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

  /// Waits for the commits that are announced, as long as another comes within `patience`.
  func gather(patience: Duration) {
    guard patience > .zero else { return }
    func isAwaiting() -> Bool { state.withLock { !$0.announced.isEmpty && !$0.isClosed } }
    while isAwaiting(), wakeup.wait(timeout: patience) {}
  }

  /// All commits that wait, and the member's place in the group at that moment.
  ///
  /// A task that is dropped later is not committed by a place that the member gets later: the group
  /// refuses the older place as soon as the partition is somebody else's.
  func takeAll() throws(KafkaError) -> (commits: [TopicCommit], place: (any GroupPlace)?) {
    let taken = state.withLock { state -> Result<([TopicCommit], (any GroupPlace)?), KafkaError> in
      state.dropped.removeAll()
      do throws(KafkaError) {
        let place = transactionalID == nil ? nil : try state.waiting.first?.member.place()
        defer { state.waiting.removeAll() }
        return .success((state.waiting, place))
      } catch {
        return .failure(error)
      }
    }
    let (commits, place) = try taken.get()
    return (commits, place)
  }

  /// Puts back what was not accepted, before all others, without the tasks that have ended.
  func putBack(_ commits: [TopicCommit]) {
    state.withLock { state in
      state.waiting.insert(
        contentsOf: commits.filter { !state.dropped.contains($0.task) }, at: 0)
    }
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
