import ArgumentParser
import Foundation
import Glibc
import LearnedModels
import Learning
import Synchronization

/// The options of `cutbank train` by which models are compared, and by which a daemon keeps a
/// training apart from itself.
struct TrainSupervision: ParsableArguments {
  @Option(
    help: """
      Data that the training does not see: prints one figure by which models compare, for the new model \
      and for --champion. Of deepar a file for each window, with commas between them: the last \
      prediction_length of every series is forecast.
      """)
  var holdout: String?
  @Option(help: "Another model.bin to measure on the --holdout data.") var champion: String?
  @Flag(
    help: ArgumentHelp(
      "Run at low priority, end with the standard input, print progress.", visibility: .hidden))
  var supervised = false

  /// When a stage was reported last.
  private static let reported = Mutex<ContinuousClock.Instant?>(nil)
  /// What the resident memory may be exceeded by before the system refuses more, MiB: between two
  /// looks at it, and by what is reserved and not used.
  private static let memoryMargin = 256

  func validate() throws {
    guard champion == nil || holdout != nil else {
      throw ValidationError("--champion is measured on --holdout data")
    }
  }

  /// Lowers the priority of this process, bounds its memory, and ties it to who has started it.
  func begin(memoryLimit: Int?) throws {
    guard supervised else { return }
    if let memoryLimit {
      // Private memory alone: libraries map far more than they use.
      let bytes = rlim_t(memoryLimit + Self.memoryMargin) << 20
      var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
      guard setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0 else {
        throw Failure(message: "the memory cannot be limited: \(String(cString: strerror(errno)))")
      }
    }
    _ = nice(10)
    Thread.detachNewThread {
      // The daemon holds the other end, which closes with it, however it ends.
      var byte: UInt8 = 0
      while true {
        let count = read(STDIN_FILENO, &byte, 1)
        if count == 0 || (count < 0 && errno != EINTR) { _exit(1) }
      }
    }
  }

  /// Prints a stage as a JSON line, at most one a second.
  func report(_ stage: TrainingStage) {
    guard supervised else { return }
    let isDue = Self.reported.withLock { last in
      guard last.map({ $0.duration(to: .now) >= .seconds(1) }) ?? true else { return false }
      last = .now
      return true
    }
    guard isDue else { return }
    let fraction = stage.fraction.map { ",\"fraction\":\($0)" } ?? ""
    write("{\"progress\":\"\(stage.name)\"\(fraction)}\n")
  }

  /// Nobody who reads is left when it fails, and then the process is about to end.
  private func write(_ line: String) {
    do {
      try Output.write(line)
    } catch {
      _exit(1)
    }
  }

  /// The figures of the new model and of the champion on the held-out data.
  func measure(
    _ model: LearnedModel, seed: UInt64, progress: TrainingProgress
  ) throws -> [Metric] {
    guard let holdout else { return [] }
    let files = holdout.split(separator: ",").map(String.init)
    if case .deepAR(let forecaster) = model {
      var windows: [[TimeSeries]] = []
      for file in files { windows.append(try SeriesReader([file]).all()) }
      let naive = Holdout.seasonalNaive(
        for: forecaster, on: windows.flatMap(\.self), as: "baseline")
      return try (naive.map { [$0] } ?? [])
        + compare(model) { model, role in
          guard case .deepAR(let model) = model else {
            throw Failure(message: "it is a \(model.algorithm.rawValue) model")
          }
          return try Holdout.measure(
            model, onWindows: windows, as: role, seed: seed, progress: progress)
        }
    }
    let data = TrainingData.rows(train: try FileRows(files), test: nil)
    return try compare(model) { model, role in
      [try Holdout.measure(model, on: data, as: role, seed: seed, progress: progress)]
    }
  }

  /// The figures of the new model, and those of the champion if it can be measured.
  private func compare(
    _ model: LearnedModel, _ measure: (LearnedModel, String) throws -> [Metric]
  ) throws -> [Metric] {
    let own = try measure(model, "holdout")
    guard let champion else { return own }
    do {
      guard let bytes = FileManager.default.contents(atPath: champion) else {
        throw Failure(message: "it cannot be read")
      }
      return try own + measure(LearnedModel(decoding: Array(bytes)), "champion")
    } catch TrainingError.cancelled {
      throw TrainingError.cancelled
    } catch {
      Output.note("note: \(champion) is not measured: \(error)")
      return own
    }
  }
}
