import Columns
import Delivery
import Foundation
import RimSupport
import Testing
import Transport

/// The examples of "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
struct SigV4Tests {
  private let signature = SigV4(
    keys: AccessKeys(
      id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    region: "us-east-1", service: "s3",
    now: CivilTime(year: 2013, month: 5, day: 24).milliseconds)
  private let host = (name: "host", value: "examplebucket.s3.amazonaws.com")

  private func authorization(
    _ headers: [(name: String, value: String)] = [], method: String = "GET", path: String = "/",
    query: [(name: String, value: String)] = [], body: String = ""
  ) -> String {
    let signed = signature.signed(
      headers + [host], method: method, path: path, query: query, body: Array(body.utf8))
    return signed.first { $0.name == "authorization" }?.value ?? ""
  }

  @Test func getObject() {
    #expect(
      authorization([("range", "bytes=0-9")], path: "/test.txt")
        == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
  }

  @Test func putObject() {
    let text = authorization(
      [
        ("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
      ], method: "PUT", path: "/test%24file.text", body: "Welcome to Amazon S3.")
    #expect(
      text.hasSuffix("=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
  }

  @Test func getBucketLifecycle() {
    let text = authorization(query: [("lifecycle", "")])
    #expect(
      text.hasSuffix("=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
  }

  @Test func listObjects() {
    let text = authorization(query: [("max-keys", "2"), ("prefix", "J")])
    #expect(
      text.hasSuffix("=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
  }

  @Test func sessionTokensAreSigned() {
    let temporary = SigV4(
      keys: AccessKeys(id: "A", secret: "s", sessionToken: "token"), region: "r", service: "s3",
      now: 0)
    let signed = temporary.signed([host], method: "GET", path: "/", query: [], body: [])
    #expect(signed.contains { $0.name == "x-amz-security-token" && $0.value == "token" })
    #expect(signed.last?.value.contains(";x-amz-security-token,") == true)
  }

  @Test func keysDoNotShow() {
    #expect("\(AccessKeys(id: "A", secret: "hunter2"))" == "access key A")
  }
}

struct AccessKeySourceTests {
  let folder: TemporaryFolder
  let threads = BlockingThreads(count: 1)

  init() throws { folder = try TemporaryFolder() }

  private func connections() -> HTTPConnections {
    HTTPConnections(policy: .unrestricted, threads: threads)
  }

  @Test func environmentComesFirst() async throws {
    let source = try AccessKeySource(
      environment: [
        "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
        "HOME": "/nowhere",
      ], region: "r", connections: connections(), threads: threads)
    let keys = try await source.keys()
    #expect(keys == AccessKeys(id: "A", secret: "s", sessionToken: "t"))
    try await threads.stop()
  }

  @Test func credentialsFileByProfile() async throws {
    let text = """
      [default]
      aws_access_key_id = D
      aws_secret_access_key = d
      # a comment = x
      [other]
      aws_access_key_id=O
      aws_secret_access_key=o==
      aws_session_token = t
      """
    let path = folder.path + "/credentials"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    for (profile, keys) in [
      ("default", AccessKeys(id: "D", secret: "d")),
      ("other", AccessKeys(id: "O", secret: "o==", sessionToken: "t")),
    ] {
      let source = try AccessKeySource(
        environment: ["AWS_SHARED_CREDENTIALS_FILE": path, "AWS_PROFILE": profile], region: "r",
        connections: connections(), threads: threads)
      #expect(try await source.keys() == keys)
    }
    let missing = try AccessKeySource(
      environment: ["AWS_SHARED_CREDENTIALS_FILE": path, "AWS_PROFILE": "none"], region: "r",
      connections: connections(), threads: threads)
    let error = await #expect(throws: DeliveryError.self) { try await missing.keys() }
    #expect(error?.remedy == .operatorAction)
    try await threads.stop()
  }

  @Test func webIdentityKeysAreRenewedBeforeTheyEnd() async throws {
    let time = ManualTime(now: CivilTime(year: 2030).milliseconds)
    let service = try await HostileReceiver(
      then: .computed { request in
        guard request.text.contains("WebIdentityToken=to%2Fken") else { return .status(400) }
        return .status(
          200,
          body: "<A><AccessKeyId>W</AccessKeyId><SecretAccessKey>w&amp;</SecretAccessKey>"
            + "<SessionToken>t</SessionToken><Expiration>2030-01-01T01:00:00Z</Expiration></A>"
        )
      })
    let path = folder.path + "/token"
    try "to/ken\n".write(toFile: path, atomically: true, encoding: .utf8)
    let connections = connections()
    let source = try AccessKeySource(
      environment: [
        "AWS_WEB_IDENTITY_TOKEN_FILE": path, "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
        "AWS_ENDPOINT_URL_STS": service.url("/"),
      ], region: "r", connections: connections, threads: threads, time: time)
    let keys = try await source.keys()
    #expect(keys.id == "W" && keys.expiresAt == CivilTime(year: 2030, hour: 1).milliseconds)
    _ = try await source.keys()
    #expect(service.requests.count == 1)
    time.advance(milliseconds: 56 * 60_000)
    _ = try await source.keys()
    #expect(service.requests.count == 2)
    try await connections.shutdown()
    try await service.stop()
    try await threads.stop()
  }
}
