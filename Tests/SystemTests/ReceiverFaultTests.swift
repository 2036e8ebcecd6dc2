import Foundation
import RimSupport
import Testing

extension SystemTests {
  @Suite("Fault 20: endpoints that fail in every way", .timeLimit(.minutes(10)))
  struct Fault20 {
    /// Answers as an endpoint of Firehose's protocol should.
    static func accept(_ request: HostileReceiver.Request) -> HostileReceiver.Reply {
      let id = request.header("x-amz-firehose-request-id") ?? ""
      return .json(200, #"{"requestId":"\#(id)","timestamp":1}"#)
    }

    private static func output(_ receiver: HostileReceiver, _ more: String = "") -> String {
      """
        - stream: OUT
          delivery:
            to: '\(receiver.url("/in"))'
            http: {allow_insecure: true, allow: [127.0.0.0/8]}
            buffer: {size: 1MiB, records: 20}
            \(more)
      """
    }

    @Test func everyFailureIsTriedAgainAndNothingIsLost() async throws {
      let elsewhere = try await HostileReceiver()
      let json = [("content-type", "application/json")]
      let faults: [HostileReceiver.Reply] = [
        .status(500), .status(429, headers: [("Retry-After", "1")]), .status(401),
        .status(301, headers: [("Location", elsewhere.url())]), .reset, .cutBody,
        .status(200, headers: json, body: #"{"requestId":"another","timestamp":1}"#),
        .status(200, body: "thanks"),
      ]
      var receivers: [HostileReceiver] = []
      for fault in faults {
        receivers.append(try await HostileReceiver([fault], then: .computed(Self.accept)))
      }
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        SystemTests.pipeline(receivers.map { Self.output($0) }.joined(separator: "\n")),
        to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<40), to: "numbers")
      for receiver in receivers { await receiver.requests(3) }
      await stage.end(daemon)
      for (fault, receiver) in zip(faults, receivers) {
        let requests = receiver.requests
        let ids = Set(requests.compactMap { $0.header("x-amz-firehose-request-id") })
        #expect(requests.count == 3 && ids.count == 2, "\(fault): \(requests.count)")
        try await receiver.stop()
      }
      #expect(elsewhere.requests.isEmpty, "redirects are not followed")
      #expect(daemon.text.contains("HttpEndpoint.AccessDenied"), "\(daemon.text)")
      #expect(!stage.files.contains { $0.contains("undelivered/") && !$0.contains(".tmp") })
      let balance = try await stage.expectBalance(delivered: .rows(40))
      #expect(balance.outputs.dropLast().allSatisfy { $0.delivered == 40 }, "\(balance)")
      try await elsewhere.stop()
    }

    @Test func oneRecordTooLargeGoesToTheBackupAlone() async throws {
      // The Base64 form of the row of number 7.
      let row = Data("{\"N\":7}\n".utf8).base64EncodedString()
      let receiver = try await HostileReceiver(
        then: .computed { $0.text.contains(row) ? .status(413) : Self.accept($0) })
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        SystemTests.pipeline(
          Self.output(receiver, "backup: {to: file://./undelivered}")), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<20), to: "numbers")
      try await stage.expectRows(1, below: "undelivered", of: daemon)
      await stage.end(daemon)
      let envelopes = stage.rows("undelivered")
      #expect(envelopes.count == 1)
      #expect(envelopes[0].contains("HttpEndpoint.RequestEntityTooLarge"))
      #expect(envelopes[0].contains("\"rawData\":\"\(row)\""), "\(envelopes[0])")
      let taken = receiver.requests.filter { !$0.text.contains(row) }
      #expect(taken.reduce(0) { $0 + $1.text.ranges(of: "\"data\":").count } == 19)
      try await stage.expectBalance(delivered: .rows(20))
      try await receiver.stop()
    }

    /// One byte of the answer at a time, without end: after 180 s the request is made again.
    @Test(.enabled(if: Faults.areLong, Faults.tooLong))
    func anAnswerThatNeverEndsIsGivenUp() async throws {
      let receiver = try await HostileReceiver([.drip], then: .computed(Self.accept))
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        SystemTests.pipeline(Self.output(receiver)), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<20), to: "numbers")
      let line = try #require(
        await daemon.line(containing: "fails and is tried again", within: .seconds(230)))
      #expect(line.contains("did not answer within 180000 ms"), "\(line)")
      await receiver.requests(2)
      await stage.end(daemon)
      let ids = receiver.requests.map { $0.header("x-amz-firehose-request-id") }
      #expect(ids.count == 2 && ids[0] == ids[1])
      try await stage.expectBalance(delivered: .rows(20))
      try await receiver.stop()
    }
  }

  @Suite("Fault 21: webhooks that fail in every way", .timeLimit(.minutes(4)))
  struct Fault21 {
    private static func pipeline(_ url: String, _ more: String = "") -> String {
      SystemTests.pipeline(
        """
          - stream: OUT
            delivery: {to: file://./out, buffer: {size: 1MiB, interval: 1s}}
          - stream: OUT
            webhook: {url: '\(url)', allow: [127.0.0.0/8]\(more)}
        """)
    }

    private func alerts(_ stage: Stage, _ arguments: String...) async throws -> String {
      let program = try Program(
        nil, ["alerts"] + arguments + ["--brokers", stage.address], folder: stage.path)
      let code = await program.exitCode()
      #expect(code == 0, "\(program.text)")
      return program.text
    }

    @Test func goneDisablesUntilItIsEnabledAndRefusalsAreReplayed() async throws {
      let receiver = try await HostileReceiver([.status(400), .status(410)])
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(receiver.url()), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<1), to: "numbers")
      #expect(await daemon.line(containing: "kept as a dead letter") != nil)
      try stage.produce(SystemTests.numbers(1..<2), to: "numbers")
      #expect(await daemon.line(containing: "answered 410 Gone") != nil)
      let list = try await alerts(stage, "list", file)
      #expect(list.contains("numbers/OUT-2: 1 waiting"), "\(list)")
      #expect(list.contains("1 given up") && list.contains("disabled: "), "\(list)")
      #expect(list.contains("1 attempts  status 400"), "\(list)")

      let enabled = try await alerts(stage, "enable", file)
      #expect(enabled.contains("numbers/OUT-2: enabled"), "\(enabled)")
      let again = try await alerts(stage, "replay", file, "--sequence", "1")
      #expect(again.contains("1 alerts are queued again"), "\(again)")
      await receiver.requests(4)
      await stage.end(daemon)
      let ids = receiver.requests.compactMap { $0.header("webhook-id") }
      #expect(ids.count == 4 && Set(ids).count == 2 && Set(ids[2...]) == Set(ids[..<2]))
      let after = try await alerts(stage, "list", file)
      #expect(after.contains("0 waiting; 0 given up"), "\(after)")
      try await stage.expectBalance()
      try await receiver.stop()
    }

    @Test func silencesAreAddedListedAndRemoved() async throws {
      let receiver = try await HostileReceiver()
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(receiver.url()), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(0, of: daemon)
      _ = try #require(await daemon.line(containing: "the group gives"))
      let added = try await alerts(
        stage, "silence", "add", "alertname=OUT", "--minutes", "5", "--comment", "works")
      let id = try #require(added.split(separator: "\n").last.map(String.init))
      let listed = try await alerts(stage, "silence", "list")
      #expect(listed.contains(id) && listed.contains("alertname=\"OUT\""), "\(listed)")
      #expect(listed.contains("works"))
      try stage.produce(SystemTests.numbers(0..<3), to: "numbers")
      try await stage.expectRows(3, of: daemon)
      let removed = try await alerts(stage, "silence", "remove", id)
      #expect(removed.contains("removed"))
      #expect(try await !alerts(stage, "silence", "list").contains(id))
      try stage.produce(SystemTests.numbers(3..<4), to: "numbers")
      let told = await receiver.requests(1)
      await stage.end(daemon)
      #expect(told.count == 1 && told[0].text.contains("N=3"), "\(told.map(\.text))")
      try await stage.expectBalance()
      try await receiver.stop()
    }

    @Test func redirectsAreRefused() async throws {
      let inside = try await HostileReceiver()
      let receiver = try await HostileReceiver(
        then: .status(302, headers: [("Location", inside.url("/latest/meta-data"))]))
      let stage = try Stage(topics: ["numbers": 1])
      let first = try stage.write(Self.pipeline(receiver.url()), to: "numbers.yaml")
      let daemon = try stage.daemon(first)
      try stage.produce(SystemTests.numbers(0..<1), to: "numbers")
      #expect(await daemon.line(containing: "status 302: redirects are not followed") != nil)
      await stage.end(daemon)
      #expect(inside.requests.isEmpty)
      try await stage.expectBalance()
      try await inside.stop()
      try await receiver.stop()
    }

    /// A name of the public kind that leads to the metadata service.
    @Test(.enabled(if: SmallVolume.isPossible, "a table of hosts needs an administrator"))
    func aNameOfTheMetadataServiceIsRefused() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        Self.pipeline("http://alerts.example.com/latest"), to: "numbers.yaml")
      let hosts = try stage.write("169.254.169.254 alerts.example.com\n", to: "hosts")
      let daemon = try stage.daemon(file, through: PrivateFiles.prefix(hosts, as: "/etc/hosts"))
      try stage.produce(SystemTests.numbers(0..<1), to: "numbers")
      let blocked = try #require(await daemon.line(containing: "ssrf_blocked"))
      #expect(blocked.contains("alerts.example.com leads to 169.254.169.254"), "\(blocked)")
      await stage.end(daemon)
      let list = try await alerts(stage, "list", file)
      #expect(list.contains("0 waiting; 1 given up"), "\(list)")
      try await stage.expectBalance()
    }

    @Test func theMetadataServiceIsRefusedBeforeTheStart() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        Self.pipeline("http://[::ffff:169.254.169.254]/latest"), to: "numbers.yaml")
      let (code, text) = try await stage.command("validate", file, "--brokers", stage.address)
      #expect(code == 78)
      #expect(text.contains("numbers.yaml:15:20: "), "\(text)")
      #expect(text.contains("169.254.169.254 is not public"), "\(text)")
      #expect(text.contains("write allow: ["), "\(text)")
      Faults.tellNoBalance("a private address is refused before the start")
    }

    /// One byte of an answer at a time, without end.
    @Test func aDrippingReceiverHoldsNothingUp() async throws {
      let receiver = try await HostileReceiver([.drip], then: .status(200))
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(receiver.url(), ", timeout: 1s"), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<1), to: "numbers")
      await receiver.requests(2)
      try await stage.expectRows(1, of: daemon)
      await stage.end(daemon)
      let ids = receiver.requests.map { $0.header("webhook-id") }
      #expect(ids.count == 2 && ids[0] == ids[1])
      try await stage.expectBalance()
      try await receiver.stop()
    }

    /// Not one alert is answered, and every row is delivered all the same.
    @Test func aReceiverThatNeverAnswersHoldsNothingUp() async throws {
      let receiver = try await HostileReceiver(then: .silence)
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(receiver.url()), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<2_000), to: "numbers")
      await receiver.requests(1)
      try stage.produce(SystemTests.numbers(2_000..<5_000), to: "numbers")
      try await stage.expectRows(5_000, of: daemon)
      let list = try await alerts(stage, "list", file)
      #expect(list.contains("5000 waiting"), "\(list)")
      // What waits for its receiver is kept, and does not hold up the end either.
      await stage.end(daemon)
      let balance = try await stage.expectBalance()
      #expect(balance.outputs.dropLast().map(\.rows) == [5_000, 5_000], "\(balance)")
      try await receiver.stop()
    }
  }
}
