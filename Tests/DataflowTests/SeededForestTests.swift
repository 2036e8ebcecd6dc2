import Columns
import Dataflow
import LearnedModels
import RandomCutForest
import StreamSQL
import Testing

/// A task whose forests begin with what the endpoint `trained` serves.
final class SeededTask {
  static let schema = Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "X", type: .double),
    ColumnDefinition(name: "Y", type: .double),
  ])
  static let slot = Dataflow.slot(ofEndpoint: "trained")

  let dataflow: Dataflow
  var pool = StringPool()
  var cause: Int64 = 0

  init(_ program: String) throws {
    let result = compile(
      program, file: "p.sql",
      sources: [SourceStream(name: "S", schema: Self.schema, key: "K")],
      options: CompileOptions())
    var plan = try #require(result.plan, "\(result.diagnostics)")
    plan.seedForests(ofPump: "P", from: "trained")
    dataflow = try Dataflow(plan: plan, configuration: DataflowConfiguration(watched: ["O"]))
  }

  func activate(_ model: LearnedModel, version: String = "trained/1") throws {
    let bytes = try Deployment(variants: [
      Deployment.Variant(
        name: "champion", version: version, weight: 1, isShadow: false, artifact: model.encode())
    ]).encoded()
    try dataflow.activate(
      Self.slot, try dataflow.value(of: Self.slot, bytes: bytes), pool: &pool)
  }

  /// The rows that come out, column by column as text.
  func rows(
    _ input: [(key: String, x: Double, y: Double)], batchSize: Int = 1_024
  ) -> [[String]] {
    var rows: [[String]] = []
    for start in stride(from: 0, to: input.count, by: batchSize) {
      var batch = Batch(schema: Self.schema)
      for row in input[start..<min(input.count, start + batchSize)] {
        batch.rowtimes.append(cause)
        batch.causes.append(cause)
        batch.columns[0].append(pool.intern(row.key))
        batch.columns[1].append(row.x)
        batch.columns[2].append(row.y)
        cause += 1
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      let batchOut = output.streams[0].batch
      for row in 0..<batchOut.count {
        rows.append(
          batchOut.columns.map { column in
            if column.nulls[row] { return "-" }
            switch column.type.storage {
            case .integer: return "\(column.integers[row])"
            case .floating: return "\(column.doubles[row])"
            case .text: return pool.string(column.texts[row])
            }
          })
      }
    }
    return rows
  }
}

@Suite struct SeededForestTests {
  private static let scores = """
    CREATE STREAM O (K VARCHAR(8), SCORE DOUBLE);
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, ANOMALY_SCORE
    FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM K, X, Y FROM S)PARTITION, 20, 64, 1000, SHINGLE));
    """

  private static func program(keyed: Bool = false, shingle: Int = 1) -> String {
    scores.replacing("PARTITION", with: keyed ? " PARTITION BY K" : "")
      .replacing("SHINGLE", with: "\(shingle)")
  }

  /// Points around the origin, and the forest that was trained on them.
  static func trained(
    trees: Int = 20, sampleSize: Int = 64, features: Int = 2, shingle: Int = 1, seed: UInt64 = 1
  ) throws -> FrozenForest {
    var random = SplitMix64(seed: seed)
    let width = features * shingle
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: width, shingleSize: shingle, sampleSize: sampleSize, numberOfTrees: trees,
        timeDecay: 0, outputAfter: 1, seed: seed, internalShingling: shingle == 1))
    for tree in 0..<trees {
      for _ in 0..<sampleSize {
        let point = (0..<width).map { _ in Float(random.uniform() - 0.5) }
        try forest.learn(point.span, inTree: tree)
      }
    }
    return FrozenForest(forest, scoreMean: 0.9, scoreDeviation: 0.1)
  }

  static func input(_ count: Int, keys: Int = 1) -> [(key: String, x: Double, y: Double)] {
    var random = SplitMix64(seed: 9)
    return (0..<count).map { index in
      (
        key: "k\(index % keys)", x: random.uniform() - 0.5 + (index % 97 == 50 ? 9 : 0),
        y: random.uniform() - 0.5
      )
    }
  }

  /// No warm-up: from the first row on the scores are those of the trained forest that goes on.
  @Test(arguments: [1, 7, 1_024]) func theScoresAreThoseOfTheTrainedForest(batchSize: Int) throws {
    let model = try Self.trained()
    let task = try SeededTask(Self.program())
    #expect(task.dataflow.slots == [SeededTask.slot])
    try task.activate(.randomCutForest(model))
    let input = Self.input(300)
    let rows = task.rows(input, batchSize: batchSize)
    var alone = try model.makeStreamingForest(timeDecay: 1.0 / 1_000)
    for (row, point) in zip(rows, input) {
      let score = try alone.scoreAndUpdate([Float(point.x), Float(point.y)].span)
      #expect(row[1] == "\(score)" && score > 0)
    }
    #expect(try #require(Double(rows[50][1])) > 2)
  }

  @Test func aShingleIsFilledFirst() throws {
    let task = try SeededTask(Self.program(shingle: 4))
    try task.activate(.randomCutForest(Self.trained(shingle: 4)))
    let scores = task.rows(Self.input(40)).map { Double($0[1]) ?? -1 }
    #expect(scores[..<3].allSatisfy { $0 == 0 } && scores[3...].allSatisfy { $0 > 0 })
  }

  @Test func withoutAModelAForestWarmsUpAndIsNotReplaced() throws {
    let task = try SeededTask(Self.program(keyed: true))
    let before = task.rows(Self.input(10))
    #expect(before.allSatisfy { $0[1] == "0.0" })
    try task.activate(.randomCutForest(Self.trained()))
    // The key that is known goes on; another one begins with the trained forest.
    let rows = task.rows([("k0", 0, 0), ("new", 0, 0)])
    #expect(rows[0][1] == "0.0" && Double(rows[1][1]) ?? 0 > 0)
  }

  @Test func stateIsSavedAndRestoredWithTheModel() throws {
    let model = try Self.trained()
    let input = Self.input(200, keys: 3)
    let whole = try SeededTask(Self.program(keyed: true))
    try whole.activate(.randomCutForest(model))
    let expected = whole.rows(input)
    let first = try SeededTask(Self.program(keyed: true))
    try first.activate(.randomCutForest(model))
    let head = first.rows(Array(input[..<60]))
    var writer = StateWriter()
    first.dataflow.save(into: &writer, pool: first.pool)
    let second = try SeededTask(Self.program(keyed: true))
    try second.activate(.randomCutForest(model))
    try second.dataflow.restore(from: StateReader(writer.slices), pool: &second.pool)
    second.cause = first.cause
    #expect(head + second.rows(Array(input[60...])) == expected)
  }

  @Test func shapesThatDoNotFitAreRefused() throws {
    let task = try SeededTask(Self.program())
    let clusters = LearnedModel.kMeans(KMeansModel(centres: [1, 2], dimensions: 2))
    let cases: [(LearnedModel, String)] = [
      (clusters, "trained/1 is a kmeans model, RANDOM_CUT_FOREST begins with a randomcutforest"),
      (
        .randomCutForest(try Self.trained(trees: 21)),
        "trained/1 has 21 trees of 64 points of 2 × 1 values"
      ),
      (.randomCutForest(try Self.trained(sampleSize: 32)), "num_samples_per_tree=64"),
      (.randomCutForest(try Self.trained(features: 3)), "on rows of 2 features"),
      (.randomCutForest(try Self.trained(shingle: 2)), "shingle_size=1"),
    ]
    for (model, words) in cases {
      let error = #expect(throws: DataflowError.self) { try task.activate(model) }
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
    #expect(task.rows(Self.input(1))[0][1] == "0.0")
  }

  @Test func aDetectorKnowsScoresAndValuesFromTheFirstRowOn() throws {
    let task = try SeededTask(
      """
      CREATE STREAM O (GRADE DOUBLE, E VARCHAR(200), STATUS VARCHAR(16));
      CREATE PUMP P AS INSERT INTO O SELECT STREAM GRADE, EXPECTED, STATUS
      FROM TABLE(ML_DETECT_ANOMALIES(CURSOR(SELECT STREAM X, Y FROM S),
        number_of_trees => 20, sample_size => 64));
      """)
    try task.activate(.randomCutForest(Self.trained()))
    let rows = task.rows([("a", 9, 9), ("a", 0, 0), ("a", 0.1, 0)])
    #expect(rows.map { $0[2] } == ["SCORED", "SCORED", "SCORED"])
    #expect(try #require(Double(rows[0][0])) > 0.5 && rows[1][0] == "0.0")
    // The trained points lie around the origin.
    let expected = rows[0][1].split { "{}:,".contains($0) }.compactMap { Double($0) }
    #expect(expected.count == 2 && expected.allSatisfy { abs($0) < 0.1 })
  }
}
