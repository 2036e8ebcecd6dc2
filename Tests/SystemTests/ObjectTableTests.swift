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
      try stage.write(Self.pipeline(store.url), to: "p.yaml")
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

    private static func pipeline(_ url: String) -> String {
      """
      name: numbers
      application: |
        CREATE OR REPLACE STREAM "NAMED" ("n" BIGINT, "name" VARCHAR(32));
        CREATE OR REPLACE PUMP "NAME_PUMP" AS INSERT INTO "NAMED"
        SELECT STREAM s."n", t."name" FROM "NUMBERS" AS s
        JOIN "NAMES" AS t ON MOD(s."n", 2) = t."k";
      inputs:
        - stream: NUMBERS
          kafka: {topic: numbers, start: earliest}
          columns: [{name: n, type: BIGINT}]
      reference_tables:
        - table: NAMES
          s3: {bucket: bucket, key: names.jsonl, endpoint: '\(url)', allow: [127.0.0.0/8]}
          refresh: 100ms
          columns: [{name: k, type: BIGINT}, {name: name, type: VARCHAR(32)}]
      outputs:
        - stream: NAMED
          delivery: {to: file://./out, buffer: {interval: 900s, records: 100}}
      kafka: {session.timeout.ms: 3000, heartbeat.interval.ms: 300}
      commit_interval: 200ms
      """
    }
  }
}
