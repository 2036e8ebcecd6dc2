import Simulation
import Testing

/// In which order a worker runs its tasks.
@Suite struct WorkerOrderTests {
  /// In each turn of the worker every task has its own, in the order of the tasks' numbers; none has two
  /// before another has one.
  @Test func tasksTakeTurnsInTheOrderOfTheirNumbers() throws {
    let simulator = Simulator()
    var fullTurns = 0
    for pipeline in 0..<48 {
      let tasks = try simulator.taskCount(ofPipeline: pipeline)
      guard tasks > 1 else { continue }
      let lines = try simulator.run(pipeline: pipeline, keepsLines: true).lines
      for turn in lines.split(whereSeparator: { $0.contains("turn of actor") }) {
        let looks = turn.compactMap { line in
          line.firstMatch(of: /looks at numbers\[(\d+)\]/).flatMap { Int($0.output.1) }
        }
        // A task that goes on with what has come meanwhile looks again.
        let order = looks.enumerated().filter {
          $0.offset == 0 || looks[$0.offset - 1] != $0.element
        }
        .map(\.element)
        #expect(order == order.sorted(), "pipeline \(pipeline): \(looks)")
        if order.count == tasks { fullTurns += 1 }
      }
    }
    #expect(fullTurns > 100)
  }
}
