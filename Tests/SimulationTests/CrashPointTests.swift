import Simulation
import Testing

/// The crash points of the design, one test each: whatever happens there, what is delivered is what an
/// undisturbed run delivers.
@Suite struct CrashPointTests {
  /// Pipelines with one and with several tasks, with and without windows.
  static let pipelines = 0..<12

  /// The effects that write steps of a task.
  private static let journal = "append data/simulated/task-0/journal-"

  /// Of a test with all its runs, so that each pipeline runs undisturbed once.
  private let simulator = Simulator()

  /// Runs pipelines with a fault and checks that it was met at least once.
  private func expectUnharmed(
    _ faults: [ScriptedFault], meets text: String
  ) throws {
    var isMet = false
    for pipeline in Self.pipelines {
      let result = try simulator.run(pipeline: pipeline, scripted: faults, keepsLines: true)
      #expect(result.violations.isEmpty, "pipeline \(pipeline): \(result.violations)")
      isMet = isMet || result.lines.contains { $0.contains(text) }
    }
    #expect(isMet, "no run came to '\(text)'")
  }

  @Test(arguments: [Outcome.Moment.before, .during, .after])
  func duringASnapshot(moment: Outcome.Moment) throws {
    for occurrence in 2...4 {
      try expectUnharmed(
        [ScriptedFault("/snapshot-", occurrence: occurrence, .dies(moment))],
        meets: "is killed")
    }
  }

  @Test(arguments: [Outcome.fails, .lies])
  func aSnapshotThatCannotBeWritten(outcome: Outcome) throws {
    for occurrence in 2...4 {
      try expectUnharmed(
        [ScriptedFault("/snapshot-", occurrence: occurrence, outcome)],
        meets: "input/output error")
    }
  }

  @Test func betweenSnapshotAndCommit() throws {
    for effect in [
      "create data/simulated/task-0/journal-", "replace data/simulated/task-0/snapshot-",
    ] {
      for occurrence in 2...3 {
        try expectUnharmed(
          [ScriptedFault(effect, occurrence: occurrence, .dies(.after))], meets: "is killed")
      }
    }
  }

  /// One that stood still in its birth must not write over what its successor has begun.
  @Test(arguments: [
    "create data/simulated/task-0/journal-", "replace data/simulated/task-0/snapshot-",
  ])
  func aZombieBirth(effect: String) throws {
    try expectUnharmed(
      [ScriptedFault(effect, occurrence: 1, .standsStill)], meets: "finds itself out of the group")
  }

  @Test(arguments: [Outcome.Moment.before, .during, .after])
  func whileTheJournalIsWritten(moment: Outcome.Moment) throws {
    for occurrence in 1...4 {
      try expectUnharmed(
        [ScriptedFault(Self.journal, occurrence: occurrence, .dies(moment))], meets: "is killed")
    }
  }

  @Test(arguments: [Outcome.Moment.before, .during, .after])
  func duringAnUpload(moment: Outcome.Moment) throws {
    for occurrence in 1...3 {
      try expectUnharmed(
        [ScriptedFault("put ", occurrence: occurrence, .dies(moment))], meets: "is killed")
    }
  }

  @Test func anUploadIsDoneAndTheReceiverSaysThatItIsNot() throws {
    try expectUnharmed([ScriptedFault("put ", occurrence: 1, .lies)], meets: "lies")
  }

  @Test func theAnswerOfACommitIsLost() throws {
    for occurrence in 1...4 {
      try expectUnharmed([ScriptedFault("commit", occurrence: occurrence, .lies)], meets: "lies")
    }
  }

  /// Acknowledgements that come when their session is over, and such as come again.
  @Test(arguments: [("commit", Outcome.delays), ("commit", .repeats), ("put ", .delays)])
  func anAcknowledgementComesLateOrTwice(effect: String, outcome: Outcome) throws {
    for occurrence in 1...4 {
      try expectUnharmed(
        [ScriptedFault(effect, occurrence: occurrence, outcome)], meets: " \(outcome)")
    }
  }

  @Test(arguments: [Outcome.Moment.before, .after])
  func whileACommitIsUnderWay(moment: Outcome.Moment) throws {
    for occurrence in 1...4 {
      try expectUnharmed(
        [ScriptedFault("commit", occurrence: occurrence, .dies(moment))], meets: "is killed")
    }
  }

  @Test(arguments: [Outcome.Moment.before, .during, .after])
  func beforeTheFirstSnapshot(moment: Outcome.Moment) throws {
    for occurrence in 1...12 {
      try expectUnharmed([ScriptedFault(occurrence: occurrence, .dies(moment))], meets: "is killed")
    }
  }

  /// The commit is due when another process has the task: it must not count.
  @Test func aZombieCommit() throws {
    for occurrence in 1...4 {
      try expectUnharmed(
        [ScriptedFault(Self.journal, occurrence: occurrence, .standsStill)],
        meets: "finds itself out of the group")
    }
  }

  /// The snapshot and the journal of one that stood still harm nothing that its successor needs.
  @Test func aZombieSnapshot() throws {
    for occurrence in 2...4 {
      try expectUnharmed(
        [ScriptedFault("/snapshot-", occurrence: occurrence, .standsStill)],
        meets: "finds itself out of the group")
    }
  }

  @Test func aZombieUpload() throws {
    try expectUnharmed(
      [ScriptedFault("put ", occurrence: 1, .standsStill)], meets: "finds itself out of the group")
  }

  @Test func aTornCommitOfSeveralPartitions() throws {
    for occurrence in 1...4 {
      try expectUnharmed([ScriptedFault("commit", occurrence: occurrence, .tears)], meets: "tears")
      try expectUnharmed(
        [
          ScriptedFault("commit", occurrence: occurrence, .tears),
          ScriptedFault("commit", occurrence: occurrence + 1, .dies(.before)),
        ], meets: "is killed")
    }
  }

  @Test(arguments: [
    ("produce ", Outcome.Moment.before), ("produce ", .during), ("produce ", .after),
    ("send offsets", .before), ("send offsets", .after), ("end transaction", .before),
    ("end transaction", .after),
  ])
  func duringATransaction(effect: String, moment: Outcome.Moment) throws {
    for occurrence in 1...3 {
      try expectUnharmed(
        [ScriptedFault(effect, occurrence: occurrence, .dies(moment))], meets: "is killed")
    }
  }

  @Test(arguments: [Outcome.lies, .fails])
  func theAnswerOfEndTransactionIsLost(outcome: Outcome) throws {
    for occurrence in 1...4 {
      try expectUnharmed(
        [ScriptedFault("end transaction", occurrence: occurrence, outcome)],
        meets: "end transaction")
    }
  }

  /// It stands still with its transaction open; a second of its name ends that and goes on.
  @Test func aZombieTransaction() throws {
    for effect in ["produce ", "send offsets"] {
      for occurrence in 1...3 {
        try expectUnharmed(
          [ScriptedFault(effect, occurrence: occurrence, .standsStill)], meets: "is fenced")
      }
    }
  }

  /// A new generation begins for no reason, or a second daemon comes and goes.
  @Test func theGroupChangesAfterRecordN() throws {
    var handOvers = 0
    for pipeline in Self.pipelines {
      for record in stride(
        from: 1, to: Int64(try simulator.recordCount(ofPipeline: pipeline)), by: 7)
      {
        let changes = [
          [GroupChange(after: record, .rebalances)],
          [GroupChange(after: record, .joins), GroupChange(after: record + 4, .leaves)],
        ]
        for change in changes {
          let result = try simulator.run(pipeline: pipeline, changes: change, keepsLines: true)
          #expect(
            result.violations.isEmpty, "pipeline \(pipeline), \(change): \(result.violations)")
          if result.lines.contains(where: { $0.contains("gives up") }) { handOvers += 1 }
        }
      }
    }
    #expect(handOvers > 0)
  }

  /// The record that kills becomes a dead letter, and everything else is as without it.
  @Test(arguments: SimulatedPipeline.poisoned)
  func aRecordThatKills(pipeline: Int) throws {
    let found = try simulator.compareDefused(pipeline, countsLinesWith: "is passed over")
    #expect(found.differences.isEmpty, "\(found.differences)")
    #expect(found.lines == 1)
  }

  /// The pipeline says why it ends, and nothing leaves the process.
  @Test func metadataThatIsTooLong() throws {
    let result = try simulator.run(
      pipeline: 1, scripted: [], metadataLimit: 20, keepsLines: true)
    #expect(result.contents.isEmpty)
    #expect(
      result.lines.contains { $0.contains("fails:") && $0.contains("OFFSET_METADATA_TOO_LARGE") })
  }

  /// Rows wait for a transaction that will never be committed: the tasks end all the same, so that the
  /// member leaves its group.
  @Test func aWriterThatCannotGoOnEndsThePipeline() throws {
    var failures = 0
    for pipeline in 0..<16 where try simulator.writesTopic(pipeline: pipeline) {
      // The birth's text is not longer than that, those that follow are.
      let result = try simulator.run(pipeline: pipeline, metadataLimit: 70, keepsLines: true)
      let isRefused = result.lines.contains { $0.contains("has stopped: kafka: send offsets") }
      #expect(
        !isRefused || result.lines.contains { $0.contains(" fails: kafka: send offsets") },
        "pipeline \(pipeline)")
      if isRefused, result.lines.contains(where: { $0.contains("send offsets done") }) {
        failures += 1
      }
    }
    #expect(failures > 0)
  }

  /// Behind records that were written in transactions stand marks that nobody is given: they are nothing to
  /// wait for, and time goes on past them.
  @Test func theMarksOfTransactionsAreNotWaitedFor() throws {
    for pipeline in 0..<8 {
      let result = try simulator.run(pipeline: pipeline, endsWithMarks: true)
      #expect(result.violations.isEmpty, "pipeline \(pipeline): \(result.violations)")
    }
  }

  /// Each thing that a run asks of the outside goes wrong once: the n-th write fails, or is done and said
  /// to have failed, or the process stands still there and another takes its place.
  @Test(arguments: [Outcome.fails, .lies, .standsStill])
  func everythingGoesWrongOnce(outcome: Outcome) throws {
    for pipeline in [1, 5] {
      for effect in 1...(try simulator.run(pipeline: pipeline).effects) {
        let result = try simulator.run(
          pipeline: pipeline, scripted: [ScriptedFault(occurrence: effect, outcome)])
        #expect(
          result.violations.isEmpty,
          "pipeline \(pipeline), effect \(effect), \(outcome): \(result.violations)")
      }
    }
  }

  /// Dies at every single thing that a run asks of the outside, once each.
  @Test func everywhere() throws {
    for pipeline in [1, 2, 5] {
      let effects = try simulator.run(pipeline: pipeline, scripted: []).effects
      for effect in 1...effects {
        for moment in Outcome.Moment.allCases {
          let result = try simulator.run(
            pipeline: pipeline, scripted: [ScriptedFault(occurrence: effect, .dies(moment))])
          #expect(
            result.violations.isEmpty,
            "pipeline \(pipeline), effect \(effect), \(moment): \(result.violations)")
        }
      }
    }
  }
}
