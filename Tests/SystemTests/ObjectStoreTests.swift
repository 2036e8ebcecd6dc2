import Delivery
import Foundation
import RimSupport
import Testing
import Transport

extension SystemTests {
  /// The daemon delivers to an object store, and is killed while it does.
  @Suite(.timeLimit(.minutes(4))) struct AnObjectStore {
    /// Objects of 1,200 rows of 16 times a text of 512 bytes: 10 MB, which go in two parts.
    private static let rowsPerObject = 1_200
    private static let objectCount = 2

    private static func pipeline(_ url: String, records: Int = rowsPerObject) -> String {
      SystemTests.pipeline(
        """
          - stream: OUT
            delivery:
              to: s3://bucket/big
              s3: {endpoint: '\(url)', allow: [127.0.0.0/8]}
              buffer: {size: 64MiB, records: \(records), interval: 900s}
        """
      ).replacing("(n BIGINT)", with: "(n BIGINT, t VARCHAR(16384))")
        .replacing(
          "STREAM n FROM",
          with: "STREAM n, \(Array(repeating: "t", count: 16).joined(separator: " || ")) FROM"
        ).replacing(
          "path: $.n}", with: "path: $.n}, {name: T, type: VARCHAR(1000), path: $.t}")
    }

    private static func records(_ range: Range<Int>) -> [String] {
      let text = String(repeating: "0123456789abcdef", count: 32)
      return range.map { "{\"n\":\($0),\"t\":\"\(text)\"}" }
    }

    /// Checks that the objects hold every number once, each object in order.
    private func expectRows(of objects: [[UInt8]]) {
      #expect(objects.count == Self.objectCount)
      let numbers = objects.map { bytes in
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
          Int(String(decoding: line.dropFirst(5).prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self))
        }
      }
      #expect(numbers.allSatisfy { $0 == $0.sorted() && $0.count == Self.rowsPerObject })
      #expect(numbers.flatMap { $0 }.sorted() == Array(0..<Self.rowsPerObject * Self.objectCount))
    }

    /// Starts a daemon whose access keys are in a file.
    private func daemon(_ stage: Stage, _ file: String) throws -> Program {
      let keys = try stage.write(
        """
        [default]
        aws_access_key_id = nobody
        aws_secret_access_key = nothing
        [store]
        aws_access_key_id = \(SeaweedStore.keys.id)
        aws_secret_access_key = \(SeaweedStore.secret)
        """, to: "credentials")
      return try stage.daemon(
        file,
        through: [
          "/usr/bin/env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_WEB_IDENTITY_TOKEN_FILE",
          "AWS_SHARED_CREDENTIALS_FILE=\(keys)", "AWS_PROFILE=store",
        ])
    }

    @Test func aKillDuringAnUploadLeavesNoHalfObject() async throws {
      // The second part of the first upload is never answered.
      let store = try await StoreDouble { request, withheld in
        withheld == 0 && request.uri.contains("partNumber=2")
      }
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(store.url), to: "numbers.yaml")
      let killed = try daemon(stage, file)
      try stage.produce(Self.records(0..<Self.rowsPerObject * Self.objectCount), to: "numbers")
      #expect(await killed.waits { store.withheld == 1 })
      await stage.kill(killed)
      #expect(store.uploads.count >= 1 && store.objects.count < Self.objectCount)
      let left = Set(store.uploads)

      let daemon = try daemon(stage, file)
      #expect(await daemon.waits { store.objects.count == Self.objectCount })
      await stage.end(daemon)
      #expect(store.uploads.isEmpty && left.isSubset(of: Set(store.aborted)))
      expectRows(of: Array(store.objects.values))
      #expect(store.requests.allSatisfy { $0.header("authorization")?.contains("testkey") == true })
      try await store.stop()
    }

    @Test(.enabled(if: RealParts.weed != nil, "there is no SeaweedFS: \(RealParts.hint)"))
    func aKillDuringAnUploadToSeaweedLeavesNoHalfObject() async throws {
      let store = try await SeaweedStore(program: try #require(RealParts.weed as String?))
      func uploads() async throws -> String {
        String(
          decoding: try await store.call("GET", "/bucket", query: [("uploads", "")]).body,
          as: UTF8.self)
      }
      func keys() async throws -> [String] {
        let listed = try await store.call(
          "GET", "/bucket", query: [("list-type", "2"), ("prefix", "big")])
        let text = String(decoding: listed.body, as: UTF8.self)
        return text.matches(of: /<Key>([^<]*)<\/Key>/).map { String($0.output.1) }
      }
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(store.url), to: "numbers.yaml")
      let killed = try daemon(stage, file)
      try stage.produce(Self.records(0..<Self.rowsPerObject * Self.objectCount), to: "numbers")
      while killed.isRunning {
        if try await uploads().contains("<UploadId>") { break }
        if try await !keys().isEmpty { break }
      }
      // The store stands still, so that what is under way stays so.
      store.signal(SIGSTOP)
      await stage.kill(killed)
      store.signal(SIGCONT)

      let daemon = try daemon(stage, file)
      while daemon.isRunning {
        if try await keys().count == Self.objectCount { break }
      }
      await stage.end(daemon)
      let left = try await uploads()
      #expect(!left.contains("<UploadId>"), "\(left)")
      var objects: [[UInt8]] = []
      for key in try await keys() {
        objects.append(try await store.call("GET", "/bucket/\(key)").body)
      }
      expectRows(of: objects)
      try await store.stop()
    }

    @Test func keysOfAWebIdentitySignRequests() async throws {
      let service = try await HostileReceiver(
        then: .computed { request in
          guard request.text.contains("WebIdentityToken=to%2Fken") else { return .status(400) }
          return .status(
            200,
            body: "<A><AccessKeyId>W</AccessKeyId><SecretAccessKey>w</SecretAccessKey>"
              + "<SessionToken>t</SessionToken><Expiration>2099-01-01T01:00:00Z</Expiration></A>")
        })
      let store = try await StoreDouble()
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(store.url, records: 10), to: "numbers.yaml")
      let token = try stage.write("to/ken\n", to: "token")
      let daemon = try stage.daemon(
        file,
        through: [
          "/usr/bin/env", "-u", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE=\(token)",
          "AWS_ROLE_ARN=arn:aws:iam::1:role/x", "AWS_ENDPOINT_URL_STS=\(service.url("/"))",
        ])
      try stage.produce(Self.records(0..<20), to: "numbers")
      #expect(await daemon.waits { store.objects.count == 2 })
      await stage.end(daemon)
      #expect(service.requests.allSatisfy { $0.text.contains("role%2Fx") })
      for request in store.requests {
        #expect(request.header("x-amz-security-token") == "t")
        #expect(request.header("authorization")?.contains("Credential=W/") == true)
      }
      try await service.stop()
      try await store.stop()
    }
  }
}
