import ArgumentParser
import Engine
import Foundation
import LearnedModels
import Processes
import RandomCutForest
import Synchronization

/// `cutbank bench swap`: what an exchange of models costs a stream at full load, and what a training does.
struct BenchSwap: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swap",
    abstract: "Measure exchanges of models, and trainings, under a stream at full load.",
    discussion: """
      Twelve partitions are scored by ML_PREDICT, a task each, as fast as they come: a thread sends \
      records whenever fewer than --window are on their way, another reads the scored rows. Latency is \
      the time from a record's sending to its row in a reader of the output topic. A new version is \
      promoted --swaps times, and before each one the same is measured without a promotion: the p99 \
      latency from the promotion until half a second after the last task has taken it up, less that of \
      the 1.5 s before. Every row is looked at: scored, once, by versions that only rise. Then `cutbank \
      train` runs at nice 10 beside the stream, --trainings times between as many rests, and rows per \
      second are compared. Without --brokers an embedded broker in this process is used.
      """)

  @Option(help: "What is exchanged: kmeans or forest.") var model: SwapModel = .kmeans
  @Option(help: "How many exchanges are measured.") var swaps = 5
  @Option(help: "How many trainings are measured; 0 leaves them out.") var trainings = 5
  @Option(help: "How many records may be on their way.") var window = 20_000
  @Option(help: "A real broker, host:port; topics are made there.") var brokers: String?
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard swaps > 0, trainings >= 0, window > 0 else {
      throw ValidationError("--swaps and --window must be positive, --trainings not negative")
    }
  }

  func run() async throws {
    let models = try (0..<2).map { try model.make(seed: UInt64($0)) }
    let stage = try SwapStage(brokers: brokers, window: window, features: SwapModel.features)
    try stage.promote(models[0])
    let daemon = try stage.makeDaemon()
    async let result = daemon.run()
    async let readings = stage.read()
    async let sent = stage.send(after: daemon)
    let spans: SwapSpans
    do {
      spans = try await measure(stage, daemon, models)
    } catch {
      // The load, its reader and the daemon end only when they are told to.
      stage.isEnding.store(true, ordering: .releasing)
      daemon.stop()
      throw error
    }
    stage.isEnding.store(true, ordering: .releasing)
    let count = try await sent
    let rows = try await readings
    daemon.stop()
    guard try await result else { throw Failure(message: "the pipeline failed") }
    try stage.close()
    let figures = SwapFigures(model: model, sent: count, rows: rows, spans: spans)
    try Output.write((json ? figures.json : figures.text) + "\n")
  }

  private func measure(
    _ stage: SwapStage, _ daemon: Daemon, _ models: [LearnedModel]
  ) async throws -> SwapSpans {
    try await stage.taken(by: daemon)
    try await Task.sleep(for: .seconds(3))
    var spans = SwapSpans()
    for number in 1...swaps {
      try await Task.sleep(for: .seconds(2))
      let rest = stage.now
      try await Task.sleep(for: .milliseconds(1_500))
      spans.rests.append(SwapSpan(start: rest, end: stage.now))
      try await Task.sleep(for: .seconds(2))
      let start = stage.now
      try stage.promote(models[number % 2])
      try await stage.takenUp(by: daemon, versions: number + 1)
      try await Task.sleep(for: .milliseconds(500))
      spans.exchanges.append(SwapSpan(start: start, end: stage.now))
    }
    if trainings > 0 { try await train(beside: stage, &spans) }
    return spans
  }

  /// Spans of five seconds, without and with trainings that follow each other.
  private func train(beside stage: SwapStage, _ spans: inout SwapSpans) async throws {
    try stage.writeTrainingRows()
    for _ in 0..<trainings {
      var start = stage.now
      try await Task.sleep(for: .seconds(5))
      spans.quiet.append(SwapSpan(start: start, end: stage.now))
      let training = try stage.startTraining()
      try await Task.sleep(for: .seconds(1))
      start = stage.now
      try await Task.sleep(for: .seconds(5))
      spans.busy.append(SwapSpan(start: start, end: stage.now))
      guard training.isRunning else {
        throw Failure(message: "the training ended before it was measured")
      }
      training.send()
      training.waitForEnd()
    }
  }
}

/// What is exchanged.
enum SwapModel: String, ExpressibleByArgument, CaseIterable {
  case kmeans, forest

  static let features = 4

  /// 200 clusters, or a forest of 100 trees of 256 points.
  func make(seed: UInt64) throws -> LearnedModel {
    var random = SplitMix64(seed: seed)
    func row() -> [Float] { (0..<Self.features).map { _ in Float(random.uniform()) } }
    switch self {
    case .kmeans:
      return .kMeans(
        KMeansModel(centres: (0..<200).flatMap { _ in row() }, dimensions: Self.features))
    case .forest:
      var forest = try RandomCutForest(
        ForestConfiguration(
          dimensions: Self.features, sampleSize: 256, numberOfTrees: 100, timeDecay: 0,
          outputAfter: 1, seed: seed))
      for tree in 0..<100 {
        for _ in 0..<256 { try forest.learn(row().span, inTree: tree) }
      }
      return .randomCutForest(FrozenForest(forest, scoreMean: 1, scoreDeviation: 0.1))
    }
  }
}

/// From one moment to another, milliseconds since the stage began.
struct SwapSpan: Sendable {
  let start: Int
  let end: Int

  /// The second and a half that ended just before it.
  var before: SwapSpan { SwapSpan(start: start - 1_600, end: start - 100) }
}

/// What was measured when.
struct SwapSpans: Sendable {
  /// Without an exchange, and from a promotion until half a second after the last task took it up.
  var rests: [SwapSpan] = []
  var exchanges: [SwapSpan] = []
  /// Without a training and beside one.
  var quiet: [SwapSpan] = []
  var busy: [SwapSpan] = []
}

/// The results.
struct SwapFigures {
  private let model: SwapModel
  private let sent: Int
  private let rows: SwapRows
  private let before: [Int]
  private let around: [Int]
  private let rests: [Int]
  private let longest: Int
  private let speeds: (quiet: [Double], busy: [Double])

  init(model: SwapModel, sent: Int, rows: SwapRows, spans: SwapSpans) {
    self.model = model
    self.sent = sent
    self.rows = rows
    before = spans.exchanges.map { rows.latency(in: $0.before, 0.99) }
    around = spans.exchanges.map { rows.latency(in: $0, 0.99) }
    rests = spans.rests.map { rows.latency(in: $0, 0.99) - rows.latency(in: $0.before, 0.99) }
    longest = spans.exchanges.map { rows.latency(in: $0, 1) }.max() ?? 0
    speeds = (spans.quiet.map { rows.speed(in: $0) }, spans.busy.map { rows.speed(in: $0) })
  }

  private var bumps: [Int] { zip(around, before).map { $0 - $1 } }

  private static func median<Value: Comparable>(_ values: [Value]) -> Value? {
    values.isEmpty ? nil : values.sorted()[values.count / 2]
  }

  /// By how much trainings slow the stream, in percent; each beside the rest before it.
  private var costs: [Double] {
    zip(speeds.quiet, speeds.busy).map { (1_000 * (1 - $1 / $0)).rounded() / 10 }
  }

  private var speed: Int {
    let span = SwapSpan(start: 0, end: rows.duration)
    return Int(Self.median(speeds.quiet) ?? rows.speed(in: span))
  }

  var json: String {
    """
    {"model":"\(model.rawValue)","records":\(sent),"records_per_second":\(speed),\
    "rows_missing":\(sent - rows.distinct),"rows_repeated":\(rows.repeated),\
    "rows_unscored":\(rows.unscored),"rows_of_an_older_version":\(rows.older),\
    "p99_before_ms":\(before),"p99_around_ms":\(around),"longest_around_ms":\(longest),\
    "bumps_ms":\(bumps),"bumps_without_exchange_ms":\(rests),\
    "training_cost_percent":\(costs)}
    """
  }

  var text: String {
    func list(_ values: [Int]) -> String { values.map { "\($0)" }.joined(separator: ", ") }
    var text = """
      \(model.rawValue): \(sent) records at \(speed) a second; \(sent - rows.distinct) rows missing, \
      \(rows.repeated) repeated, \(rows.unscored) unscored, \(rows.older) of an older version
      p99 latency before exchanges \(list(before)) ms, around them \(list(around)) ms, the longest \
      \(longest) ms
      p99 higher by \(list(bumps)) ms (median \(Self.median(bumps) ?? 0)); without an exchange by \
      \(list(rests)) ms (median \(Self.median(rests) ?? 0))
      """
    if let cost = Self.median(costs) {
      let all = costs.map { "\($0)" }.joined(separator: ", ")
      text += "\ntrainings at nice 10 cost \(all) % of the rows per second (median \(cost) %)"
    }
    return text
  }
}
