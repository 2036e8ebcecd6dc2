import Foundation
import GRDB
import Transport

/// Silences kept in the outbox.
extension Outbox {
  /// Adds a silence, or replaces the one with its id.
  ///
  /// - Throws: when the database cannot be written.
  public func add(_ silence: Silence) throws {
    let text = String(decoding: try JSONEncoder().encode(silence), as: UTF8.self)
    try database.write { database in
      try database.execute(
        sql: "INSERT OR REPLACE INTO silence VALUES (?, ?, ?)",
        arguments: [silence.id, silence.endsAt, text])
    }
    wakeAll()
  }

  /// Removes a silence; false when there is none with the id.
  ///
  /// - Throws: when the database cannot be written.
  @discardableResult
  public func removeSilence(id: String) throws -> Bool {
    let count = try database.write { database in
      try database.execute(sql: "DELETE FROM silence WHERE id = ?", arguments: [id])
      return database.changesCount
    }
    wakeAll()
    return count > 0
  }

  /// The silences that have not ended, in the order of their ids.
  ///
  /// - Throws: when the database cannot be read.
  public func silences() throws -> [Silence] {
    let now = time.now
    return try database.read { try Self.silences(at: now, in: $0) }
  }

  /// The silences that have not ended at a moment, in the order of their ids.
  static func silences(at now: Int64, in database: Database) throws -> [Silence] {
    let decoder = JSONDecoder()
    return try String.fetchAll(
      database, sql: "SELECT silence FROM silence WHERE ends_at > ? ORDER BY id",
      arguments: [now]
    ).map { try decoder.decode(Silence.self, from: Data($0.utf8)) }
  }
}
