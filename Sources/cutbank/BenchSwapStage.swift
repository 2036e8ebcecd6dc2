import Engine
import Foundation
import Kafka
import LearnedModels
import Logging
import Processes
import Registry
import Synchronization

/// A broker, a pipeline that asks an endpoint, a load that never lets it rest, and a reader of its rows.
final class SwapStage: Sendable {
  private static let partitions = 12
  private static let keys = 120

  private let stage: BenchStage
  private let input: String
  private let output: String
  private let window: Int
  private let features: Int
  private let registry: Registry
  private let start = ContinuousClock.now
  private let received = Atomic<Int>(0)
  private let sent = Atomic<Int>(0)
  private let isSent = Atomic<Bool>(false)
  /// Ends the load; what is on its way is still read.
  let isEnding = Atomic<Bool>(false)

  init(brokers: String?, window: Int, features: Int) throws {
    self.window = window
    self.features = features
    input = BenchStage.unique("bench-in")
    output = BenchStage.unique("bench-out")
    stage = try BenchStage(
      topics: [input: Self.partitions, output: Self.partitions], brokers: brokers)
    registry = try Registry(folder: stage.folder + "/data/models")
  }

  func close() throws { try stage.close() }

  /// Milliseconds since the stage began.
  var now: Int { Int(start.duration(to: .now) / .milliseconds(1)) }

  // MARK: Models

  /// Puts a new version of the model into service.
  func promote(_ model: LearnedModel) throws {
    let time = Int64(Date().timeIntervalSince1970 * 1_000)
    let job = try registry.begin(
      TrainingJob(
        model: "bench", pipeline: "bench", algorithm: model.algorithm.rawValue,
        hyperparameters: [:], seed: 0, data: TrainingData(source: "bench"), parent: nil,
        createdAt: time))
    let version = try registry.complete(job, artifact: model.encode(), at: time)
    try registry.deploy(
      "bench",
      variants: [EndpointVariant(name: "champion", model: "bench", version: version.version)],
      phase: .inService, reason: "bench", by: "bench", at: time)
  }

  /// Waits until every task has taken up the newest of so many versions.
  func takenUp(by daemon: Daemon, versions: Int) async throws {
    while daemon.activations.count < versions * Self.partitions {
      try BenchStage.check(daemon)
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Waits until rows come out.
  func taken(by daemon: Daemon) async throws {
    while received.load(ordering: .relaxed) == 0 {
      try BenchStage.check(daemon)
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// A file of 100,000 rows of 16 numbers.
  func writeTrainingRows() throws {
    let (count, width) = (100_000, 16)
    var random = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * count * width)
    for _ in 0..<count * width {
      let bits = Float.random(in: 0..<1, using: &random).bitPattern
      for shift in [0, 8, 16, 24] as [UInt32] {
        bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
      }
    }
    try Data(bytes).write(to: URL(fileURLWithPath: stage.folder + "/rows.f32"))
    try Data("{\"n\":\(count),\"d\":\(width)}".utf8)
      .write(to: URL(fileURLWithPath: stage.folder + "/rows.json"))
  }

  /// Starts `cutbank train` as the daemon does, at nice 10 until its standard input ends.
  func startTraining() throws -> ChildProcess {
    try ChildProcess(
      [
        "/proc/self/exe", "train", "--supervised", "--algorithm", "kmeans", "--data",
        stage.folder + "/rows.f32", "--output", stage.folder + "/trained", "--hyperparameters",
        "k=500,epochs=1000",
      ], input: .pipe)
  }

  // MARK: Load

  /// Sends records as long as fewer than the window are on their way; returns how many it were.
  func send(after daemon: Daemon) async throws -> Int {
    while daemon.statuses.first?.tasks.isEmpty ?? true {
      try BenchStage.check(daemon)
      try await Task.sleep(for: .milliseconds(5))
    }
    return try await onThreadTask { [self] in
      let producer = try stage.makeProducer(linger: 1)
      let topic = try producer.topic(input)
      var record = SwapRecord(features: features)
      var number = 0
      while !isEnding.load(ordering: .acquiring) {
        guard number - received.load(ordering: .relaxed) < window else {
          Thread.sleep(forTimeInterval: 0.000_5)
          continue
        }
        record.stamp(now)
        for _ in 0..<100 {
          let key = number % Self.keys
          try producer.produce(
            to: topic, partition: Int32(key % Self.partitions), key: nil,
            value: record.bytes(number, key: key), timeout: .seconds(30))
          number += 1
        }
      }
      try producer.flush(timeout: .seconds(30))
      sent.store(number, ordering: .relaxed)
      isSent.store(true, ordering: .releasing)
      return number
    }.value
  }

  /// Reads all rows until as many have come as were sent, or none has for ten seconds.
  func read() async throws -> SwapRows {
    try await onThreadTask { [self] in
      let consumer = try Consumer(
        ConsumerConfiguration(
          brokers: stage.brokers, group: nil, properties: ["fetch.wait.max.ms": "10"]),
        logger: stage.logger)
      let queues = try consumer.assign(
        (0..<Int32(Self.partitions)).map {
          PartitionStart(TopicPartition(topic: output, partition: $0), at: .beginning)
        })
      let wakeup = Wakeup()
      for queue in queues { queue.attach(wakeup) }
      var batch = RecordBatch(capacity: 4_096)
      var rows = SwapRows(partitions: Self.partitions)
      var last = now
      while !isSent.load(ordering: .acquiring)
        || rows.count < sent.load(ordering: .relaxed) && now - last < 10_000
      {
        _ = consumer.poll(timeout: .zero)
        var found = 0
        for (partition, queue) in queues.enumerated() {
          queue.poll(into: &batch)
          let now = now
          for index in 0..<batch.count {
            guard let value = batch.copyOfValue(at: index) else { continue }
            rows.add(value, partition: partition, at: now)
          }
          found += batch.count
        }
        received.store(rows.count, ordering: .relaxed)
        if found > 0 { last = now } else { wakeup.wait(timeout: .milliseconds(5)) }
      }
      try consumer.close()
      return rows
    }.value
  }

  // MARK: Pipeline

  func makeDaemon() throws -> Daemon {
    let names = (0..<features).map { "\"x\($0)\"" }.joined(separator: ", ")
    let columns = (0..<features).map { "      - {name: x\($0), type: DOUBLE}" }
    let text = """
      name: bench
      application: |
        CREATE OR REPLACE STREAM "OUT" ("t" BIGINT, "n" BIGINT, "v" VARCHAR(16), "s" VARCHAR(16));
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "t", "n", MODEL_VERSION, STATUS FROM TABLE(ML_PREDICT(
            CURSOR(SELECT STREAM "k", "t", "n", \(names) FROM "S") PARTITION BY "k", "t", "n",
            'bench'));
      sql: {extensions: true}
      guarantee: at_least_once
      inputs:
        - stream: S
          kafka: {topic: \(input), start: earliest}
          format: json
          key: k
          columns:
            - {name: t, type: BIGINT}
            - {name: n, type: BIGINT}
            - {name: k, type: VARCHAR(16)}
      \(columns.joined(separator: "\n"))
      outputs:
        - stream: OUT
          kafka: {topic: \(output)}
      """
    return try stage.makeDaemon(text)
  }
}

/// One record after the other, written over its digits.
private struct SwapRecord {
  private let tail: [UInt8]
  private var head: [UInt8] = []

  init(features: Int) {
    tail = Array((0..<features).map { ",\"x\($0)\":0.\($0 + 1)25" }.joined().utf8) + [125]
  }

  mutating func stamp(_ time: Int) { head = Array("{\"t\":\(time),\"n\":".utf8) }

  func bytes(_ number: Int, key: Int) -> [UInt8] {
    head + Array("\(number),\"k\":\"key-\(key)\"".utf8) + tail
  }
}

/// All rows that were read, counted.
struct SwapRows: Sendable {
  private static let step = 100
  private static let longest = 8_191
  /// By span of 100 ms, how many rows had so many milliseconds of latency.
  private var latencies: [[Int32]] = []
  private var seen: [Bool] = []
  private var versions: [Int]
  private(set) var count = 0
  private(set) var distinct = 0
  private(set) var repeated = 0
  private(set) var unscored = 0
  /// Rows whose version is lower than that of a row before them, of the same task and in the same
  /// partition of the output.
  private(set) var older = 0
  private let partitions: Int

  /// Of as many partitions of the input, each with its task, and of the output.
  init(partitions: Int) {
    self.partitions = partitions
    versions = Array(repeating: 0, count: partitions * partitions)
  }

  /// Milliseconds until the last row.
  var duration: Int { latencies.count * Self.step }

  /// Adds a row `{"t":…,"n":…,"v":"bench/…","s":"SCORED"}`.
  mutating func add(_ row: [UInt8], partition: Int, at now: Int) {
    var numbers: [Int] = []
    var number: Int?
    for byte in row {
      if (48...57).contains(byte) {
        number = (number ?? 0) * 10 + Int(byte - 48)
      } else if let whole = number {
        numbers.append(whole)
        number = nil
      }
    }
    count += 1
    guard numbers.count == 3, row.suffix(9).elementsEqual("\"SCORED\"}".utf8) else {
      unscored += 1
      return
    }
    if numbers[1] >= seen.count {
      seen += repeatElement(false, count: max(1 << 20, numbers[1] + 1 - seen.count))
    }
    if seen[numbers[1]] { repeated += 1 } else { distinct += 1 }
    seen[numbers[1]] = true
    let place = partition * partitions + numbers[1] % partitions
    if numbers[2] < versions[place] { older += 1 }
    versions[place] = max(versions[place], numbers[2])
    while latencies.count <= now / Self.step {
      latencies.append([Int32](repeating: 0, count: Self.longest + 1))
    }
    latencies[now / Self.step][min(Self.longest, max(0, now - numbers[0]))] += 1
  }

  /// The latency below which a share of a span's rows lies, milliseconds.
  func latency(in span: SwapSpan, _ share: Double) -> Int {
    let steps = self.steps(span)
    let total = steps.reduce(0) { $0 + $1.reduce(0) { $0 + Int($1) } }
    var below = 0
    for latency in 0...Self.longest {
      below += steps.reduce(0) { $0 + Int($1[latency]) }
      if Double(below) >= share * Double(total) { return latency }
    }
    return Self.longest
  }

  /// Rows per second of a span.
  func speed(in span: SwapSpan) -> Double {
    let steps = self.steps(span)
    let total = steps.reduce(0) { $0 + $1.reduce(0) { $0 + Int($1) } }
    return Double(total) * 1_000 / Double(max(1, steps.count) * Self.step)
  }

  private func steps(_ span: SwapSpan) -> ArraySlice<[Int32]> {
    let end = min(latencies.count, span.end / Self.step)
    return latencies[min(end, max(0, span.start / Self.step))..<end]
  }
}
