import GRDB

/// The tables of the outbox and the statements over them.
enum OutboxSchema {
  /// Where a message stands.
  enum State: Int {
    /// Its commit is not acknowledged.
    case staged = 0
    /// An earlier message with its ordering key is to be sent first.
    case waiting = 1
    /// It is sent when due.
    case ready = 2
    /// The receiver has it; the body is gone, the id stays to tell repetitions.
    case delivered = 3
    /// It was given up.
    case dead = 4
    /// A silence or a maintenance window held when it was raised: nobody is told.
    case muted = 5
  }

  static func migrate(_ database: DatabasePool) throws {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { database in
      try database.execute(
        sql: """
          CREATE TABLE message (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            webhook_id TEXT NOT NULL UNIQUE,
            pipeline TEXT NOT NULL,
            task INTEGER NOT NULL,
            commit_number INTEGER NOT NULL,
            receiver TEXT NOT NULL,
            ordering_key TEXT NOT NULL,
            state INTEGER NOT NULL,
            muted INTEGER NOT NULL,
            body BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            due_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            ended_at INTEGER,
            error TEXT
          ) STRICT;
          CREATE INDEX message_staged ON message (pipeline, task, commit_number)
            WHERE state = 0;
          CREATE INDEX message_order ON message (receiver, ordering_key, sequence)
            WHERE state IN (1, 2);
          CREATE INDEX message_due ON message (receiver, due_at, sequence) WHERE state = 2;
          CREATE INDEX message_delivered ON message (ended_at)
            WHERE state IN (3, 5);
          CREATE INDEX message_dead ON message (receiver, sequence) WHERE state = 4;
          CREATE TABLE disabled_receiver (
            name TEXT NOT NULL PRIMARY KEY,
            reason TEXT NOT NULL,
            disabled_at INTEGER NOT NULL
          ) STRICT, WITHOUT ROWID;
          """ + GroupSchema.tables)
    }
    migrator.registerMigration("2") { try $0.execute(sql: orderedIdentities) }
    // The oldest message is looked for once a minute, also among many.
    migrator.registerMigration("3") { database in
      try database.execute(
        sql: """
          CREATE INDEX message_age ON message (receiver, created_at) WHERE state IN (1, 2)
          """)
    }
    try migrator.migrate(database)
  }

  /// Messages are told apart by what they are about, which comes in order, so that an append touches
  /// neighbouring pages of the index only; webhook ids, whose places are random, are computed when
  /// sending.
  private static let orderedIdentities = """
    ALTER TABLE message RENAME TO earlier_message;
    CREATE TABLE message (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT,
      identity TEXT NOT NULL,
      pipeline TEXT NOT NULL,
      task INTEGER NOT NULL,
      commit_number INTEGER NOT NULL,
      receiver TEXT NOT NULL,
      ordering_key TEXT NOT NULL,
      state INTEGER NOT NULL,
      muted INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      due_at INTEGER NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0,
      ended_at INTEGER,
      error TEXT,
      body BLOB NOT NULL,
      UNIQUE (receiver, identity)
    ) STRICT;
    INSERT INTO message
      SELECT sequence, webhook_id, pipeline, task, commit_number, receiver, ordering_key, state,
        muted, created_at, due_at, attempts, ended_at, error, body
      FROM earlier_message;
    DELETE FROM sqlite_sequence WHERE name = 'message';
    UPDATE sqlite_sequence SET name = 'message' WHERE name = 'earlier_message';
    DROP TABLE earlier_message;
    CREATE INDEX message_staged ON message (pipeline, task, commit_number)
      WHERE state = 0;
    CREATE INDEX message_order ON message (receiver, ordering_key, sequence)
      WHERE state IN (1, 2);
    CREATE INDEX message_due ON message (receiver, due_at, sequence) WHERE state = 2;
    CREATE INDEX message_delivered ON message (ended_at) WHERE state IN (3, 5);
    CREATE INDEX message_dead ON message (receiver, sequence) WHERE state = 4;
    CREATE INDEX message_muted ON message (receiver, ordering_key, sequence) WHERE muted > 0;
    """

  /// Whether a message is told, in the column `muted`.
  enum Muting: Int {
    case told = 0
    /// A beginning that nobody hears of.
    case beginning = 1
    /// An end that nobody hears of.
    case end = 2
  }

  /// How the last message with an ordering key that nobody hears of was muted.
  static let lastMuting = """
    SELECT muted FROM message WHERE receiver = ? AND ordering_key = ? AND muted > 0
    ORDER BY sequence DESC LIMIT 1
    """

  /// The most messages of one `insert`.
  static let insertLimit = 64

  /// Adds messages: ?1 to ?5 are pipeline, task, commit, receiver and time of all, then come
  /// identity, ordering key, body and muted of each.
  static func insert(rows: Int) -> String {
    rows == insertLimit ? fullInsert : makeInsert(rows: rows)
  }

  private static let fullInsert = makeInsert(rows: insertLimit)

  private static func makeInsert(rows: Int) -> String {
    let values = (0..<rows).map { row in
      let own = (0..<4).map { "?\(6 + 4 * row + $0)" }
      return "(\(own[0]), ?1, ?2, ?3, ?4, \(own[1]), 0, \(own[2]), ?5, ?5, \(own[3]))"
    }
    return """
      INSERT OR IGNORE INTO message (
        identity, pipeline, task, commit_number, receiver, ordering_key, state, body,
        created_at, due_at, muted)
      VALUES \(values.joined(separator: ", "))
      """
  }

  static let stagedUpTo = """
    SELECT sequence, receiver, ordering_key FROM message
    WHERE state = 0 AND pipeline = ? AND task = ? AND commit_number <= ? ORDER BY sequence
    """

  static let queue = """
    UPDATE message SET ended_at = CASE WHEN muted THEN created_at END,
      state = CASE WHEN muted THEN 5 WHEN EXISTS (
        SELECT 1 FROM message AS earlier
        WHERE earlier.receiver = ?1 AND earlier.ordering_key = ?2 AND earlier.sequence < ?3
          AND earlier.state IN (1, 2)) THEN 1 ELSE 2 END
    WHERE sequence = ?3
    """

  static let dropBeyond = """
    DELETE FROM message
    WHERE state = 0 AND pipeline = ? AND task = ? AND commit_number > ?
    """

  static let due = """
    SELECT sequence, identity, pipeline, body, created_at, attempts FROM message
    WHERE state = 2 AND receiver = ? AND due_at <= ? ORDER BY due_at, sequence LIMIT ?
    """

  static let nextDue = """
    SELECT due_at FROM message WHERE state = 2 AND receiver = ? ORDER BY due_at LIMIT 1
    """

  static let retry = """
    UPDATE message SET attempts = attempts + 1, due_at = ?, error = ?
    WHERE sequence = ? AND state IN (1, 2)
    """

  static let hasten = """
    UPDATE message SET due_at = ? WHERE state = 2 AND receiver = ? AND due_at > ?
    """

  static let forget = "DELETE FROM message WHERE state IN (3, 5) AND ended_at < ?"

  static let createdBefore = """
    SELECT sequence FROM message
    WHERE state IN (1, 2) AND receiver = ? AND created_at < ? ORDER BY sequence
    """

  private static let end = """
    UPDATE message SET state = ?1, ended_at = ?2, error = ?3, attempts = attempts + 1,
      body = CASE ?1 WHEN 3 THEN x'' ELSE body END
    WHERE sequence = ?4 AND state IN (1, 2) RETURNING receiver, ordering_key
    """

  private static let promote = """
    UPDATE message SET state = 2 WHERE sequence = (
      SELECT sequence FROM message
      WHERE receiver = ?1 AND ordering_key = ?2 AND state IN (1, 2) ORDER BY sequence LIMIT 1)
    """

  /// Ends a message and lets the next one of its ordering key be sent.
  static func end(
    _ sequence: Int64, as state: State, error: String?, now: Int64, in database: Database
  ) throws {
    let statement = try database.cachedStatement(sql: end)
    let arguments: StatementArguments = [state.rawValue, now, error, sequence]
    guard let row = try Row.fetchOne(statement, arguments: arguments) else { return }
    let receiver: String = row[0]
    let key: String = row[1]
    try promoteFirst(receiver: receiver, key: key, in: database)
  }

  /// Lets the first message of an ordering key be sent.
  static func promoteFirst(receiver: String, key: String, in database: Database) throws {
    try database.cachedStatement(sql: promote).execute(arguments: [receiver, key])
  }
}
