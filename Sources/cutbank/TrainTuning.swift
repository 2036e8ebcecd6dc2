import ArgumentParser
import Learning

/// What `cutbank train` takes to tune.
struct TuningOptions: ParsableArguments {
  @Option(
    help: "Try many hyperparameters and keep the best model: grid, random or bayesian.",
    transform: TuningOptions.strategy)
  var tune: TuningStrategy?
  @Option(help: "What is tried: k=2:50,learning_rate=1e-4:1e-1:log,init_method=random|kmeans++.")
  var ranges: String?
  @Option(help: "How many models are trained; of a grid all by default.") var trials: Int?
  @Option(help: "The metric that decides, such as test:msd; the algorithm's usual one by default.")
  var objective: String?
  @Flag(help: "End trials early that do worse than the median of those before (deepar).")
  var earlyStop = false

  private static func strategy(_ text: String) throws -> TuningStrategy {
    guard let strategy = TuningStrategy(rawValue: text) else {
      let known = TuningStrategy.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("'\(text)' is none of \(known)")
    }
    return strategy
  }

  /// The ranges one by one.
  var texts: [String] { ranges?.split(separator: ",").map(String.init) ?? [] }

  func validate() throws {
    if tune == nil, ranges != nil || trials != nil || objective != nil || earlyStop {
      throw ValidationError("--ranges, --trials, --objective and --early-stop belong to --tune")
    }
    if tune != nil, ranges == nil {
      throw ValidationError("--tune needs --ranges, such as --ranges k=2:50")
    }
  }
}

/// Tells of the trials of a tuning: metrics on standard output, a table on standard error.
final class TuningReport {
  private let names: [String]
  private var display = TrainingDisplay()
  private var writeError: (any Error)?
  private var hasHeading = false

  init(_ request: TuningRequest) {
    names = request.ranges.map { String($0.prefix { $0 != "=" }) }
  }

  func show(_ stage: TrainingStage, of trial: Int) {
    display.show(stage, prefix: "trial \(trial): ")
  }

  /// Writes the metrics and the table's row of a trial.
  func tell(_ trial: Trial, _ objective: Objective) {
    display.finish()
    if !hasHeading { Output.note(row(["trial", "status", objective.name] + names)) }
    hasHeading = true
    var status = "completed"
    var reason = ""
    switch trial.status {
    case .completed: break
    case .stopped: status = "stopped"
    case .failed(let text):
      status = "failed"
      reason = "  " + (text.split(separator: "\n").first.map(String.init) ?? "")
    }
    let value = trial.objective.map { "\(Float($0))" } ?? "-"
    Output.note(row(["\(trial.number)", status, value] + trial.chosen) + reason)
    guard writeError == nil else { return }
    do {
      for metric in trial.metrics { try Output.write(metric.line(trial: trial.number)) }
    } catch {
      writeError = error
    }
  }

  /// Says which trial is the best.
  func finish(_ result: TuningResult) throws {
    if let writeError { throw writeError }
    let chosen = zip(result.ranges, result.best.chosen).map { "\($0.name)=\($1)" }
    Output.note(
      "best of \(result.trials.count): trial \(result.best.number), \(result.objective.name) "
        + "\(Float(result.best.objective ?? 0)), \(chosen.joined(separator: ","))")
  }

  private func row(_ cells: [String]) -> String {
    cells.enumerated().map { index, cell in
      let width = index == 0 ? 5 : index == 1 ? 9 : 12
      let blanks = String(repeating: " ", count: max(0, width - cell.count))
      return index == 1 ? cell + blanks : blanks + cell
    }.joined(separator: "  ")
  }

  /// What the manifest says of a tuning.
  static func manifest(_ result: TuningResult, _ strategy: TuningStrategy) -> [String: Any] {
    let trials = result.trials.map { trial in
      var entry: [String: Any] = [
        "trial": trial.number,
        "hyperparameters": Dictionary(
          uniqueKeysWithValues: zip(result.ranges.map(\.name), trial.chosen)),
      ]
      switch trial.status {
      case .completed: entry["status"] = "completed"
      case .stopped: entry["status"] = "stopped"
      case .failed(let reason):
        entry["status"] = "failed"
        entry["reason"] = reason
      }
      if let value = trial.objective { entry["objective"] = value }
      return entry
    }
    return [
      "strategy": strategy.rawValue,
      "objective": [
        "metric": result.objective.name,
        "type": result.objective.isMaximized ? "Maximize" : "Minimize",
      ],
      "ranges": Dictionary(uniqueKeysWithValues: result.ranges.map { ($0.name, $0.text) }),
      "best_trial": result.best.number,
      "trials": trials,
    ]
  }
}
