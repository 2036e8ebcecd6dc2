import Engine
import Kafka
import RimSupport
import Testing

/// What `TopicTurns` makes of rows and commits that tasks hand in.
@Suite struct TopicTurnsTests {
  @Test func rowsGoAheadAndTheTransactionEndsWithTheCommit() throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.turnAll()
    #expect(stage.calls == ["init", "begin", "a"])
    stage.hand(rows: ["b"], of: 0)
    stage.turnAll()
    stage.hand(commit: 1, rows: ["c"], of: 0)
    stage.turnAll()
    #expect(stage.calls == ["init", "begin", "a", "b", "c", "offsets 0", "commit"])
    #expect(stage.answers == ["0: 1 accepted"])
  }

  /// Rows of a task that are not accounted for must not be committed with those of another.
  @Test func aTransactionWaitsForAllWhoHaveRowsInIt() throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.hand(rows: ["b"], of: 1)
    stage.hand(commit: 1, of: 0)
    stage.turnAll()
    #expect(stage.calls == ["init", "begin", "a", "b"])
    stage.hand(commit: 1, of: 1)
    stage.turnAll()
    #expect(stage.calls.suffix(2) == ["offsets 0 1", "commit"])
    #expect(stage.answers == ["0: 1 accepted", "1: 1 accepted"])
  }

  /// What follows a task's commit belongs to the next transaction.
  @Test func nothingFollowsACommit() throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.hand(rows: ["b"], of: 1)
    stage.hand(commit: 1, of: 0)
    stage.hand(rows: ["late"], of: 0)
    stage.turnAll()
    #expect(!stage.calls.contains("late"))
    stage.hand(commit: 1, of: 1)
    stage.turnAll()
    #expect(
      stage.calls
        == ["init", "begin", "a", "b", "offsets 0 1", "commit", "begin", "late"])
  }

  @Test func whoDoesNotCommitHoldsUpTheOthersOnce() throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.hand(rows: ["stuck"], of: 1)
    stage.hand(commit: 1, of: 0)
    stage.turnAll()
    stage.time.advance(milliseconds: 1_024)
    stage.turnAll()
    #expect(stage.answers.isEmpty)
    stage.time.advance(milliseconds: 1)
    stage.turnAll()
    #expect(
      stage.calls
        == ["init", "begin", "a", "stuck", "abort", "begin", "a", "offsets 0", "commit"])
    // The rows of the one that is stuck do not hold up the next transaction.
    stage.hand(commit: 2, rows: ["b"], of: 0)
    stage.turnAll()
    #expect(stage.calls.suffix(4) == ["begin", "b", "offsets 0", "commit"])
    stage.hand(commit: 1, of: 1)
    stage.turnAll()
    #expect(stage.calls.suffix(4) == ["begin", "stuck", "offsets 1", "commit"])
    stage.hand(rows: ["ahead"], of: 1)
    stage.turnAll()
    #expect(stage.calls.suffix(2) == ["begin", "ahead"])
  }

  /// The rows of a task that has ended are aborted; the others' are written again.
  @Test(arguments: [true, false]) func whoHasEndedIsNotCommitted(hasCommit: Bool) throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.hand(rows: ["gone"], of: 1)
    if hasCommit { stage.hand(commit: 1, of: 1) }
    stage.turnAll()
    stage.writer.drop(stage.name(1))
    stage.hand(rows: ["new life"], of: 1)
    stage.turnAll()
    #expect(
      stage.calls == ["init", "begin", "a", "gone", "abort", "begin", "a", "new life"])
  }

  /// A commit whose answer is lost, and was not made, is not written again for a task that has begun anew
  /// from the group's offsets meanwhile: it writes the same rows itself.
  @Test func whoBeginsAnewWhileACommitIsUnsureWritesItsRowsOnce() throws {
    let stage = try TopicStage()
    stage.fail("commit", with: KafkaError(.transport, "injected", operation: "commit"))
    stage.hand(commit: 1, rows: ["a"], of: 0)
    stage.hand(commit: 1, rows: ["b"], of: 1)
    stage.turnAll()
    #expect(stage.turns.isHindered)
    stage.writer.drop(stage.name(0))
    stage.hand(commit: 1, rows: ["a again"], of: 0)
    stage.turnAll()
    let rest = ["init", "begin", "b", "a again", "offsets 1 0", "commit"]
    #expect(stage.calls.suffix(rest.count) == rest[...])
  }

  /// At least once, the rows of a task that has ended while they were acknowledged may stand; its commit is
  /// not asked for, since by now another owner may have made a later one.
  @Test func whoEndsBeforeItsRowsAreAcknowledgedIsNotCommitted() throws {
    let stage = try TopicStage(transactionalID: nil)
    let (writer, gone) = (stage.writer, stage.name(0))
    stage.during("flush") { writer.drop(gone) }
    stage.hand(commit: 1, rows: ["a"], of: 0)
    stage.hand(commit: 1, rows: ["b"], of: 1)
    stage.turnAll()
    #expect(stage.calls == ["a", "b", "flush"])
    #expect(stage.answers == ["1: 1 written"])
    // Who comes after it is answered again.
    stage.hand(commit: 2, rows: ["c"], of: 0)
    stage.turnAll()
    #expect(stage.answers == ["1: 1 written", "0: 2 written"])
  }

  /// Offsets are sent only when the group has taken note of those before, also of aborted ones.
  @Test(arguments: [true, false]) func theGroupKnowsTheLastOffsetsBeforeTheNextAreSent(
    isCommitted: Bool
  ) throws {
    let stage = try TopicStage()
    if !isCommitted {
      stage.fail(
        "offsets 0 1",
        with: KafkaError(.fail, "injected", operation: "offsets", requiresAbort: true))
    }
    stage.hand(commit: 1, of: 0)
    stage.hand(commit: 1, of: 1)
    stage.turnAll()
    #expect(!stage.everything.contains { $0.hasPrefix("read ") })
    if isCommitted { stage.hand(commit: 2, of: 1) }
    stage.turnAll()
    let rest = [
      isCommitted ? "read 1" : "read 0", isCommitted ? "offsets 1" : "offsets 0 1", "commit",
    ]
    #expect(stage.everything.suffix(3) == rest[...])
  }

  /// While a transaction over them ends, the group does not tell its offsets: it is asked again.
  @Test(arguments: [KafkaError.Code.unstableOffsetCommit, .timedOut])
  func theGroupIsAskedUntilItTells(code: KafkaError.Code) throws {
    let stage = try TopicStage()
    stage.hand(commit: 1, of: 0)
    stage.turnAll()
    stage.fail("read 0", with: KafkaError(code, "injected", operation: "read"))
    stage.hand(commit: 2, of: 0)
    stage.turnAll()
    #expect(stage.everything.suffix(4) == ["read 0", "read 0", "offsets 0", "commit"])
    #expect(stage.answers == ["0: 1 accepted", "0: 2 accepted"])
  }

  /// What a member that the group has forgotten was given may be somebody else's, though it has joined again:
  /// its commits do not count, nor those that are in one transaction with them.
  @Test(arguments: [true, false]) func whoWasForgottenCommitsNothing(isAlone: Bool) throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.turnAll()
    stage.hand(commit: 1, of: 0)
    stage.joinAgain(as: "second")
    if !isAlone { stage.hand(commit: 1, rows: ["b"], of: 1) }
    stage.turnAll()
    #expect(stage.calls == ["init", "begin", "a"] + (isAlone ? [] : ["b"]) + ["abort"])
    let refused = stage.answers
    #expect(
      refused == ["0: 1 unaccepted UNKNOWN_MEMBER_ID"]
        + (isAlone ? [] : ["1: 1 unaccepted UNKNOWN_MEMBER_ID"]))
    // When its task has ended, what the new member has done is committed.
    stage.writer.drop(stage.name(0))
    stage.hand(commit: 1, rows: ["c"], of: 0)
    stage.turnAll()
    #expect(stage.calls.suffix(2) == [isAlone ? "offsets 0" : "offsets 1 0", "commit"])
    #expect(!stage.calls.contains("offsets 0 1"))
    #expect(stage.answers.dropFirst(refused.count).allSatisfy { $0.hasSuffix("accepted") })
  }

  /// The brokers themselves refuse the offsets of one whose place is gone: nothing of it is committed, and its
  /// control hears why.
  @Test(arguments: [KafkaError.Code.unknownMember, .illegalGeneration, .fencedInstance])
  func theGroupsRefusalIsTold(code: KafkaError.Code) throws {
    let stage = try TopicStage()
    stage.fail(
      "offsets 0 1",
      with: KafkaError(code, "injected", operation: "send offsets", requiresAbort: true))
    stage.hand(commit: 1, rows: ["a"], of: 0)
    stage.hand(commit: 1, rows: ["b"], of: 1)
    stage.turnAll()
    #expect(stage.calls.suffix(2) == ["offsets 0 1", "abort"])
    #expect(stage.turns.isHindered)
    #expect(
      stage.answers == ["0: 1 unaccepted \(code.name)", "1: 1 unaccepted \(code.name)"])
    stage.writer.drop(stage.name(1))
    stage.turnAll()
    #expect(stage.calls.suffix(4) == ["begin", "a", "offsets 0", "commit"])
  }

  /// One transaction takes up the commits that are announced.
  @Test func commitsAreGathered() throws {
    let stage = try TopicStage(patience: 5)
    stage.writer.announce(stage.name(0))
    stage.writer.announce(stage.name(1))
    stage.hand(commit: 1, rows: ["a"], of: 0)
    stage.turnAll()
    stage.time.advance(milliseconds: 4)
    stage.turnAll()
    #expect(stage.calls == ["init", "begin", "a"])
    stage.hand(commit: 1, rows: ["b"], of: 1)
    stage.turnAll()
    #expect(stage.calls.suffix(3) == ["b", "offsets 0 1", "commit"])
    // One that does not come is not waited for.
    stage.writer.announce(stage.name(1))
    stage.hand(commit: 2, of: 0)
    stage.turnAll()
    stage.time.advance(milliseconds: 5)
    stage.turnAll()
    #expect(stage.calls.suffix(2) == ["offsets 0", "commit"])
  }

  @Test func anAbortWritesEverythingAgainInItsOrder() throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.hand(rows: ["b"], of: 1)
    stage.hand(rows: ["c"], of: 0)
    stage.fail(
      "offsets 0 1",
      with: KafkaError(.fail, "injected", operation: "send offsets", requiresAbort: true))
    stage.hand(commit: 1, of: 0)
    stage.hand(commit: 1, of: 1)
    stage.turnAll()
    #expect(stage.turns.isHindered)
    stage.turnAll()
    let whole = ["begin", "a", "c", "b", "offsets 0 1", "commit"]
    #expect(stage.calls.suffix(whole.count) == whole[...])
    #expect(stage.calls.contains("abort"))
    #expect(stage.answers == ["0: 1 accepted", "1: 1 accepted"])
  }

  @Test func anEndAbortsWhatIsOpen() throws {
    let stage = try TopicStage()
    stage.hand(rows: ["a"], of: 0)
    stage.turnAll()
    stage.writer.close()
    stage.turns.finish()
    #expect(stage.calls == ["init", "begin", "a", "abort"])
  }

  /// With commits far apart a transaction would be open for longer than brokers allow.
  @Test(arguments: [(25, true), (5_000, true), (5_001, false), (60_000, false)] as [(Int64, Bool)])
  func rowsGoAheadOfFrequentCommitsOnly(interval: Int64, isAhead: Bool) {
    var timing = PipelineConfiguration.Timing()
    timing.commitInterval = interval
    #expect(TopicWriter(transactionalID: "id", timing: timing).takesRowsAhead == isAhead)
    #expect(TopicWriter(transactionalID: nil, timing: timing).takesRowsAhead)
  }
}
