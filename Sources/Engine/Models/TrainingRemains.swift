import Foundation
import LearnedModels
import Registry

/// What an interrupted training has left in its folder.
///
/// The rows that were collected, and the checkpoint of a forecaster: the next training of the model
/// begins with them.
struct TrainingRemains: Codable, Equatable {
  /// What was trained from what: remains of other settings are of no use.
  let settings: String
  /// The names of the files in the folder.
  let train: String
  let holdout: [String]
  let source: String
  let from: Int64?
  let to: Int64?
  let rows: Int64?
  /// How often a training has begun with these rows.
  var attempts: Int

  /// After so many interruptions the next training collects rows of its own again.
  static let attemptLimit = 5
  private static let name = "rows.json"

  init(_ files: TrainingFiles, of model: ModelPlan) {
    settings = Self.settings(of: model)
    train = Self.name(of: files.train)
    holdout = files.holdout.map { Self.name(of: $0) }
    source = files.data.source
    from = files.data.from
    to = files.data.to
    rows = files.data.rows
    attempts = 1
  }

  private static func name(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// All settings that decide which rows are collected and what is made of them.
  private static func settings(of model: ModelPlan) -> String {
    let settings = model.configuration
    let parameters = settings.hyperparameters.sorted { $0.key < $1.key }
    return "\(settings.algorithm.rawValue) \(parameters) \(settings.seed) \(settings.data) "
      + "\(settings.gate) \(model.source.description)"
  }

  /// Whether a training of this model can begin with them.
  func fits(_ model: ModelPlan) -> Bool {
    settings == Self.settings(of: model) && attempts < Self.attemptLimit
  }

  /// The files in a folder.
  func files(in folder: String) -> TrainingFiles {
    TrainingFiles(
      train: folder + "/" + train, holdout: holdout.map { folder + "/" + $0 },
      data: TrainingData(source: source, from: from, to: to, rows: rows))
  }

  /// Whether a folder has some; not when its training had not collected all rows.
  static func exist(in folder: String) -> Bool {
    FileManager.default.fileExists(atPath: folder + "/" + Self.name)
  }

  /// What a folder has.
  ///
  /// - Throws: `TrainingFailure` when they are damaged, or of an earlier version.
  init(in folder: String) throws {
    let path = folder + "/" + Self.name
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TrainingFailure("\(path) cannot be read")
    }
    do {
      self = try JSONDecoder().decode(TrainingRemains.self, from: data)
    } catch {
      throw TrainingFailure("\(path) is damaged or of another version: \(Self.reason(error))")
    }
    for file in [train] + holdout
    where !FileManager.default.fileExists(atPath: folder + "/" + file) {
      throw TrainingFailure("\(path) names \(file), which is not there")
    }
  }

  /// What a decoder says in one line.
  private static func reason(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .dataCorrupted(let context)?, .typeMismatch(_, let context)?,
      .valueNotFound(_, let context)?:
      context.debugDescription
    case .keyNotFound(let key, _)?: "it has no '\(key.stringValue)'"
    default: "\(error)"
    }
  }

  /// Written last: a folder that has it has all rows.
  func write(in folder: String) throws {
    try LocalDisk().replace(
      folder + "/" + Self.name, with: Array(try JSONEncoder().encode(self)))
  }
}
