import Simulation
import Testing

/// Records that brokers delete before they are read, where the pipeline goes on behind them.
@Suite struct LossTests {
  /// What happens to the group while the task begins to read elsewhere.
  enum Change: CaseIterable {
    case none, rebalances, joins

    func changes(after record: Int64) -> [GroupChange] {
      switch self {
      case .none: []
      case .rebalances: [GroupChange(after: record, .rebalances)]
      case .joins: [GroupChange(after: record, .joins), GroupChange(after: record + 10, .leaves)]
      }
    }
  }

  /// What is missing are the records just before the place where its partition begins now, and as many as
  /// are counted; every other record has its row once.
  ///
  /// The group changes before the task has noticed, while it goes on elsewhere, and after that. Where the
  /// change moves the task itself it comes with the notice: before, nothing could be repeated any more.
  @Test(arguments: [false, true], Change.allCases)
  func everyLostRecordIsCounted(isSingle: Bool, change: Change) throws {
    let simulator = Simulator()
    var restarts = 0
    for record in stride(from: 1, to: 80, by: 5) as StrideTo<Int64> {
      for distance in (isSingle ? [30] : [1, 9, 17, 30, 50]) as [Int64] {
        let begin = record / 3 + 30
        let (result, missing) = try simulator.runLossy(
          isSingle: isSingle,
          deletions: [RecordDeletion(after: record, partition: 1, begin: begin)],
          changes: change.changes(after: record + distance))
        let place = "after \(record), \(change) at \(distance)"
        #expect(result.violations.isEmpty, "\(place): \(result.violations)")
        #expect(missing[0].isEmpty && missing[2].isEmpty, "\(place): \(missing)")
        let first = begin - Int64(missing[1].count)
        #expect(missing[1] == Array(first..<begin), "\(place): \(missing)")
        #expect(result.lost == Int64(missing[1].count), "\(place): \(result.lost)")
        if !missing[1].isEmpty { restarts += 1 }
      }
    }
    #expect(restarts > 10)
  }

  /// Brokers that do not tell at once where a partition begins are asked again.
  @Test(arguments: [false, true]) func aGapIsPassedWhenTheBrokersTellHowLongItIs(
    isSingle: Bool
  ) throws {
    let simulator = Simulator()
    let deletions = [RecordDeletion(after: 20, partition: 1, begin: 40)]
    let undisturbed = try simulator.runLossy(
      isSingle: isSingle, deletions: deletions, changes: [])
    let asked = undisturbed.result.lines.count { $0.contains("read watermarks") }
    var told = 0
    for occurrence in 1...asked {
      let (result, missing) = try simulator.runLossy(
        isSingle: isSingle, deletions: deletions, changes: [],
        scripted: (0..<3).map {
          ScriptedFault("read watermarks", occurrence: occurrence + $0, .fails)
        })
      let lines = result.lines.count { $0.contains("waits to be told where") }
      #expect(lines <= 1, "\(occurrence): it is said \(lines) times")
      told += lines
      #expect(result.violations.isEmpty, "\(occurrence): \(result.violations)")
      #expect(result.lost == Int64(missing[1].count))
      let failures = result.lines.filter { $0.contains("has stopped") || $0.contains("fails:") }
      #expect(failures.isEmpty, "\(occurrence): \(failures)")
    }
    #expect(told > 0)
  }

  /// A transaction fails, and while nobody can tell what became of it, its tasks are lost and begin anew:
  /// what they had handed in before is not written again.
  @Test func aCommitOfATaskThatWasLostIsNotWrittenAgain() throws {
    let simulator = Simulator()
    let away = (2...150).map { ScriptedFault("init transactions", occurrence: $0, .fails) }
    var losses = 0
    for pipeline in 0..<16 where try simulator.writesTopic(pipeline: pipeline) {
      for occurrence in 1...3 {
        for record in [5, 20] as [Int64] {
          let result = try simulator.run(
            pipeline: pipeline,
            scripted: [ScriptedFault("end transaction", occurrence: occurrence, .fails)] + away,
            changes: [GroupChange(after: record, .forgets)], keepsLines: true)
          #expect(
            result.violations.isEmpty,
            "pipeline \(pipeline), \(occurrence), \(record): \(result.violations)")
          if result.lines.contains(where: { $0.contains("finds itself out of the group") }) {
            losses += 1
          }
        }
      }
    }
    #expect(losses > 10)
  }
}
