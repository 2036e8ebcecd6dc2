import ArgumentParser
import Foundation
import Kafka
import Logging
import Synchronization

/// `cutbank bench soak`: whether the daemon's memory stays the same.
struct BenchSoak: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soak",
    abstract: "Run a daemon under a steady load and watch its memory.",
    discussion: """
      A daemon, a process of its own, scores 100 keys with forests, counts them in windows and delivers \
      both to files; keys come and go, and snapshots are taken every 10 s. The embedded broker is in this \
      process. Memory is read every second. The first third, in which models and buffers fill, is left \
      out; growth is that of a straight line through the rest, over an hour.
      """)

  @Option(help: "For how many minutes.") var minutes = 30.0
  @Option(help: "Records per second.") var rate = 5_000
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard minutes > 0, rate > 0 else {
      throw ValidationError("--minutes and --rate must be positive")
    }
  }

  func run() async throws {
    let stage = try SoakStage()
    let daemon = try ChildDaemon(
      pipeline: stage.pipeline, folder: stage.folder, brokers: stage.bootstrap)
    try await daemon.wait(for: "the group gives")
    let load = stage.startLoad(perSecond: rate)
    var figures = MemoryFigures()
    let start = ContinuousClock.now
    while start.duration(to: .now) < .seconds(minutes * 60) {
      try await Task.sleep(for: .seconds(1))
      figures.add(
        seconds: start.duration(to: .now) / .seconds(1), bytes: try daemon.residentBytes)
    }
    stage.isOver.store(true, ordering: .relaxed)
    figures.records = try await load.value
    figures.processorSeconds = try daemon.processorSeconds
    try await daemon.stop()
    try stage.close()
    try Output.write((json ? figures.json : figures.text) + "\n")
  }
}

/// The memory of a process over time.
struct MemoryFigures {
  var records = 0
  var processorSeconds = 0.0
  private var samples: [(seconds: Double, bytes: Double)] = []

  mutating func add(seconds: Double, bytes: Int) { samples.append((seconds, Double(bytes))) }

  private var settled: ArraySlice<(seconds: Double, bytes: Double)> {
    samples[(samples.count / 3)...]
  }

  /// Bytes per hour of the line of least squares.
  var growth: Double {
    let count = Double(max(1, settled.count))
    let meanTime = settled.reduce(0) { $0 + $1.seconds } / count
    let meanBytes = settled.reduce(0) { $0 + $1.bytes } / count
    var products = 0.0
    var squares = 0.0
    for sample in settled {
      products += (sample.seconds - meanTime) * (sample.bytes - meanBytes)
      squares += (sample.seconds - meanTime) * (sample.seconds - meanTime)
    }
    return squares > 0 ? products / squares * 3_600 : 0
  }

  private var least: Double { settled.map(\.bytes).min() ?? 0 }
  private var most: Double { settled.map(\.bytes).max() ?? 0 }

  private static func mebibytes(_ bytes: Double) -> Double {
    (bytes / 1_048_576 * 10).rounded() / 10
  }

  var text: String {
    "\(Int(samples.last?.seconds ?? 0)) s, \(records) records, "
      + "\(Int(processorSeconds)) s of processors: "
      + "memory between \(Self.mebibytes(least)) and \(Self.mebibytes(most)) MiB after the first third, "
      + "growth \(Self.mebibytes(growth)) MiB per hour"
  }

  var json: String {
    """
    {"seconds":\(Int(samples.last?.seconds ?? 0)),"records":\(records),\
    "processor_seconds":\(Int(processorSeconds)),"least_bytes":\(Int(least)),\
    "most_bytes":\(Int(most)),"growth_bytes_per_hour":\(Int(growth))}
    """
  }
}

/// A broker with one topic, a pipeline file, and records.
private final class SoakStage: Sendable {
  /// How many keys there are at a time, and after how many records one makes room for a new one.
  private static let keys = 100
  private static let keyLife = 20_000

  let folder: String
  let pipeline: String
  let isOver = Atomic<Bool>(false)
  private let broker: EmbeddedBroker
  private let logger: Logger

  var bootstrap: String { broker.bootstrap }

  init() throws {
    var logger = Logger(label: "cutbank.bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    self.logger = logger
    folder = FileManager.default.temporaryDirectory.path + "/cutbank-bench-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    broker = try EmbeddedBroker(topics: ["soak": 4], logger: logger)
    pipeline = folder + "/soak.yaml"
    try Self.text(folder).write(toFile: pipeline, atomically: true, encoding: .utf8)
  }

  private static func text(_ folder: String) -> String {
    """
    name: soak
    application: |
      CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(16), "v" DOUBLE, "SCORE" DOUBLE);
      CREATE OR REPLACE STREAM "COUNTS" ("k" VARCHAR(16), "n" BIGINT, "average" DOUBLE);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "k", "v", "SCORE" FROM TABLE(ML_DETECT_ANOMALIES(
          CURSOR(SELECT STREAM SUBSTRING("k", 1, 5) AS "k", "v" FROM "S") PARTITION BY "k",
          number_of_trees => 20, sample_size => 128, shingle_size => 4)) WHERE "SCORE" > 1;
      CREATE OR REPLACE PUMP "Q" AS INSERT INTO "COUNTS"
        SELECT STREAM "k", COUNT(*), AVG("v") FROM "S"
        GROUP BY "k", STEP("S".ROWTIME BY INTERVAL '10' SECOND);
    sql: {extensions: true}
    snapshot: {interval: 10s}
    kafka: {session.timeout.ms: "6000", fetch.wait.max.ms: "50"}
    inputs:
      - stream: S
        kafka: {topic: soak, start: earliest}
        format: json
        columns: [{name: k, type: VARCHAR(16)}, {name: v, type: DOUBLE}]
    outputs:
      - stream: OUT
        delivery: {to: file://\(folder)/out, compression: gzip, buffer: {interval: 60s, size: 1MiB}}
      - stream: COUNTS
        delivery: {to: file://\(folder)/counts, buffer: {interval: 60s, size: 1MiB}}
    """
  }

  func close() throws {
    broker.close()
    try FileManager.default.removeItem(atPath: folder)
  }

  /// Sends records at a steady rate until `isOver`; returns how many.
  func startLoad(perSecond rate: Int) -> Task<Int, any Error> {
    onThreadTask { [self] in
      let producer = try Producer(
        ProducerConfiguration(
          brokers: bootstrap, properties: ["compression.type": "lz4", "linger.ms": "5"]),
        logger: logger)
      let topic = try producer.topic("soak")
      let start = ContinuousClock.now
      var sent = 0
      while !isOver.load(ordering: .relaxed) {
        let due = Int(start.duration(to: .now) / .seconds(1) * Double(rate))
        while sent < due {
          let place = sent % Self.keys
          let key = "k\(1_000 + place)-\(sent / Self.keyLife)"
          let value = "{\"k\":\"\(key)\",\"v\":\(sent * 7 % 613).\(sent % 7)}"
          try producer.produce(
            to: topic, partition: Int32(place % 4), key: nil, value: Array(value.utf8),
            timeout: .seconds(30))
          sent += 1
        }
        Thread.sleep(forTimeInterval: 0.005)
      }
      try producer.flush(timeout: .seconds(30))
      return sent
    }
  }
}
