import Simulation
import Testing

/// Members that their group has forgotten: what they had may be somebody else's by the time they notice.
@Suite struct MembershipTests {
  /// Of a test with all its runs, so that each pipeline runs undisturbed once.
  private let simulator = Simulator()

  /// A commit that is on its way when the sessions end is refused by the brokers themselves, and does not count.
  @Test func theSessionsEndWhileACommitIsOnItsWay() throws {
    var refusals = 0
    for pipeline in CrashPointTests.pipelines {
      for record in stride(
        from: 0, to: Int64(try simulator.recordCount(ofPipeline: pipeline)), by: 11)
      {
        let result = try simulator.run(
          pipeline: pipeline, changes: [GroupChange(after: record, .forgetsWhoCommits)],
          keepsLines: true)
        #expect(
          result.violations.isEmpty, "pipeline \(pipeline), \(record): \(result.violations)")
        if result.lines.contains(where: { $0.contains("commit refused: UNKNOWN_MEMBER_ID") }) {
          refusals += 1
        }
      }
    }
    #expect(refusals > 10)
  }

  /// Nobody tells a member that was forgotten while it gives up a part.
  ///
  /// It joins as another one and keeps the rest; it notices by its id, drops everything, and a new member of
  /// the same process goes on.
  @Test func aMemberIsForgottenWhileItGivesUpAPart() throws {
    var forgotten = 0
    for pipeline in 0..<24 where try simulator.taskCount(ofPipeline: pipeline) > 1 {
      for record in [1, 8, 15, 22] as [Int64] {
        let result = try simulator.run(
          pipeline: pipeline,
          changes: [GroupChange(after: record, .joins), GroupChange(after: 0, .forgetsWhoGivesUp)],
          keepsLines: true)
        let place = "pipeline \(pipeline), \(record)"
        #expect(result.violations.isEmpty, "\(place): \(result.violations)")
        let isForgotten = result.lines.contains { $0.contains("has forgotten this member") }
        if isForgotten { forgotten += 1 }
        // Nobody has to start another process.
        #expect(!result.lines.contains { $0.contains("process 2 starts") }, "\(place)")
      }
    }
    #expect(forgotten > 0)
  }
}
