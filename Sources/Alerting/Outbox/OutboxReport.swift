import Foundation
import GRDB
import Transport

/// What people see of an outbox and change in it.
extension Outbox {
  /// The state of the outbox for one receiver.
  ///
  /// - Throws: when the database cannot be read.
  public func statistics(receiver: String) throws -> OutboxStatistics {
    try database.read { database in
      func count(_ states: String) throws -> Int {
        try Int.fetchOne(
          database,
          sql: "SELECT COUNT(*) FROM message WHERE receiver = ? AND state IN (\(states))",
          arguments: [receiver]) ?? 0
      }
      return OutboxStatistics(
        staged: try count("0"), queued: try count("1, 2"), dead: try count("4"),
        oldestCreatedAt: try Int64.fetchOne(
          database,
          sql: "SELECT MIN(created_at) FROM message WHERE receiver = ? AND state IN (1, 2)",
          arguments: [receiver]),
        lastError: try String.fetchOne(
          database,
          sql: """
            SELECT error FROM message WHERE state = 2 AND receiver = ? AND error IS NOT NULL
            ORDER BY due_at, sequence LIMIT 1
            """, arguments: [receiver]),
        disabledReason: try String.fetchOne(
          database, sql: "SELECT reason FROM disabled_receiver WHERE name = ?",
          arguments: [receiver]))
    }
  }

  /// Messages that were given up, in their order.
  ///
  /// - Throws: when the database cannot be read.
  public func deadLetters(
    receiver: String, after sequence: Int64 = 0, limit: Int = 100
  ) throws -> [DeadLetter] {
    try database.read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT sequence, identity, pipeline, body, created_at, ended_at, attempts, error
          FROM message WHERE state = 4 AND receiver = ? AND sequence > ?
          ORDER BY sequence LIMIT ?
          """, arguments: [receiver, sequence, limit]
      ).map { row in
        DeadLetter(
          sequence: row[0],
          webhookID: Receiver.webhookID(pipeline: row[2], receiver: receiver, identity: row[1]),
          pipeline: row[2], receiver: receiver,
          body: row.bytes(3), createdAt: row[4], endedAt: row[5], attempts: row[6],
          error: row[7])
      }
    }
  }

  /// Puts messages that were given up back into the queue, with their ids.
  ///
  /// - Returns: How many there were.
  /// - Throws: when the database cannot be written.
  @discardableResult
  public func replay(_ sequences: [Int64]) throws -> Int {
    let now = time.now
    let count = try database.write { database in
      var count = 0
      for sequence in sequences {
        let row = try Row.fetchOne(
          database,
          sql: """
            UPDATE message SET state = 1, created_at = ?, due_at = ?, attempts = 0, error = NULL
            WHERE sequence = ? AND state = 4 RETURNING receiver, ordering_key
            """, arguments: [now, now, sequence])
        guard let row else { continue }
        count += 1
        let receiver: String = row[0]
        let key: String = row[1]
        try OutboxSchema.promoteFirst(receiver: receiver, key: key, in: database)
      }
      return count
    }
    if count > 0 { wakeAll() }
    return count
  }

  /// SQLite's `synchronous` setting of the connection that writes: 2 is FULL.
  ///
  /// - Throws: when the database cannot be read.
  package func synchronousMode() throws -> Int {
    try database.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
  }

  /// Sends nothing more to a receiver until it is enabled.
  func disable(receiver: String, reason: String) async throws {
    let now = time.now
    try await database.write { database in
      try database.execute(
        sql: "INSERT OR REPLACE INTO disabled_receiver VALUES (?, ?, ?)",
        arguments: [receiver, reason, now])
    }
  }

  /// Why a receiver is disabled, or nil.
  func disabledReason(receiver: String) async throws -> String? {
    try await database.read { database in
      try String.fetchOne(
        database, sql: "SELECT reason FROM disabled_receiver WHERE name = ?",
        arguments: [receiver])
    }
  }

  /// Sends to a receiver again that was disabled.
  ///
  /// - Throws: when the database cannot be written.
  public func enable(receiver: String) throws {
    try database.write { database in
      try database.execute(
        sql: "DELETE FROM disabled_receiver WHERE name = ?", arguments: [receiver])
    }
    wakeAll()
  }
}

extension Row {
  /// A column's bytes.
  func bytes(_ index: Int) -> [UInt8] { Array(self[index] as Data) }
}
