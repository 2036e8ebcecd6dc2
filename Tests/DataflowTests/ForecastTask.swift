import Columns
import Dataflow
import LearnedModels
import StreamSQL
import Testing

/// A task that asks the endpoint `load` for forecasts.
final class ForecastTask {
  static let program = """
    CREATE STREAM O (K VARCHAR(8), T TIMESTAMP, X DOUBLE, EXPECTED DOUBLE, "LOWER" DOUBLE, "UPPER" DOUBLE,
      TAIL_PROBABILITY DOUBLE, NEXT_EXPECTED DOUBLE, NEXT_LOWER DOUBLE, NEXT_UPPER DOUBLE,
      V VARCHAR(160), W VARCHAR(64), STATUS VARCHAR(16));
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, T, X, EXPECTED, "LOWER", "UPPER", TAIL_PROBABILITY,
      NEXT_EXPECTED, NEXT_LOWER, NEXT_UPPER, MODEL_VERSION, VARIANT, STATUS
    FROM TABLE(ML_FORECAST(CURSOR(SELECT STREAM K, T, X FROM S) PARTITION BY K, 'load',
      time => 'T', upper => 0.95));
    """
  static let schema = Schema([
    ColumnDefinition(name: "K", type: .varchar(8)),
    ColumnDefinition(name: "T", type: .timestamp), ColumnDefinition(name: "X", type: .double),
    ColumnDefinition(name: "C", type: .integer), ColumnDefinition(name: "P", type: .double),
  ])
  /// The same with a category and a dynamic feature.
  static let featured = program.replacing(
    "SELECT STREAM K, T, X FROM S", with: "SELECT STREAM * FROM S"
  )
  .replacing(
    "time => 'T'", with: "time => 'T', target => 'X', categories => 'C', dynamic_features => ' P'")

  /// One row; the time is in milliseconds, nil values are NULL.
  struct Input: Hashable {
    var key: String
    var time: Int64?
    var value: Double?
    var category: Int64? = 0
    var feature: Double? = 0
  }

  /// What comes out for a row.
  struct Row: Hashable {
    var key: String
    var time: Int64
    var law: [Double]?
    var tail: Double?
    var next: [Double]?
    var version: String?
    var variant: String?
    var status: String
  }

  private(set) var dataflow: Dataflow
  private let plan: Plan
  private let configuration: DataflowConfiguration
  private var pool = StringPool()
  private var cause: Int64 = 0
  /// The messages of refused rows.
  private(set) var errors: [String] = []

  static func plan(_ program: String = program) -> CompileResult {
    compile(
      program, file: "p.sql", sources: [SourceStream(name: "S", schema: schema, key: "K")],
      options: CompileOptions())
  }

  init(keyLimit: Int = 10_000, program: String = program) throws {
    plan = try #require(Self.plan(program).plan)
    configuration = DataflowConfiguration(
      limits: DataflowLimits(models: keyLimit), watched: ["O"])
    dataflow = try Dataflow(plan: plan, configuration: configuration)
  }

  /// A network with weights that nobody has trained.
  static func model(
    _ seed: Int, frequency: String = "H", context: Int = 6, prediction: Int = 4,
    likelihood: DeepARLikelihood = .studentT, cardinalities: [Int] = [], features: Int = 0
  ) throws -> DeepARModel {
    let shape = DeepARConfiguration(
      frequency: try #require(DeepARFrequency(frequency)), contextLength: context,
      predictionLength: prediction, likelihood: likelihood, cellCount: 5,
      cardinalities: cardinalities, embeddingDimension: 2, dynamicFeatureCount: features,
      maximumAge: 500)
    let weights = (0..<DeepARLayout(shape).weightCount).map { index in
      Float((index * 7_919 + seed * 104_729) % 1_009) / 1_009 - 0.5
    }
    return try DeepARModel(configuration: shape, weights: weights)
  }

  static func deployment(
    _ variants: [(String, weight: Double, isShadow: Bool, DeepARModel)], alertAbove: Double? = nil
  ) throws -> [UInt8] {
    try Deployment(
      variants: variants.map { name, weight, isShadow, model in
        try Deployment.Variant(
          name: name, version: "load/\(name)", weight: weight, isShadow: isShadow,
          artifact: LearnedModel.deepAR(model).encode())
      }, alertAbove: alertAbove
    ).encoded()
  }

  func activate(_ bytes: [UInt8]) throws {
    let slot = Dataflow.slot(ofEndpoint: "load")
    try dataflow.activate(slot, dataflow.value(of: slot, bytes: bytes), pool: &pool)
  }

  /// A fresh task goes on from this one's state, as after a crash.
  func restart(with deployment: [UInt8]?) throws {
    var writer = StateWriter()
    dataflow.save(into: &writer, pool: pool)
    dataflow = try Dataflow(plan: plan, configuration: configuration)
    pool = StringPool()
    _ = pool.intern("ids are others now")
    try dataflow.restore(from: StateReader(writer.slices), pool: &pool)
    if let deployment { try activate(deployment) }
  }

  func rows(_ input: [Input], batchSize: Int = 1_024) -> [Row] {
    var rows: [Row] = []
    for start in stride(from: 0, to: input.count, by: batchSize) {
      var batch = Batch(schema: Self.schema)
      for row in input[start..<min(input.count, start + batchSize)] {
        batch.rowtimes.append(cause)
        batch.causes.append(cause)
        batch.columns[0].append(pool.intern(row.key))
        if let time = row.time {
          batch.columns[1].append(time)
        } else {
          batch.columns[1].appendNull()
        }
        for (column, value) in [(2, row.value), (4, row.feature)] {
          if let value {
            batch.columns[column].append(value)
          } else {
            batch.columns[column].appendNull()
          }
        }
        if let category = row.category {
          batch.columns[3].append(category)
        } else {
          batch.columns[3].appendNull()
        }
        cause += 1
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      errors += output.errors.map(\.error.message)
      let found = output.streams[0].batch
      for row in 0..<found.count { rows.append(self.row(found, row)) }
    }
    return rows
  }

  private func row(_ batch: Batch, _ row: Int) -> Row {
    func number(_ column: Int) -> Double? {
      batch.columns[column].nulls[row] ? nil : batch.columns[column].doubles[row]
    }
    func text(_ column: Int) -> String? {
      batch.columns[column].nulls[row] ? nil : pool.string(batch.columns[column].texts[row])
    }
    func law(_ column: Int) -> [Double]? {
      let numbers = (column..<column + 3).compactMap(number)
      return numbers.isEmpty ? nil : numbers
    }
    return Row(
      key: text(0) ?? "", time: batch.columns[1].integers[row], law: law(3), tail: number(6),
      next: law(7), version: text(10), variant: text(11), status: text(12) ?? "")
  }
}
