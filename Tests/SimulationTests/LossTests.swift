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
  /// The group changes before the task notices, while it goes on elsewhere, and after that.
  @Test(arguments: [false, true], Change.allCases)
  func everyLostRecordIsCounted(isSingle: Bool, change: Change) throws {
    let simulator = Simulator()
    var restarts = 0
    for record in stride(from: 1, to: 60, by: 4) as StrideTo<Int64> {
      for distance in [1, 9, 17, 33] as [Int64] {
        let begin = record / 3 + 12
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
    #expect(restarts > 0)
  }
}
