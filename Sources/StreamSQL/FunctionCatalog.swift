/// The names and uses of all functions: for messages and for SHOW FUNCTIONS.
enum FunctionCatalog {
  /// A function and how it is called.
  struct Entry {
    let name: String
    let usage: String
  }

  static let entries: [Entry] = scalars + aggregates + records + tables

  static var names: [String] { entries.map(\.name) }

  static func usage(_ name: String) -> String? { entries.first { $0.name == name }?.usage }

  private static func entry(_ usage: String) -> Entry {
    Entry(name: String(usage.prefix { $0 != "(" && $0 != " " }), usage: usage)
  }

  private static let scalars: [Entry] = [
    "ABS(x)", "CEIL(x)", "CEILING(x)", "FLOOR(x)", "FLOOR(t TO unit)", "CEIL(t TO unit)", "EXP(x)",
    "LN(x)", "LOG10(x)", "MOD(a, b)", "POWER(x, y)", "SQRT(x)", "STEP(t BY INTERVAL '10' SECOND)",
    "STEP(n BY 5)", "MONOTONIC(e)", "COALESCE(a, b, …)", "NULLIF(a, b)", "CAST(x AS type)",
    "CHAR_LENGTH(s)", "CHARACTER_LENGTH(s)", "INITCAP(s)", "LOWER(s)", "UPPER(s)",
    "OVERLAY(s PLACING r FROM i FOR n)", "POSITION(a IN s)", "TRIM(BOTH ' ' FROM s)",
    "SUBSTRING(s FROM i FOR n)", "SUBSTRING(s, i, n)", "SUBSTRING(s FROM 'regex')",
    "SUBSTRING(s SIMILAR p ESCAPE e)",
    "REGEX_REPLACE(text, regex, replacement, start, occurrence)",
    "JSON_VALUE(text, '$.a.b' RETURNING type DEFAULT x ON EMPTY NULL ON ERROR)",
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP",
    "CURRENT_ROW_TIMESTAMP", "EXTRACT(unit FROM t)", "UNIX_TIMESTAMP(t)",
    "TO_TIMESTAMP(milliseconds)", "TSDIFF(a, b)",
    "CHAR_TO_TIMESTAMP('yyyy-MM-dd HH:mm:ss', s)", "CHAR_TO_DATE('yyyy-MM-dd', s)",
    "CHAR_TO_TIME('HH:mm:ss', s)", "TIMESTAMP_TO_CHAR('yyyy-MM-dd HH:mm:ss', t)",
    "DATE_TO_CHAR('yyyy-MM-dd', d)", "TIME_TO_CHAR('HH:mm:ss', t)",
  ].map(entry)

  private static let aggregates: [Entry] = [
    "COUNT(*)", "COUNT(x)", "SUM(x)", "AVG(x)", "MIN(x)", "MAX(x)", "STDDEV(x)", "STDDEV_POP(x)",
    "STDDEV_SAMP(x)", "VAR_POP(x)", "VAR_SAMP(x)", "EVERY(b)", "ANY(b)", "FIRST_VALUE(x)",
    "LAST_VALUE(x)", "NTH_VALUE(x, n) FROM LAST OVER w", "LAG(x, n, default) OVER w",
    "EXP_AVG(x, INTERVAL '10' SECOND) OVER w",
    "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)",
    "PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY x)", "MEDIAN(x)", "APPROX_PERCENTILE(x, 0.5)",
    "APPROX_COUNT_DISTINCT(x)",
  ].map(entry)

  private static let records: [Entry] = [
    "REGEX_LOG_PARSE(s, regex)", "FAST_REGEX_LOG_PARSE(s, pattern)",
    "W3C_LOG_PARSE(s, 'COMMON')",
    "VARIABLE_COLUMN_LOG_PARSE(s, 'A TYPE VARCHAR(16), B TYPE INTEGER', ',')",
    "FIXED_COLUMN_LOG_PARSE(s, 'A TYPE VARCHAR(8) START 0 FOR 8, …')", "SYS_LOG_PARSE(s)",
  ].map(entry)

  private static let tables: [Entry] = [
    "RANDOM_CUT_FOREST(CURSOR(query), trees, subSampleSize, timeDecay, shingleSize)",
    "RANDOM_CUT_FOREST_WITH_EXPLANATION(CURSOR(query), trees, subSampleSize, timeDecay, "
      + "shingleSize, withDirectionality)",
    "HOTSPOTS(CURSOR(query), windowSize, scanRadius, minimumNumberOfPointsInAHotspot)",
    "TOP_K_ITEMS_TUMBLING(CURSOR(query), 'column', k, windowSeconds)",
    "COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(query), 'column', windowSeconds)",
    "GROUP_RANK(CURSOR(query), 'rankBy', 'rankOut', 'desc', 'asc', maxIdle, outputMax)",
    "ML_DETECT_ANOMALIES(CURSOR(query) PARTITION BY key, name => value)",
    "ML_PREDICT(CURSOR(query) PARTITION BY key, 'endpoint')",
    "ML_FORECAST(CURSOR(query) PARTITION BY key, 'endpoint', name => value)",
    "TUMBLE(TABLE s, DESCRIPTOR(ROWTIME), INTERVAL '1' MINUTE)",
    "HOP(TABLE s, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND, INTERVAL '1' MINUTE)",
    "SESSION(TABLE s, DESCRIPTOR(ROWTIME), INTERVAL '5' MINUTE)",
  ].map(entry)
}

extension RecordFunction {
  init?(name: String) {
    switch name {
    case "REGEX_LOG_PARSE": self = .regex
    case "FAST_REGEX_LOG_PARSE": self = .fastRegex
    case "W3C_LOG_PARSE": self = .w3c
    case "VARIABLE_COLUMN_LOG_PARSE": self = .variableColumn
    case "FIXED_COLUMN_LOG_PARSE": self = .fixedColumn
    case "SYS_LOG_PARSE": self = .sysLog
    default: return nil
    }
  }
}
