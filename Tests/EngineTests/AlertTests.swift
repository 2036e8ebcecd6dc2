import Alerting
import Engine
import Foundation
import RimSupport
import Testing

/// What an alert carries, from the row to the receiver.
@Suite(.timeLimit(.minutes(2))) struct AlertTests {
  private static let sql = """
    CREATE OR REPLACE STREAM "ALERTS" ("pump" VARCHAR(8), "n" DOUBLE, ANOMALY_SCORE DOUBLE,
      ANOMALY_EXPLANATION VARCHAR(200), EXPECTED DOUBLE, MODEL_VERSION VARCHAR(20));
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "ALERTS"
      SELECT STREAM 'a&b', CAST("n" AS DOUBLE), CAST("n" AS DOUBLE) / 10,
        '{"n":{"DIRECTION":"HIGH"}}', 5.5, 'pumps/3' FROM "NUMBERS";
    """

  /// Runs numbers through the stream and returns the bodies of `count` posts.
  private func posts(
    _ count: Int, of numbers: [Int], sql: String = sql, webhook: String
  ) async throws -> [[String: Any]] {
    let receiver = try await HostileReceiver()
    let bench = try PipelineBench()
    let output = "webhook: {url: '\(receiver.url())', allow: [127.0.0.0/8], \(webhook)}"
    try bench.produceNumbers(numbers)
    let plan = try bench.plan(sql, stream: "ALERTS", output: output)
    let daemon = bench.daemon(plan)
    async let isFine = daemon.run()
    let requests = await receiver.requests(count)
    daemon.stop()
    #expect(try await isFine)
    try bench.remove()
    try await receiver.stop()
    #expect(requests.count == count)
    return try requests.map { request in
      let object = try JSONSerialization.jsonObject(with: Data(request.body))
      return try #require(object as? [String: Any])
    }
  }

  @Test func anAlertCarriesWhatPeopleLookFor() async throws {
    let bodies = try await posts(
      2, of: [1, 40, 90, 50, 2],
      webhook: """
        format: cloudevents, entity: [pump], link: 'https://g/d?p={{pump}}',
        values: {actual: n}, rule: {value: ANOMALY_SCORE, above: 4}
        """)
    let alerts = try bodies.map { try #require($0["data"] as? [String: Any]) }
    #expect(alerts.map { $0["status"] as? String } == ["firing", "resolved"])
    #expect(alerts.allSatisfy { $0["generatorURL"] as? String == "https://g/d?p=a%26b" })
    let labels = try #require(alerts[0]["labels"] as? [String: String])
    #expect(labels["entity"] == "a&b" && labels["pump"] == "a&b")
    let values = try alerts.map { try #require($0["values"] as? [String: Any]) }
    // The end tells of the peak, not of the row that ended it.
    #expect(values.map { $0["actual"] as? Double } == [40, 90])
    #expect(values.map { $0["score"] as? Double } == [4, 9])
    #expect(values.map { $0["peak"] as? Double } == [4, 9])
    for value in values {
      #expect(value["expected"] as? Double == 5.5)
      #expect(value["threshold"] as? Double == 4)
      #expect(value["model_version"] as? String == "pumps/3")
      let attribution = value["attribution"] as? [String: [String: String]]
      #expect(attribution == ["n": ["DIRECTION": "HIGH"]])
      #expect(value["ANOMALY_SCORE"] == nil, "known columns have the name of their role only")
    }
    #expect(
      values.map { $0["window_start"] as? String }.allSatisfy { $0 == "2020-09-13T12:27:20Z" })
    #expect(
      values.map { $0["window_end"] as? String } == [
        "2020-09-13T12:27:20Z", "2020-09-13T12:28:10Z",
      ])
  }

  @Test func aRowWithoutARuleCarriesTheSame() async throws {
    let bodies = try await posts(1, of: [7], webhook: "format: alertmanager")
    let alerts = try #require(bodies[0]["alerts"] as? [[String: Any]])
    let annotations = try #require(alerts[0]["annotations"] as? [String: String])
    #expect(annotations["score"] == "0.7" && annotations["n"] == "7.0")
    #expect(annotations["attribution"] == #"{"n":{"DIRECTION":"HIGH"}}"#)
    #expect(annotations["model_version"] == "pumps/3")
    #expect(annotations["window_start"] == "2020-09-13T12:26:47Z")
    #expect(annotations["summary"]?.contains("score=0.7") == true)
    #expect(annotations["summary"]?.contains("DIRECTION") == false)
  }

  @Test func aForestIsNamedByItsApplication() async throws {
    let bodies = try await posts(
      1, of: [7], sql: Self.sql.replacing("MODEL_VERSION", with: "OTHER"),
      webhook: "format: template, template: '{\"v\": {{values.model_version}}}'")
    let version = try #require(bodies[0]["v"] as? String)
    #expect(version.wholeMatch(of: /application-[0-9a-f]{12}/) != nil, "\(version)")
  }
}

/// By a clock that is moved on.
@Suite("Fault 21: a webhook's receiver is dead for 80 hours", .timeLimit(.minutes(2)))
struct Fault21 {
  @Test func aDeadReceiverHasItsAlertsFor72HoursAndThenDeadLetters() async throws {
    let receiver = try await HostileReceiver(then: .reset)
    let time = ShiftedTime()
    let bench = try PipelineBench()
    try bench.produceNumbers(0..<20)
    let plan = try bench.plan(
      output: "webhook: {url: '\(receiver.url())', allow: [127.0.0.0/8]}")
    let daemon = bench.daemon(plan, time: time)
    async let isFine = daemon.run()
    await receiver.requests(1)
    let outbox = try Outbox(path: bench.folder + "/data/outbox.sqlite", time: time)
    func counts() throws -> OutboxStatistics { try outbox.statistics(receiver: "numbers/EVENS") }
    // The outbox belongs to the daemon and tells nobody else of changes.
    while try counts().queued < 10 { await Task.yield() }
    let before = receiver.requests.count
    time.advance(hours: 71)
    await receiver.requests(before + 1)
    #expect(try counts().queued == 10 && counts().dead == 0)
    time.advance(hours: 9)
    while try counts().dead < 10 { await Task.yield() }
    let letters = try outbox.deadLetters(receiver: "numbers/EVENS")
    #expect(letters.allSatisfy { $0.error == "expired: not delivered in time" })
    #expect(Set(letters.map(\.webhookID)).count == 10)
    daemon.stop()
    #expect(try await isFine)
    try bench.expectBalance()
    try bench.remove()
    try await receiver.stop()
  }
}
