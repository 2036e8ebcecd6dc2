import GRDB

extension Registry {
  /// Writes down a job that begins.
  ///
  /// - Returns: The job with its number.
  public func begin(_ job: TrainingJob, by actor: String = "daemon") throws -> TrainingJob {
    let hyperparameters = try TrainingJob.text(job.hyperparameters)
    return try database.write { database in
      try database.execute(
        sql: """
          INSERT INTO training_job (model, pipeline, algorithm, hyperparameters, seed, source,
            window_from, window_to, rows, parent, status, step, owner, created_at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'InProgress', ?, ?, ?)
          """,
        arguments: [
          job.model, job.pipeline, job.algorithm, hyperparameters, "\(job.seed)",
          job.data.source, job.data.from, job.data.to, job.data.rows, job.parent, job.step,
          job.owner, job.createdAt,
        ])
      var begun = job
      begun.id = database.lastInsertedRowID
      try Self.note(
        "train", "job \(begun.id)", "\(job.algorithm) for model \(job.model)", by: actor,
        at: job.createdAt, in: database)
      return begun
    }
  }

  /// Writes down what a job is doing and what it is trained from.
  public func update(_ job: TrainingJob) throws {
    try database.write { database in
      try database.execute(
        sql: """
          UPDATE training_job SET step = ?, window_from = ?, window_to = ?, rows = ?
          WHERE id = ? AND status = 'InProgress'
          """,
        arguments: [job.step, job.data.from, job.data.to, job.data.rows, job.id])
    }
  }

  /// Adds metrics to a job; one with the same name and step is replaced, one that is no number left
  /// out.
  public func record(_ metrics: [Metric], of job: Int64) throws {
    try database.write { database in
      for metric in metrics where metric.value.isFinite {
        try database.execute(
          sql: "INSERT OR REPLACE INTO metric (job, name, step, value) VALUES (?, ?, ?, ?)",
          arguments: [job, metric.name, metric.step, metric.value])
      }
    }
  }

  /// Ends a job without a model.
  public func end(
    _ job: TrainingJob, as status: TrainingJob.Status, reason: String, at now: Int64
  ) throws {
    var ended = job
    ended.status = status
    ended.reason = reason
    ended.endedAt = now
    try database.write { [ended] database in try Self.end(ended, in: database) }
  }

  static func end(_ job: TrainingJob, in database: Database) throws {
    try database.execute(
      sql: """
        UPDATE training_job SET status = ?, reason = ?, ended_at = ?, step = ?,
          cpu_milliseconds = ?, window_from = ?, window_to = ?, rows = ?
        WHERE id = ? AND status = 'InProgress'
        """,
      arguments: [
        job.status.rawValue, job.reason, job.endedAt, job.step, job.cpuMilliseconds,
        job.data.from, job.data.to, job.data.rows, job.id,
      ])
    guard database.changesCount == 1 else {
      throw RegistryError("job \(job.id) has ended already")
    }
    try note(
      job.status.rawValue, "job \(job.id)", job.reason ?? "", by: "daemon",
      at: job.endedAt ?? 0, in: database)
  }

  /// The newest jobs of a model, or of all, the newest first.
  public func jobs(of model: String? = nil, limit: Int = 50) throws -> [TrainingJob] {
    try database.read { database in
      if let model {
        return try TrainingJob.fetch(
          database, "WHERE model = ? ORDER BY id DESC LIMIT ?", [model, limit])
      }
      return try TrainingJob.fetch(database, "ORDER BY id DESC LIMIT ?", [limit])
    }
  }

  /// The job with a number.
  public func job(_ id: Int64) throws -> TrainingJob? {
    try database.read { try TrainingJob.fetch($0, "WHERE id = ?", [id]).first }
  }

  /// The metrics of a job by name and step.
  public func metrics(of job: Int64) throws -> [Metric] {
    try database.read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM metric WHERE job = ? ORDER BY name, step", arguments: [job]
      ).map { Metric(name: $0["name"], step: $0["step"], value: $0["value"]) }
    }
  }
}
