import ArgumentParser
import Crypto
import Foundation
import LearnedModels
import Learning
import Synchronization

/// `cutbank train`: data in, a model and its manifest out.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a model.",
    discussion: """
      The extension of a data file tells its format: .csv, .jsonl, .pbr (recordIO-protobuf), or .f32 with \
      a .json beside it; deepar reads series, {"start":"2026-01-31 00:00:00","target":[4,null]} a line of \
      .jsonl, with "cat" and "dynamic_feat" if wanted. Writes model.bin and manifest.json; metrics go to standard output, one JSON line \
      each. Exit code 78 for bad hyperparameters or data, 75 over the time or memory limit.

      With --tune many models are trained and the best one is kept: --ranges k=2:50,init_method=random|\
      kmeans++ says what is tried, name=min:max:log spreads values by their logarithm.
      """)

  @Option(help: "kmeans, randomcutforest, pca or deepar.") var algorithm: String
  @Option(help: "The data: files with commas between them.") var data: String
  @Option(help: "Hyperparameters with SageMaker's names: k=10,epochs=2.")
  var hyperparameters = ""
  @Option(help: "The directory for model.bin and manifest.json.") var output: String
  @Option(help: "Data to measure the model on.") var test: String?
  @Option(help: "Labels in front of each row of CSV or .f32 test data of a forest: 0 or 1.")
  var labelSize: Int?
  @Option(help: "The seed of every random decision.") var seed: UInt64 = 0
  @Option(help: "Stop with exit code 75 after so many seconds.") var timeLimit: Double?
  @Option(help: "Stop with exit code 75 when the process holds more MiB of memory.")
  var memoryLimit: Int?
  @OptionGroup(title: "Interruption") var interruption: TrainCheckpoints
  @OptionGroup(title: "Comparison") var supervision: TrainSupervision
  @OptionGroup(title: "Tuning") var tuning: TuningOptions

  func validate() throws {
    guard labelSize.map({ $0 == 0 || $0 == 1 }) ?? true else {
      throw ValidationError("--label-size must be 0 or 1")
    }
    guard timeLimit.map({ $0 > 0 }) ?? true else {
      throw ValidationError("--time-limit must be positive")
    }
    guard memoryLimit.map({ $0 > 0 }) ?? true else {
      throw ValidationError("--memory-limit must be positive")
    }
    guard interruption.checkpoint == nil || tuning.tune == nil else {
      throw ValidationError("--checkpoint is of one training; --tune makes many")
    }
  }

  func run() throws {
    try supervision.begin(memoryLimit: memoryLimit)
    let limits = TrainingLimits(seconds: timeLimit, mebibytes: memoryLimit)
    let display = Mutex(TrainingDisplay())
    do {
      try checkOutput()
      let request = try makeRequest()
      let data = try makeData(request)
      if let strategy = tuning.tune {
        try tune(request, strategy, data, limits, display)
        return
      }
      let writer = MetricWriter()
      let progress = TrainingProgress(
        isCancelled: limits.isExceeded,
        report: { stage in
          display.withLock { $0.show(stage) }
          supervision.report(stage)
        },
        measured: { metric in
          display.withLock { $0.finish() }
          return writer.write(metric)
        },
        noted: { note in
          display.withLock { $0.finish() }
          Output.note(note)
        })
      let result = try Learning.train(
        request, on: data, progress: progress, checkpoints: interruption.open())
      for metric in try supervision.measure(result.model, seed: seed, progress: progress) {
        _ = writer.write(metric)
      }
      display.withLock { $0.finish() }
      if let failure = writer.failure { throw failure }
      try write(result, request, data)
    } catch {
      display.withLock { $0.finish() }
      throw failure(of: error, limits)
    }
  }

  private func failure(of error: any Error, _ limits: TrainingLimits) -> any Error {
    switch error {
    case TrainingError.cancelled:
      Failure(
        message: "\(limits.reason); no model was written",
        hint: interruption.checkpoint.map {
          "the same command goes on from the checkpoint in \($0), if one was written"
        } ?? limits.hint, code: Outcome.temporary)
    case TrainingError.diverged: Failure(message: "\(error)")
    case is TrainingError, is DataError:
      Failure(message: "\(error)", code: Outcome.configuration)
    default: error
    }
  }

  /// Trains with different hyperparameters, tells of each trial, and writes the best model.
  private func tune(
    _ request: TrainingRequest, _ strategy: TuningStrategy, _ data: TrainingData,
    _ limits: TrainingLimits, _ display: borrowing Mutex<TrainingDisplay>
  ) throws {
    let tuning = TuningRequest(
      request, strategy: strategy, ranges: self.tuning.texts, trials: self.tuning.trials,
      objective: self.tuning.objective, stopsEarly: self.tuning.earlyStop)
    let report = TuningReport(tuning)
    let result = try Learning.tune(
      tuning, on: data,
      progress: TuningProgress(
        isCancelled: limits.isExceeded,
        report: { trial, stage in report.show(stage, of: trial) },
        finished: report.tell))
    try report.finish(result)
    try write(
      result.training, result.request, data, ["tuning": TuningReport.manifest(result, strategy)])
    guard result.isCutShort else { return }
    throw Failure(
      message: "\(limits.reason) in trial \(result.trials.count + 1); the best model of the trials "
        + "before it was written", hint: limits.hint, code: Outcome.temporary)
  }

  /// Nobody should learn after hours of training that the model cannot be written.
  private func checkOutput() throws {
    var isFolder: ObjCBool = false
    var place = URL(fileURLWithPath: output)
    while !FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder),
      place.path != "/"
    { place.deleteLastPathComponent() }
    guard isFolder.boolValue, FileManager.default.isWritableFile(atPath: place.path) else {
      throw Failure(
        message: "\(output) cannot be written: \(place.path) is "
          + (isFolder.boolValue ? "not writable" : "no directory"),
        hint: "name a directory that you may write to")
    }
  }

  private func makeRequest() throws -> TrainingRequest {
    guard let algorithm = Algorithm(rawValue: algorithm) else {
      throw Failure(
        message: "the algorithm '\(algorithm)' is not known",
        hint: "one of \(Algorithm.allCases.map(\.rawValue).joined(separator: ", "))",
        code: Outcome.configuration)
    }
    let texts = try Hyperparameters.parse(hyperparameters)
    return TrainingRequest(algorithm: algorithm, hyperparameters: texts, seed: seed)
  }

  private func makeData(_ request: TrainingRequest) throws -> TrainingData {
    let isForest = request.algorithm == .randomCutForest
    let paths = data.split(separator: ",").map(String.init)
    if request.algorithm == .deepAR {
      return .series(
        train: try SeriesReader(paths).all(),
        test: try test.map { test throws(DataError) in
          try SeriesReader(test.split(separator: ",").map(String.init)).all()
        } ?? [])
    }
    return .rows(
      train: try FileRows(paths, labelCount: isForest ? 0 : labelSize ?? 0, note: Output.note),
      test: try test.map {
        try FileRows(
          $0.split(separator: ",").map(String.init), labelCount: labelSize ?? (isForest ? 1 : 0),
          note: Output.note)
      })
  }

  /// Files and rows; of series also the times of the first and the last value.
  private func window(
    _ result: TrainingResult, _ request: TrainingRequest, _ material: TrainingData
  ) -> [String: Any] {
    var window: [String: Any] = [
      "files": data.split(separator: ",").map(String.init), "rows": result.rowCount,
    ]
    guard case .series(let train, _) = material,
      case .deepAR(let model) = result.model, let first = train.map(\.start).min()
    else { return window }
    let frequency = model.configuration.frequency
    let last = train.map { series in
      frequency.start(of: frequency.period(of: series.start) + max(0, series.target.count - 1))
    }.max()
    window["from"] = ModelText.time(first)
    window["to"] = ModelText.time(last ?? first)
    return window
  }

  /// The manifest comes last and by a rename: a directory with one holds a whole model.
  private func write(
    _ result: TrainingResult, _ request: TrainingRequest, _ material: TrainingData,
    _ more: [String: Any] = [:]
  ) throws {
    let folder = URL(fileURLWithPath: output, isDirectory: true)
    let model = Data(result.model.encode())
    var manifest: [String: Any] = [
      "algorithm": request.algorithm.rawValue,
      "hyperparameters": request.hyperparameters,
      "seed": "\(request.seed)",
      "metrics": result.metrics.map {
        ["metric": $0.name, "value": $0.value, "step": $0.step] as [String: Any]
      },
      "sha256": SHA256.hash(data: model).map { byte in
        String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
      }.joined(),
      "data_window": window(result, request, material),
    ]
    manifest.merge(more) { _, added in added }
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try? FileManager.default.removeItem(at: folder.appendingPathComponent("manifest.json"))
      try model.write(to: folder.appendingPathComponent("model.bin"), options: .atomic)
      let text = try JSONSerialization.data(
        withJSONObject: manifest, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
      try (text + Data("\n".utf8)).write(
        to: folder.appendingPathComponent("manifest.json"), options: .atomic)
    } catch {
      throw Failure(
        message: "\(output) cannot be written: \(error.localizedDescription)",
        hint: "name a directory that you may write to")
    }
  }
}

/// Writes every figure to standard output as soon as it is known.
private final class MetricWriter {
  /// Why nothing more can be written; the training has ended then.
  private(set) var failure: (any Error)?

  /// Whether the training should go on.
  func write(_ metric: Metric) -> Bool {
    do {
      try Output.write(metric.line())
      return true
    } catch {
      failure = error
      return false
    }
  }
}
