import ArgumentParser
import Foundation
import LearnedModels
import Learning
import RandomCutForest

/// `cutbank score`: a response line for each row, in order.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score rows with a trained model.",
    discussion: """
      Writes one JSON line per row, or a CSV line with --accept csv. A bad row ends the output with its \
      file and line on standard error and exit code 1.
      """)

  @Option(help: "The directory that train wrote.") var model: String
  @Option(help: "The rows: .csv, .jsonl, .pbr, or .f32 with a .json beside it.")
  var input: String
  @Option(help: "json or csv.") var accept = "json"

  func validate() throws {
    guard accept == "json" || accept == "csv" else {
      throw ValidationError("--accept must be json or csv")
    }
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
    let rows = try FileRows([input], note: Output.note)
    guard rows.featureCount == learned.featureCount else {
      throw Failure(
        message: "\(input): the rows have \(rows.featureCount) features, the model was trained on "
          + "\(learned.featureCount)",
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
}

/// Writes what a model says of a row.
private struct Responder: ~Copyable {
  private let model: LearnedModel
  private let isCSV: Bool
  private var forest: RandomCutForest?

  init(_ model: LearnedModel, isCSV: Bool) throws {
    self.model = model
    self.isCSV = isCSV
    forest = nil
    switch model {
    case .kMeans, .pca: break
    case .randomCutForest(let frozen): forest = try frozen.makeForest()
    case .deepAR:
      throw Failure(
        message: "a deepar model forecasts series; this program scores rows only",
        hint: "use a kmeans, pca or randomcutforest model")
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
    case .randomCutForest:
      let score = try forest?.score(row.span) ?? 0
      return isCSV ? "\(score)\n" : "{\"score\":\(score)}\n"
    case .deepAR: return ""
    }
  }
}
