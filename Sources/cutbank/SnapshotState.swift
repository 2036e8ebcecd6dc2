import ArgumentParser

/// What a snapshot consists of.
enum SnapshotState: String, ExpressibleByArgument, CaseIterable {
  case models, groups, rows, distinct, sorted, ranks, items, counts, waiting, objects

  /// The application over a stream "S" of "k", "v" and "t".
  var program: String {
    switch self {
    case .models: Self.modelsProgram
    case .groups: Self.groupsProgram
    case .rows:
      Self.silent(
        """
        SELECT STREAM "k", AVG("v") OVER W FROM "S"
          WINDOW W AS (PARTITION BY "k" RANGE INTERVAL '10' DAY PRECEDING)
        """)
    case .distinct:
      Self.silent(
        """
        SELECT STREAM "k", "v" FROM (
          SELECT STREAM DISTINCT STEP("S".ROWTIME BY INTERVAL '10' DAY) AS "s", "k", "v" FROM "S")
        """)
    case .sorted:
      Self.silent(
        """
        SELECT STREAM "k", "v" FROM "S" ORDER BY STEP("S".ROWTIME BY INTERVAL '10' DAY), "v"
        """)
    case .ranks: Self.ranksProgram
    case .items:
      Self.silent(
        """
        SELECT STREAM ITEM_COUNT, CAST(ITEM_COUNT AS DOUBLE) FROM TABLE(TOP_K_ITEMS_TUMBLING(
          CURSOR(SELECT STREAM "k", "v" FROM "S"), 'k', 5, 3600))
        """)
    case .counts:
      Self.silent(
        """
        SELECT STREAM NUMBER_OF_DISTINCT_ITEMS, 0.0 FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(
          CURSOR(SELECT STREAM "k", "v" FROM "S") PARTITION BY "k", 'v', 3600))
        """)
    case .waiting: Self.silent("SELECT STREAM \"k\", \"v\" FROM \"S\"")
    case .objects: Self.objectsProgram
    }
  }

  /// What the input has besides.
  var inputSettings: String {
    self == .waiting ? "    event_time: {column: t, lateness: 60s}" : ""
  }

  /// What the output has besides.
  var deliverySettings: String {
    self == .objects
      ? ", prefix: \"p=!{partitionKeyFromQuery:p}/\", buffer: {size: 128MiB, interval: 900s}" : ""
  }

  private static let modelsProgram = """
    CREATE OR REPLACE STREAM "OUT" ("k" BIGINT, "v" DOUBLE, "SCORE" DOUBLE);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
      SELECT STREAM "k", "v", "SCORE" FROM TABLE(ML_DETECT_ANOMALIES(
        CURSOR(SELECT STREAM "k", "v" FROM "S") PARTITION BY "k",
        number_of_trees => 50, sample_size => 256, shingle_size => 8)) WHERE "SCORE" > 4;
    """
  private static let groupsProgram = """
    CREATE OR REPLACE STREAM "OUT" ("k" BIGINT, "n" BIGINT, "average" DOUBLE);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
      SELECT STREAM "k", COUNT(*), AVG("v") FROM "S"
      GROUP BY "k", STEP("S".ROWTIME BY INTERVAL '10' DAY);
    """
  private static let ranksProgram = """
    CREATE OR REPLACE STREAM "SAME" ("k" INTEGER);
    CREATE OR REPLACE STREAM "OUT" ("k" INTEGER, "rank" INTEGER);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "SAME"
      SELECT STREAM STEP("S".ROWTIME BY INTERVAL '10' DAY) AS ROWTIME, CAST("k" AS INTEGER) FROM "S";
    CREATE OR REPLACE PUMP "Q" AS INSERT INTO "OUT" SELECT STREAM "k", "rank" FROM TABLE(GROUP_RANK(
      CURSOR(SELECT STREAM "k" FROM "SAME"), 'k', 'rank', 'asc', 'desc', 0, 0));
    """
  private static let objectsProgram = """
    CREATE OR REPLACE STREAM "OUT" ("p" BIGINT, "k" BIGINT, "text" VARCHAR(300));
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT" SELECT STREAM MOD("k", 500), "k",
      '\(String(repeating: "a row of two hundred bytes ", count: 8))' FROM "S";
    """

  /// Lets a query of "k" and a number bring forth nothing that leaves.
  private static func silent(_ query: String) -> String {
    """
    CREATE OR REPLACE STREAM "MID" ("k" BIGINT, "x" DOUBLE);
    CREATE OR REPLACE STREAM "OUT" ("k" BIGINT, "x" DOUBLE);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "MID"
      \(query.split(separator: "\n").joined(separator: "\n  "));
    CREATE OR REPLACE PUMP "Q" AS INSERT INTO "OUT" SELECT STREAM "k", "x" FROM "MID"
      WHERE "x" < -1;
    """
  }
}
