import Engine
import Kafka
import Transport

/// One run of a scenario to its end.
public final class Simulation {
  /// What a run has brought forth.
  public struct Result: Sendable {
    /// Everything that happened, as one number.
    public let digest: UInt64
    /// What must never happen and did.
    public internal(set) var violations: [String]
    /// Contents of the outputs.
    public let contents: Contents
    /// How many things processes asked of the outside.
    public let effects: Int
    /// How many records tasks count as deleted before they were read.
    public let lost: Int64
    /// Everything that happened, when asked for.
    public let lines: [String]
  }

  /// How many steps of the scheduler a run may take.
  private static let stepLimit = 20_000

  private let scenario: Scenario
  private let outside: Outside
  private var running: [SimulatedProcess] = []
  private var nextProcess = 0
  /// How many data directories there are.
  private var instances = 0
  /// When processes are started again.
  private var starts: [Int64] = []
  /// Whether others go on beside a thread that waits.
  private var isBeside = false
  /// How many changes of the group have happened.
  private var changesMade = 0
  /// How many deletions have happened.
  private var deletionsMade = 0
  /// What each task has counted, as last seen.
  private var counters: [Int: TaskCounters] = [:]
  private var quietSince: Int64?
  private var world: World { outside.world }

  init(_ scenario: Scenario, keepsLines: Bool = false) {
    self.scenario = scenario
    let world = World(
      seed: scenario.seed, now: SimulatedPipeline.beginning, rates: scenario.rates,
      scripted: scenario.scripted, poison: scenario.pipeline.poison)
    if keepsLines { world.lines = [] }
    outside = Outside(world: world, scenario: scenario)
  }

  /// Runs to the end.
  ///
  /// - Parameter hostileSteps: For how many steps chance does harm; then everything is well, so
  ///   that the run can end.
  /// - Returns: What it has brought forth.
  func run(hostileSteps: Int) -> Result {
    for (partition, records) in scenario.pipeline.records.enumerated() {
      let log = outside.cluster.log(TopicPartition(topic: "numbers", partition: Int32(partition)))
      for record in records { log.append(record) }
    }
    starts = Array(repeating: world.now, count: scenario.processes)
    var steps = 0
    while steps < Self.stepLimit {
      world.isHostile = steps < hostileSteps
      steps += 1
      startDue()
      disturb()
      deleteRecords()
      changeGroup()
      outside.cluster.tick()
      step()
      if isQuiet, starts.isEmpty, let last = running.last, !last.isDraining {
        // One after the other, so that the last one delivers what is left.
        last.isMeantToEnd = true
        last.drain()
        quietSince = nil
      }
      if steps > hostileSteps, running.isEmpty, starts.isEmpty { break }
    }
    if steps == Self.stepLimit { world.violate("the run does not come to its end") }
    for process in running { process.bury() }
    return result()
  }

  /// Whether everything has been well and committed for longer than time needs to go on by itself.
  private var isQuiet: Bool {
    guard !world.isHostile, everythingIsCommitted, everyTaskRuns else {
      quietSince = nil
      return false
    }
    let since = quietSince ?? world.now
    quietSince = since
    return world.now - since > 20_000
  }

  private var everyTaskRuns: Bool {
    guard outside.cluster.group.isStable,
      outside.cluster.group.memberCount == running.count,
      running.allSatisfy({ world.now >= $0.state.pausedUntil })
    else { return false }
    return running.reduce(0) { $0 + $1.runningTasks } == scenario.pipeline.tasks
  }

  private func startDue() {
    for start in starts where start <= world.now {
      starts.removeAll { $0 == start }
      do {
        let process = try SimulatedProcess(
          number: nextProcess, instance: nextInstance(), scenario: scenario, outside: outside)
        world.note("process \(nextProcess) starts")
        process.state.meanwhile = { [unowned self, unowned process] in goOn(beside: process) }
        running.append(process)
      } catch {
        world.violate("a process cannot start: \(error)")
      }
      nextProcess += 1
    }
  }

  /// The data directory of the next process: mostly that of one that has ended, or stands still.
  private func nextInstance() -> Int {
    let inUse = Set(running.filter { world.now >= $0.state.pausedUntil }.map(\.instance))
    let free = (0..<instances).filter { !inUse.contains($0) }
    if scenario.pipeline.plan.hasTopicOutput, let one = free.first, !world.happens(0.2) {
      return one
    }
    instances += 1
    return instances - 1
  }

  /// Lets one process do one thing, and time go by.
  private func step() {
    let ready = running.filter { world.now >= $0.state.pausedUntil }
    guard !ready.isEmpty else { return pass(milliseconds: 500) }
    let process = ready[world.generator.below(ready.count)]
    let isBusy = process.step()
    look(process)
    if process.state.isMissed {
      process.state.isMissed = false
      starts.append(world.now + 1_000)
    }
    pass(milliseconds: isBusy ? 2 : quietSince == nil ? 30 : 200)
    if process.state.isDead {
      end(process, "is killed", restartWithin: 20_000)
    } else if process.isOver {
      end(process, process.failure.map { "fails: \($0)" } ?? "ends", restartWithin: 5_000)
    }
  }

  /// Lets everybody else go on for a while, as chance will have it, while a thread of a process waits.
  private func goOn(beside process: SimulatedProcess) {
    guard !isBeside, world.happens(0.1) else { return }
    (isBeside, process.isWaiting) = (true, true)
    defer { (isBeside, process.isWaiting) = (false, false) }
    for _ in 0..<world.generator.below(40) {
      let ready = running.filter { !$0.state.isDead && world.now >= $0.state.pausedUntil }
      guard !process.state.isDead, !ready.isEmpty else { return }
      let one = ready[world.generator.below(ready.count)]
      _ = one.step()
      look(one)
      pass(milliseconds: 10)
      outside.cluster.tick()
    }
  }

  private func end(_ process: SimulatedProcess, _ how: String, restartWithin: Int) {
    world.note("process \(process.state.number) \(how)")
    let wasMeantTo = process.isMeantToEnd && !process.state.isDead && process.failure == nil
    process.bury()
    running.removeAll { $0 === process }
    if !wasMeantTo { starts.append(world.now + Int64(world.generator.below(restartWithin))) }
  }

  private func pass(milliseconds: Int) {
    world.now += Int64(world.generator.below(milliseconds * 2) + 1)
  }

  private func disturb() {
    if world.happens(scenario.rates.clock) {
      // An hour back at most: from records further ahead a daemon that starts then keeps away.
      world.wallStep = world.wallStep < 0 ? 0 : -Int64(world.generator.below(3_600_000))
      world.note("the wall clock is set to \(world.wallStep)")
    }
    if world.happens(scenario.rates.rebalance) { outside.cluster.group.disturb() }
    if world.happens(scenario.rates.pause),
      let process = running.randomElement(using: &world.generator)
    {
      process.state.pausedUntil = world.now + Int64(world.generator.below(60_000))
      world.note("process \(process.state.number) stands still")
      // Somebody takes it for dead and starts another.
      if world.generator.chance(0.5) { starts.append(world.now + 1_000) }
    }
    if world.happens(scenario.rates.restart),
      let process = running.randomElement(using: &world.generator)
    {
      world.note("process \(process.state.number) is told to end")
      process.drain()
    }
  }

  /// Does what is to happen to the group after so many records.
  private func changeGroup() {
    guard changesMade < scenario.changes.count else { return }
    let next = scenario.changes[changesMade]
    guard recordsPassed >= next.records else { return }
    switch next.kind {
    case .rebalances: guard outside.cluster.group.disturb() else { return }
    case .joins: starts.append(world.now)
    case .forgets: outside.cluster.group.forget()
    case .forgetsWhoGivesUp:
      guard outside.cluster.clients.contains(where: \.isGivingUp) else { return }
      outside.cluster.group.forget()
    case .forgetsWhoCommits:
      guard outside.cluster.clients.contains(where: \.isCommitting) else { return }
      outside.cluster.group.forget()
    case .leaves:
      guard running.count > 1, starts.isEmpty, let last = running.last else { return }
      last.isMeantToEnd = true
      last.drain()
    }
    world.note("after \(next.records) records the group \(next.kind)")
    changesMade += 1
  }

  /// Deletes what is to be deleted after so many records.
  private func deleteRecords() {
    guard deletionsMade < scenario.deletions.count else { return }
    let next = scenario.deletions[deletionsMade]
    guard recordsPassed >= next.records else { return }
    let partition = TopicPartition(topic: "numbers", partition: next.partition)
    outside.cluster.log(partition).delete(before: next.begin)
    world.note("\(partition) begins with \(next.begin) now")
    deletionsMade += 1
  }

  /// How many records are behind the tasks, those that were lost included.
  private var recordsPassed: Int64 {
    counters.values.reduce(0) { $0 + $1.polled + $1.lost }
  }

  /// Whether the group has committed the end of every partition.
  private var everythingIsCommitted: Bool {
    scenario.pipeline.records.enumerated().allSatisfy { partition, records in
      let name = TopicPartition(topic: "numbers", partition: Int32(partition))
      return outside.cluster.group.committed(name)?.offset == Int64(records.count)
    }
  }

  // MARK: Results

  /// Checks the balance of what tasks count.
  private func look(_ process: SimulatedProcess) {
    guard process.hasNews, let status = process.board.snapshot().first else { return }
    for (task, found) in status.tasks {
      let counted = found.counters
      if !counted.isEven {
        world.violate("task \(task): polled = decoded + dead-lettered + skipped does not hold")
      }
      for output in found.outputs where !output.isEven {
        world.violate("task \(task): rows = delivered + dead-lettered + in flight: \(output)")
      }
      counters[task] = counted
      if hasTakenPoison(task, found) {
        world.note("process \(process.state.number) dies of a record")
        process.state.isDead = true
      }
    }
  }

  /// Whether a task that does not note its records has processed the one that kills.
  private func hasTakenPoison(_ task: Int, _ status: TaskStatus) -> Bool {
    guard let poison = world.poison else { return false }
    let isParallel = scenario.pipeline.isPartitionParallel
    guard !isParallel || task == Int(poison.partition) else { return false }
    let partition = TopicPartition(topic: "numbers", partition: poison.partition)
    let next = status.nextOffsets[isParallel ? 0 : Int(poison.partition)]
    guard next > poison.offset,
      outside.cluster.group.committed(partition)?.offset ?? 0 <= poison.offset
    else { return false }
    let note = outside.disk.files["data/simulated/task-\(task)/attempts"] ?? []
    return !Poison.isCareful(note)
  }

  private func result() -> Result {
    let contents = Contents(
      outside.store, topics: outside.cluster.transactions.topics,
      isPartitionParallel: scenario.pipeline.isPartitionParallel,
      violate: { world.violate($0) })
    return Result(
      digest: world.digest, violations: world.violations, contents: contents,
      effects: world.effects, lost: counters.values.reduce(0) { $0 + $1.lost },
      lines: world.lines ?? [])
  }
}
