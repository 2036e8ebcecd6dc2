import Foundation
import GRDB

/// Training jobs, models with versions, endpoints and their history: what is known about models.
///
/// One SQLite file with the artifacts beside it, each under its SHA-256. Several processes may have it
/// open; what a method writes is durable when it returns. A job whose process has died is failed by
/// `failAbandonedJobs`, and no version exists before its artifact is on stable storage.
public final class Registry: Sendable {
  /// The artifacts of the versions.
  public let artifacts: ArtifactFolder
  let database: DatabasePool
  private let isAlive: @Sendable (String) -> Bool

  /// Opens or creates a registry in a folder.
  ///
  /// - Parameters:
  ///   - folder: Holds `registry.sqlite` and `artifacts/`; made when it is not there.
  ///   - isAlive: Whether the process behind an owner text still runs.
  /// - Throws: when the folder cannot be written or the file is of a newer version.
  public init(
    folder: String, isAlive: @escaping @Sendable (String) -> Bool = { ProcessMark.isAlive($0) }
  ) throws {
    artifacts = try ArtifactFolder(path: folder + "/artifacts")
    self.isAlive = isAlive
    var configuration = Configuration()
    configuration.label = "registry"
    configuration.busyMode = .timeout(10)
    configuration.foreignKeysEnabled = true
    database = try DatabasePool(path: folder + "/registry.sqlite", configuration: configuration)
    // The pool sets NORMAL, under which a power cut may take back a commit.
    try database.writeWithoutTransaction { database in
      try database.execute(sql: "PRAGMA synchronous = FULL")
    }
    try RegistrySchema.migrate(database)
  }

  /// Whether there is a registry in a folder; opening one makes it.
  public static func exists(in folder: String) -> Bool {
    FileManager.default.fileExists(atPath: folder + "/registry.sqlite")
  }

  /// Marks the jobs as failed whose process has ended without saying so.
  ///
  /// - Returns: The jobs that were failed.
  @discardableResult
  public func failAbandonedJobs(at now: Int64) throws -> [TrainingJob] {
    let isAlive = isAlive
    return try database.write { database in
      let open = try TrainingJob.fetch(database, "WHERE status = 'InProgress' ORDER BY id")
      var failed: [TrainingJob] = []
      for var job in open where !isAlive(job.owner) {
        job.status = .failed
        job.reason = "the process that trained it ended before the job did"
        job.endedAt = now
        try Self.end(job, in: database)
        failed.append(job)
      }
      return failed
    }
  }

  /// Writes a line of the audit trail; part of the transaction that does what it tells.
  static func note(
    _ action: String, _ subject: String, _ detail: String, by actor: String, at now: Int64,
    in database: Database
  ) throws {
    try database.execute(
      sql: "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
      arguments: [now, actor, action, subject, detail])
  }

  /// Writes a line of the audit trail.
  public func note(
    _ action: String, _ subject: String, _ detail: String, by actor: String, at now: Int64
  ) throws {
    try database.write { database in
      try Self.note(action, subject, detail, by: actor, at: now, in: database)
    }
  }

  /// Writes lines of the audit trail about one action, all at once.
  public func note(
    _ action: String, _ lines: [(subject: String, detail: String)], by actor: String,
    at now: Int64
  ) throws {
    guard !lines.isEmpty else { return }
    try database.write { database in
      for line in lines {
        try Self.note(action, line.subject, line.detail, by: actor, at: now, in: database)
      }
    }
  }

  /// The newest lines of the audit trail, the oldest of them first.
  public func audit(limit: Int = 100) throws -> [AuditEntry] {
    try database.read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM audit ORDER BY id DESC LIMIT ?", arguments: [limit]
      ).reversed().map { row in
        AuditEntry(
          at: row["at"], actor: row["actor"], action: row["action"], subject: row["subject"],
          detail: row["detail"])
      }
    }
  }
}

/// One line of the audit trail.
public struct AuditEntry: Hashable, Sendable {
  /// When, milliseconds since 1970.
  public let at: Int64
  /// Who: `daemon`, or `user` with the name of the account.
  public let actor: String
  /// What was done, for example `promote`.
  public let action: String
  /// To what: a job, a model version, an endpoint.
  public let subject: String
  /// The particulars.
  public let detail: String
}

/// What a registry refuses.
public struct RegistryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// What to do.
  public let hint: String?

  /// Creates an error.
  public init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  /// The error and what to do.
  public var description: String { message + (hint.map { "\n  hint: \($0)" } ?? "") }
}
