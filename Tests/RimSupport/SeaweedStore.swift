public import Delivery
import Foundation
import Glibc
import Processes
import Synchronization
public import Transport

/// A SeaweedFS server of its own with the bucket `bucket`.
///
/// It checks signatures, content hashes and preconditions, unlike the usual stand-ins.
public final class SeaweedStore: Sendable {
  /// The secret of the only keys that it takes.
  public static let secret = "testsecret"
  /// The only keys that it takes.
  public static let keys = AccessKeys(id: "testkey", secret: secret)

  public let port: Int
  private let process: ChildProcess
  private let folder: TemporaryFolder
  private let connections: HTTPConnections
  private let hasEnded = Atomic(false)

  /// Starts a server; on other ports when somebody was quicker to take one.
  public init(program: String) async throws {
    for attempt in 1... {
      let folder = try TemporaryFolder()
      let port = freePorts(4)
      let process = try Self.start(program, folder: folder, port: port)
      let threads = BlockingThreads(count: 1)
      let connections = HTTPConnections(policy: .unrestricted, threads: threads)
      if try await Self.makeBucket(process, port: port, connections: connections) {
        self.folder = folder
        self.port = port
        self.process = process
        self.connections = connections
        return
      }
      process.signal(SIGKILL)
      try await connections.shutdown()
      if attempt == 3 { throw POSIXError(.EADDRINUSE) }
    }
    throw POSIXError(.EADDRINUSE)
  }

  // A test that fails must not leave its server to those that follow.
  deinit { end() }

  /// Ends the server.
  public func stop() async throws {
    end()
    try await connections.shutdown()
  }

  private func end() {
    guard !hasEnded.exchange(true, ordering: .relaxed) else { return }
    signal(SIGKILL)
  }

  /// Sends a signal to the server.
  public func signal(_ number: Int32) { process.signal(number) }

  public var url: String { "http://127.0.0.1:\(port)" }

  private static func start(
    _ program: String, folder: TemporaryFolder, port: Int
  ) throws -> ChildProcess {
    let identity = """
      {"identities":[{"name":"t","credentials":[
      {"accessKey":"\(keys.id)","secretKey":"\(secret)"}],
      "actions":["Admin","Read","List","Tagging","Write"]}]}
      """
    try identity.write(toFile: folder.path + "/s3.json", atomically: true, encoding: .utf8)
    return try ChildProcess([
      program, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=\(folder.path)",
      "-master.port=\(port + 1)", "-volume.port=\(port + 2)", "-filer",
      "-filer.port=\(port + 3)", "-s3", "-s3.port=\(port)", "-s3.port.iceberg=0",
      "-s3.port.lance=0",
      "-s3.config=\(folder.path)/s3.json", "-master.volumeSizeLimitMB=128", "-volume.max=20",
    ])
  }

  /// Makes the bucket as soon as the server, another process, takes requests; false when it ends.
  private static func makeBucket(
    _ process: ChildProcess, port: Int, connections: HTTPConnections
  ) async throws -> Bool {
    for _ in 0..<900 where process.isRunning {
      do {
        let answer = try await call("PUT", "/bucket", port: port, connections: connections)
        if answer.status == 200 { return true }
      } catch is HTTPExchangeFailure {}
      try await Task.sleep(for: .milliseconds(100))
    }
    return false
  }

  /// Sends a signed request of the tests' own.
  ///
  /// - Parameters:
  ///   - method: The method.
  ///   - path: The path, percent-encoded.
  ///   - query: Names and values, not encoded.
  ///   - body: The body; empty for none.
  /// - Returns: What came back.
  /// - Throws: `HTTPExchangeFailure`.
  public func call(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [],
    body: [UInt8] = []
  ) async throws -> HTTPExchangeResponse {
    try await Self.call(
      method, path, query: query, body: body, port: port, connections: connections)
  }

  private static func call(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [],
    body: [UInt8] = [], port: Int, connections: HTTPConnections
  ) async throws -> HTTPExchangeResponse {
    let signature = SigV4(keys: keys, region: "us-east-1", service: "s3", now: SystemTime().now)
    let signed = signature.signed(
      [("host", "127.0.0.1:\(port)")], method: method, path: path, query: query, body: body)
    let tail =
      query.isEmpty ? "" : "?" + query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    guard let url = WebURL("http://127.0.0.1:\(port)\(path)\(tail)") else {
      throw POSIXError(.EINVAL)
    }
    return try await connections.send(
      HTTPExchangeRequest(
        method: method, url: url, headers: signed.filter { $0.name != "host" }, body: body,
        timeoutMilliseconds: 60_000, responseLimit: 1 << 26))
  }
}
