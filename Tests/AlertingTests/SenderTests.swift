import Alerting
import Logging
import RimSupport
import Synchronization
import Testing
import Transport

/// A receiver, an outbox and a sender on a clock that the test moves.
private struct Bench {
  let folder: TemporaryFolder
  let time = ManualTime()
  let outbox: Outbox
  let hostile: HostileReceiver
  let receiver: Receiver
  let connections: HTTPConnections
  let log = LogBook()

  init(
    _ script: [HostileReceiver.Reply] = [], then rest: HostileReceiver.Reply = .status(200),
    allowed: [String] = ["127.0.0.0/8"], timeout: Int64 = 30_000, concurrency: Int = 8,
    secrets: [String] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
  ) async throws {
    folder = try TemporaryFolder()
    outbox = try Outbox(path: folder.path + "/outbox.sqlite", time: time)
    hostile = try await HostileReceiver(script, then: rest)
    receiver = Receiver(
      name: "team-x", url: WebURL(hostile.url("/hook?token=hunter2"))!,
      secrets: secrets.compactMap { WebhookSecret($0) }, timeoutMilliseconds: timeout,
      concurrency: concurrency)
    let blocks = allowed.compactMap { AddressBlock($0) }
    connections = HTTPConnections(policy: AddressPolicy(allowed: blocks)) { host, _ in
      guard let address = IPAddress(host == "rebind.example" ? "169.254.169.254" : host) else {
        throw HTTPExchangeFailure(kind: .unknownHost, message: "\(host) has no address")
      }
      return address
    }
  }

  func raise(_ alerts: [Alert], commit: Int64 = 1) throws {
    try outbox.append(alerts, to: receiver, pipeline: "p", task: 0, commit: commit)
    try outbox.release(pipeline: "p", task: 0, upTo: commit)
  }

  /// Runs a sender while `body` runs.
  func sending(
    to receiver: Receiver? = nil, policy: RetryPolicy = RetryPolicy(),
    _ body: () async throws -> Void
  ) async throws {
    let sender = Sender(
      outbox: outbox, receivers: [receiver ?? self.receiver], connections: connections,
      policy: policy, time: time, seed: 3, logger: Logger(label: "test") { _ in log })
    let task = Task { try await sender.run() }
    try await body()
    task.cancel()
    try await task.value
    try await connections.shutdown()
    try await hostile.stop()
  }

  /// Reads the statistics until they are as wished.
  func settled(_ condition: (OutboxStatistics) -> Bool) async throws -> OutboxStatistics {
    while true {
      let statistics = try outbox.statistics(receiver: "team-x")
      if condition(statistics) { return statistics }
      try Task.checkCancellation()
      await Task.yield()
    }
  }
}

/// Keeps what was logged.
private final class LogBook: LogHandler {
  private let entries = Mutex<[String]>([])

  var lines: [String] { entries.withLock { $0 } }

  var metadata: Logger.Metadata {
    get { [:] }
    set { _ = newValue }
  }

  var logLevel: Logger.Level {
    get { .trace }
    set { _ = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set { _ = newValue }
  }

  func log(event: LogEvent) {
    let entry = "\(event.level) \(event.message) \(event.metadata ?? [:])"
    entries.withLock { $0.append(entry) }
  }
}

@Suite(.timeLimit(.minutes(2)))
struct SenderTests {
  @Test func sendsASignedRequest() async throws {
    let bench = try await Bench()
    try await bench.sending {
      try bench.raise([alert("a-1")])
      let request = await bench.hostile.requests(1)[0]
      #expect(request.method == "POST")
      #expect(request.uri == "/hook?token=hunter2")
      #expect(request.header("content-type") == "application/json")
      let body = AlertFormat.alertmanager(externalURL: "").body(
        for: AlertGroup(alert("a-1")), receiver: "team-x")
      #expect(request.body == body)
      let id = try #require(request.header("webhook-id"))
      #expect(id.hasPrefix("msg_") && !id.contains("."))
      #expect(request.header("webhook-timestamp") == "1700000000")
      let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
      let signature = secret.signature(id: id, timestamp: 1_700_000_000, body: body)
      #expect(request.header("webhook-signature") == signature)
      let after = try await bench.settled { $0.queued == 0 }
      #expect(after.dead == 0)
    }
  }

  @Test func aSampleTellsWhatTheReceiverSays() async throws {
    let bench = try await Bench([.status(200), .status(404), .status(410)])
    try await bench.sending {
      let results = [
        try await bench.receiver.sendSample(over: bench.connections),
        try await bench.receiver.sendSample(over: bench.connections),
        try await bench.receiver.sendSample(over: bench.connections),
      ]
      #expect(results.map(\.isDelivered) == [true, false, false])
      #expect(results[1].message == "status 404")
      #expect(!results[0].message.contains("hunter2"))
      #expect(bench.hostile.requests[0].header("webhook-signature")?.hasPrefix("v1,") == true)
    }
  }

  @Test func secretsOfTheFormatAreAddedWhenSending() async throws {
    let bench = try await Bench()
    let pager = Receiver(
      name: "team-x", url: bench.receiver.url, format: .pagerDuty(routingKey: "R\"1"))
    try await bench.sending(to: pager) {
      try bench.outbox.append([alert()], to: pager, pipeline: "p", task: 0, commit: 1)
      try bench.outbox.release(pipeline: "p", task: 0, upTo: 1)
      let request = await bench.hostile.requests(1)[0]
      #expect(request.text.hasPrefix(#"{"routing_key":"R\"1","event_action":"trigger","#))
    }
  }

  @Test func everySecretSignsWhileTheyChange() async throws {
    let old = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    let bench = try await Bench(
      secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", old])
    try await bench.sending {
      try bench.raise([alert()])
      let request = await bench.hostile.requests(1)[0]
      let parts = try #require(request.header("webhook-signature")).split(separator: " ")
      #expect(parts.count == 2 && parts.allSatisfy { $0.hasPrefix("v1,") })
      #expect(parts[0] != parts[1])
    }
  }

  @Test func retriesKeepTheIdAndRefreshTheTimestamp() async throws {
    let bench = try await Bench([.status(500), .reset, .status(503), .status(429)])
    try await bench.sending {
      try bench.raise([alert()])
      for attempt in 1...4 {
        await bench.hostile.requests(attempt)
        try await bench.time.advance(until: { bench.hostile.requests.count > attempt })
      }
      let requests = await bench.hostile.requests(5)
      #expect(Set(requests.map { $0.header("webhook-id") }).count == 1)
      #expect(Set(requests.map { $0.header("webhook-timestamp") }).count > 1)
      _ = try await bench.settled { $0.queued == 0 }
      #expect(requests.count == 5)
    }
  }

  @Test(arguments: [
    (429, "7", Int64(7_000)), (503, "120", 120_000),
    (429, "Tue, 14 Nov 2023 22:14:20 GMT", 60_000),
  ])
  func retryAfterIsObeyed(_ status: Int, _ value: String, _ delay: Int64) async throws {
    let bench = try await Bench([.status(status, headers: [("Retry-After", value)])])
    try await bench.sending {
      let start = bench.time.now
      try bench.raise([alert("1", key: "k1")])
      await bench.hostile.requests(1)
      try await bench.time.advance(until: { bench.hostile.requests.count > 1 })
      #expect(bench.time.now - start >= delay)
    }
  }

  @Test(arguments: [301, 400, 401, 404, 413])
  func refusalsBecomeDeadLettersThatCanBeReplayed(_ status: Int) async throws {
    let bench = try await Bench([.status(status, headers: [("Location", "http://127.0.0.1:1/")])])
    try await bench.sending {
      try bench.raise([alert()])
      let id = await bench.hostile.requests(1)[0].header("webhook-id")
      _ = try await bench.settled { $0.dead == 1 && $0.queued == 0 }
      let letter = try #require(try bench.outbox.deadLetters(receiver: "team-x").first)
      #expect(letter.error.contains("status \(status)"))
      #expect(letter.attempts == 1)
      #expect(letter.webhookID == id)
      #expect(try bench.outbox.replay([letter.sequence]) == 1)
      let again = await bench.hostile.requests(2)[1]
      #expect(again.header("webhook-id") == id)
      #expect(again.body == letter.body)
      _ = try await bench.settled { $0.dead == 0 && $0.queued == 0 }
    }
  }

  @Test func goneDisablesTheReceiverUntilItIsEnabled() async throws {
    let bench = try await Bench([.status(410)])
    try await bench.sending {
      try bench.raise([alert("1", key: "k1")])
      let disabled = try await bench.settled { $0.disabledReason != nil }
      #expect(disabled.disabledReason?.contains("410") == true)
      try bench.raise([alert("2", key: "k2")], commit: 2)
      #expect(try bench.outbox.statistics(receiver: "team-x").queued == 2)
      try bench.outbox.enable(receiver: "team-x")
      await bench.hostile.requests(3)
      _ = try await bench.settled { $0.queued == 0 }
    }
  }

  @Test func oneEpisodeKeepsItsOrder() async throws {
    let bench = try await Bench([.status(500), .status(500)])
    try await bench.sending {
      try bench.raise([
        alert("e-0", key: "e"), alert("e-1", status: .resolved, key: "e"), alert("f-0", key: "f"),
      ])
      await bench.hostile.requests(2)
      try await bench.time.advance(until: { bench.hostile.requests.count >= 5 })
      _ = try await bench.settled { $0.queued == 0 }
      let ids = bench.hostile.requests.map { $0.text.contains("resolved") ? "resolved" : "firing" }
      #expect(ids.filter { $0 == "resolved" }.count == 1)
      #expect(ids.last == "resolved" || ids[ids.count - 2] == "resolved")
      #expect(ids.first == "firing")
    }
  }

  @Test func theCircuitOpensAndOneProbeClosesIt() async throws {
    let bench = try await Bench(Array(repeating: .status(500), count: 8), concurrency: 1)
    var policy = RetryPolicy()
    policy.failuresToOpen = 3
    try await bench.sending(policy: policy) {
      try bench.raise((0..<20).map { alert("\($0)", key: "k\($0)") })
      await bench.hostile.requests(3)
      let opened = bench.time.now
      try await bench.time.advance(until: { bench.hostile.requests.count >= 9 })
      #expect(bench.time.now - opened >= 6 * policy.probeMilliseconds)
      _ = try await bench.settled { $0.queued == 0 }
      #expect(bench.hostile.requests.count == 28)
      #expect(bench.log.lines.contains { $0.contains("one probe at a time") })
      #expect(bench.log.lines.contains { $0.contains("receiver is back") })
      #expect(!bench.log.lines.joined().contains("hunter2"))
    }
  }

  @Test func nothingIsTriedBeyondItsAge() async throws {
    let bench = try await Bench(then: .status(500))
    var policy = RetryPolicy()
    #expect(policy.maximumAgeMilliseconds == 72 * 3_600_000)
    policy.maximumAgeMilliseconds = 7_200_000
    try await bench.sending(policy: policy) {
      try bench.raise([alert()])
      await bench.hostile.requests(1)
      try await bench.time.advance(until: {
        try bench.outbox.statistics(receiver: "team-x").queued == 0
      })
      let letter = try #require(try bench.outbox.deadLetters(receiver: "team-x").first)
      #expect(letter.error.contains("expired"))
      let age = letter.endedAt - letter.createdAt
      #expect((7_200_000...(7_200_000 + 2_400_000)).contains(age))
    }
  }

  @Test func refusedAddressesAreNeverConnectedTo() async throws {
    let bench = try await Bench(allowed: [])
    let metadata = Receiver(
      name: "team-x", url: WebURL("http://rebind.example:\(bench.hostile.port)/latest")!)
    try await bench.sending(to: metadata) {
      try bench.raise([alert()])
      _ = try await bench.settled { $0.dead == 1 }
      let letter = try #require(try bench.outbox.deadLetters(receiver: "team-x").first)
      #expect(letter.error.contains("ssrf_blocked"))
      #expect(letter.error.contains("169.254.169.254"))
      #expect(!letter.error.contains("/latest"))
      #expect(bench.hostile.requests.isEmpty)
    }
  }

  @Test func aSilentReceiverTimesOut() async throws {
    let bench = try await Bench([.silence], timeout: 300)
    try await bench.sending {
      try bench.raise([alert()])
      try await bench.time.advance(until: {
        try bench.outbox.statistics(receiver: "team-x").queued == 0
      })
      #expect(bench.hostile.requests.count >= 2)
      #expect(try bench.outbox.deadLetters(receiver: "team-x").isEmpty)
    }
  }
}
