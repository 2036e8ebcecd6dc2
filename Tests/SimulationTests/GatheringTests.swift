import Simulation
import Testing

/// Tasks of a worker share a producer: one transaction takes up the commits that they announce together.
@Suite struct GatheringTests {
  /// What the transactions of a run held.
  private struct Transactions {
    var count = 0
    /// The most tasks whose commits one of them took up.
    var mostTasks = 0
    var commits = 0

    init(_ lines: [String]) {
      for line in lines {
        guard let found = line.firstMatch(of: /committed with \d+ rows, (\d+) offsets/),
          let tasks = Int(found.output.1)
        else { continue }
        count += 1
        commits += tasks
        mostTasks = max(mostTasks, tasks)
      }
    }
  }

  /// The pipelines with several tasks that write a topic.
  private static func pipelines(_ simulator: Simulator) throws -> [Int] {
    try (0..<48).filter {
      try simulator.taskCount(ofPipeline: $0) > 1 && simulator.writesTopic(pipeline: $0)
    }
  }

  private static func run(
    _ simulator: Simulator, _ pipeline: Int, gatheringTime: Int64
  ) throws -> Transactions {
    let result = try simulator.run(
      pipeline: pipeline, gatheringTime: gatheringTime, keepsLines: true)
    #expect(result.violations.isEmpty, "pipeline \(pipeline): \(result.violations)")
    return Transactions(result.lines)
  }

  /// Those that wait for announced commits are fewer and hold more; when nothing more comes they go on.
  @Test func oneTransactionTakesUpWhatIsAnnounced() throws {
    let simulator = Simulator()
    var (apart, together) = (0, 0)
    for pipeline in try Self.pipelines(simulator) {
      let tasks = try simulator.taskCount(ofPipeline: pipeline)
      let alone = try Self.run(simulator, pipeline, gatheringTime: 0)
      let shared = try Self.run(simulator, pipeline, gatheringTime: 2_000)
      #expect(shared.mostTasks == tasks, "pipeline \(pipeline)")
      apart += alone.count
      together += shared.count
      print(pipeline, tasks, alone, shared)
    }
    #expect(together > 0 && 3 * together < 2 * apart, "\(together) of \(apart)")
  }

  /// One task announces a commit that its disk then refuses for long: the others do not wait for it.
  @Test func aCommitThatDoesNotComeHoldsUpNoOther() throws {
    let simulator = Simulator()
    for pipeline in try Self.pipelines(simulator) {
      for occurrence in 1...3 {
        let result = try simulator.run(
          pipeline: pipeline,
          scripted: [
            ScriptedFault("task-1/journal-", occurrence: occurrence, .fails)
          ], gatheringTime: 50)
        #expect(result.violations.isEmpty, "pipeline \(pipeline): \(result.violations)")
      }
    }
  }
}
