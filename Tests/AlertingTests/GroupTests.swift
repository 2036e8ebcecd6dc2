import Alerting
import Columns
import Foundation
import Logging
import RimSupport
import Testing
import Transport

/// An outbox with a grouped receiver, flushed by hand.
private struct Bench {
  let folder: TemporaryFolder
  let time = ManualTime(now: CivilTime(year: 2026, month: 11, day: 21, hour: 12).milliseconds)
  let outbox: Outbox
  let receiver: Receiver

  init(
    _ grouping: Grouping? = Grouping(by: ["severity"]), sendsResolved: Bool = true,
    maintenance: [MaintenanceWindow] = []
  ) throws {
    folder = try TemporaryFolder()
    outbox = try Outbox(path: folder.path + "/outbox.sqlite", time: time)
    receiver = Receiver(
      name: "g", url: WebURL("https://example.com")!, sendsResolved: sendsResolved,
      grouping: grouping, maintenance: maintenance)
  }

  func raise(_ alerts: [Alert], commit: Int64 = 1) throws {
    try outbox.append(alerts, to: receiver, pipeline: "p", task: 0, commit: commit)
    try outbox.release(pipeline: "p", task: 0, upTo: commit)
  }

  /// The messages that are written when the clock has moved on, as they are sent.
  func messages(after seconds: Int64) async throws -> [[String: Any]] {
    time.advance(milliseconds: seconds * 1_000)
    _ = try await outbox.flushGroups(of: receiver, now: time.now)
    let due = try await outbox.due(receiver: "g", now: time.now, limit: 100)
    try await outbox.mark(due.map { AttemptRecord(sequence: $0.sequence, result: .delivered) })
    return try due.map { message in
      try #require(
        try JSONSerialization.jsonObject(with: Data(message.body)) as? [String: Any])
    }
  }
}

private func alert(
  _ entity: String, _ status: Alert.Status = .firing, severity: String = "warning", n: Int = 0,
  score: Double = .nan
) -> Alert {
  Alert(
    id: "\(entity)-\(status)-\(n)", pipeline: "p", rule: "r", status: status,
    labels: [Alert.Label("entity", entity), Alert.Label("severity", severity)],
    fields: [Alert.Field("score", .number(score))], startsAt: 0)
}

private func states(_ message: [String: Any]) -> [String] {
  (message["alerts"] as? [[String: Any]] ?? []).map { alert in
    let labels = alert["labels"] as? [String: String] ?? [:]
    return "\(labels["entity"] ?? "") \(alert["status"] ?? "")"
  }
}

@Suite(.timeLimit(.minutes(2)))
struct GroupTests {
  @Test func alertsWaitForOthersOfTheirGroup() async throws {
    let bench = try Bench()
    try bench.raise([alert("a")])
    #expect(try await bench.messages(after: 20).isEmpty)
    try bench.raise([alert("b"), alert("c", severity: "critical")], commit: 2)
    let first = try await bench.messages(after: 10)
    #expect(first.count == 1)
    #expect(Set(states(first[0])) == ["a firing", "b firing"])
    #expect(first[0]["groupKey"] as? String == #"{}:{severity="warning"}"#)
    #expect(states(try await bench.messages(after: 20)[0]) == ["c firing"])
  }

  /// An overflow is a digest with the worst on top.
  @Test func aMessageShowsTheHighestScoresAndCountsTheRest() async throws {
    let bench = try Bench(Grouping(by: ["severity"], maximumAlerts: 3))
    try bench.raise((0..<40).map { alert("e\($0)", score: Double($0 * 7 % 40)) })
    let messages = try await bench.messages(after: 30)
    #expect(messages.count == 1 && messages[0]["truncatedAlerts"] as? Int == 37)
    let order = (0..<40).sorted { $0 * 7 % 40 > $1 * 7 % 40 }
    #expect(states(messages[0]) == order.prefix(3).map { "e\($0) firing" })
  }

  @Test func changesAreToldOncePerInterval() async throws {
    let bench = try Bench()
    try bench.raise([alert("a"), alert("b")])
    _ = try await bench.messages(after: 30)
    try bench.raise([alert("a", .resolved)], commit: 2)
    try bench.raise([alert("c")], commit: 3)
    #expect(try await bench.messages(after: 299).isEmpty)
    let second = try await bench.messages(after: 1)
    #expect(second.count == 1 && second[0]["status"] as? String == "firing")
    #expect(Set(states(second[0])) == ["a resolved", "b firing", "c firing"])
    #expect(states(second[0]).last == "a resolved")
    #expect(try await bench.messages(after: 3_600).isEmpty)
    try bench.raise([alert("b", .resolved), alert("c", .resolved)], commit: 4)
    let last = try await bench.messages(after: 0)
    #expect(last.first?["status"] as? String == "resolved")
    #expect(try await bench.messages(after: 100_000).isEmpty)
  }

  @Test func firingGroupsAreRepeated() async throws {
    let bench = try Bench()
    try bench.raise([alert("a")])
    #expect(try await bench.messages(after: 30).count == 1)
    #expect(try await bench.messages(after: 14_399).isEmpty)
    #expect(try await bench.messages(after: 1).count == 1)
  }

  @Test func whatEndsBeforeItIsToldIsNeverTold() async throws {
    let bench = try Bench()
    try bench.raise([alert("a"), alert("a", .resolved)])
    #expect(try await bench.messages(after: 30).isEmpty)
    try bench.raise([alert("a", n: 1)], commit: 2)
    #expect(try await bench.messages(after: 30).count == 1)
  }

  @Test func resolvedAlertsCanBeLeftOut() async throws {
    let bench = try Bench(sendsResolved: false)
    try bench.raise([alert("a")])
    #expect(try await bench.messages(after: 30).count == 1)
    try bench.raise([alert("a", .resolved)], commit: 2)
    #expect(try await bench.messages(after: 1_000).isEmpty)
  }

  @Test func overflowIsADigest() async throws {
    let bench = try Bench(Grouping(by: [], maximumAlerts: 10))
    try bench.raise((0..<322).map { alert("\($0)") })
    let message = try await bench.messages(after: 30)[0]
    #expect(states(message).count == 10)
    #expect(message["truncatedAlerts"] as? Int == 312)
  }

  @Test func replayedAndDroppedAlertsChangeNothing() async throws {
    let bench = try Bench()
    try bench.raise([alert("a")])
    try bench.raise([alert("a")], commit: 2)
    try bench.outbox.append(
      [alert("z")], to: bench.receiver, pipeline: "p", task: 0, commit: 9)
    try bench.outbox.dropBeyond(pipeline: "p", task: 0, commit: 2)
    try bench.outbox.release(pipeline: "p", task: 0, upTo: 99)
    #expect(states(try await bench.messages(after: 30)[0]) == ["a firing"])
    #expect(try await bench.messages(after: 400).isEmpty)
  }

  @Test func groupsAreSentByTheSender() async throws {
    let hostile = try await HostileReceiver()
    let bench = try Bench()
    let receiver = Receiver(
      name: "g", url: WebURL(hostile.url())!, grouping: Grouping(by: ["severity"]))
    let connections = HTTPConnections(policy: .unrestricted) { _, _ in IPAddress("127.0.0.1")! }
    let sender = Sender(
      outbox: bench.outbox, receivers: [receiver], connections: connections, time: bench.time,
      seed: 1, logger: Logger(label: "test"))
    let task = Task { try await sender.run() }
    try bench.raise([alert("a"), alert("b")])
    try await bench.time.advance(until: { !hostile.requests.isEmpty })
    #expect(hostile.requests[0].text.contains(#""groupLabels":{"severity":"warning"}"#))
    task.cancel()
    try await task.value
    try await connections.shutdown()
    try await hostile.stop()
  }
}

struct SilenceTests {
  private func silence(_ matchers: [Matcher?], from: Int64, to: Int64) throws -> Silence {
    try #require(
      Silence(
        id: "s", matchers: matchers.compactMap { $0 }, startsAt: from, endsAt: to,
        createdBy: "me", comment: "works"))
  }

  @Test func silencedAlertsAreNotTold() throws {
    let bench = try Bench(nil)
    let now = bench.time.now
    try bench.outbox.add(
      try silence(
        [Matcher("entity", .matches, "zone-[0-9]+"), Matcher("severity", .notEqual, "critical")],
        from: now, to: now + 1_000))
    try bench.raise([alert("zone-5"), alert("zone-6", severity: "critical"), alert("other")])
    #expect(try bench.outbox.statistics(receiver: "g").queued == 2)
    bench.time.advance(milliseconds: 1_000)
    try bench.raise([alert("zone-5", n: 1)], commit: 2)
    #expect(try bench.outbox.statistics(receiver: "g").queued == 3)
    #expect(try bench.outbox.silences().isEmpty)
  }

  /// As with Alertmanager: no end without a beginning, and none in a silence.
  @Test func theEndOfWhatNobodyHeardOfIsNotTold() throws {
    let bench = try Bench(nil)
    func told() throws -> Int { try bench.outbox.statistics(receiver: "g").queued }
    let now = bench.time.now
    let quiet = try silence([Matcher("entity", .equal, "a")], from: now, to: now + 1_000)
    try bench.outbox.add(quiet)
    try bench.raise([alert("a"), alert("b")])
    #expect(try told() == 1)
    bench.time.advance(milliseconds: 1_000)
    try bench.raise([alert("a", .resolved), alert("b", .resolved)], commit: 2)
    #expect(try told() == 2, "the end of a is not told")
    try bench.raise([alert("a", n: 1), alert("a", .resolved, n: 1)], commit: 3)
    #expect(try told() == 4, "the next episode of a is told, and its end")
    try bench.outbox.add(
      try silence([Matcher("entity", .equal, "a")], from: now, to: now + 5_000))
    try bench.raise([alert("a", n: 2), alert("a", .resolved, n: 2), alert("b", n: 2)], commit: 4)
    #expect(try told() == 5, "neither beginning nor end in one commit")
  }

  @Test func aGroupTellsWhatWasSilencedWhenTheSilenceEnds() async throws {
    let bench = try Bench()
    let silence = try silence(
      [Matcher("entity", .equal, "a")], from: 0, to: bench.time.now + 600_000)
    try bench.outbox.add(silence)
    #expect(try bench.outbox.silences() == [silence])
    try bench.raise([alert("a"), alert("b")])
    #expect(states(try await bench.messages(after: 30)[0]) == ["b firing"])
    #expect(try await bench.messages(after: 300).isEmpty)
    #expect(try bench.outbox.removeSilence(id: "s"))
    #expect(try !bench.outbox.removeSilence(id: "s"))
    let later = try await bench.messages(after: 300)
    #expect(Set(states(later[0])) == ["a firing", "b firing"])
  }

  @Test(arguments: [
    (21, 11, 59, false), (21, 12, 0, true), (21, 23, 59, true), (22, 1, 59, true),
    (22, 2, 0, false), (22, 13, 0, false), (28, 12, 30, true),
  ])
  func maintenanceComesBackEveryWeek(_ day: Int, _ hour: Int, _ minute: Int, _ isMuted: Bool)
    throws
  {
    let window = try #require(
      MaintenanceWindow(
        weekdays: [6], startMinute: 12 * 60, lengthMinutes: 14 * 60, matchers: []))
    let bench = try Bench(nil, maintenance: [window])
    let moment = CivilTime(year: 2026, month: 11, day: day, hour: hour, minute: minute)
    bench.time.advance(milliseconds: moment.milliseconds - bench.time.now)
    try bench.raise([alert("a")])
    #expect(try bench.outbox.statistics(receiver: "g").queued == (isMuted ? 0 : 1))
  }

  @Test func malformedConditionsAreNone() {
    #expect(Matcher("a", .matches, "(") == nil)
    #expect(
      Silence(id: "", matchers: [], startsAt: 0, endsAt: 1, createdBy: "", comment: "") == nil)
    #expect(
      MaintenanceWindow(weekdays: [7], startMinute: 0, lengthMinutes: 1, matchers: []) == nil)
  }
}
