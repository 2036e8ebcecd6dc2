import Columns
import Dataflow
import RimSupport
import StreamSQL
import Testing

/// Two functions with a model for each key over one stream, with limits.
final class KeyedTask {
  /// A row of the stream.
  struct Row {
    var time: Int64
    var key: String
    var value: Double
  }

  static let schema = Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "X", type: .double),
  ])
  static let program = """
    CREATE STREAM O (K VARCHAR(8), S DOUBLE, STATUS VARCHAR(16));
    CREATE STREAM R (K VARCHAR(8), S DOUBLE, STATUS VARCHAR(16));
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, SCORE, STATUS FROM TABLE(ML_DETECT_ANOMALIES(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, number_of_trees => 3, sample_size => 40));
    CREATE PUMP Q AS INSERT INTO R SELECT STREAM K, ANOMALY_SCORE, STATUS
      FROM TABLE(RANDOM_CUT_FOREST(
        CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, 3, 10, 100, 1));
    """
  /// With how many rows before it in a model's life a row is scored, in both functions.
  static let warmUp = 10
  /// A budget of which each function's half has room for a model or two.
  static let tightBudget = 40_000

  let scratch = MemoryScratch()
  private let plan: Plan
  private let configuration: DataflowConfiguration
  private(set) var dataflow: Dataflow
  private var pool = StringPool()
  private var cause: Int64 = 0
  /// By stream what came out, each row as `key score status`.
  private(set) var rows: [[String]] = [[], []]

  init(_ limits: DataflowLimits, seed: UInt64 = 0) throws {
    let result = compile(
      Self.program, file: "p.sql",
      sources: [SourceStream(name: "S", schema: Self.schema, key: "K")],
      options: CompileOptions(extensions: true))
    plan = try #require(result.plan)
    configuration = DataflowConfiguration(seed: seed, limits: limits, watched: ["O", "R"])
    let scratch = scratch
    dataflow = try Dataflow(plan: plan, configuration: configuration, scratch: { scratch })
  }

  /// Processes rows in batches of at most so many.
  func feed(_ rows: [Row], batchSize: Int = 1_024) {
    for start in stride(from: 0, to: rows.count, by: batchSize) {
      var batch = Batch(schema: Self.schema)
      for row in rows[start..<min(rows.count, start + batchSize)] {
        batch.rowtimes.append(row.time)
        batch.causes.append(cause)
        batch.columns[0].append(pool.intern(row.key))
        batch.columns[1].append(row.value)
        cause += 1
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      for (stream, emitted) in output.streams.enumerated() {
        for row in 0..<emitted.batch.count {
          let columns = emitted.batch.columns
          let score = columns[1].nulls[row] ? "-" : "\(columns[1].doubles[row])"
          self.rows[stream].append(
            "\(pool.string(columns[0].texts[row])) \(score) \(pool.string(columns[2].texts[row]))")
        }
      }
    }
  }

  /// The last word of every row of both streams, which must say the same.
  var statuses: [String] {
    let all = rows.map { $0.map { String($0.split(separator: " ").last ?? "") } }
    #expect(all[0] == all[1])
    return all[0]
  }

  /// The state as a snapshot that is copied part by part, while `meanwhile` happens.
  func copy(_ number: Int64, meanwhile: () -> Void = {}) -> [StateWriter.Slice] {
    var writer = StateWriter()
    dataflow.beginSave(number, into: &writer, pool: pool)
    while dataflow.continueSave(into: &writer, pool: pool) { meanwhile() }
    return writer.slices
  }

  func save() -> [StateWriter.Slice] {
    var writer = StateWriter()
    dataflow.save(into: &writer, pool: pool)
    return writer.slices
  }

  /// Goes on from a state in a new pool.
  func restore(_ slices: [StateWriter.Slice]) throws {
    let scratch = scratch
    dataflow = try Dataflow(plan: plan, configuration: configuration, scratch: { scratch })
    pool = StringPool()
    try dataflow.restore(from: StateReader(slices), pool: &pool)
  }

  /// The models that were found damaged since the last call.
  func takeDamages() -> [ModelDamage] { dataflow.takeModelDamages(pool: pool) }

  /// What both functions have counted.
  var counters: ModelCounters {
    dataflow.modelCounters.reduce(into: ModelCounters()) { $0.add($1.counters) }
  }
}

/// Which keys have models, as simply as it can be said.
struct NaiveAdmission {
  let limits: DataflowLimits
  private var lastSeen: [String: Int64] = [:]
  private var sightings: [String: Int] = [:]
  private var learned: [String: Int] = [:]
  /// How many keys had models at once.
  private(set) var peak = 0

  init(_ limits: DataflowLimits) { self.limits = limits }

  /// The status of the next row.
  mutating func status(_ row: KeyedTask.Row) -> String {
    if let ttl = limits.modelTTL {
      for (key, seen) in lastSeen where seen < row.time - ttl {
        lastSeen[key] = nil
        learned[key] = nil
      }
    }
    if lastSeen[row.key] == nil {
      let seen = sightings[row.key, default: 0] + 1
      sightings[row.key] = min(seen, limits.modelAfter - 1)
      guard seen >= limits.modelAfter, lastSeen.count < limits.models else { return "NO_MODEL" }
    }
    lastSeen[row.key] = row.time
    peak = max(peak, lastSeen.count)
    learned[row.key, default: 0] += 1
    return learned[row.key, default: 0] > KeyedTask.warmUp ? "SCORED" : "WARMING_UP"
  }
}
