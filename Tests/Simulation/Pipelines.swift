import Engine
import Kafka
import Synchronization
import Transport

/// A record that kills every process that processes it.
struct Poison: Hashable, Sendable {
  let partition: Int32
  let offset: Int64

  /// Whether a note of attempts says that a process is about to process it.
  func isPresent(in note: [UInt8]) -> Bool {
    guard let place = CrashWatch.Note(bytes: note)?.present,
      place.partition.partition == partition
    else { return false }
    return (place.offset..<place.end).contains(offset)
  }

  /// Whether whoever wrote a note of attempts notes what it takes before it is processed.
  static func isCareful(_ note: [UInt8]) -> Bool {
    CrashWatch.Note(bytes: note)?.crashes ?? 0 >= 1
  }
}

/// A pipeline with its input: what every simulation of it must bring forth alike.
public struct SimulatedPipeline: Sendable {
  let name: String
  let plan: PipelinePlan
  let partitions: Int
  /// The records of each partition.
  private(set) var records: [[StoredRecord]]
  /// A record that kills every process that processes it.
  let poison: Poison?
  /// How many outputs there are, the dead letters included.
  let outputs: Int

  var isPartitionParallel: Bool {
    if case .partitionParallel = plan.parallelism { true } else { false }
  }

  /// How many tasks it has.
  var tasks: Int { isPartitionParallel ? partitions : 1 }

  /// The moment at which simulations begin, after every record's time.
  static let beginning: Int64 = 1_700_000_000_000

  enum Application: String, CaseIterable {
    case evens, counts, windows, forest

    var sql: String {
      switch self {
      case .evens:
        """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "twice" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "n", "n" * 2 FROM "NUMBERS" WHERE MOD("n", 2) = 0;
        """
      case .counts:
        """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "seen" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "n", COUNT(*) OVER W FROM "NUMBERS"
          WINDOW W AS (PARTITION BY "k" ROWS 5 PRECEDING);
        """
      case .windows:
        """
        CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(8), "seen" BIGINT, "total" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "k", COUNT(*), SUM("n") FROM "NUMBERS"
          GROUP BY "k", STEP("NUMBERS".ROWTIME BY INTERVAL '10' SECOND);
        """
      case .forest:
        """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "score" DOUBLE);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "n", ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
            CURSOR(SELECT STREAM "n" FROM "NUMBERS"), 10, 16, 100, 1));
        """
      }
    }
  }

  /// The pipeline that belongs to a number.
  ///
  /// - Parameters:
  ///   - number: Any number.
  ///   - isDefused: Whether a record that would kill is one that cannot be decoded instead.
  /// - Throws: `ConfigurationRefused` when the engine does not take it.
  init(number: Int, isDefused: Bool = false) throws {
    var generator = SplitMix64(seed: UInt64(number) &* 7_919 &+ 17)
    let application = Application.allCases[generator.below(Application.allCases.count)]
    let isKeyed = application == .counts || application == .windows
    let usesKey = isKeyed && generator.chance(0.5)
    partitions = 1 + generator.below(3)
    name = application.rawValue
    let objectRecords = 3 + generator.below(12)
    let rows = 12 + generator.below(60)
    let made = (0..<partitions).map { partition in
      Self.records(count: rows, partition: partition, &generator)
    }
    let timing = Self.timing(&generator)
    let writesTopic = generator.chance(0.4)
    plan = try Self.plan(
      application.sql, objectRecords: objectRecords, usesKey: usesKey, writesTopic: writesTopic,
      timing: timing)
    outputs = writesTopic ? 4 : 3
    let place = Poison(partition: Int32(partitions - 1), offset: Int64(rows / 2))
    let isPoisoned = Self.poisoned.contains(number)
    poison = isPoisoned && !isDefused ? place : nil
    records = made
    if isPoisoned, isDefused {
      let record = made[partitions - 1][rows / 2]
      records[partitions - 1][rows / 2] = StoredRecord(
        offset: record.offset, timestamp: record.timestamp, key: record.key,
        value: Array("no json".utf8))
    }
  }

  /// A pipeline of three partitions whose records are all good, each of which is a row of a topic; where
  /// records were deleted it goes on behind them.
  ///
  /// - Parameter isSingle: Whether one task reads all partitions.
  /// - Throws: `ConfigurationRefused` when the engine does not take it.
  init(lossyAsSingle isSingle: Bool) throws {
    partitions = 3
    name = "lossy"
    outputs = 4
    poison = nil
    var timing = PipelineConfiguration.Timing()
    timing.mergeWait = 86_400_000
    timing.commitInterval = 100
    timing.snapshotInterval = 60_000
    let column = isSingle ? "COUNT(*) OVER (ROWS 5 PRECEDING)" : "\"n\""
    plan = try Self.plan(
      """
      CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "seen" BIGINT);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "n", \(column) FROM "NUMBERS";
      """, objectRecords: 10, usesKey: false, writesTopic: true, timing: timing,
      kafka: "offset_out_of_range: earliest")
    records = (0..<3).map { partition in
      (0..<Self.lossyRecords).map { offset in
        StoredRecord(
          offset: offset, timestamp: Self.beginning - 3_600_000 + offset * 1_000 + partition,
          key: nil, value: Array("{\"n\":\(offset),\"k\":\"k\(partition)\"}".utf8))
      }
    }
  }

  /// How many records each partition of a lossy pipeline holds at first.
  static let lossyRecords: Int64 = 60

  /// The pipelines with a record that kills.
  public static let poisoned = [24, 32, 40]

  private static func timing(
    _ generator: inout SplitMix64
  ) -> PipelineConfiguration.Timing {
    var timing = PipelineConfiguration.Timing()
    timing.mergeWait = 86_400_000
    timing.idleTimeout = 5_000
    timing.commitInterval = [20, 100, 1_000][generator.below(3)]
    timing.snapshotRecords = Int64(5 + generator.below(60))
    timing.snapshotInterval = [1_000, 5_000, 60_000][generator.below(3)]
    return timing
  }

  /// Records a second apart, some of them useless, some as late as others.
  private static func records(
    count: Int, partition: Int, _ generator: inout SplitMix64
  ) -> [StoredRecord] {
    var time = beginning - 3_600_000 + Int64(partition)
    return (0..<count).map { index in
      time += Int64(generator.below(2_000))
      let key = Array("k\(partition)\(generator.below(3))".utf8)
      var value: [UInt8]? = Array(
        "{\"n\":\(generator.below(1_000)),\"k\":\"\(String(decoding: key, as: UTF8.self))\"}".utf8)
      if generator.chance(0.03) { value = nil }
      if generator.chance(0.05) { value = Array("no json".utf8) }
      return StoredRecord(offset: Int64(index), timestamp: time, key: key, value: value)
    }
  }

  private static func plan(
    _ application: String, objectRecords: Int, usesKey: Bool,
    writesTopic: Bool, timing: PipelineConfiguration.Timing, kafka: String = ""
  ) throws -> PipelinePlan {
    let indented = application.split(separator: "\n").map { "  \($0)" }
      .joined(separator: "\n")
    let text = """
      name: simulated
      application: |
      \(indented)
      inputs:
        - stream: NUMBERS
          kafka: {topic: numbers, start: earliest\(kafka.isEmpty ? "" : ", ")\(kafka)}
          format: json
          \(usesKey ? "key: k" : "")
          columns: [{name: n, type: BIGINT, path: $.n}, {name: k, type: VARCHAR(8), path: $.k}]
      outputs:
        - stream: OUT
          delivery: {to: file:///out, buffer: {interval: 900s, records: \(objectRecords)}}
        - stream: error_stream
          delivery: {to: file:///errors, buffer: {interval: 900s, records: 2}}
      \(writesTopic ? "  - {stream: OUT, kafka: {topic: results, id: true}}" : "")
      dead_letter: {to: file:///dead, buffer: {interval: 900s}}
      """
    var (configuration, _) = try PipelineConfiguration.read(
      file: "simulated.yaml", text: text, environment: [:],
      daemon: KafkaSettings(brokers: "simulated:1"), readFile: { _ in "" })
    configuration.timing = timing
    return try PipelinePlan.make(configuration, dataDirectory: "data").0
  }
}
