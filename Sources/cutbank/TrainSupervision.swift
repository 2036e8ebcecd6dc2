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
      and for --champion.
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
    let data: TrainingData
    var metrics: [Metric] = []
    if case .deepAR(let forecaster) = model {
      let series = try SeriesReader([holdout]).all()
      data = .series(train: series, test: [])
      let naive = Holdout.seasonalNaive(for: forecaster, on: series, as: "baseline")
      metrics += naive.map { [$0] } ?? []
    } else {
      data = .rows(train: try FileRows([holdout]), test: nil)
    }
    metrics.append(
      try Holdout.measure(model, on: data, as: "holdout", seed: seed, progress: progress))
    guard let champion else { return metrics }
    do {
      guard let bytes = FileManager.default.contents(atPath: champion) else {
        throw Failure(message: "it cannot be read")
      }
      let other = try LearnedModel(decoding: Array(bytes))
      metrics.append(
        try Holdout.measure(other, on: data, as: "champion", seed: seed, progress: progress))
    } catch TrainingError.cancelled {
      throw TrainingError.cancelled
    } catch {
      Output.note("note: \(champion) is not measured: \(error)")
    }
    return metrics
  }
}
