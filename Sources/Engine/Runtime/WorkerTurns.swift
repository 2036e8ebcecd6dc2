import Alerting
import Columns
package import Kafka
import Logging
import Transport

/// The tasks of one worker, turn by turn, on whatever thread calls it.
///
/// A failing task ends alone; the others go on.
package final class WorkerTurns {
  let mailbox: Mailbox<WorkerMessage>
  private let wakeup: Wakeup
  private var runners: [TaskName: TaskRunner] = [:]
  /// The same in the order of their turns, which is the same in every run.
  private var order: [TaskRunner] = []
  /// Tasks whose state the disk or the brokers did not let open, and when they are tried again.
  private var postponed: [TaskName: (start: TaskStart, nextAttempt: Int64)] = [:]
  private static let postponement: Int64 = 2_000
  /// Tasks whose state is being read beside the worker.
  private var reading: [TaskName: (start: TaskStart, attempt: Int, isFirst: Bool)] = [:]
  /// How often something was to be read so.
  private var attempts = 0
  /// Whether the worker was told to quit.
  private(set) var isOver = false

  /// Creates a worker without tasks; whatever it must look at signals `wakeup`.
  package convenience init(wakeup: Wakeup) {
    self.init(mailbox: Mailbox(wakeup: wakeup), wakeup: wakeup)
  }

  init(mailbox: Mailbox<WorkerMessage>, wakeup: Wakeup) {
    self.mailbox = mailbox
    self.wakeup = wakeup
  }

  /// Does for each task what can be done now; returns whether there may be more at once.
  package func turn() -> Bool {
    let turnBegin = order.first?.elapsed
    for message in mailbox.drain() {
      if case .quit = message {
        isOver = true
        return false
      }
      handle(message)
    }
    for name in postponed.keys.sorted() {
      guard let waiting = postponed[name],
        waiting.start.services.time.elapsed >= waiting.nextAttempt
      else { continue }
      postponed[name] = nil
      begin(waiting.start, isFirst: false)
    }
    for runner in order { guarded(runner) { try $0.commitIfDue() } }
    var isBusy = false
    for runner in order {
      guarded(runner) { isBusy = try $0.turn() || isBusy }
      if case .ended = runner.phase { set(runner.name, nil) }
    }
    if let turnBegin {
      for runner in order { runner.log.noteTurn(milliseconds: runner.elapsed - turnBegin) }
    }
    return isBusy
  }

  private func handle(_ message: WorkerMessage) {
    switch message {
    case .start(let start): begin(start, isFirst: true)
    case .read(let name, let attempt, let result):
      // What comes for a task that was stopped meanwhile is nobody's.
      guard let waiting = reading[name], waiting.attempt == attempt else { break }
      reading[name] = nil
      open(waiting.start, isFirst: waiting.isFirst) { try result.get() }
    case .assigned(let name, let queues):
      runners[name]?.assigned(queues, wakeup: wakeup)
    case .committed(let name, let commit):
      guarded(runners[name]) { try $0.committed(commit) }
    case .refused(let name, let error):
      runners[name]?.end(.lost("\(error)"))
    case .stored(let name, let outcome):
      guarded(runners[name]) { try $0.stored(outcome) }
    case .snapshotStored(let name, let number, let problem):
      if let runner = runners[name] {
        runner.log.snapshotStored(number, problem: problem, runner.core)
      }
    case .logStarts(let name, let marks): runners[name]?.found(marks)
    case .gap(let name, let partition, let answer):
      guarded(runners[name]) { try $0.answered(partition, answer) }
    case .delivered(let name, let output, let firstRow):
      guarded(runners[name]) { try $0.delivered(output: output, firstRow: firstRow) }
    case .undeliverable(let name, let output, let error):
      runners[name]?.end(
        .output("output \(output) of task \(name) refuses an object for good: \(error)"))
    case .resume:
      for runner in runners.values { runner.resume() }
    case .stop(let name, let mode):
      let waiting =
        postponed.removeValue(forKey: name)?.start ?? reading.removeValue(forKey: name)?.start
      waiting?.control.post(.stopped(name, nil))
      guarded(runners[name]) { try $0.stop(mode) }
    case .quit: break
    }
  }

  /// Reads and opens the state of a task.
  ///
  /// From topics it is read beside the worker: while brokers take their time its other tasks go on.
  private func begin(_ start: TaskStart, isFirst: Bool) {
    guard start.services.stateTopics != nil else {
      return open(start, isFirst: isFirst) { try TaskLog.read(start) }
    }
    attempts += 1
    reading[start.name] = (start, attempts, isFirst)
    start.services.stateReading.perform { [mailbox, attempts] in
      mailbox.post(
        .read(start.name, attempt: attempts, Result { try TaskLog.read(start) }))
    }
  }

  /// Opens the state of a task; while the disk refuses or brokers are away, it is tried again.
  private func open(_ start: TaskStart, isFirst: Bool, _ read: () throws -> StoredState) {
    do {
      set(start.name, try TaskRunner(start, read()))
    } catch {
      guard let text = StoragePatience.problem(of: error) ?? Self.problem(ofBrokers: error) else {
        return start.control.post(.stopped(start.name, Self.failure(error)))
      }
      let services = start.services
      if isFirst { services.logger.error("task \(start.name) cannot begin yet: \(text)") }
      postponed[start.name] = (start, services.time.elapsed + Self.postponement)
    }
  }

  private func set(_ name: TaskName, _ runner: TaskRunner?) {
    runners[name] = runner
    order = runners.values.sorted { $0.name < $1.name }
  }

  private func guarded(_ runner: TaskRunner?, _ body: (TaskRunner) throws -> Void) {
    guard let runner else { return }
    do {
      try body(runner)
    } catch {
      runner.end(Self.failure(error))
    }
  }

  /// What brokers that are away have kept from being read: state in topics.
  private static func problem(ofBrokers error: any Error) -> String? {
    guard let error = error as? KafkaError, error.isPassing else { return nil }
    return "\(error)"
  }

  private static func failure(_ error: any Error) -> TaskFailure {
    switch error {
    case let error as TaskFailure: error
    case let error as KafkaError: .kafka(error)
    case is DiskError, is OutboxUnavailable: .disk("\(error)")
    case let error as StateError:
      .state(
        StateProblem(
          message: "the state cannot be read: \(error)",
          hint: "cutbank state verify tells what is damaged; bring it back from a copy"))
    default: .unforeseen("\(error)")
    }
  }
}
