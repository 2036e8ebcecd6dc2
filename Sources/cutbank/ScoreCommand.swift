import ArgumentParser
import Foundation
import LearnedModels
import Learning
import RandomCutForest

/// `cutbank score`: a response line for each row, in order.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score rows with a trained model, or forecast series with a deepar model.",
    discussion: """
      Writes one JSON line per row or series, or a CSV line per row with --accept csv. A bad line ends the \
      output with its file and line on standard error and exit code 1.
      """)

  @Option(help: "The directory that train wrote.") var model: String
  @Option(
    help: "The rows: .csv, .jsonl, .pbr, or .f32 with a .json beside it; series: .jsonl.")
  var input: String
  @Option(help: "json or csv.") var accept = "json"
  @Option(help: "How many futures of a series are drawn; deepar alone.") var numSamples = 100
  @Option(help: "The quantiles of a forecast, with commas between them; deepar alone.")
  var quantiles = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9"
  @Option(help: "The seed of the futures; deepar alone.") var seed: UInt64 = 0

  func validate() throws {
    guard accept == "json" || accept == "csv" else {
      throw ValidationError("--accept must be json or csv")
    }
    guard (1...100_000).contains(numSamples) else {
      throw ValidationError("--num-samples must be an integer from 1 to 100000")
    }
    guard probabilities != nil else {
      throw ValidationError(
        "--quantiles must be numbers between 0 and 1 with commas between them, such as 0.1,0.5,0.9")
    }
  }

  /// The quantiles as texts and numbers; nil when one is not between 0 and 1.
  private var probabilities: [(text: String, value: Double)]? {
    let parts = quantiles.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { Double($0) }.filter { $0 > 0 && $0 < 1 }
    guard values.count == parts.count else { return nil }
    return values.map { ("\($0)", $0) }
  }

  func run() throws {
    let path = model + "/model.bin"
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw Failure(
        message: "\(path) cannot be read", hint: "name a directory that cutbank train wrote")
    }
    let learned: LearnedModel
    do {
      learned = try LearnedModel(decoding: Array(bytes))
    } catch {
      throw Failure(message: "\(path): \(error)")
    }
    do {
      try score(learned)
    } catch let error as DataError {
      throw Failure(message: error.description)
    }
  }

  private func score(_ learned: LearnedModel) throws {
    if case .deepAR(let model) = learned {
      guard accept == "json" else {
        throw Failure(
          message: "forecasts have no form as CSV", hint: "leave --accept csv out")
      }
      return try forecast(model)
    }
    let rows = try FileRows([input], note: Output.note)
    let width =
      if case .randomCutForest(let forest) = learned {
        forest.featureCount / forest.shingleSize
      } else {
        learned.featureCount
      }
    guard rows.featureCount == width else {
      throw Failure(
        message: "\(input): the rows have \(rows.featureCount) features, the model was trained on "
          + "\(width)",
        hint: "give the same columns as in training, without a label")
    }
    var responder = try Responder(learned, isCSV: accept == "csv")
    var block = RowBlock()
    var failure: DataError?
    while failure == nil {
      // Row by row, so that what stands before a bad row is answered.
      var lines = ""
      for _ in 0..<4_096 {
        do {
          try rows.read(into: &block, limit: 1)
        } catch {
          failure = error
          break
        }
        if block.count == 0 { break }
        lines += try responder.response(to: block.values)
      }
      try Output.write(lines)
      if block.count == 0 { break }
    }
    if let failure { throw failure }
  }

  private func forecast(_ model: DeepARModel) throws {
    let reader = try SeriesReader([input])
    let probabilities = self.probabilities ?? []
    var scorer = DeepARScorer(model)
    var index: UInt64 = 0
    while let series = try reader.next() {
      do {
        let futures = try scorer.forecast(series, samples: numSamples, seed: seed &+ index)
        index += 1
        let quantiles = zip(probabilities, futures.quantiles(probabilities.map(\.value))).map {
          "\"\($0.text)\":[" + Self.list($1) + "]"
        }
        try Output.write(
          "{\"mean\":[\(Self.list(futures.mean))],\"quantiles\":{"
            + quantiles.joined(separator: ",") + "}}\n")
      } catch let error as DeepARError {
        throw DataError(place: series.place, message: error.description)
      }
    }
  }

  private static func list(_ values: [Double]) -> String {
    values.map { "\($0)" }.joined(separator: ",")
  }
}

/// Writes what a model says of a row.
private struct Responder: ~Copyable {
  private let model: LearnedModel
  private let isCSV: Bool
  private var forest: RandomCutForest?
  /// The last rows, as many as make a point of the forest.
  private var window: [Float] = []

  init(_ model: LearnedModel, isCSV: Bool) throws {
    self.model = model
    self.isCSV = isCSV
    forest = nil
    switch model {
    case .kMeans, .pca: break
    case .randomCutForest(let frozen): forest = try frozen.makeForest()
    case .deepAR: preconditionFailure("a deepar model forecasts series")
    }
  }

  mutating func response(to row: [Float]) throws -> String {
    switch model {
    case .kMeans(let model):
      let (cluster, distance) = try model.closest(to: row.span)
      return isCSV
        ? "\(Float(cluster)),\(distance)\n"
        : "{\"closest_cluster\":\(Float(cluster)),\"distance_to_cluster\":\(distance)}\n"
    case .pca(let model):
      let text = try model.project(row.span).map { "\($0)" }.joined(separator: ",")
      return isCSV ? text + "\n" : "{\"projection\":[\(text)]}\n"
    case .randomCutForest(let frozen):
      if window.count == frozen.featureCount { window.removeFirst(row.count) }
      window.append(contentsOf: row)
      let isWhole = window.count == frozen.featureCount
      let point = window
      let score = isWhole ? try forest?.score(point.span) ?? 0 : 0
      return isCSV ? "\(score)\n" : "{\"score\":\(score)}\n"
    case .deepAR: return ""
    }
  }
}
