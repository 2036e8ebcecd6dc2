import Delivery
import Foundation
import RimSupport
import Synchronization
import Testing
import Transport

/// A destination in memory.
private final class Memory: Destination {
  let objects = Mutex<[ClosedObject]>([])

  private let refused: [Int]

  init(refusing refused: [Int] = []) { self.refused = refused }

  func put(_ object: ClosedObject) async throws -> PutResult {
    objects.withLock { $0.append(object) }
    guard refused.isEmpty else {
      let error = DeliveryError(code: "X", message: "refused", hint: "", remedy: .none)
      throw RejectedRecords(records: refused, error: error)
    }
    return .stored
  }
}

/// Upper-cases records, drops those with "drop", fails those with "fail", forgets those with "lose".
private func answer(_ request: HostileReceiver.Request) -> HostileReceiver.Reply {
  do {
    let parsed = try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any]
    let records = (parsed?["records"] as? [[String: Any]] ?? []).compactMap { record in
      let id = record["recordId"] as? String ?? ""
      let bytes = Base64.decode(record["data"] as? String ?? "") ?? []
      let text = String(decoding: bytes, as: UTF8.self)
      if text.contains("lose") { return nil as [String: String]? }
      let result =
        text.contains("drop") ? "Dropped" : text.contains("fail") ? "ProcessingFailed" : "Ok"
      return [
        "recordId": id, "result": result, "data": Base64.encode(Array(text.uppercased().utf8)),
      ]
    }
    let body = try JSONSerialization.data(withJSONObject: ["records": records])
    return .json(200, String(decoding: body, as: UTF8.self))
  } catch {
    return .status(400)
  }
}

private func object(_ texts: [String]) throws -> ClosedObject {
  var open = OpenObject(keepsRecordEnds: true)
  for (row, text) in texts.enumerated() {
    open.append(row: Int64(row), rowTime: 5, now: 0) { $0 += text.utf8 }
  }
  let naming = ObjectNaming(
    stream: "out", version: 1, prefix: try Prefix(parsing: nil), fileExtension: "")
  return try open.closed(pipeline: "p", life: "l", task: 0, output: "out", naming: naming)
}

struct TransformTests {
  private func run(
    _ texts: [String], script: [HostileReceiver.Reply] = [], endsLines: Bool = false,
    refusing refused: [Int] = []
  ) async throws -> (stored: [String], backup: String, requests: [HostileReceiver.Request]) {
    let hostile = try await HostileReceiver(script, then: .computed(answer))
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let memory = Memory(refusing: refused)
    let backup = Memory()
    let time = InstantTime()
    let step = TransformStep(
      url: try #require(WebURL(hostile.url())), sourceARN: "arn", connections: connections,
      threads: threads, time: time)
    let naming = ObjectNaming(
      stream: "out", version: 1, prefix: try Prefix.errorPrefix(parsing: nil, besides: nil),
      fileExtension: "")
    let uploader = Uploader(
      destination: TransformedDestination(
        step: step, destination: memory, endsLines: endsLines),
      backup: Backup(destination: backup, naming: naming, type: .processingFailed), time: time,
      seed: 1)
    _ = try await uploader.deliver(try object(texts))
    let requests = hostile.requests
    try await connections.shutdown()
    try await hostile.stop()
    try await threads.stop()
    let stored = memory.objects.withLock { objects in
      objects.flatMap { object in
        (0..<object.recordCount).map { String(decoding: object.record($0), as: UTF8.self) }
      }
    }
    let failed = backup.objects.withLock { $0.flatMap(\.bytes) }
    return (stored, String(decoding: failed, as: UTF8.self), requests)
  }

  @Test func everyRecordHasItsResult() async throws {
    let result = try await run(["a\n", "drop\n", "b\n", "fail\n", "lose\n", "c\n"])
    #expect(result.stored == ["A\n", "B\n", "C\n"])
    let lines = result.backup.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0].contains(#""rawData":"ZmFpbAo=","subsequenceNumber":3"#))
    #expect(lines[1].contains(#""rawData":"bG9zZQo=","subsequenceNumber":4"#))
    #expect(lines[0].contains("Transform.ProcessingFailed"))
    let text = result.requests[0].text
    #expect(
      text.contains(#""deliveryStreamArn":"arn","region":"local","records":[{"recordId":"0","#))
    #expect(text.contains(#""approximateArrivalTimestamp":5,"data":"YQo="}"#))
  }

  @Test func callsAreTriedFourTimesWithOneID() async throws {
    let three: [HostileReceiver.Reply] = [.status(500), .reset, .status(200, body: "no")]
    let fine = try await run(["a"], script: three)
    #expect(fine.stored == ["A"] && fine.requests.count == 4)
    #expect(Set(fine.requests.map(\.text)).count == 1)
    let failed = try await run(["a", "b"], script: three + [.status(500)])
    #expect(failed.stored.isEmpty && failed.requests.count == 4)
    #expect(failed.backup.split(separator: "\n").count == 2)
  }

  @Test func callsHoldAtMostThreeMebibytes() async throws {
    let big = String(repeating: "x", count: 1_500_000)
    let result = try await run([big, big, big, "y"])
    #expect(result.requests.count == 2)
    #expect(result.stored.count == 4)
  }

  /// Steps written for Firehose leave the line feed to it.
  @Test func recordsEndWithALineFeedAgain() async throws {
    let lines = try await run(["a", "b\n"], endsLines: true)
    #expect(lines.stored == ["A\n", "B\n"])
    let records = try await run(["a", "b\n"], endsLines: false)
    #expect(records.stored == ["A", "B\n"])
  }

  /// The destination counts the records that the step has kept, the backup those that came in.
  @Test func whatTheDestinationRefusesIsTheRightRecord() async throws {
    let result = try await run(["a", "drop", "fail", "b", "c"], refusing: [1])
    let lines = result.backup.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0].contains(#""rawData":"ZmFpbA==","subsequenceNumber":2"#))
    #expect(lines[1].contains(#""rawData":"Yg==","subsequenceNumber":3"#))
  }

  @Test func anEmptyResultStoresNothing() async throws {
    let result = try await run(["drop"])
    #expect(result.stored.isEmpty && result.backup.isEmpty)
  }
}
