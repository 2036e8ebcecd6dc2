import ArgumentParser
import Foundation
import LearnedModels
import Learning

/// `cutbank bench models`: what a training costs, in CPU seconds of the process, and how good its model is.
struct BenchModels: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "Measure the training of a model: CPU seconds, quality, memory.",
    discussion: """
      Rows lie in memory before the clock starts, unless --on-disk leaves them in their file. One line per \
      seed; Benchmarks/models/run prints it beside the peers.
      """)

  @Argument(help: "kmeans, pca or deepar.") var algorithm: String
  @Option(help: "The data, as for cutbank train.") var data: String
  @Option(help: "Test data: series of which the last prediction length is forecast.")
  var test: String?
  @Option(help: "Hyperparameters with SageMaker's names: k=10,epochs=2.")
  var hyperparameters = ""
  @Option(help: "How many seeds are measured, from 0.") var seeds: UInt64 = 1
  @Flag(help: "Read the rows from their file at each pass.") var onDisk = false
  @Flag(help: "Print a line of JSON per seed.") var json = false

  func validate() throws {
    guard Algorithm(rawValue: algorithm).map({ $0 != .randomCutForest }) ?? false else {
      throw ValidationError("the algorithm is one of kmeans, pca, deepar")
    }
    guard seeds > 0 else { throw ValidationError("--seeds must be positive") }
  }

  func run() throws {
    do {
      let algorithm = Algorithm(rawValue: algorithm) ?? .kMeans
      let material = try material(algorithm)
      for seed in 0..<seeds {
        let request = TrainingRequest(
          algorithm: algorithm, hyperparameters: try Hyperparameters.parse(hyperparameters),
          seed: seed)
        let started = Self.processSeconds()
        let result = try Learning.train(request, on: material)
        let seconds = Self.processSeconds() - started
        try show(result, seed, seconds, try forecast(result))
      }
    } catch let error as TrainingError {
      throw Failure(message: "\(error)", code: Outcome.configuration)
    } catch let error as DataError {
      throw Failure(message: "\(error)", code: Outcome.configuration)
    }
  }

  private func material(_ algorithm: Algorithm) throws -> TrainingData {
    if algorithm == .deepAR {
      // The test series are forecast afterwards, beside the clock of the training.
      return .series(train: try SeriesReader([data]).all(), test: [])
    }
    let file = try FileRows([data])
    guard !onDisk else { return .rows(train: file, test: nil) }
    var values: [Float] = []
    values.reserveCapacity((file.rowCount ?? 0) * file.featureCount)
    var block = RowBlock()
    repeat {
      try file.read(into: &block, limit: 8_192)
      values.append(contentsOf: block.values)
    } while block.count > 0
    return .rows(train: MemoryRows(values, featureCount: file.featureCount), test: nil)
  }

  /// How well a network forecasts the ends of the test series with 100 sample paths each, and the CPU
  /// seconds that one forecast takes; nil without test series.
  private func forecast(_ result: TrainingResult) throws -> Forecasts? {
    guard case .deepAR(let model) = result.model, let test else { return nil }
    let series = try SeriesReader([test]).all()
    let started = Self.processSeconds()
    let evaluation = try DeepAREvaluation(model, on: series, seed: 0)
    return Forecasts(
      seconds: (Self.processSeconds() - started) / Double(max(1, evaluation.seriesCount)),
      evaluation: evaluation)
  }

  private struct Forecasts {
    let seconds: Double
    let evaluation: DeepAREvaluation
  }

  private func show(
    _ result: TrainingResult, _ seed: UInt64, _ seconds: Double, _ forecasts: Forecasts?
  ) throws {
    // Of each metric the last step.
    var metrics: [(name: String, value: Double)] = []
    for metric in result.metrics {
      metrics.removeAll { $0.name == metric.name }
      metrics.append((metric.name, metric.value))
    }
    if let evaluation = forecasts?.evaluation {
      metrics.append(("test:mean_wQuantileLoss", evaluation.meanWeightedQuantileLoss))
      metrics.append(("test:coverage", evaluation.coverage))
    }
    let (peak, own) = try Self.peakMebibytes()
    guard json else {
      var line =
        "\(algorithm) seed \(seed): \(seconds) CPU s, \(peak) MiB at most, \(own) MiB of its own"
      for metric in metrics { line += ", \(metric.name) \(metric.value)" }
      if let forecasts { line += ", forecast \(1e3 * forecasts.seconds) ms a series" }
      try Output.write(line + "\n")
      return
    }
    var object: [String: Any] = [
      "algorithm": algorithm, "seed": seed, "cpu_seconds": seconds, "peak_mib": peak,
      "own_mib": own,
      "epochs": result.metrics.map(\.step).max() ?? 0,
      "metrics": Dictionary(uniqueKeysWithValues: metrics),
    ]
    if let forecasts { object["forecast_cpu_seconds"] = forecasts.seconds }
    if case .pca(let model) = result.model {
      object["components"] = model.components
    }
    let text = try JSONSerialization.data(
      withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    try Output.write(String(decoding: text, as: UTF8.self) + "\n")
  }

  /// The processor time of all threads.
  private static func processSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The most memory that the process has held, and the part of it that is not pages of programs and
  /// libraries, which all processes share; `getrusage` would count the parent's, too.
  private static func peakMebibytes() throws -> (all: Int, own: Int) {
    let lines = try String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(
      separator: "\n")
    func kibibytes(_ name: String) -> Int {
      let line = lines.first { $0.hasPrefix(name) }
      return line?.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }
    let all = kibibytes("VmHWM:")
    return (all >> 10, (all - kibibytes("RssFile:")) >> 10)
  }
}
