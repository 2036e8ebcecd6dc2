import Foundation
import GRDB

/// What a model is trained from.
public struct TrainingData: Hashable, Sendable {
  /// Where the rows come from, for people: a topic, a folder, a file.
  public var source: String
  /// The first moment of the window, milliseconds since 1970; nil when rows have no time.
  public var from: Int64?
  /// The moment after the window.
  public var to: Int64?
  /// Rows, or series of a forecaster; nil when not counted yet.
  public var rows: Int64?

  /// Creates a description.
  public init(source: String, from: Int64? = nil, to: Int64? = nil, rows: Int64? = nil) {
    self.source = source
    self.from = from
    self.to = to
    self.rows = rows
  }
}

/// One training of a model.
public struct TrainingJob: Hashable, Sendable {
  /// Where a job stands.
  public enum Status: String, Sendable {
    case inProgress = "InProgress"
    case completed = "Completed"
    case failed = "Failed"
    case stopped = "Stopped"
  }

  /// The number.
  public internal(set) var id: Int64
  /// The model that is trained.
  public let model: String
  /// The pipeline whose configuration asked for it; empty for none.
  public let pipeline: String
  /// `kmeans`, `deepar`, `randomcutforest` or `pca`.
  public let algorithm: String
  /// Names and values as the trainer was given them.
  public let hyperparameters: [String: String]
  /// Seeds the training.
  public let seed: UInt64
  /// What it is trained from.
  public var data: TrainingData
  /// The version that served when the training began, if any.
  public let parent: Int?
  /// Where it stands.
  public var status: Status
  /// What it is doing: `Starting`, `Downloading`, `Training`, `Evaluating`, `Uploading`.
  public var step: String
  /// Why it failed or was stopped.
  public var reason: String?
  /// The process that runs it.
  public let owner: String
  /// When it began, milliseconds since 1970.
  public let createdAt: Int64
  /// When it ended.
  public var endedAt: Int64?
  /// Processor time of the training process.
  public var cpuMilliseconds: Int64?

  /// Creates a job that has just begun.
  public init(
    model: String, pipeline: String, algorithm: String, hyperparameters: [String: String],
    seed: UInt64, data: TrainingData, parent: Int?, owner: String = ProcessMark.current,
    createdAt: Int64
  ) {
    id = 0
    self.model = model
    self.pipeline = pipeline
    self.algorithm = algorithm
    self.hyperparameters = hyperparameters
    self.seed = seed
    self.data = data
    self.parent = parent
    status = .inProgress
    step = "Starting"
    self.owner = owner
    self.createdAt = createdAt
  }
}

/// A value that a training has reported.
public struct Metric: Hashable, Sendable {
  /// For example `test:msd`.
  public let name: String
  /// Rises with the training; 0 for what is reported once.
  public let step: Int
  /// The value; finite.
  public let value: Double

  /// Creates a metric.
  public init(name: String, step: Int, value: Double) {
    self.name = name
    self.step = step
    self.value = value
  }
}

extension TrainingJob {
  static func fetch(
    _ database: Database, _ clause: String, _ arguments: StatementArguments = []
  ) throws -> [TrainingJob] {
    try Row.fetchAll(
      database, sql: "SELECT * FROM training_job \(clause)", arguments: arguments
    ).map { try TrainingJob($0) }
  }

  private init(_ row: Row) throws {
    id = row["id"]
    model = row["model"]
    pipeline = row["pipeline"]
    algorithm = row["algorithm"]
    let text: String = row["hyperparameters"]
    hyperparameters = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
    seed = UInt64(row["seed"] as String) ?? 0
    data = TrainingData(
      source: row["source"], from: row["window_from"], to: row["window_to"], rows: row["rows"])
    parent = row["parent"]
    status = Status(rawValue: row["status"]) ?? .failed
    step = row["step"]
    reason = row["reason"]
    owner = row["owner"]
    createdAt = row["created_at"]
    endedAt = row["ended_at"]
    cpuMilliseconds = row["cpu_milliseconds"]
  }

  static func text(_ hyperparameters: [String: String]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(hyperparameters), as: UTF8.self)
  }
}
