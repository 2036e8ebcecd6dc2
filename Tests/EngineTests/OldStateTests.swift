import Engine
import Foundation
import Kafka
import Testing
import Transport

/// State files of every format that was ever released are opened by today's program.
@Suite struct OldStateTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  /// The pipeline that made them: 300 records of three keys, killed after its first snapshot.
  static let application = """
    CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(8), "n" DOUBLE, "SCORE" DOUBLE, "seen" BIGINT);
    CREATE OR REPLACE STREAM "MID" ("k" VARCHAR(8), "n" DOUBLE, "SCORE" DOUBLE);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "MID"
      SELECT STREAM "k", "n", "SCORE" FROM TABLE(ML_DETECT_ANOMALIES(
        CURSOR(SELECT STREAM "k", "n" FROM "S") PARTITION BY "k",
        number_of_trees => 4, sample_size => 16, shingle_size => 2));
    CREATE OR REPLACE PUMP "Q" AS INSERT INTO "OUT"
      SELECT STREAM "k", "n", "SCORE", COUNT(*) OVER W FROM "MID"
      WINDOW W AS (PARTITION BY "k" ROWS 5 PRECEDING);
    """

  @Test(arguments: ["state-1"]) func itIsRead(name: String) throws {
    let inspection = try StateInspection(folder: Self.folder.appendingPathComponent(name).path)
    #expect(inspection.problems.isEmpty)
    #expect(inspection.lines.contains { $0.hasPrefix("snapshot-1: ") })
    #expect(inspection.lines.contains { $0.contains("4 slices") })
  }

  private static func plan(_ bench: PipelineBench) throws -> PipelinePlan {
    let indented = application.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let text = """
      name: fixture
      application: |
      \(indented)
      sql: {extensions: true}
      inputs:
        - stream: S
          kafka: {topic: \(bench.topic), start: earliest}
          format: json
          columns: [{name: k, type: VARCHAR(8)}, {name: n, type: DOUBLE}]
      outputs:
        - stream: OUT
          delivery: {to: file://\(bench.folder)/out, buffer: {interval: 900s, records: 1000}}
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
      (0..<330).map { Array("{\"k\":\"k\($0 % 3)\",\"n\":\($0 == 250 ? 90 : $0 * 7 % 11)}".utf8) })
    return bench
  }

  /// Lets the group's commit name the state, as the program that made it did.
  private static func commit(_ bench: PipelineBench, _ record: CommitRecord) throws {
    let consumer = try Consumer(
      ConsumerConfiguration(brokers: bench.bootstrap, group: "cutbank.fixture"),
      logger: PipelineBench.logger)
    let lead = TopicPartition(topic: bench.topic, partition: 0)
    try consumer.commit([PartitionOffset(lead, offset: 300, metadata: record.text)], tag: 1)
    var answer: CommitResult?
    while answer == nil {
      if case .committed(let result) = consumer.poll(timeout: .milliseconds(100)) {
        answer = result
      }
    }
    try consumer.close()
  }

  @Test(arguments: ["state-1"]) func aTaskGoesOnFromItAsIfNothingHadBeen(name: String) async throws
  {
    let bench = try Self.makeBench()
    try FileManager.default.createDirectory(
      atPath: bench.folder + "/data/fixture", withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: Self.folder.appendingPathComponent(name).path,
      toPath: bench.folder + "/data/fixture/task-0")
    try Self.commit(
      bench,
      CommitRecord(
        life: "0", epoch: 1, commit: 1, snapshot: 1, previousSnapshot: 0, segment: 1, segmentEnd: 0)
    )
    #expect(try await bench.run(bench.daemon(Self.plan(bench)), until: 330))

    let undisturbed = try Self.makeBench()
    #expect(try await undisturbed.run(undisturbed.daemon(Self.plan(undisturbed)), until: 330))
    let rows = try bench.lines("out")
    #expect(rows.count == 330)
    // What was in the old object has waited long enough and is closed at once.
    #expect(try rows.sorted() == undisturbed.lines("out").sorted())
    try bench.remove()
    try undisturbed.remove()
  }
}
