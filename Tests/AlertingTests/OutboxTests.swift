import Alerting
import Foundation
import RimSupport
import Testing
import Transport

struct OutboxTests {
  let folder: TemporaryFolder
  let outbox: Outbox
  let receiver = Receiver(name: "team-x", url: WebURL("https://example.com/hook")!)

  init() throws {
    folder = try TemporaryFolder()
    outbox = try Outbox(path: folder.path + "/outbox.sqlite", time: InstantTime())
  }

  private func queued() throws -> Int { try outbox.statistics(receiver: "team-x").queued }

  private func staged() throws -> Int { try outbox.statistics(receiver: "team-x").staged }

  @Test func alertsAreSentOnlyAfterTheirCommit() throws {
    let count = try outbox.append(
      [alert("1"), alert("2")], to: receiver, pipeline: "p", task: 0, commit: 5)
    #expect(count == 2)
    try outbox.append([alert("3")], to: receiver, pipeline: "p", task: 0, commit: 6)
    try outbox.append([alert("4")], to: receiver, pipeline: "p", task: 1, commit: 5)
    #expect(try queued() == 0)
    try outbox.release(pipeline: "p", task: 0, upTo: 5)
    #expect(try queued() == 2)
    #expect(try staged() == 2)
  }

  @Test func appendingAgainChangesNothing() throws {
    try outbox.append([alert("1")], to: receiver, pipeline: "p", task: 0, commit: 5)
    try outbox.release(pipeline: "p", task: 0, upTo: 5)
    let again = try outbox.append(
      [alert("1"), alert("2")], to: receiver, pipeline: "p", task: 0, commit: 7)
    #expect(again == 1)
    #expect(try queued() == 1)
    #expect(try staged() == 1)
  }

  @Test func whatACrashStagedIsDropped() throws {
    try outbox.append([alert("1")], to: receiver, pipeline: "p", task: 0, commit: 5)
    try outbox.append([alert("2")], to: receiver, pipeline: "p", task: 0, commit: 6)
    try outbox.append([alert("3")], to: receiver, pipeline: "q", task: 0, commit: 6)
    try outbox.dropBeyond(pipeline: "p", task: 0, commit: 5)
    #expect(try staged() == 2)
    try outbox.release(pipeline: "p", task: 0, upTo: 9)
    #expect(try queued() == 1)
    let again = try outbox.append([alert("2")], to: receiver, pipeline: "p", task: 0, commit: 6)
    #expect(again == 1, "a dropped alert can be raised again")
  }

  @Test func everythingSurvivesReopening() throws {
    try outbox.append([alert("1")], to: receiver, pipeline: "p", task: 0, commit: 5)
    try outbox.release(pipeline: "p", task: 0, upTo: 5)
    let reopened = try Outbox(path: folder.path + "/outbox.sqlite", time: InstantTime())
    #expect(try reopened.statistics(receiver: "team-x").queued == 1)
  }

  /// Appends larger than one statement, with repetitions at its borders.
  @Test func manyAlertsKeepTheirOrderAndAreKnownAgain() async throws {
    let alerts = (0..<200).map { alert("a-\($0)", key: "k\($0)") }
    let first = try outbox.append(
      Array(alerts[60..<130]), to: receiver, pipeline: "p", task: 0, commit: 1)
    #expect(first == 70)
    let rest = try outbox.append(alerts, to: receiver, pipeline: "p", task: 0, commit: 1)
    #expect(rest == 130)
    try outbox.release(pipeline: "p", task: 0, upTo: 1)
    let due = try await outbox.due(receiver: "team-x", now: .max, limit: 500)
    #expect(due.count == 200 && Set(due.map(\.webhookID)).count == 200)
    #expect(due.map(\.sequence) == due.map(\.sequence).sorted())
  }

  @Test func appendedAlertsAreSyncedToTheDisk() throws {
    try outbox.append([alert("1")], to: receiver, pipeline: "p", task: 0, commit: 5)
    try outbox.release(pipeline: "p", task: 0, upTo: 5)
    #expect(try outbox.synchronousMode() == 2, "FULL, also after a relaxed write")
  }

  @Test func resolvedAlertsCanBeLeftOut() throws {
    let quiet = Receiver(
      name: "team-x", url: WebURL("https://example.com")!, sendsResolved: false)
    let count = try outbox.append(
      [alert("1"), alert("2", status: .resolved)], to: quiet, pipeline: "p", task: 0, commit: 1)
    #expect(count == 1)
  }
}

/// Outboxes that earlier versions have written are read by today's.
struct OldOutboxTests {
  private let folder: TemporaryFolder
  private let outbox: Outbox
  private let receiver = Receiver(name: "team-x", url: WebURL("https://example.com/hook")!)

  /// Opens a copy of the file of version 1: messages 1 to 7 in every state.
  init() throws {
    folder = try TemporaryFolder()
    let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/outbox-1.sqlite")
    let path = folder.path + "/outbox.sqlite"
    try Data(contentsOf: fixture).write(to: URL(fileURLWithPath: path))
    outbox = try Outbox(path: path, time: ManualTime())
  }

  private func id(_ number: Int) -> String {
    "msg_" + String(repeating: "0", count: 31) + String(number)
  }

  private func due() async throws -> [OutboxMessage] {
    try await outbox.due(receiver: "team-x", now: .max, limit: 10)
  }

  @Test func messagesKeepTheirStatesAndIDs() async throws {
    let statistics = try outbox.statistics(receiver: "team-x")
    #expect(statistics.staged == 2 && statistics.queued == 2 && statistics.dead == 1)
    #expect(statistics.lastError == "status 500")
    let letters = try outbox.deadLetters(receiver: "team-x")
    #expect(letters.map(\.webhookID) == [id(6)] && letters.map(\.error) == ["status 400"])
    let message = try #require(try await due().first)
    #expect(message.webhookID == id(2) && message.attempts == 3)
    #expect(message.body == Array(#"{"n":2}"#.utf8))
    #expect(try outbox.silences().map(\.id) == ["s1"])
    #expect(
      try outbox.statistics(receiver: "team-y").disabledReason == "the receiver answered 410 Gone")
  }

  @Test func sendingGoesOnInOrder() async throws {
    try outbox.dropBeyond(pipeline: "p", task: 0, commit: 9)
    try outbox.release(pipeline: "p", task: 0, upTo: 9)
    #expect(try await due().map(\.webhookID) == [id(2), id(4)])
    let first = try #require(try await due().first)
    try await outbox.mark([AttemptRecord(sequence: first.sequence, result: .delivered)])
    #expect(try await due().map(\.webhookID) == [id(3), id(4)])
    #expect(try outbox.replay([6]) == 1)
    try outbox.append([alert("new")], to: receiver, pipeline: "p", task: 0, commit: 10)
    try outbox.release(pipeline: "p", task: 0, upTo: 10)
    let sequences = try await due().map(\.sequence).sorted()
    #expect(sequences == [3, 4, 6, 8], "numbers go on after the last one")
  }
}
