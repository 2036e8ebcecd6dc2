import Foundation
import Testing

/// Makes programs and inputs at random, so that batches, snapshots and pools are proved not to matter.
private struct ProgramGenerator {
  var state: UInt64

  mutating func below(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }

  mutating func pick(_ choices: [String]) -> String { choices[below(choices.count)] }

  mutating func number(_ depth: Int) -> String {
    if depth == 0 { return pick(["N", "ID", "V", "D", "3", "0.5", "BI", "NULLIF(N, 3)"]) }
    switch below(11) {
    case 8:
      return
        "JSON_VALUE('{\"a\":[1,\"x\",{}]}', '$.a[\(below(4))]' RETURNING DOUBLE DEFAULT 7 ON EMPTY)"
    case 9: return "CAST(TSDIFF(\(time(depth - 1)), \(time(0))) AS DOUBLE)"
    case 10: return "MOD(\(number(0)), \(number(0)))"
    case 0: return "(\(number(depth - 1)) + \(number(depth - 1)))"
    case 1: return "(\(number(depth - 1)) / \(number(depth - 1)))"
    case 2: return "(\(number(depth - 1)) * \(number(0)))"
    case 3: return "ABS(\(number(depth - 1)))"
    case 4:
      return "CASE WHEN \(truth(depth - 1)) THEN \(number(depth - 1)) ELSE \(number(0)) END"
    case 5: return "COALESCE(\(number(depth - 1)), \(number(0)))"
    case 6: return "CAST(CHAR_LENGTH(\(text(depth - 1))) AS DOUBLE)"
    default: return "FLOOR(\(number(depth - 1)))"
    }
  }

  mutating func time(_ depth: Int) -> String {
    if depth <= 0 {
      return pick(["ROWTIME", "T", "TIMESTAMP '2024-02-29 12:00:00'", "NULLIF(T, T)"])
    }
    switch below(4) {
    case 0: return "FLOOR(\(time(depth - 1)) TO \(pick(["SECOND", "HOUR", "MONTH"])))"
    case 1:
      return "(\(time(depth - 1)) + INTERVAL '\(below(9))' \(pick(["DAY", "MONTH", "SECOND"])))"
    case 2: return "STEP(\(time(depth - 1)) BY INTERVAL '\(below(50) + 1)' SECOND)"
    default: return "CAST(CAST(\(time(0)) AS VARCHAR(30)) AS TIMESTAMP)"
    }
  }

  mutating func text(_ depth: Int) -> String {
    if depth == 0 { return pick(["K", "C", "LINE", "'x'"]) }
    switch below(9) {
    case 6: return "TIMESTAMP_TO_CHAR('yyyy-MM-dd HH:mm', \(time(depth - 1)))"
    case 7: return "OVERLAY(\(text(0)) PLACING \(text(0)) FROM \(below(5) - 1) FOR \(below(3)))"
    case 8: return "SUBSTRING(\(text(depth - 1)) FROM \(below(5) - 1) FOR \(below(4) - 1))"
    case 0: return "(\(text(depth - 1)) || \(text(0)))"
    case 1: return "UPPER(\(text(depth - 1)))"
    case 2: return "SUBSTRING(\(text(depth - 1)), \(below(4)))"
    case 3: return "CAST(\(number(depth - 1)) AS VARCHAR(20))"
    case 4: return "REGEX_REPLACE(\(text(0)), '[a-c]', '<$0>', 1, \(below(3)))"
    default: return "TRIM(BOTH ' ' FROM \(text(depth - 1)))"
    }
  }

  mutating func truth(_ depth: Int) -> String {
    if depth == 0 { return pick(["B", "V > 1", "K = 'a'", "N IS NULL", "LINE LIKE '%a%'"]) }
    switch below(7) {
    case 4: return "(\(time(0)), \(time(depth - 1))) OVERLAPS (\(time(0)), \(time(0)))"
    case 5: return "\(number(0)) BETWEEN SYMMETRIC \(number(0)) AND \(number(0))"
    case 6: return "(\(text(0)) SIMILAR TO '[a-c]+%') IS NOT UNKNOWN"
    case 0: return "(\(truth(depth - 1)) AND \(truth(depth - 1)))"
    case 1: return "(\(truth(depth - 1)) OR NOT \(truth(depth - 1)))"
    case 2: return "\(number(depth - 1)) > \(number(0))"
    default: return "\(text(depth - 1)) <= \(text(0))"
    }
  }

  mutating func aggregate() -> String {
    let argument = "CAST(\(number(1)) AS DOUBLE)"
    return pick([
      "COUNT(*)", "COUNT(V)", "SUM(\(argument))", "AVG(\(argument))", "MIN(\(argument))",
      "MAX(\(argument))", "STDDEV_SAMP(\(argument))", "VAR_POP(V)", "FIRST_VALUE(V)",
      "LAST_VALUE(V)", "MEDIAN(V)", "APPROX_PERCENTILE(V, 0.9)", "COUNT(DISTINCT N)",
      "SUM(DISTINCT V)", "APPROX_COUNT_DISTINCT(K)",
    ])
  }

  mutating func query() -> String {
    let seconds = below(5) + 1
    let key = pick(["K", "C", "B", "N", text(1)])
    switch below(15) {
    case 8...10: return tableFunction(seconds)
    case 11:
      return "SELECT STREAM MAX(K), \(aggregate()) FROM S GROUP BY \(key), "
        + "HOP(S.ROWTIME, INTERVAL '\(seconds)' SECOND, INTERVAL '\(seconds * 2)' SECOND)"
    case 12:
      return "SELECT STREAM MAX(K), \(aggregate()) FROM S GROUP BY \(key), "
        + "SESSION(S.ROWTIME, INTERVAL '\(seconds)' SECOND) HAVING COUNT(*) > 1"
    case 13:
      return "SELECT STREAM k, CAST(n AS DOUBLE) FROM (SELECT STREAM DISTINCT FLOOR(S.ROWTIME TO "
        + "SECOND) AS t, K AS k, N AS n FROM S WHERE \(truth(1)))"
    case 14:
      return "SELECT STREAM K, SUM(n) OVER (PARTITION BY K ROWS UNBOUNDED PRECEDING) FROM "
        + "(SELECT STREAM K, CAST(\(number(2)) AS DOUBLE) AS n FROM S)"
    case 0: return "SELECT STREAM \(text(2)), \(number(3)) FROM S WHERE \(truth(2))"
    case 1:
      return "SELECT STREAM MAX(K), \(aggregate()) FROM S GROUP BY \(key), "
        + "STEP(S.ROWTIME BY INTERVAL '\(seconds)' SECOND)"
    case 2:
      return "SELECT STREAM MIN(LINE), \(aggregate()) FROM S WINDOWED BY STAGGER "
        + "(PARTITION BY \(key) RANGE INTERVAL '\(seconds)' SECOND)"
    case 3:
      return "SELECT STREAM MAX(LINE) OVER W, \(aggregate()) OVER W FROM S WINDOW W AS "
        + "(PARTITION BY \(key) RANGE INTERVAL '\(seconds)' SECOND PRECEDING)"
    case 4:
      return "SELECT STREAM LAG(K, \(below(3))) OVER W, \(aggregate()) OVER W FROM S WINDOW W AS "
        + "(PARTITION BY \(key) ROWS \(below(4)) PRECEDING)"
    case 5:
      return "SELECT STREAM K, V FROM S ORDER BY FLOOR(S.ROWTIME TO SECOND), V DESC, ID"
    case 6:
      let kind = pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
      return
        "SELECT STREAM a.K, CAST(b.ID AS DOUBLE) FROM S OVER (RANGE INTERVAL '\(seconds)' SECOND "
        + "PRECEDING) AS a \(kind) S OVER (RANGE INTERVAL '2' SECOND PRECEDING) AS b "
        + "ON a.K = b.K AND a.ID < b.ID"
    default:
      return "SELECT STREAM \(text(1)), CAST(\(number(2)) AS DOUBLE) FROM S UNION ALL "
        + "SELECT STREAM K, V FROM S WHERE \(truth(1))"
    }
  }

  mutating func tableFunction(_ seconds: Int) -> String {
    let keys = pick(["", " PARTITION BY K"])
    switch below(6) {
    case 0:
      return "SELECT STREAM K, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(CURSOR("
        + "SELECT STREAM K, CAST(\(number(1)) AS DOUBLE) AS x FROM S)\(keys), 5, 12, 100, \(seconds)))"
    case 1:
      return "SELECT STREAM HOTSPOTS_RESULT, x FROM TABLE(HOTSPOTS(CURSOR("
        + "SELECT STREAM K, V AS x FROM S)\(keys), 100, 4.5, 3))"
    case 2:
      return "SELECT STREAM ITEM, CAST(ITEM_COUNT AS DOUBLE) FROM TABLE(TOP_K_ITEMS_TUMBLING("
        + "CURSOR(SELECT STREAM * FROM S), '\(pick(["K", "N", "C"]))', 2, \(seconds)))"
    case 3:
      return "SELECT STREAM 'n', CAST(NUMBER_OF_DISTINCT_ITEMS AS DOUBLE) FROM TABLE("
        + "COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM S), 'K', \(seconds)))"
    case 4:
      return "SELECT STREAM K, CAST(R AS DOUBLE) FROM TABLE(GROUP_RANK(CURSOR(SELECT STREAM K, N "
        + "FROM S), 'N', 'R', 'asc', 'desc', 0, \(below(3))))"
    default:
      return "SELECT STREAM STATUS, SCORE FROM TABLE(ML_DETECT_ANOMALIES(CURSOR("
        + "SELECT STREAM K, V FROM S)\(keys)))"
    }
  }

  mutating func input(_ count: Int) -> [String] {
    var time = 0
    return (0..<count).map { row in
      time += below(900)
      let stamp =
        "2024-03-05 10:00:\(time / 1_000 < 10 ? "0" : "")\(time / 1_000 % 60).\(100 + time % 900)"
      if below(12) == 0 { return "{\"bound\":\"\(stamp)\"}" }
      var members = ["\"stream\":\"S\"", "\"rowtime\":\"\(stamp)\"", "\"ID\":\(row)"]
      if below(6) > 0 { members.append("\"K\":\"\(pick(["a", "b", "c", "aa"]))\"") }
      if below(6) > 0 { members.append("\"V\":\(below(50)).\(below(10))") }
      if below(6) > 0 { members.append("\"N\":\(below(7) - 3)") }
      if below(6) > 0 { members.append("\"D\":\(below(100)).25") }
      if below(6) > 0 { members.append("\"B\":\(below(2) == 0)") }
      if below(6) > 0 { members.append("\"C\":\"\(pick(["x", "ya", "zab"]))\"") }
      if below(6) > 0 {
        members.append(
          "\"T\":\"20\(10 + below(80))-0\(1 + below(9))-28 0\(below(9)):00:0\(below(9)).5\"")
      }
      if below(6) > 0 { members.append("\"BI\":\(below(1_000))") }
      if below(6) > 0 { members.append("\"LINE\":\"\(pick(["abc", "a b", "", "ccc", "é"]))\"") }
      return "{\(members.joined(separator: ","))}"
    }
  }
}

@Suite struct RandomProgramTests {
  /// Programs per seed, when nothing says how long to go on.
  private static let programs = 40

  /// When to end, instead, for all seeds together: `make fuzz-programs`.
  private static let end =
    ProcessInfo.processInfo.environment["CUTBANK_PROGRAM_SECONDS"].flatMap(Int.init)
    .map { ContinuousClock.now + .seconds($0) }

  /// The first of the eight seeds.
  private static let firstSeed =
    ProcessInfo.processInfo.environment["CUTBANK_PROGRAM_SEED"].flatMap(UInt64.init) ?? 1

  @Test(arguments: 0..<8 as Range<UInt64>)
  func batchesSnapshotsAndPoolsDoNotMatter(number: UInt64) async throws {
    let seed = Self.firstSeed + number
    var generator = ProgramGenerator(state: seed &* 0x9E37_79B9_7F4A_7C15)
    var made = 0
    while Self.end.map({ ContinuousClock.now < $0 }) ?? (made < Self.programs) {
      let program = Program(
        columns: "a VARCHAR(40), b DOUBLE", query: generator.query(), extensions: true)
      let input = generator.input(40)
      do {
        _ = try program.output(
          input, seed: seed, note: "seed \(seed), program \(made): \(program.text)")
      } catch {
        Issue.record("seed \(seed), program \(made): \(program.text)\n\(error)")
      }
      made += 1
      await Task.yield()
    }
    if Self.end != nil { print("seed \(seed): \(made) programs") }
  }
}
