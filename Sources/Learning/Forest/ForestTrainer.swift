import LearnedModels
import RandomCutForest

/// Trains a forest: one uniform sample without replacement, divided among the trees.
///
/// When there are too few rows to give each tree its own, every tree draws its sample from all of
/// them, again without replacement.
enum ForestTrainer {
  private static let blockSize = 4_096
  /// Rows whose scores set the threshold.
  private static let scoredLimit = 20_000

  static func train(
    _ request: TrainingRequest, on source: any RowSource, test: (any RowSource)?,
    progress: TrainingProgress
  ) throws(TrainingError) -> TrainingResult {
    let settings: ForestSettings
    do {
      settings = try ForestSettings(request.hyperparameters, featureCount: source.featureCount)
    } catch {
      throw .hyperparameter(error)
    }
    let source: any RowSource =
      settings.shingleSize == 1 ? source : ShingledRows(source, settings.shingleSize)
    let test =
      settings.shingleSize == 1 ? test : test.map { ShingledRows($0, settings.shingleSize) }
    var random = SplitMix64(seed: request.seed)
    let (sample, rowCount) = try reservoir(settings, source, progress: progress, &random)
    let forest = try grow(settings, sample, source.featureCount, progress: progress, &random)
    var scorer = ForestScorer(forest: forest)
    var scores = ScoreStatistics()
    var rows = try RowPass(source, "scoring the training rows", progress: progress)
    while rows.rowsRead < scoredLimit, try rows.next(limit: blockSize) {
      for score in try scorer.scores(rows.block.values) { scores.add(score) }
    }
    let model = FrozenForest(
      scorer.finish(), scoreMean: scores.mean, scoreDeviation: scores.deviation)
    var metrics: [Metric] = []
    if let test { metrics = try evaluate(model, on: test, settings, progress: progress) }
    return TrainingResult(
      model: .randomCutForest(model), metrics: metrics, rowCount: rowCount)
  }

  /// A uniform sample without replacement of as many rows as all trees hold, in random order.
  private static func reservoir(
    _ settings: ForestSettings, _ source: any RowSource, progress: TrainingProgress,
    _ random: inout SplitMix64
  ) throws(TrainingError) -> (rows: [Float], count: Int) {
    let width = source.featureCount
    let capacity = settings.treeCount * settings.sampleSize
    var sample: [Float] = []
    var held = 0
    var seen: UInt64 = 0
    var rows = try RowPass(source, "sampling", progress: progress)
    while try rows.next(limit: blockSize) {
      for row in 0..<rows.block.count {
        seen += 1
        let values = rows.block.values[(row * width)..<((row + 1) * width)]
        if held < capacity {
          sample.append(contentsOf: values)
          held += 1
          continue
        }
        let place = Int(random.next(upperBound: seen))
        guard place < capacity else { continue }
        sample.replaceSubrange((place * width)..<((place + 1) * width), with: values)
      }
    }
    guard held >= 2 else {
      throw .data(
        DataError(
          message: "there are \(held) rows", hint: "a forest needs at least 2 different rows"))
    }
    let first = sample[0..<width]
    guard (1..<held).contains(where: { sample[($0 * width)..<(($0 + 1) * width)] != first }) else {
      throw .data(
        DataError(
          message: "all rows are equal, so that there is nothing to cut",
          hint: "give rows that differ in at least one column"))
    }
    return (sample, rows.rowsRead)
  }

  private static func grow(
    _ settings: ForestSettings, _ sample: [Float], _ width: Int, progress: TrainingProgress,
    _ random: inout SplitMix64
  ) throws(TrainingError) -> RandomCutForest {
    let held = sample.count / width
    let perTree = min(settings.sampleSize, held)
    do {
      var forest = try RandomCutForest(
        ForestConfiguration(
          dimensions: width, shingleSize: settings.shingleSize, sampleSize: settings.sampleSize,
          numberOfTrees: settings.treeCount, timeDecay: 0, outputAfter: 1, seed: random.next(),
          internalShingling: settings.shingleSize == 1))
      var order = Array(0..<held)
      var used = held
      for tree in 0..<settings.treeCount {
        try progress.check()
        progress.report(
          TrainingStage("growing trees", fraction: Double(tree) / Double(settings.treeCount)))
        if held - used < perTree {
          for index in stride(from: held - 1, to: 0, by: -1) {
            order.swapAt(index, Int(random.next(upperBound: UInt64(index + 1))))
          }
          used = 0
        }
        for index in used..<(used + perTree) {
          let start = order[index] * width
          try forest.learn(sample.span.extracting(start..<(start + width)), inTree: tree)
        }
        used += perTree
      }
      return forest
    } catch let error as TrainingError {
      throw error
    } catch {
      throw .data(DataError(message: "the forest refuses the rows: \(error)"))
    }
  }

  /// Labels by the 3-sigma rule over the scores of the test rows, against the given labels.
  private static func evaluate(
    _ model: FrozenForest, on test: any RowSource, _ settings: ForestSettings,
    progress: TrainingProgress
  ) throws(TrainingError) -> [Metric] {
    guard test.isLabelled else {
      throw .data(
        DataError(
          message: "the test rows have no labels",
          hint: "put 0 or 1 into the first column and say --label-size 1"))
    }
    var scorer: ForestScorer
    do {
      scorer = ForestScorer(forest: try model.makeForest())
    } catch {
      throw .diverged(reason: "\(error)", hint: "train again")
    }
    var rows = try RowPass(test, "measuring test", progress: progress)
    var scores: [Double] = []
    var labels: [Bool] = []
    var statistics = ScoreStatistics()
    while try rows.next(limit: blockSize) {
      for score in try scorer.scores(rows.block.values) {
        scores.append(score)
        statistics.add(score)
      }
      for (row, label) in rows.block.labels.enumerated() {
        guard label == 0 || label == 1 else {
          throw .data(
            DataError(
              place: "test row \(rows.rowsRead - rows.block.count + row + 1)",
              message: "the label is \(label)",
              hint: "1 marks an anomaly and 0 an ordinary row"))
        }
        labels.append(label == 1)
      }
    }
    guard !scores.isEmpty else { throw .data(DataError(message: "the test data have no rows")) }
    let threshold = statistics.mean + 3 * statistics.deviation
    let metrics = settings.metrics.flatMap { metric in
      Confusion(scores, labels, threshold: threshold).metrics(metric)
    }
    for metric in metrics { _ = progress.measured(metric) }
    return metrics
  }
}

/// The hyperparameters of a forest: SageMaker's, and one of ours.
struct ForestSettings {
  static let known = [
    "feature_dim", "num_trees", "num_samples_per_tree", "eval_metrics", "shingle_size",
  ]

  let treeCount: Int
  let sampleSize: Int
  /// Ours: consecutive rows that make one point.
  let shingleSize: Int
  let metrics: [String]

  init(_ texts: [String: String], featureCount: Int) throws(HyperparameterError) {
    let parameters = try Hyperparameters(texts, known: Self.known)
    _ = try parameters.integer("feature_dim", in: 1...10_000, default: featureCount)
    try parameters.check(featureCount: featureCount)
    treeCount = try parameters.integer("num_trees", in: 50...1_000, default: 100)
    sampleSize = try parameters.integer("num_samples_per_tree", in: 1...2_048, default: 256)
    shingleSize = try parameters.integer(
      "shingle_size", in: 1...max(1, 10_000 / featureCount), default: 1)
    metrics = try parameters.words(
      "eval_metrics", of: ["accuracy", "precision_recall_fscore"],
      default: ["accuracy", "precision_recall_fscore"])
  }
}

/// A forest that scores blocks of rows and learns nothing from them.
private struct ForestScorer: ~Copyable {
  var forest: RandomCutForest

  mutating func scores(_ values: [Float]) throws(TrainingError) -> [Double] {
    let width = forest.configuration.pointLength
    var scores: [Double] = []
    scores.reserveCapacity(values.count / width)
    do {
      for start in stride(from: 0, to: values.count, by: width) {
        scores.append(try forest.score(values.span.extracting(start..<(start + width))))
      }
    } catch {
      throw .data(DataError(message: "the forest refuses a row: \(error)"))
    }
    return scores
  }

  consuming func finish() -> RandomCutForest { forest }
}

/// Mean and standard deviation of scores, by Welford's recurrence.
struct ScoreStatistics {
  private var count = 0.0
  private(set) var mean = 0.0
  private var squares = 0.0

  mutating func add(_ score: Double) {
    count += 1
    let difference = score - mean
    mean += difference / count
    squares += difference * (score - mean)
  }

  var deviation: Double { count > 0 ? (squares / count).squareRoot() : 0 }
}

/// How labels and scores over a threshold agree.
struct Confusion {
  private var truePositives = 0.0
  private var falsePositives = 0.0
  private var falseNegatives = 0.0
  private var trueNegatives = 0.0

  init(_ scores: [Double], _ labels: [Bool], threshold: Double) {
    for (score, label) in zip(scores, labels) {
      switch (score > threshold, label) {
      case (true, true): truePositives += 1
      case (true, false): falsePositives += 1
      case (false, true): falseNegatives += 1
      case (false, false): trueNegatives += 1
      }
    }
  }

  /// The figures of one of SageMaker's evaluation metrics; a ratio without cases is 0.
  func metrics(_ name: String) -> [Metric] {
    func ratio(_ part: Double, _ whole: Double) -> Double { whole > 0 ? part / whole : 0 }
    if name == "accuracy" {
      let right = truePositives + trueNegatives
      return [
        Metric("test:accuracy", ratio(right, right + falsePositives + falseNegatives), step: 1)
      ]
    }
    let precision = ratio(truePositives, truePositives + falsePositives)
    let recall = ratio(truePositives, truePositives + falseNegatives)
    return [
      Metric("test:precision", precision, step: 1), Metric("test:recall", recall, step: 1),
      Metric("test:f1", ratio(2 * precision * recall, precision + recall), step: 1),
    ]
  }
}
