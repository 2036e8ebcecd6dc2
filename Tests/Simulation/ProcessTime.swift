import Transport

/// The clock of one process in the world's time; sleeps end when the scheduler wakes them.
final class ProcessTime: TimeSource, @unchecked Sendable {
  private struct Sleeper {
    let id: Int
    let until: Int64
    let continuation: CheckedContinuation<Void, any Error>
  }

  private let world: World
  private let process: ProcessState
  private var nextID = 0
  private var sleepers: [Sleeper] = []

  init(world: World, process: ProcessState) {
    self.world = world
    self.process = process
  }

  var now: Int64 { world.now + world.wallStep }

  var elapsed: Int64 { world.now - SimulatedPipeline.beginning }

  /// When the next sleep ends.
  var nextWake: Int64? { sleepers.map(\.until).min() }

  func sleep(milliseconds: Int64) async throws {
    nextID += 1
    let id = nextID
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<Void, any Error>) in
        guard !process.isDead, !Task.isCancelled else {
          return continuation.resume(throwing: CancellationError())
        }
        sleepers.append(
          Sleeper(id: id, until: world.now + milliseconds, continuation: continuation))
      }
    } onCancel: {
      guard let index = sleepers.firstIndex(where: { $0.id == id }) else { return }
      sleepers.remove(at: index).continuation.resume(throwing: CancellationError())
    }
  }

  /// Ends the sleeps whose time has come.
  func wake() {
    let due = sleepers.filter { $0.until <= world.now }
    sleepers.removeAll { $0.until <= world.now }
    for sleeper in due { sleeper.continuation.resume() }
  }

  /// Ends every sleep, because the process has ended.
  func end() {
    let all = sleepers
    sleepers = []
    for sleeper in all { sleeper.continuation.resume(throwing: CancellationError()) }
  }
}

/// Runs the asynchronous work of one process, a piece at a time, when the scheduler says so.
final class ProcessExecutor: TaskExecutor, @unchecked Sendable {
  private var jobs: [UnownedJob] = []

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

  var isIdle: Bool { jobs.isEmpty }

  /// Runs one piece of work; returns whether there was one.
  @discardableResult
  func step() -> Bool {
    guard !jobs.isEmpty else { return false }
    jobs.removeFirst().runSynchronously(on: asUnownedTaskExecutor())
    return true
  }

  /// Runs until nothing is left, because the process has ended.
  func drain() { while step() {} }
}
