import Foundation
import GRDB
import Synchronization
public import Transport

/// Alerts on their way out, durable before the commit that raised them.
///
/// A message is staged under its commit, can be sent once that commit is released, and is told
/// apart by its webhook id, so that appending it again changes nothing.
public final class Outbox: Sendable {
  let database: DatabasePool
  let time: any TimeSource
  private let signals = Mutex<[WakeSignal]>([])
  private static let deliveredRetentionMilliseconds: Int64 = 86_400_000

  /// Opens or creates an outbox in a SQLite file.
  ///
  /// - Throws: when the file cannot be opened or was written by a newer version.
  public init(path: String, time: any TimeSource = SystemTime()) throws {
    self.time = time
    var configuration = Configuration()
    configuration.label = "outbox"
    configuration.busyMode = .timeout(10)
    database = try DatabasePool(path: path, configuration: configuration)
    // The pool sets NORMAL, under which a power cut may take back a commit.
    try database.writeWithoutTransaction { database in
      try database.execute(
        sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000")
    }
    try OutboxSchema.migrate(database)
  }

  /// A signal that wakes whenever there may be more to send.
  public func subscribe() -> WakeSignal {
    let signal = WakeSignal()
    signals.withLock { $0.append(signal) }
    return signal
  }

  /// Writes what a power cut may take back, since it would be done again to the same effect.
  func writeRelaxed<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws -> Value {
    try await database.writeWithoutTransaction { try Self.relaxed($0, body) }
  }

  private static func relaxed<Value>(
    _ database: Database, _ body: (Database) throws -> Value
  ) throws -> Value {
    try database.execute(sql: "PRAGMA synchronous = NORMAL")
    let result = Result {
      var value: Value?
      try database.inTransaction {
        value = try body(database)
        return .commit
      }
      return value
    }
    try database.execute(sql: "PRAGMA synchronous = FULL")
    guard let value = try result.get() else {
      throw DatabaseError(message: "the transaction gave no value")
    }
    return value
  }

  func wakeAll() {
    for signal in signals.withLock({ $0 }) { signal.wake() }
  }

  /// Stages alerts for a receiver under a commit; durable when it returns.
  ///
  /// - Parameters:
  ///   - alerts: The alerts in their order, asked for one by one; those that the outbox knows are
  ///     left out.
  ///   - receiver: Whom to tell.
  ///   - pipeline: The pipeline.
  ///   - task: The task.
  ///   - commit: The number of the commit that will account for them.
  /// - Returns: How many were new.
  /// - Throws: `OutboxUnavailable` when trying again may help, otherwise SQLite's error.
  @discardableResult
  public func append(
    _ alerts: some Sequence<Alert>, to receiver: Receiver, pipeline: String, task: Int,
    commit: Int64
  ) throws -> Int {
    let now = time.now
    return try OutboxUnavailable.telling {
      try database.write {
        try Self.append(
          alerts, to: receiver, pipeline: pipeline, task: task, commit: commit, now: now, in: $0)
      }
    }
  }

  private static func append(
    _ alerts: some Sequence<Alert>, to receiver: Receiver, pipeline: String, task: Int,
    commit: Int64, now: Int64, in database: Database
  ) throws -> Int {
    let before = database.totalChangesCount
    if let grouping = receiver.grouping {
      try stage(
        alerts, to: receiver, grouping: grouping, pipeline: pipeline, task: task, commit: commit,
        now: now, in: database)
      return database.totalChangesCount - before
    }
    var mutings = Mutings(silences: try silences(at: now, in: database), receiver, now: now)
    let common: [(any DatabaseValueConvertible)?] = [pipeline, task, commit, receiver.name, now]
    var arguments = common
    var count = 0
    func insert() throws {
      let statement = try database.cachedStatement(sql: OutboxSchema.insert(rows: count))
      statement.setUncheckedArguments(StatementArguments(arguments))
      try statement.execute()
      arguments = common
      count = 0
    }
    for alert in alerts where receiver.sendsResolved || alert.status == .firing {
      let body = receiver.format.body(for: AlertGroup(alert), receiver: receiver.name)
      let muting = try mutings.muting(of: alert, in: database)
      arguments += [alert.id, alert.orderingKey, Data(body), muting.rawValue]
      count += 1
      if count == OutboxSchema.insertLimit { try insert() }
    }
    if count > 0 { try insert() }
    return database.totalChangesCount - before
  }

  /// Lets everything up to a commit be sent, since that commit is acknowledged.
  ///
  /// Not synced to the disk: recovery releases up to the last commit again.
  /// - Throws: `OutboxUnavailable` when trying again may help, otherwise SQLite's error.
  public func release(pipeline: String, task: Int, upTo commit: Int64) throws {
    let now = time.now
    let released = try OutboxUnavailable.telling {
      try database.writeWithoutTransaction { database in
        try Self.relaxed(database) { database in
          let arguments: StatementArguments = [pipeline, task, commit]
          let rows = try Row.fetchAll(database, sql: OutboxSchema.stagedUpTo, arguments: arguments)
          let update = try database.cachedStatement(sql: OutboxSchema.queue)
          for row in rows {
            let sequence: Int64 = row[0]
            let receiver: String = row[1]
            let key: String = row[2]
            try update.execute(arguments: [receiver, key, sequence])
          }
          let grouped = try Self.releaseGrouped(
            pipeline: pipeline, task: task, upTo: commit, now: now, in: database)
          return rows.count + grouped
        }
      }
    }
    if released > 0 { wakeAll() }
  }

  /// Removes what was staged beyond a commit by a crash.
  ///
  /// - Throws: `OutboxUnavailable` when trying again may help, otherwise SQLite's error.
  public func dropBeyond(pipeline: String, task: Int, commit: Int64) throws {
    try OutboxUnavailable.telling {
      try database.write { database in
        try database.execute(
          sql: OutboxSchema.dropBeyond, arguments: [pipeline, task, commit])
        try database.execute(sql: GroupSchema.dropBeyond, arguments: [pipeline, task, commit])
      }
    }
  }

  /// The messages of a receiver that may be sent now, those due longest first; of messages with
  /// the same ordering key only the first.
  ///
  /// - Throws: when the database cannot be read.
  package func due(receiver: String, now: Int64, limit: Int) async throws -> [OutboxMessage] {
    try await database.read { database in
      try Row.fetchAll(
        database, sql: OutboxSchema.due, arguments: [receiver, now, limit]
      ).map { row in
        OutboxMessage(
          sequence: row[0],
          webhookID: Receiver.webhookID(pipeline: row[2], receiver: receiver, identity: row[1]),
          receiver: receiver, body: row.bytes(3), createdAt: row[4], attempts: row[5])
      }
    }
  }

  /// When the next message of a receiver is due, in milliseconds since 1970; nil without one.
  func nextDue(receiver: String) async throws -> Int64? {
    try await database.read { database in
      try Int64.fetchOne(database, sql: OutboxSchema.nextDue, arguments: [receiver])
    }
  }

  /// Notes what became of attempts.
  package func mark(_ records: [AttemptRecord]) async throws {
    let now = time.now
    try await writeRelaxed { database in
      for record in records {
        switch record.result {
        case .delivered:
          try OutboxSchema.end(record.sequence, as: .delivered, error: nil, now: now, in: database)
        case .dead(let error):
          try OutboxSchema.end(record.sequence, as: .dead, error: error, now: now, in: database)
        case .retry(let moment, let error):
          try database.cachedStatement(sql: OutboxSchema.retry).execute(
            arguments: [moment, error, record.sequence])
        }
      }
    }
  }

  /// Makes every waiting message of a receiver due, because it is back.
  func hasten(receiver: String) async throws {
    let now = time.now
    try await writeRelaxed { database in
      try database.execute(sql: OutboxSchema.hasten, arguments: [now, receiver, now])
    }
  }

  /// Gives up the messages of a receiver that were appended before a moment, and forgets what was
  /// delivered long ago.
  ///
  /// - Returns: How many were given up.
  func expire(receiver: String, createdBefore moment: Int64) async throws -> Int {
    let now = time.now
    return try await database.write { database in
      let horizon = now - Self.deliveredRetentionMilliseconds
      try database.execute(sql: OutboxSchema.forget, arguments: [horizon])
      try database.execute(sql: GroupSchema.forget, arguments: [horizon])
      let sequences = try Int64.fetchAll(
        database, sql: OutboxSchema.createdBefore, arguments: [receiver, moment])
      for sequence in sequences {
        try OutboxSchema.end(
          sequence, as: .dead, error: "expired: not delivered in time", now: now, in: database)
      }
      return sequences.count
    }
  }
}
