import Columns
import Engine
import Foundation
import Kafka
import Testing
import Transport

/// State files of every format that was ever released are opened by today's program.
@Suite struct OldStateTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  /// A folder of state that a task left after 300 records of three keys, killed right after a snapshot.
  struct OldState: CustomTestStringConvertible {
    let folder: String
    let application: String
    /// The streams that went to files.
    let streams: [String]
    let commit: Int64

    var testDescription: String { folder }
  }

  private static let forestStreams = """
    CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(8), "n" DOUBLE, "SCORE" DOUBLE, "seen" BIGINT);
    CREATE OR REPLACE STREAM "MID" ("k" VARCHAR(8), "n" DOUBLE, "SCORE" DOUBLE);
    """
  private static let forests = """
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "MID"
      SELECT STREAM "k", "n", "SCORE" FROM TABLE(ML_DETECT_ANOMALIES(
        CURSOR(SELECT STREAM "k", "n" FROM "S") PARTITION BY "k",
        number_of_trees => 4, sample_size => 16, shingle_size => 2));
    CREATE OR REPLACE PUMP "Q" AS INSERT INTO "OUT"
      SELECT STREAM "k", "n", "SCORE", COUNT(*) OVER W FROM "MID"
      WINDOW W AS (PARTITION BY "k" ROWS 5 PRECEDING);
    """
  private static let groupStreams = """
    CREATE OR REPLACE STREAM "SPOTS" ("k" VARCHAR(8), "spots" VARCHAR(2000));
    CREATE OR REPLACE STREAM "GROUPS" ("k" VARCHAR(8), "rows" BIGINT, "average" DOUBLE);
    CREATE OR REPLACE STREAM "SESSIONS" ("k" VARCHAR(8), "rows" BIGINT);
    """
  private static let groups = """
    CREATE OR REPLACE PUMP "H" AS INSERT INTO "SPOTS"
      SELECT STREAM "k", HOTSPOTS_RESULT FROM TABLE(HOTSPOTS(
        CURSOR(SELECT STREAM "k", "n" FROM "S") PARTITION BY "k", 100, 1.0, 3));
    CREATE OR REPLACE PUMP "G" AS INSERT INTO "GROUPS"
      SELECT STREAM "k", COUNT(*), AVG("n") FROM "S" GROUP BY "k", MONOTONIC("w");
    CREATE OR REPLACE PUMP "T" AS INSERT INTO "SESSIONS"
      SELECT STREAM "k", COUNT(*) FROM "S" GROUP BY "k", SESSION("S".ROWTIME, INTERVAL '99' DAY);
    """

  private static let heldStreams = """
    CREATE OR REPLACE STREAM "DISTINCTS" ("w" BIGINT, "k" VARCHAR(8), "n" DOUBLE);
    CREATE OR REPLACE STREAM "SORTED" ("k" VARCHAR(8), "n" DOUBLE);
    CREATE OR REPLACE STREAM "RANKS" ("k" VARCHAR(8), "rank" INTEGER);
    CREATE OR REPLACE STREAM "ITEMS" ("item" VARCHAR(8), "rows" BIGINT);
    CREATE OR REPLACE STREAM "COUNTS" ("items" BIGINT);
    """
  private static let held = """
    CREATE OR REPLACE PUMP "D" AS INSERT INTO "DISTINCTS"
      SELECT STREAM DISTINCT MONOTONIC("w"), "k", "n" FROM "S";
    CREATE OR REPLACE PUMP "O" AS INSERT INTO "SORTED"
      SELECT STREAM "k", "n" FROM "S" ORDER BY MONOTONIC("w"), "n" DESC;
    CREATE OR REPLACE PUMP "R" AS INSERT INTO "RANKS" SELECT STREAM "k", "rank" FROM TABLE(
      GROUP_RANK(CURSOR(SELECT STREAM "k" FROM "S"), 'k', 'rank', 'asc', 'desc', 0, 0));
    CREATE OR REPLACE PUMP "I" AS INSERT INTO "ITEMS" SELECT STREAM ITEM, ITEM_COUNT FROM TABLE(
      TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM "S"), 'k', 2, 3600));
    CREATE OR REPLACE PUMP "C" AS INSERT INTO "COUNTS"
      SELECT STREAM NUMBER_OF_DISTINCT_ITEMS FROM TABLE(
        COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM "S"), 'k', 3600));
    """

  private static let all = "\(forestStreams)\n\(groupStreams)\n\(forests)\n\(groups)"
  /// Streams whose rows depend on when the records were written.
  private static let timed = ["SESSIONS", "RANKS", "ITEMS", "COUNTS"]
  private static let allStreams = ["OUT", "SPOTS", "GROUPS", "SESSIONS"]

  static let states = [
    OldState(
      folder: "state-1", application: "\(forestStreams)\n\(forests)", streams: ["OUT"], commit: 1),
    OldState(folder: "state-2", application: all, streams: allStreams, commit: 2),
    OldState(folder: "state-3", application: all, streams: allStreams, commit: 1),
    OldState(
      folder: "state-4", application: "\(all)\n\(heldStreams)\n\(held)",
      streams: allStreams + ["DISTINCTS", "SORTED", "RANKS", "ITEMS", "COUNTS"], commit: 2),
  ]

  @Test(arguments: states) func itIsRead(_ state: OldState) throws {
    let inspection = try StateInspection(
      folder: Self.folder.appendingPathComponent(state.folder).path)
    #expect(inspection.problems.isEmpty)
    #expect(inspection.lines.contains { $0.hasPrefix("snapshot-1: ") })
    #expect(inspection.lines.contains { $0.contains("4 slices") })
  }

  private static func plan(_ bench: PipelineBench, _ state: OldState) throws -> PipelinePlan {
    let indented = state.application.split(separator: "\n").map { "  \($0)" }.joined(
      separator: "\n")
    let more = state.streams.count > 1 ? ", {name: w, type: BIGINT}" : ""
    let outputs = state.streams.map { stream in
      """
        - stream: \(stream)
          delivery: {to: file://\(bench.folder)/\(stream), buffer: {interval: 900s, records: 1000}}
      """
    }.joined(separator: "\n")
    let text = """
      name: fixture
      application: |
      \(indented)
      sql: {extensions: true}
      inputs:
        - stream: S
          kafka: {topic: \(bench.topic), start: earliest}
          format: json
          columns: [{name: k, type: VARCHAR(8)}, {name: n, type: DOUBLE}\(more)]
      outputs:
      \(outputs)
      """
    let (configuration, _) = try PipelineConfiguration.read(
      file: "fixture.yaml", text: text, environment: [:],
      daemon: KafkaSettings(
        brokers: bench.bootstrap, properties: PipelineBench.quickGroup),
      readFile: { _ in "" })
    return try PipelinePlan.make(configuration, dataDirectory: bench.folder + "/data").0
  }

  private static func makeBench() throws -> PipelineBench {
    let bench = try PipelineBench()
    try bench.produce(
      (0..<340).map { number in
        let value = number == 250 ? 90 : number * 7 % 11
        return Array("{\"k\":\"k\(number % 3)\",\"n\":\(value),\"w\":\(number / 110)}".utf8)
      })
    return bench
  }

  /// The life of the task that has left a state.
  private static func life(_ folder: String) throws -> String {
    let store = try LocalSnapshotStore(folder: folder, disk: LocalDisk())
    var section = try StateReader(try #require(try store.load(1)).slices).section("task")
    return try section.text()
  }

  @Test(arguments: states) func aTaskGoesOnFromItAsIfNothingHadBeen(_ state: OldState) async throws
  {
    let bench = try Self.makeBench()
    try FileManager.default.createDirectory(
      atPath: bench.folder + "/data/fixture", withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: Self.folder.appendingPathComponent(state.folder).path,
      toPath: bench.folder + "/data/fixture/task-0")
    // The group's commit names the state, as the program that made it did.
    let record = CommitRecord(
      life: try Self.life(bench.folder + "/data/fixture/task-0"), epoch: 1, commit: state.commit,
      snapshot: 1, previousSnapshot: 0, segment: 1, segmentEnd: 0)
    try bench.commit(record.text, of: "cutbank.fixture", offset: 300)
    #expect(try await bench.run(bench.daemon(Self.plan(bench, state)), until: 340))

    let undisturbed = try Self.makeBench()
    #expect(
      try await undisturbed.run(undisturbed.daemon(Self.plan(undisturbed, state)), until: 340))
    #expect(try bench.lines("OUT").count == 340)
    // What was in the old object has waited long enough and is closed at once.
    for stream in state.streams where !Self.timed.contains(stream) {
      let rows = try bench.lines(stream)
      #expect(!rows.isEmpty)
      #expect(try rows.sorted() == undisturbed.lines(stream).sorted(), "\(stream)")
    }
    try bench.remove()
    try undisturbed.remove()
  }
}
