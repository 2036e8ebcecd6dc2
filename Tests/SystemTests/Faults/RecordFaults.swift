import Foundation
import RimSupport
import Testing

extension Faults {
  @Suite("Fault 11: poison pills", .timeLimit(.minutes(5))) struct Fault11 {
    private static let pills: [(bytes: [UInt8]?, code: String)] = [
      (Array("no json".utf8), "Json"), (Array("{\"n\":".utf8), "Json"), ([], "Record"),
      ([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], "Record.InvalidUTF8"),
      (Array(String(repeating: "[", count: 10_000).utf8), "Json"),
      (Array("{\"n\":1e400}".utf8), ""), (Array("{\"n\":NaN}".utf8), "Json"),
      (Array("{\"n\":Infinity}".utf8), "Json"), (Array("{\"n\":\"x\"}".utf8), ""),
    ]

    @Test func eachIsOneDeadLetterAndThePipelineGoesOn() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        Faults.pipeline(Faults.scores, extra: "circuit_breaker: {percent: 100, records: 100}"),
        to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce((0..<100).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(100, of: daemon)
      let before = daemon.residentBytes
      try stage.produce(bytes: Self.pills.map(\.bytes) + [nil], to: "numbers")
      // Of two members with one name the last counts.
      try stage.produce(["{\"n\":1,\"n\":100,\"k\":\"k\"}"], to: "numbers")
      let huge = "{\"n\":\"" + String(repeating: "y", count: 4 << 20) + "\"}"
      try stage.produce([huge, Faults.record(101)], to: "numbers")
      try await stage.expectRows(102, of: daemon)
      #expect(daemon.residentBytes < before + 64 << 20)
      await stage.end(daemon)
      let balance = try await stage.expectBalance()
      #expect(balance.deadLettered == Self.pills.count + 1 && balance.skipped == 1)
      let letters = try stage.rows("data/numbers/dead-letters").map(Self.letter)
      #expect(letters.map(\.offset) == Array(100..<100 + Self.pills.count) + [111])
      for (letter, pill) in zip(letters, Self.pills) {
        #expect(letter.raw == pill.bytes && letter.code.hasPrefix(pill.code), "\(letter.code)")
        #expect(letter.code.contains("."))
      }
      #expect(letters.last?.raw == Array(huge.utf8))
      // What was bad never came to the forest: the scores are those of good records alone.
      let alone = try Stage(topics: ["numbers": 1])
      let other = try alone.write(Faults.pipeline(Faults.scores), to: "numbers.yaml")
      try alone.produce((0..<102).map { Faults.record($0) }, to: "numbers")
      let second = try alone.daemon(other)
      try await alone.expectRows(102, of: second)
      await alone.end(second)
      #expect(stage.rows() == alone.rows())
    }

    private static func letter(_ line: String) throws -> (offset: Int, code: String, raw: [UInt8]) {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      let raw = (object?["rawData"] as? String).flatMap { Data(base64Encoded: $0) }
      return (
        object?["offset"] as? Int ?? -1, object?["errorCode"] as? String ?? "",
        Array(try #require(raw))
      )
    }
  }

  @Suite("Fault 12: nothing but poison", .timeLimit(.minutes(5))) struct Fault12 {
    @Test func pausesThePipelineAndTheDeadLettersStayFew() async throws {
      let stage = try Stage(topics: ["numbers": 2])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      _ = try #require(await daemon.line(containing: "the group gives"))
      var produced = 0
      for round in 0..<(Faults.areLong ? 60 : 6) {
        try stage.produce(
          Array(repeating: "bad", count: 2_000), to: "numbers", partition: round % 2)
        produced += 2_000
        if round == 0 { _ = try #require(await daemon.line(containing: "is paused")) }
        if Faults.areLong { try await Task.sleep(for: .seconds(1)) }
      }
      #expect(daemon.text.contains("records could not be decoded"))
      // It goes on when somebody has looked, and pauses again.
      daemon.signal(SIGHUP)
      _ = try #require(await daemon.line(containing: "goes on"))
      let isPausedAgain = await daemon.waits {
        daemon.text.split(separator: "\n").filter { $0.contains("is paused") }.count == 2
      }
      #expect(isPausedAgain)
      await stage.end(daemon)
      let balance = try await stage.expectBalance()
      // At most a batch at a time is taken before the circuit opens.
      #expect(balance.deadLettered <= 2 * 8_192 && balance.deadLettered < produced, "\(balance)")
    }
  }

  @Suite("Fault 15: clocks and timestamps of all kinds", .timeLimit(.minutes(3)))
  struct Fault15 {
    /// 2038-01-19 03:14:08 and 9999-12-31, both far in the future, and 1970.
    @Test func aFutureTimestampMovesNothing() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let application = """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "t" TIMESTAMP);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "n", "NUMBERS".ROWTIME FROM "NUMBERS";
        """
      let file = try stage.write(Faults.pipeline(application), to: "numbers.yaml")
      let stamps: [Int64] = [1_000, 2_147_483_648_000, 1_600_000_000_000, 253_402_214_400_000]
      for (number, stamp) in stamps.enumerated() {
        try stage.produce([Faults.record(number)], to: "numbers", start: stamp)
      }
      try stage.produce([Faults.record(4)], to: "numbers", start: 1_600_000_001_000)
      let daemon = try stage.daemon(
        file, through: ["/usr/bin/env", "TZ=America/New_York"])
      try await stage.expectRows(3, of: daemon)
      await stage.end(daemon)
      #expect(
        stage.rows() == [
          #"{"n":0,"t":"1970-01-01 00:00:01.000"}"#, #"{"n":2,"t":"2020-09-13 12:26:40.000"}"#,
          #"{"n":4,"t":"2020-09-13 12:26:41.000"}"#,
        ])
      // Folders are named by UTC, whatever the machine's zone.
      #expect(stage.objects().allSatisfy { $0.name.contains("/1970/01/01/00/") })
      let letters = stage.rows("data/numbers/dead-letters")
      #expect(letters.count == 2 && letters.allSatisfy { $0.contains("Record.FutureTimestamp") })
      try await stage.expectBalance()
    }
  }

  @Suite("Fault 16: idle partitions", .timeLimit(.minutes(3))) struct Fault16 {
    private static let windows = """
      CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(16), "seen" BIGINT);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "k", COUNT(*) FROM "NUMBERS"
        GROUP BY "k", STEP("NUMBERS".ROWTIME BY INTERVAL '10' SECOND);
      """

    @Test func windowsCloseWithoutThem() async throws {
      let stage = try Stage(topics: ["numbers": 3])
      let file = try stage.write(
        Faults.pipeline(Self.windows, extra: "idle_timeout: 1s"), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      // Partition 2 never has a record; 0 and 1 fall silent, and the window that is open closes.
      try stage.produce(
        (0..<4).map { Faults.record($0, key: "a") }, to: "numbers", start: 1_600_000_000_000)
      try stage.produce(
        [Faults.record(4, key: "b")], to: "numbers", partition: 1, start: 1_600_000_001_000)
      try await stage.expectRows(2, of: daemon)
      #expect(stage.rows().sorted() == [#"{"k":"a","seen":4}"#, #"{"k":"b","seen":1}"#])
      // Old records that come after it count where time has come to.
      try stage.produce(
        (5..<8).map { Faults.record($0, key: "b") }, to: "numbers", partition: 1,
        start: 1_600_000_002_000)
      try await stage.expectRows(3, of: daemon)
      #expect(stage.rows().contains(#"{"k":"b","seen":3}"#))
      await stage.end(daemon)
      let balance = try await stage.expectBalance()
      #expect(balance.polled == 8)
    }
  }

  @Suite("Fault 24: SQL that fails", .timeLimit(.minutes(3))) struct Fault24 {
    @Test func rowsGoToTheErrorStreamAndTheQueryGoesOn() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let application = """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "score" DOUBLE);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "n", ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
            CURSOR(SELECT STREAM "n", 100 / ("n" - 5) AS "d",
              CAST("k" AS DOUBLE) AS "v" FROM "NUMBERS"), 10, 16, 100, 1));
        """
      let text = Faults.pipeline(application).replacing(
        "outputs:\n",
        with: """
          outputs:
            - stream: error_stream
              delivery: {to: "file://./errors", buffer: {size: 1MiB, interval: 1s}}

          """)
      let file = try stage.write(text, to: "numbers.yaml")
      try stage.produce((0..<10).map { Faults.record($0, key: "\($0)") }, to: "numbers")
      try stage.produce([Faults.record(10, key: "ten"), "{\"n\":11}"], to: "numbers")
      try stage.produce([Faults.record(12, key: "12")], to: "numbers")
      let daemon = try stage.daemon(file)
      // Division by zero, a failed CAST, NULL for a forest.
      try await stage.expectRows(10, of: daemon)
      try await stage.expectRows(3, below: "errors", of: daemon)
      await stage.end(daemon)
      let errors = stage.rows("errors")
      #expect(errors.count == 3, "\(errors)")
      #expect(errors.allSatisfy { $0.contains("\"ERROR_TIME\"") && $0.contains("\"DATA_ROW\"") })
      #expect(stage.rows().count == 10)
      let balance = try await stage.expectBalance(delivered: .below("errors"))
      #expect(balance.decoded == 13 && balance.outputs[1].rows == 10, "\(balance)")
    }

    @Test(arguments: [
      ("SELECT STREAM \"n\" / 'x' FROM \"NUMBERS\"", 5),
      ("SELECT STREAM \"missing\" FROM \"NUMBERS\"", 5),
      (
        "SELECT STREAM COUNT(*) FROM \"NUMBERS\" GROUP BY "
          + "STEP(\"NUMBERS\".ROWTIME BY INTERVAL '0' SECOND)", 5
      ),
      (
        "SELECT STREAM \"n\" FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM \"k\" "
          + "FROM \"NUMBERS\"), 10, 16, 100, 1))", 5
      ),
    ]) func whatCanBeKnownIsRefusedWithItsPlace(query: String, line: Int) async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let application = """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          \(query);
        """
      let file = try stage.write(Faults.pipeline(application), to: "numbers.yaml")
      let found = try await stage.command("validate", file, "--brokers", stage.address)
      #expect(found.code == 78, "\(found.text)")
      #expect(found.text.contains("numbers.yaml:\(line):"), "\(found.text)")
      Faults.tellNoBalance("what can be known is refused before the start")
    }
  }
}
