import Delivery
import Foundation
import RimSupport
import Synchronization
import Testing
import Transport

/// A destination in memory.
private final class Memory: Destination {
  let objects = Mutex<[ClosedObject]>([])

  func put(_ object: ClosedObject) async throws -> PutResult {
    objects.withLock { $0.append(object) }
    return .stored
  }
}

/// Answers as a well-behaved endpoint.
private func accept(_ request: HostileReceiver.Request) -> HostileReceiver.Reply {
  let id = request.header("x-amz-firehose-request-id") ?? ""
  return .json(200, #"{"requestId":"\#(id)","timestamp":"1578090903599"}"#)
}

private struct Bench {
  let hostile: HostileReceiver
  let threads = BlockingThreads(count: 1)
  let connections: HTTPConnections
  let endpoint: EndpointDestination
  let time = InstantTime()
  let backup = Memory()

  init(
    _ script: [HostileReceiver.Reply] = [], then rest: HostileReceiver.Reply = .computed(accept),
    gzip: Bool = false, timeout: Int64 = 180_000
  ) async throws {
    hostile = try await HostileReceiver(script, then: rest)
    connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let settings = try EndpointSettings(
      url: hostile.url("/in"), accessKey: "key/==", sourceARN: "arn:cutbank:p/out",
      commonAttributes: ["z": "2", "a": "1"], usesGzip: gzip, allowsInsecure: true)
    endpoint = EndpointDestination(
      settings: settings, connections: connections, threads: threads, time: time,
      timeoutMilliseconds: timeout)
  }

  func uploader(retryMilliseconds: Int64 = 300_000) throws -> Uploader {
    let prefix = try Prefix.errorPrefix(
      parsing: "failed/!{firehose:error-output-type}/", besides: nil)
    let naming = ObjectNaming(
      stream: "out", version: 1, prefix: prefix, fileExtension: ".jsonl")
    return Uploader(
      destination: endpoint, backup: Backup(destination: backup, naming: naming),
      retryMilliseconds: retryMilliseconds, time: time, seed: 1)
  }

  func stop() async throws {
    try await connections.shutdown()
    try await hostile.stop()
    try await threads.stop()
  }

  /// The envelopes in the backup.
  func envelopes() throws -> [[String: Any]] {
    try backup.objects.withLock { $0 }.flatMap { object in
      try object.bytes.split(separator: 10).map { line in
        try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
      }
    }
  }
}

private func rows(_ texts: [String]) throws -> ClosedObject {
  var open = OpenObject(keepsRecordEnds: true)
  for (row, text) in texts.enumerated() {
    open.append(row: Int64(row), rowTime: 1_000, now: 0) { $0 += text.utf8 }
  }
  let naming = ObjectNaming(
    stream: "out", version: 1, prefix: try Prefix(parsing: nil), fileExtension: "")
  return try open.closed(pipeline: "p", life: "l", task: 0, output: "out", naming: naming)
}

struct EndpointTests {
  @Test func requestHasFirehosesForm() async throws {
    let bench = try await Bench()
    let object = try rows(["{\"a\":1}\n", "{\"a\":2}\n"])
    #expect(try await bench.endpoint.put(object) == .stored)
    let request = bench.hostile.requests[0]
    let id = try #require(request.header("X-Amz-Firehose-Request-Id"))
    #expect(UUID(uuidString: id) != nil)
    #expect(request.method == "POST" && request.uri == "/in")
    #expect(request.header("X-Amz-Firehose-Protocol-Version") == "1.0")
    #expect(request.header("Content-Type") == "application/json")
    #expect(request.header("X-Amz-Firehose-Source-Arn") == "arn:cutbank:p/out")
    #expect(request.header("X-Amz-Firehose-Access-Key") == "key/==")
    #expect(request.header("Content-Encoding") == nil)
    #expect(
      request.header("X-Amz-Firehose-Common-Attributes")
        == #"{"commonAttributes":{"a":"1","z":"2"}}"#)
    #expect(
      request.text
        == #"{"requestId":"\#(id)","timestamp":1700000000000,"records":[{"data":"eyJhIjoxfQo="},{"data":"eyJhIjoyfQo="}]}"#
    )
    try await bench.stop()
  }

  @Test func bodiesCanBeCompressed() async throws {
    let bench = try await Bench(gzip: true)
    _ = try await bench.endpoint.put(try rows(["x"]))
    let request = bench.hostile.requests[0]
    #expect(request.header("Content-Encoding") == "gzip")
    let folder = try TemporaryFolder()
    try Data(request.body).write(to: URL(fileURLWithPath: folder.path + "/b.gz"))
    let plain = try output(of: "/bin/gzip", ["-dc", folder.path + "/b.gz"])
    #expect(String(decoding: plain, as: UTF8.self).contains(#""records":[{"data":"eA=="}]"#))
    try await bench.stop()
  }

  @Test func everyFailureIsTriedAgainWithTheSameID() async throws {
    let answer = #"{"requestId":"other","timestamp":1}"#
    let json = [("content-type", "application/json")]
    let bench = try await Bench(
      [
        .status(500), .status(429, headers: [("Retry-After", "40")]), .status(301), .status(404),
        .reset, .cutBody, .drip, .silence, .status(200, headers: json, body: answer),
        .status(200, headers: json, body: "{}"), .status(200, headers: json, body: "no"),
        .status(200, body: "{}"), .status(401),
      ], timeout: 1_000)
    let uploader = try bench.uploader(retryMilliseconds: 7_200_000)
    #expect(try await uploader.deliver(try rows(["x"])) == .stored)
    let ids = bench.hostile.requests.map { $0.header("x-amz-firehose-request-id") }
    #expect(ids.count == 14)
    #expect(Set(ids).count == 1)
    #expect(bench.time.sleeps.contains(40_000))
    #expect(try bench.envelopes().isEmpty)
    try await bench.stop()
  }

  @Test func afterTheRetryDurationTheBackupGetsTheRecords() async throws {
    let bench = try await Bench(then: .status(500))
    let uploader = try bench.uploader(retryMilliseconds: 20_000)
    #expect(try await uploader.deliver(try rows(["one", "two"])) == .backedUp)
    #expect(bench.time.sleeps.reduce(0, +) <= 20_000)
    let envelopes = try bench.envelopes()
    #expect(envelopes.count == 2)
    #expect(envelopes[1]["rawData"] as? String == "dHdv")
    #expect(envelopes[1]["errorCode"] as? String == "HttpEndpoint.DestinationException")
    #expect(envelopes[1]["attemptsMade"] as? Int == bench.hostile.requests.count)
    #expect(envelopes[1]["stage"] as? String == "deliver/out")
    #expect(envelopes[1]["topic"] == nil)
    let name = bench.backup.objects.withLock { $0[0].name }
    #expect(name.hasPrefix("failed/http-endpoint-failed/out-1-1970-01-01-00-00-01-"))
    #expect(uploader.status.backedUpObjects == 1 && uploader.status.deliveredObjects == 0)
    try await bench.stop()
  }

  @Test func deniedAccessWaitsForTheOperatorAndDropsNothing() async throws {
    let denied = Array(repeating: HostileReceiver.Reply.status(403), count: 40)
    let bench = try await Bench(denied)
    let uploader = try bench.uploader(retryMilliseconds: 0)
    #expect(try await uploader.deliver(try rows(["x"])) == .stored)
    #expect(bench.time.sleeps.count == 40)
    try await bench.stop()
  }

  @Test func tooLargeIsHalvedDownToOneRecord() async throws {
    let bench = try await Bench(
      then: .computed { request in
        request.text.contains("dG9vIGJpZw==") ? .status(413) : accept(request)
      })
    let uploader = try bench.uploader()
    let object = try rows(["a", "b", "too big", "c", "d"])
    #expect(try await uploader.deliver(object) == .backedUp)
    let envelopes = try bench.envelopes()
    #expect(envelopes.map { $0["rawData"] as? String } == ["dG9vIGJpZw=="])
    #expect(envelopes[0]["errorCode"] as? String == "HttpEndpoint.RequestEntityTooLarge")
    #expect(envelopes[0]["subsequenceNumber"] as? Int == 2)
    let accepted = bench.hostile.requests.filter { !$0.text.contains("dG9vIGJpZw==") }
    let data = accepted.map { request in
      request.text.split(separator: "\"data\":\"").dropFirst().map { String($0.prefix(4)) }
    }
    #expect(data.flatMap { $0 } == ["YQ==", "Yg==", "Yw==", "ZA=="])
    #expect(
      Set(bench.hostile.requests.map { $0.header("x-amz-firehose-request-id") }).count
        == bench.hostile.requests.count)
    try await bench.stop()
  }

  @Test func oneRecordAboveTheLimitIsNeverSent() async throws {
    let bench = try await Bench()
    let uploader = try bench.uploader()
    let object = try rows(["a", String(repeating: "x", count: 1_024_001)])
    #expect(try await uploader.deliver(object) == .backedUp)
    #expect(bench.hostile.requests.allSatisfy { $0.body.count < 1_000 || $0.text.contains("YQ==") })
    #expect(try bench.envelopes().count == 1)
    try await bench.stop()
  }

  @Test func settingsAreChecked() throws {
    let error = try #require(throws: SettingErrors.self) {
      try EndpointSettings(
        url: "http://h/", accessKey: String(repeating: "k", count: 4_097), sourceARN: "a",
        commonAttributes: ["": "x"])
    }
    #expect(error.errors.map(\.setting) == ["to", "access_key", "common_attributes"])
  }
}
