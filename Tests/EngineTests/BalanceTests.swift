import RimSupport
import Testing

/// What is read of `cutbank state inspect` after a fault must not pass over what is missing.
@Suite struct BalanceTests {
  private static let inspection = """
    snapshot-4: 700 bytes, after commit 3, configuration 0123456789ab
      records: 5 polled = 5 decoded + 0 dead-lettered + 0 skipped
      output OUT: 5 rows = 5 delivered + 0 dead-lettered + 0 in flight
    snapshot-31: 812 bytes, after commit 7, configuration 0123456789ab
      records: 12 polled = 10 decoded + 1 dead-lettered + 1 skipped
      records: 4 lost before they were polled
      rows: 2 came behind the watermark
      P/0-scan: 10 in, 10 out, 0 filtered, 0 late, 0 failed, 0 absorbed
      P/1-aggregate: 10 in, 3 out, 0 filtered, 0 late, 1 failed, 9 absorbed
      output OUT-2: 9 rows = 6 delivered + 1 dead-lettered + 2 in flight
      output dead-letters: 1 rows = 1 delivered + 0 dead-lettered + 0 in flight
      task: 90 bytes in 1 slices
    journal-31: 12 bytes, 0 blocks, 0 steps, no commits
    """

  private static func balance(_ old: String = "", _ new: String = "") -> Balance {
    let text = old.isEmpty ? inspection : inspection.replacing(old, with: new)
    return Balance(inspection: text.split(separator: "\n").map(String.init))
  }

  @Test func theNewestSnapshotIsRead() {
    var sum = Self.balance()
    #expect(sum.problems.isEmpty && sum.lost == 4 && sum.late == 2)
    sum.add(Self.balance())
    #expect(sum.tasks == 2 && sum.polled == 24 && sum.skipped == 2)
    #expect(
      sum.outputs.map { [$0.rows, $0.delivered, $0.deadLettered, $0.inFlight] }
        == [[18, 12, 2, 4], [2, 2, 0, 0]])
  }

  @Test(arguments: [
    ("12 polled", "13 polled"), ("10 in, 10 out", "10 in, 9 out"), ("9 absorbed", "8 absorbed"),
    ("9 rows = 6", "9 rows = 5"), ("in flight", "in flight (UNEVEN)"), ("snapshot-", "nothing-"),
    ("polled = ", "polled: "), ("  output ", "  outlet "),
  ])
  func whatIsUnaccountedForOrMissingIsAProblem(old: String, new: String) {
    #expect(!Self.balance(old, new).problems.isEmpty)
  }
}
