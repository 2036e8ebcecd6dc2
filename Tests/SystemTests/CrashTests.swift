import Delivery
import Demo
import Foundation
import Kafka
import Logging
import RimSupport
import Testing

extension SystemTests {
  /// The daemon is killed in the middle of the topic and started again.
  @Suite(.timeLimit(.minutes(5))) struct ACrash {
    /// 24 objects of 430 rows hold the whole series, so that nothing waits for an interval.
    private static let rowsPerObject = 430
    private static let objectCount = 24

    @Test(arguments: [1, 8]) func deliversWhatAnUndisturbedRunDelivers(objects: Int)
      async throws
    {
      let undisturbed = try await delivered(killingAfter: [])
      let killed = try await delivered(killingAfter: [objects, objects + 6])
      #expect(undisturbed.count == CityTaxi.recordCount)
      #expect(killed == undisturbed)
    }

    /// The rows of all objects in their order, when the daemon is killed as soon as it has delivered
    /// so many objects.
    private func delivered(killingAfter kills: [Int]) async throws -> [String] {
      let broker = try Program(nil, ["broker", "--port", "0", "--topic", "city-taxi:4"])
      let line = try #require(await broker.line(containing: "listening on "))
      let address = String(line.split(separator: " ").last ?? "")
      try produce(to: address)
      let folder = try TemporaryFolder()
      let pipeline = folder.path + "/city-taxi.yaml"
      try Data(Self.pipeline.utf8).write(to: URL(fileURLWithPath: pipeline))
      func start() throws -> Program {
        try Program(nil, ["run", pipeline, "--brokers", address], folder: folder.path)
      }
      for count in kills {
        let daemon = try start()
        try await waitForObjects(count, in: folder, of: daemon)
        daemon.signal(SIGKILL)
        #expect(await daemon.exitCode() == -1)
      }
      let daemon = try start()
      // The killed daemon may have delivered everything; a signal before the first line just ends it.
      try #require(await daemon.line(containing: "pipeline city-taxi") != nil)
      try await waitForObjects(Self.objectCount, in: folder, of: daemon)
      daemon.signal(SIGTERM)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
      return try rows(in: folder)
    }

    private func produce(to address: String) throws {
      let producer = try Producer(
        ProducerConfiguration(brokers: address), logger: Logger(label: "test"))
      let topic = try producer.topic("city-taxi")
      for (index, ride) in CityTaxi.rides(seed: 1).enumerated() {
        try producer.produce(
          to: topic, partition: Int32(index % 4), key: nil, value: Array(ride.json.utf8),
          timestamp: ride.pickupTime, timeout: .seconds(30))
      }
      try producer.flush(timeout: .seconds(30))
    }

    private func waitForObjects(_ count: Int, in folder: TemporaryFolder, of daemon: Program)
      async throws
    {
      try #require(await daemon.waits { objects(in: folder).count >= count })
    }

    private func objects(in folder: TemporaryFolder) -> [String] {
      folder.files().filter { $0.hasPrefix("out/") && $0.hasSuffix(".gz") }
    }

    private func rows(in folder: TemporaryFolder) throws -> [String] {
      let contents = try objects(in: folder).map { name -> [String] in
        let bytes = try #require(
          Compression.gzip.decompress(try folder.contents(name), limit: 1 << 24), "\(name)")
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      }
      #expect(contents.allSatisfy { $0.count == Self.rowsPerObject })
      // Rows begin with their time, which rises from row to row.
      return contents.sorted { $0[0] < $1[0] }.flatMap { $0 }
    }

    private static let pipeline = """
      name: city-taxi
      application: |
        CREATE OR REPLACE STREAM "SCORES" (
          "pickup_time" TIMESTAMP, "passengers" DOUBLE, "ANOMALY_SCORE" DOUBLE);
        CREATE OR REPLACE PUMP "SCORE_PUMP" AS INSERT INTO "SCORES"
        SELECT STREAM "pickup_time", "passengers", "ANOMALY_SCORE"
        FROM TABLE(RANDOM_CUT_FOREST(
          CURSOR(SELECT STREAM "pickup_time", "passengers" FROM "SOURCE_SQL_STREAM_001"),
          200, 1000, 100000, 24));
      inputs:
        - stream: SOURCE_SQL_STREAM_001
          kafka: {topic: city-taxi, start: trim_horizon}
          format: json
          columns:
            - {name: pickup_time, type: TIMESTAMP, path: $.timestamp}
            - {name: passengers, type: DOUBLE, path: $.value}
      outputs:
        - stream: SCORES
          delivery:
            to: file://./out
            compression: gzip
            buffer: {size: 5MiB, interval: 900s, records: \(rowsPerObject)}
      # The embedded broker waits for a killed member until its session ends.
      kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
      merge_wait: 30s
      commit_interval: 200ms
      snapshot: {interval: 5s, records: 3000}
      """
  }

  /// The daemon is killed while it fills the objects of many partition values.
  @Suite(.timeLimit(.minutes(5))) struct ACrashWithPartitions {
    private static let count = 700
    private static let objectCount = 70

    private static let pipeline = SystemTests.pipeline(
      """
        - stream: OUT
          delivery:
            to: file://./out
            prefix: "digit=!{partitionKeyFromQuery:D}/!{timestamp:yyyy}/"
            error_prefix: "errors/!{firehose:error-output-type}/"
            buffer: {size: 1MiB, records: 10, interval: 900s}
      """
    ).replacing("(n BIGINT)", with: "(n BIGINT, d BIGINT)")
      .replacing("STREAM n FROM", with: "STREAM n, MOD(n, 7) FROM")

    /// The rows of every partition value in the order of their numbers, object by object.
    private func delivered(killingAfter kills: [Int]) async throws -> [String: [[String]]] {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline, to: "numbers.yaml")
      try stage.produce(
        SystemTests.numbers(0..<Self.count), to: "numbers", start: 1_600_000_000_000)
      for count in kills {
        let daemon = try stage.daemon(file)
        #expect(await daemon.waits { stage.objects().count >= count })
        await stage.kill(daemon)
      }
      let daemon = try stage.daemon(file)
      try #require(await daemon.line(containing: "pipeline numbers") != nil)
      #expect(await daemon.waits { stage.objects().count >= Self.objectCount })
      await stage.end(daemon)
      let all = Dictionary(grouping: stage.objects()) { object in
        String(object.name.split(separator: "/")[1])
      }
      return all.mapValues { objects in
        objects.map(\.rows).sorted { number($0[0]) < number($1[0]) }
      }
    }

    private func number(_ row: String) -> Int {
      Int(row.dropFirst(5).prefix { $0.isNumber }) ?? -1
    }

    @Test func deliversWhatAnUndisturbedRunDelivers() async throws {
      let undisturbed = try await delivered(killingAfter: [])
      #expect(undisturbed.count == 7)
      for (folder, objects) in undisturbed {
        let digit = Int(folder.drop { !$0.isNumber }) ?? -1
        #expect(objects.allSatisfy { $0.count == 10 })
        let numbers = objects.flatMap { $0 }.map(number)
        #expect(numbers == stride(from: digit, to: Self.count, by: 7).map { $0 })
      }
      #expect(try await delivered(killingAfter: [1, 40]) == undisturbed)
    }
  }
}
