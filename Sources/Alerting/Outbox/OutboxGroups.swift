import Foundation
import GRDB

/// Alerts that wait for others of their group.
extension Outbox {
  private static let groupsPerFlush = 100

  /// Stages alerts of a receiver with grouping.
  static func stage(
    _ alerts: some Sequence<Alert>, to receiver: Receiver, grouping: Grouping, pipeline: String,
    task: Int,
    commit: Int64, now: Int64, in database: Database
  ) throws {
    let statement = try database.cachedStatement(sql: GroupSchema.stage)
    for alert in alerts {
      let group = AlertGroup(labels: grouping.labels(of: alert), alerts: [])
      try statement.execute(arguments: [
        Receiver.webhookID(pipeline: pipeline, receiver: receiver.name, identity: alert.id),
        pipeline, task, commit, receiver.name, group.key,
        try encode(group.labels), try encode(alert), now, grouping.waitMilliseconds,
        grouping.intervalMilliseconds,
      ])
    }
  }

  /// Moves staged alerts up to a commit into their groups.
  ///
  /// - Returns: How many there were.
  static func releaseGrouped(
    pipeline: String, task: Int, upTo commit: Int64, now: Int64, in database: Database
  ) throws -> Int {
    let rows = try Row.fetchAll(
      database, sql: GroupSchema.stagedUpTo, arguments: [pipeline, task, commit])
    for row in rows {
      let receiver: String = row[1]
      let key: String = row[2]
      let alert = try decode(Alert.self, row[4])
      let isFiring = alert.status == .firing
      try database.cachedStatement(sql: GroupSchema.join).execute(
        arguments: [receiver, key, alert.fingerprint, row[4] as String, isFiring])
      try database.cachedStatement(sql: GroupSchema.open).execute(
        arguments: [receiver, key, row[3] as String, now + (row[5] as Int64)])
      try database.cachedStatement(sql: GroupSchema.hasten).execute(
        arguments: [now, row[6] as Int64, receiver, key])
      try database.cachedStatement(sql: GroupSchema.released).execute(
        arguments: [now, row[0] as Int64])
    }
    return rows.count
  }

  /// Writes the messages of the groups of a receiver that are due.
  ///
  /// - Returns: When the next group is due, in milliseconds since 1970; nil without one.
  package func flushGroups(of receiver: Receiver, now: Int64) async throws -> Int64? {
    guard let grouping = receiver.grouping else { return nil }
    return try await database.write { database in
      let due = try Row.fetchAll(
        database, sql: GroupSchema.due, arguments: [receiver.name, now, Self.groupsPerFlush])
      let silences = try due.isEmpty ? [] : Self.silences(at: now, in: database)
      for row in due {
        let group = StoredGroup(
          key: row[0], labels: try Self.decode([Alert.Label].self, row[1]), notifiedAt: row[2])
        try Self.flush(group, of: receiver, grouping, silences, now: now, in: database)
      }
      return try Int64.fetchOne(database, sql: GroupSchema.nextDue, arguments: [receiver.name])
    }
  }

  private struct StoredGroup {
    let key: String
    let labels: [Alert.Label]
    let notifiedAt: Int64?
  }

  private static func flush(
    _ group: StoredGroup, of receiver: Receiver, _ grouping: Grouping, _ silences: [Silence],
    now: Int64, in database: Database
  ) throws {
    var members = try Row.fetchAll(
      database, sql: GroupSchema.members, arguments: [receiver.name, group.key]
    ).map { row in
      (alert: try decode(Alert.self, row[0]), wasFiring: row[1] as Bool?)
    }
    let count = members.count
    members.removeAll { member in
      let isMuted =
        silences.contains { $0.mutes(member.alert, at: now) }
        || receiver.maintenance.contains { $0.mutes(member.alert, at: now) }
      // Nobody was told that it fires, so nobody is told that it ended.
      let isMoot =
        member.alert.status == .resolved && (member.wasFiring != true || !receiver.sendsResolved)
      return isMuted || isMoot
    }
    let hasMuted = members.count < count
    let hasChanged = members.contains { $0.wasFiring != ($0.alert.status == .firing) }
    let isFiring = members.contains { $0.alert.status == .firing }
    let isRepeated =
      isFiring && group.notifiedAt.map { now - $0 >= grouping.repeatMilliseconds } == true
    if hasChanged || isRepeated {
      try write(members.map(\.alert), of: group, to: receiver, grouping, now: now, in: database)
      for member in members {
        try database.cachedStatement(sql: GroupSchema.notified).execute(
          arguments: [receiver.name, group.key, member.alert.fingerprint])
      }
    }
    try database.cachedStatement(sql: GroupSchema.leave).execute(
      arguments: [receiver.name, group.key])
    let notifiedAt = hasChanged || isRepeated ? now : group.notifiedAt
    let next =
      hasMuted
      ? now + grouping.intervalMilliseconds
      : (notifiedAt ?? now) + grouping.repeatMilliseconds
    try database.cachedStatement(sql: GroupSchema.reschedule).execute(
      arguments: [next, notifiedAt, receiver.name, group.key])
    try database.cachedStatement(sql: GroupSchema.close).execute(
      arguments: [receiver.name, group.key])
  }

  private static func write(
    _ alerts: [Alert], of stored: StoredGroup, to receiver: Receiver, _ grouping: Grouping,
    now: Int64, in database: Database
  ) throws {
    let number = try Int64.fetchOne(database, sql: GroupSchema.nextMessage) ?? 0
    let id = Receiver.messageID("\(receiver.name)\0\(stored.key)\0\(number)")
    let firing = alerts.filter { $0.status == .firing }.map { (alert: $0, weight: $0.weight) }
    let ordered =
      firing.sorted { $0.weight > $1.weight }.map(\.alert)
      + alerts.filter { $0.status == .resolved }
    let limit = grouping.maximumAlerts == 0 ? ordered.count : grouping.maximumAlerts
    let group = AlertGroup(
      labels: stored.labels, alerts: Array(ordered.prefix(limit)),
      truncatedAlerts: max(0, ordered.count - limit), messageID: id)
    try database.cachedStatement(sql: OutboxSchema.insert(rows: 1)).execute(arguments: [
      ordered[0].pipeline, -1, -1, receiver.name, now, id, stored.key,
      Data(receiver.format.body(for: group, receiver: receiver.name)),
      OutboxSchema.Muting.told.rawValue,
    ])
    let sequence = database.lastInsertedRowID
    try database.cachedStatement(sql: OutboxSchema.queue).execute(
      arguments: [receiver.name, stored.key, sequence])
  }

  private static func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode(type, from: Data(text.utf8))
  }
}

/// The tables of groups and the statements over them.
enum GroupSchema {
  static let tables = """
    CREATE TABLE staged_alert (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      pipeline TEXT NOT NULL,
      task INTEGER NOT NULL,
      commit_number INTEGER NOT NULL,
      receiver TEXT NOT NULL,
      group_key TEXT NOT NULL,
      group_labels TEXT NOT NULL,
      alert TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      wait INTEGER NOT NULL,
      interval INTEGER NOT NULL,
      released_at INTEGER
    ) STRICT;
    CREATE INDEX staged_alert_commit ON staged_alert (pipeline, task, commit_number)
      WHERE released_at IS NULL;
    CREATE INDEX staged_alert_released ON staged_alert (released_at)
      WHERE released_at IS NOT NULL;
    CREATE TABLE alert_group (
      receiver TEXT NOT NULL,
      group_key TEXT NOT NULL,
      labels TEXT NOT NULL,
      flush_at INTEGER NOT NULL,
      notified_at INTEGER,
      PRIMARY KEY (receiver, group_key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX alert_group_due ON alert_group (receiver, flush_at);
    CREATE TABLE group_member (
      receiver TEXT NOT NULL,
      group_key TEXT NOT NULL,
      fingerprint TEXT NOT NULL,
      alert TEXT NOT NULL,
      firing INTEGER NOT NULL,
      was_firing INTEGER,
      PRIMARY KEY (receiver, group_key, fingerprint)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE silence (
      id TEXT NOT NULL PRIMARY KEY,
      ends_at INTEGER NOT NULL,
      silence TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """

  static let stage = """
    INSERT OR IGNORE INTO staged_alert (
      id, pipeline, task, commit_number, receiver, group_key, group_labels, alert, created_at,
      wait, interval)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """

  static let stagedUpTo = """
    SELECT sequence, receiver, group_key, group_labels, alert, wait, interval FROM staged_alert
    WHERE released_at IS NULL AND pipeline = ? AND task = ? AND commit_number <= ?
    ORDER BY sequence
    """

  static let dropBeyond = """
    DELETE FROM staged_alert
    WHERE released_at IS NULL AND pipeline = ? AND task = ? AND commit_number > ?
    """

  static let join = """
    INSERT INTO group_member VALUES (?, ?, ?, ?, ?, NULL)
    ON CONFLICT DO UPDATE SET alert = excluded.alert, firing = excluded.firing
    """

  static let open = "INSERT OR IGNORE INTO alert_group VALUES (?, ?, ?, ?, NULL)"

  /// A change is told one interval after the last message, at once when that is past.
  static let hasten = """
    UPDATE alert_group SET flush_at = MIN(flush_at, MAX(?1, notified_at + ?2))
    WHERE receiver = ?3 AND group_key = ?4 AND notified_at IS NOT NULL
    """

  static let released = """
    UPDATE staged_alert SET released_at = ?, alert = '', group_labels = '' WHERE sequence = ?
    """

  static let forget = "DELETE FROM staged_alert WHERE released_at < ?"

  static let due = """
    SELECT group_key, labels, notified_at FROM alert_group
    WHERE receiver = ? AND flush_at <= ? ORDER BY flush_at, group_key LIMIT ?
    """

  static let nextDue = """
    SELECT flush_at FROM alert_group WHERE receiver = ? ORDER BY flush_at LIMIT 1
    """

  static let members = """
    SELECT alert, was_firing FROM group_member WHERE receiver = ? AND group_key = ?
    ORDER BY fingerprint
    """

  static let notified = """
    UPDATE group_member SET was_firing = firing
    WHERE receiver = ? AND group_key = ? AND fingerprint = ?
    """

  static let leave = "DELETE FROM group_member WHERE receiver = ? AND group_key = ? AND firing = 0"

  static let reschedule = """
    UPDATE alert_group SET flush_at = ?, notified_at = ? WHERE receiver = ? AND group_key = ?
    """

  static let close = """
    DELETE FROM alert_group WHERE receiver = ?1 AND group_key = ?2 AND NOT EXISTS (
      SELECT 1 FROM group_member WHERE receiver = ?1 AND group_key = ?2)
    """

  static let nextMessage = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'message'"
}
