import Delivery
import Foundation
import RimSupport
import Testing
import Transport

extension SystemTests {
  /// A reference table in an object store whose object is replaced while the daemon runs.
  @Suite(.timeLimit(.minutes(3))) struct ATableInAnObjectStore {
    @Test(.enabled(if: RealParts.weed != nil, "there is no SeaweedFS: \(RealParts.hint)"))
    func isFetchedAgainWhenItsObjectChanges() async throws {
      let store = try await SeaweedStore(program: #require(RealParts.weed as String?))
      let stage = try Stage(topics: ["numbers": 1])
      let source =
        "s3: {bucket: bucket, key: names.jsonl, endpoint: '\(store.url)', allow: [127.0.0.0/8]}"
      try stage.write(SystemTests.tablePipeline(source: source), to: "p.yaml")
      let keys = try stage.write(
        """
        [default]
        aws_access_key_id = \(SeaweedStore.keys.id)
        aws_secret_access_key = \(SeaweedStore.secret)
        """, to: "credentials")
      try await put("first", store)
      let daemon = try stage.daemon(
        "p.yaml",
        through: [
          "/usr/bin/env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_WEB_IDENTITY_TOKEN_FILE",
          "-u", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE=\(keys)",
        ])
      _ = try #require(await daemon.line(containing: "has 2 rows from record 0 on"))
      try stage.produce((0..<100).map { "{\"n\":\($0)}" }, to: "numbers")
      try await stage.expectRows(100, of: daemon)
      try await put("second", store)
      _ = try #require(await daemon.line(containing: "has 2 rows from record 100 on"))
      try stage.produce((100..<200).map { "{\"n\":\($0)}" }, to: "numbers")
      try await stage.expectRows(200, of: daemon)
      await stage.end(daemon)
      let expected = (0..<200).map { number in
        "{\"n\":\(number),\"name\":\"\(number < 100 ? "first" : "second")-\(number % 2)\"}"
      }
      #expect(stage.rows().sorted() == expected.sorted())
      try await store.stop()
    }

    private func put(_ text: String, _ store: SeaweedStore) async throws {
      let body = Array("{\"k\":0,\"name\":\"\(text)-0\"}\n{\"k\":1,\"name\":\"\(text)-1\"}\n".utf8)
      let answer = try await store.call("PUT", "/bucket/names.jsonl", body: body)
      #expect(answer.status == 200)
    }
  }
}
