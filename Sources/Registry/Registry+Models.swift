import GRDB

/// A trained model.
public struct ModelVersion: Hashable, Sendable {
  /// The model's name.
  public let model: String
  /// 1, 2, 3 … in the order of training.
  public let version: Int
  /// The job that made it.
  public let job: Int64
  /// `kmeans`, `deepar`, `randomcutforest` or `pca`.
  public let algorithm: String
  /// The artifact's SHA-256.
  public let artifact: String
  /// The artifact's size.
  public let bytes: Int64
  /// When it was made, milliseconds since 1970.
  public let createdAt: Int64

  /// `model/version`, as rows name it.
  public var name: String { "\(model)/\(version)" }
}

/// What a gate has found.
public struct GateResult: Hashable, Sendable {
  /// What was compared, for example `test:msd`; smaller is better.
  public var metric: String
  /// The candidate's value.
  public var candidate: Double
  /// The champion's on the same rows, if there is a champion.
  public var champion: Double?
  /// Which version the champion is.
  public var championVersion: Int?
  /// A simple method's, for example the seasonal naive forecast.
  public var baseline: Double?
  /// Whether the candidate may be rolled out.
  public var passed: Bool
  /// Why, in words.
  public var reason: String

  /// Creates a result.
  public init(
    metric: String, candidate: Double, champion: Double? = nil, championVersion: Int? = nil,
    baseline: Double? = nil, passed: Bool, reason: String
  ) {
    self.metric = metric
    self.candidate = candidate
    self.champion = champion
    self.championVersion = championVersion
    self.baseline = baseline
    self.passed = passed
    self.reason = reason
  }
}

extension Registry {
  /// Ends a job with its model, which becomes the next version.
  ///
  /// - Parameters:
  ///   - job: The job.
  ///   - artifact: The model's bytes; durable before the version exists.
  ///   - now: When it ended.
  /// - Returns: The version.
  /// - Throws: `RegistryError` when the job has ended already.
  public func complete(_ job: TrainingJob, artifact: [UInt8], at now: Int64) throws -> ModelVersion
  {
    let name = try artifacts.store(artifact)
    var ended = job
    ended.status = .completed
    ended.endedAt = now
    return try database.write { [ended] database in
      try Self.end(ended, in: database)
      let last = try Int.fetchOne(
        database, sql: "SELECT MAX(version) FROM model_version WHERE model = ?",
        arguments: [job.model])
      let version = ModelVersion(
        model: job.model, version: (last ?? 0) + 1, job: job.id, algorithm: job.algorithm,
        artifact: name, bytes: Int64(artifact.count), createdAt: now)
      try database.execute(
        sql: """
          INSERT INTO model_version (model, version, job, algorithm, artifact, bytes, created_at)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          version.model, version.version, version.job, version.algorithm, version.artifact,
          version.bytes, version.createdAt,
        ])
      return version
    }
  }

  /// Stores what the gate has found about a version.
  public func record(_ result: GateResult, of version: ModelVersion, at now: Int64) throws {
    try database.write { database in
      try database.execute(
        sql: """
          INSERT INTO gate (model, version, metric, candidate, champion, champion_version,
            baseline, passed, reason, at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          version.model, version.version, result.metric, result.candidate, result.champion,
          result.championVersion, result.baseline, result.passed, result.reason, now,
        ])
      try Self.note(
        result.passed ? "gate passed" : "gate refused", version.name, result.reason,
        by: "daemon", at: now, in: database)
    }
  }

  /// What the gate has found about a version; nil when it never got there.
  public func gate(of model: String, version: Int) throws -> GateResult? {
    try database.read { database in
      try Row.fetchOne(
        database, sql: "SELECT * FROM gate WHERE model = ? AND version = ?",
        arguments: [model, version]
      ).map { row in
        GateResult(
          metric: row["metric"], candidate: row["candidate"], champion: row["champion"],
          championVersion: row["champion_version"], baseline: row["baseline"],
          passed: row["passed"], reason: row["reason"])
      }
    }
  }

  /// The names of all models that have a version or a job.
  public func models() throws -> [String] {
    try database.read { database in
      try String.fetchAll(
        database,
        sql: "SELECT model FROM model_version UNION SELECT model FROM training_job ORDER BY 1")
    }
  }

  /// The versions of a model, the newest first.
  public func versions(of model: String) throws -> [ModelVersion] {
    try database.read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM model_version WHERE model = ? ORDER BY version DESC",
        arguments: [model]
      ).map(ModelVersion.init)
    }
  }

  /// One version of a model.
  ///
  /// - Throws: `RegistryError` when there is none.
  public func version(_ number: Int, of model: String) throws -> ModelVersion {
    let known = try versions(of: model)
    if let found = known.first(where: { $0.version == number }) { return found }
    throw RegistryError(
      "model '\(model)' has no version \(number)",
      hint: known.isEmpty
        ? "it has no version at all; `cutbank models list` shows what there is"
        : "its versions are \(known.map { "\($0.version)" }.joined(separator: ", "))")
  }
}

extension ModelVersion {
  init(_ row: Row) {
    self.init(
      model: row["model"], version: row["version"], job: row["job"], algorithm: row["algorithm"],
      artifact: row["artifact"], bytes: row["bytes"], createdAt: row["created_at"])
  }
}
