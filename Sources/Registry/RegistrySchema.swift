import GRDB

/// The tables of a registry.
enum RegistrySchema {
  static func migrate(_ database: DatabasePool) throws {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { database in
      try database.execute(sql: jobs + models + endpoints + audit)
    }
    try migrator.migrate(database)
    if let newer = try database.read(migrator.completedMigrations).last, newer != "1" {
      throw DatabaseError(message: "the registry was written by a newer version of cutbank")
    }
  }

  private static let jobs = """
    CREATE TABLE training_job (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      model TEXT NOT NULL,
      pipeline TEXT NOT NULL,
      algorithm TEXT NOT NULL,
      hyperparameters TEXT NOT NULL,
      seed TEXT NOT NULL,
      source TEXT NOT NULL,
      window_from INTEGER,
      window_to INTEGER,
      rows INTEGER,
      parent INTEGER,
      status TEXT NOT NULL CHECK (status IN ('InProgress', 'Completed', 'Failed', 'Stopped')),
      step TEXT NOT NULL,
      reason TEXT,
      owner TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      ended_at INTEGER,
      cpu_milliseconds INTEGER,
      CHECK ((status = 'InProgress') = (ended_at IS NULL))
    ) STRICT;
    CREATE INDEX training_job_model ON training_job (model, id);
    CREATE TABLE metric (
      job INTEGER NOT NULL REFERENCES training_job (id),
      name TEXT NOT NULL,
      step INTEGER NOT NULL,
      value REAL NOT NULL,
      PRIMARY KEY (job, name, step)
    ) STRICT, WITHOUT ROWID;

    """

  private static let models = """
    CREATE TABLE model_version (
      model TEXT NOT NULL,
      version INTEGER NOT NULL CHECK (version > 0),
      job INTEGER NOT NULL UNIQUE REFERENCES training_job (id),
      algorithm TEXT NOT NULL,
      artifact TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      PRIMARY KEY (model, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE gate (
      model TEXT NOT NULL,
      version INTEGER NOT NULL,
      metric TEXT NOT NULL,
      candidate REAL NOT NULL,
      champion REAL,
      champion_version INTEGER,
      baseline REAL,
      passed INTEGER NOT NULL,
      reason TEXT NOT NULL,
      at INTEGER NOT NULL,
      PRIMARY KEY (model, version),
      FOREIGN KEY (model, version) REFERENCES model_version (model, version)
    ) STRICT, WITHOUT ROWID;

    """

  /// A configuration and its variants never change once written.
  private static let endpoints = """
    CREATE TABLE endpoint_configuration (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      endpoint TEXT NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE variant (
      configuration INTEGER NOT NULL REFERENCES endpoint_configuration (id),
      position INTEGER NOT NULL,
      name TEXT NOT NULL,
      model TEXT NOT NULL,
      version INTEGER NOT NULL,
      weight REAL NOT NULL CHECK (weight >= 0),
      shadow INTEGER NOT NULL,
      PRIMARY KEY (configuration, position),
      UNIQUE (configuration, name),
      FOREIGN KEY (model, version) REFERENCES model_version (model, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER endpoint_configuration_is_fixed BEFORE UPDATE ON endpoint_configuration
      BEGIN SELECT RAISE(ABORT, 'an endpoint configuration never changes'); END;
    CREATE TRIGGER variant_is_fixed BEFORE UPDATE ON variant
      BEGIN SELECT RAISE(ABORT, 'a variant never changes'); END;
    CREATE TABLE endpoint (
      name TEXT NOT NULL PRIMARY KEY,
      configuration INTEGER NOT NULL REFERENCES endpoint_configuration (id),
      previous INTEGER REFERENCES endpoint_configuration (id),
      phase TEXT NOT NULL CHECK (phase IN ('InService', 'Shadow', 'Canary', 'RolledBack')),
      changed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    """

  private static let audit = """
    CREATE TABLE audit (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      actor TEXT NOT NULL,
      action TEXT NOT NULL,
      subject TEXT NOT NULL,
      detail TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_stays BEFORE DELETE ON audit
      BEGIN SELECT RAISE(ABORT, 'the audit trail is never cut'); END;
    CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit
      BEGIN SELECT RAISE(ABORT, 'the audit trail never changes'); END;
    """
}
