import ArgumentParser
import Crypto
import Dispatch
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
      a .json beside it. Writes model.bin and manifest.json; metrics go to standard output, one JSON line \
      each. Exit code 78 for bad hyperparameters or data, 75 over the time limit.
      """)

  @Option(help: "kmeans, randomcutforest or pca.") var algorithm: String
  @Option(help: "The data: files with commas between them.") var data: String
  @Option(help: "Hyperparameters with SageMaker's names: k=10,epochs=2.")
  var hyperparameters = ""
  @Option(help: "The directory for model.bin and manifest.json.") var output: String
  @Option(help: "Data to measure the model on.") var test: String?
  @Option(help: "Labels in front of each row of CSV or .f32 test data of a forest: 0 or 1.")
  var labelSize: Int?
  @Option(help: "The seed of every random decision.") var seed: UInt64 = 0
  @Option(help: "Stop with exit code 75 after so many seconds.") var timeLimit: Double?

  func validate() throws {
    guard labelSize.map({ $0 == 0 || $0 == 1 }) ?? true else {
      throw ValidationError("--label-size must be 0 or 1")
    }
    guard timeLimit.map({ $0 > 0 }) ?? true else {
      throw ValidationError("--time-limit must be positive")
    }
  }

  func run() throws {
    let started = DispatchTime.now().uptimeNanoseconds
    let display = Mutex(
      TrainingDisplay(terminal: Terminal.current(environment: ProcessInfo.processInfo.environment)))
    let limit = timeLimit
    var progress = TrainingProgress()
    progress.isCancelled = {
      guard let limit else { return false }
      return Double(DispatchTime.now().uptimeNanoseconds - started) > limit * 1e9
    }
    progress.report = { stage in display.withLock { $0.show(stage) } }
    let result: TrainingResult
    let request: TrainingRequest
    do {
      request = try makeRequest()
      result = try Learning.train(request, on: try makeData(request), progress: progress)
    } catch TrainingError.cancelled {
      display.withLock { $0.finish() }
      throw Failure(
        message: "the training is over its limit of \(timeLimit ?? 0) seconds; nothing was written",
        hint: "raise --time-limit or train on less data", code: Outcome.temporary)
    } catch let error as TrainingError {
      display.withLock { $0.finish() }
      if case .diverged = error { throw Failure(message: error.description) }
      throw Failure(message: error.description, code: Outcome.configuration)
    } catch let error as DataError {
      throw Failure(message: error.description, code: Outcome.configuration)
    }
    display.withLock { $0.finish() }
    for metric in result.metrics {
      try Output.write(
        "{\"metric\":\"\(metric.name)\",\"value\":\(metric.value),\"step\":\(metric.step)}\n")
    }
    try write(result, request)
  }

  private func makeRequest() throws -> TrainingRequest {
    guard let algorithm = Algorithm(rawValue: algorithm) else {
      throw Failure(
        message: "the algorithm '\(algorithm)' is not known",
        hint: "one of \(Algorithm.allCases.map(\.rawValue).joined(separator: ", "))",
        code: Outcome.configuration)
    }
    var texts: [String: String] = [:]
    var last: String?
    for part in hyperparameters.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      if pair.count == 2 {
        texts[pair[0]] = pair[1]
        last = pair[0]
      } else if let name = last, let text = texts[name], text.hasPrefix("["), !text.hasSuffix("]") {
        // A comma within a list: eval_metrics=["msd","ssd"].
        texts[name] = text + "," + part
      } else {
        throw Failure(
          message: "the hyperparameter '\(part)' has no value", hint: "write name=value",
          code: Outcome.configuration)
      }
    }
    return TrainingRequest(algorithm: algorithm, hyperparameters: texts, seed: seed)
  }

  private func makeData(_ request: TrainingRequest) throws -> TrainingData {
    let isForest = request.algorithm == .randomCutForest
    let paths = data.split(separator: ",").map(String.init)
    return .rows(
      train: try FileRows(paths, labelCount: isForest ? 0 : labelSize ?? 0, note: Output.note),
      test: try test.map {
        try FileRows(
          $0.split(separator: ",").map(String.init), labelCount: labelSize ?? (isForest ? 1 : 0),
          note: Output.note)
      })
  }

  /// The manifest comes last and by a rename: a directory with one holds a whole model.
  private func write(_ result: TrainingResult, _ request: TrainingRequest) throws {
    let folder = URL(fileURLWithPath: output, isDirectory: true)
    let model = Data(result.model.encode())
    let manifest: [String: Any] = [
      "algorithm": request.algorithm.rawValue,
      "hyperparameters": request.hyperparameters,
      "seed": "\(request.seed)",
      "metrics": result.metrics.map {
        ["metric": $0.name, "value": $0.value, "step": $0.step] as [String: Any]
      },
      "sha256": SHA256.hash(data: model).map { byte in
        String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
      }.joined(),
      "data_window": [
        "files": data.split(separator: ",").map(String.init), "rows": result.rowCount,
      ] as [String: Any],
    ]
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

/// One line on standard error that is overwritten on a terminal; nothing elsewhere.
struct TrainingDisplay {
  private let isInteractive: Bool
  private var shown = ""

  init(terminal: Terminal) { isInteractive = terminal.isInteractive }

  mutating func show(_ stage: TrainingStage) {
    guard isInteractive else { return }
    let width = 24
    let bar = stage.fraction.map { fraction in
      let full = Int(fraction * Double(width))
      return "[" + String(repeating: "#", count: full)
        + String(repeating: ".", count: width - full) + "] \(Int(fraction * 100)) % "
    }
    let line = (bar ?? "") + stage.name
    guard line != shown else { return }
    shown = line
    FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
  }

  mutating func finish() {
    if isInteractive, !shown.isEmpty { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    shown = ""
  }
}
