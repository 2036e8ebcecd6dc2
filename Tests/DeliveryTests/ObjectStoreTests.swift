import Delivery
import Foundation
import RimSupport
import Testing
import Transport

@Suite(.serialized)
struct ObjectStoreTests {
  private func destination(
    port: Int, keys: AccessKeys, compression: Compression = .none, connections: HTTPConnections,
    threads: BlockingThreads
  ) throws -> ObjectStoreDestination {
    ObjectStoreDestination(
      store: try ObjectStore(
        bucket: "bucket", region: "us-east-1", endpoint: "http://127.0.0.1:\(port)"),
      prefix: "a b/c=1/", compression: compression,
      keys: AccessKeySource(keys, connections: connections, threads: threads),
      connections: connections, threads: threads)
  }

  @Test(.enabled(if: RealParts.weed != nil, "there is no SeaweedFS: \(RealParts.hint)"))
  func seaweedStoresWholeObjectsOnce() async throws {
    let weed = try await SeaweedStore(program: try #require(RealParts.weed as String?))
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let store = try destination(
      port: weed.port, keys: SeaweedStore.keys, connections: connections, threads: threads)

    for text in ["small\n", String(repeating: "0123456789abcde\n", count: 1_250_000)] {
      let closed = try object(text, row: Int64(text.utf8.count))
      #expect(try await store.put(closed) == .stored)
      #expect(try await store.put(closed) == .existed)
      let found = try await weed.call("GET", "/bucket/a%20b/c%3D1/\(closed.name)")
      #expect(found.body == closed.bytes)
    }
    for (keys, code) in [
      (AccessKeys(id: "testkey", secret: "wrong"), "S3.SignatureDoesNotMatch"),
      (AccessKeys(id: "nobody", secret: "x"), "S3.InvalidAccessKeyId"),
    ] {
      let wrong = try destination(
        port: weed.port, keys: keys, connections: connections, threads: threads)
      let error = await #expect(throws: DeliveryError.self) {
        try await wrong.put(try object("x", row: 77))
      }
      #expect(error?.code == code)
      #expect(error?.remedy == .operatorAction)
    }
    try await connections.shutdown()
    try await weed.stop()
    try await threads.stop()
  }

  @Test func answersOfTheStoreAreUnderstood() async throws {
    let hostile = try await HostileReceiver([
      .status(503, headers: [("retry-after", "3")], body: "<Error><Code>SlowDown</Code></Error>"),
      .status(503, headers: [("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]),
      .status(412), .status(404, body: "<Error><Code>NoSuchBucket</Code></Error>"), .reset,
      .status(500), .status(200),
    ])
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let store = try destination(
      port: hostile.port, keys: SeaweedStore.keys, connections: connections, threads: threads)
    let slow = await #expect(throws: DeliveryError.self) { try await store.put(try object("x")) }
    #expect(slow?.code == "S3.SlowDown" && slow?.retryAfterMilliseconds == 3_000)
    let dated = await #expect(throws: DeliveryError.self) { try await store.put(try object("x")) }
    #expect(dated?.retryAfterMilliseconds == 0, "a date of the past")
    #expect(try await store.put(try object("x")) == .existed)
    let missing = await #expect(throws: DeliveryError.self) { try await store.put(try object("x")) }
    #expect(missing?.code == "S3.NoSuchBucket" && missing?.remedy == .operatorAction)
    let uploader = Uploader(destination: store, time: InstantTime(), seed: 1)
    #expect(try await uploader.deliver(try object("x")) == .stored)
    #expect(hostile.requests.allSatisfy { $0.header("if-none-match") == "*" })
    #expect(hostile.requests.allSatisfy { $0.method == "PUT" && $0.text == "x" })
    try await connections.shutdown()
    try await hostile.stop()
    try await threads.stop()
  }

  /// A completion that fails after its status, and an upload left over by a crash.
  @Test func multipartUploadsAreCleanedUp() async throws {
    let closed = try object(String(repeating: "x", count: 9 << 20))
    let listed = "<U><Key>a b/c=1/\(closed.name)</Key><UploadId>old</UploadId></U>"
    let hostile = try await HostileReceiver([
      .status(404), .status(200, body: listed), .status(204),
      .status(200, body: "<UploadId>new</UploadId>"),
      .status(200, headers: [("etag", "\"1\"")]), .status(200, headers: [("etag", "\"2\"")]),
      .status(200, body: "<Error><Code>InternalError</Code></Error>"), .status(204),
    ])
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let store = try destination(
      port: hostile.port, keys: SeaweedStore.keys, connections: connections, threads: threads)
    let error = await #expect(throws: DeliveryError.self) { try await store.put(closed) }
    #expect(error?.code == "S3.InternalError" && error?.remedy == .retry)
    let calls = hostile.requests.map {
      "\($0.method) \($0.uri.split(separator: "?").last ?? "")"
    }
    #expect(calls[2] == "DELETE uploadId=old")
    #expect(
      calls[4...6] == [
        "PUT partNumber=1&uploadId=new", "PUT partNumber=2&uploadId=new", "POST uploadId=new",
      ])
    #expect(calls[7] == "DELETE uploadId=new")
    #expect(hostile.requests[5].body.count == 1 << 20)
    #expect(hostile.requests[6].text.contains("<PartNumber>2</PartNumber><ETag>\"2\"</ETag>"))
    try await connections.shutdown()
    try await hostile.stop()
    try await threads.stop()
  }

  @Test func addressingStyles() throws {
    let amazon = try ObjectStore(bucket: "b", region: "eu-west-1")
    #expect(!amazon.usesPathStyle)
    #expect(try ObjectStore(bucket: "b.c", region: "eu-west-1").usesPathStyle)
    #expect(try ObjectStore(bucket: "b", region: "r", endpoint: "http://h:1").usesPathStyle)
    #expect(throws: SettingError.self) {
      try ObjectStore(bucket: "b", region: "r", endpoint: "h:1/x")
    }
  }
}
