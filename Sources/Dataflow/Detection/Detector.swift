import Columns
import LearnedModels
import RandomCutForest
import StreamSQL

/// The parameters of `ML_DETECT_ANOMALIES`.
struct DetectorParameters {
  var numberOfTrees = 50
  var sampleSize = 256
  var shingleSize = 1
  /// Records after which a point counts 1/e of its weight.
  var timeDecay = 2_560
  /// How many deviations above the mean the threshold lies.
  var sensitivity = 3.0

  /// Takes the options of a call, which the compiler has checked.
  init(_ options: [DetectAnomaliesParameters.Option]) {
    var decay: Int?
    for option in options {
      switch option.name {
      case "number_of_trees": numberOfTrees = Int(option.value)
      case "sample_size": sampleSize = Int(option.value)
      case "shingle_size": shingleSize = Int(option.value)
      case "time_decay": decay = Int(option.value)
      case "sensitivity": sensitivity = option.value
      default: preconditionFailure("the compiler lets no option \(option.name) pass")
      }
    }
    timeDecay = decay ?? 10 * sampleSize
  }
}

/// What a detector says about a record.
struct Detection {
  var score = 0.0
  var grade = 0.0
  var confidence = 0.0
  var threshold = 0.0
  /// Whether the detector has seen enough to score.
  var isWarm = false
  /// By feature; empty while warming up.
  var expected: [Double] = []
  var spread: [Double] = []
  var attribution: [Double] = []
}

/// Finds anomalies in a stream of records: a random cut forest, a threshold that follows its scores, and the
/// features' discounted means as expectation.
///
/// A value of its own, so that another detector can take its place behind the same SQL.
struct Detector: ~Copyable {
  private var forest: RandomCutForest
  private var thresholder: Thresholder
  private var features: [DiscountedDeviation]
  private let parameters: DetectorParameters
  private var seen: Int64 = 0

  static func configuration(
    _ parameters: DetectorParameters, features: Int, seed: UInt64
  ) -> ForestConfiguration {
    ForestConfiguration(
      dimensions: features * parameters.shingleSize, shingleSize: parameters.shingleSize,
      sampleSize: parameters.sampleSize, numberOfTrees: parameters.numberOfTrees,
      timeDecay: 1 / Double(parameters.timeDecay),
      outputAfter: max(parameters.shingleSize, parameters.sampleSize / 4), seed: seed)
  }

  init(_ parameters: DetectorParameters, features count: Int, seed: UInt64) throws(ForestError) {
    self.init(
      parameters, features: count,
      forest: try RandomCutForest(Self.configuration(parameters, features: count, seed: seed)))
  }

  private init(
    _ parameters: DetectorParameters, features count: Int, forest: consuming RandomCutForest
  ) {
    self.parameters = parameters
    self.forest = forest
    thresholder = Thresholder(
      timeDecay: 1 / Double(parameters.timeDecay), zFactor: parameters.sensitivity,
      isShingled: parameters.shingleSize > 1)
    features = [DiscountedDeviation](
      repeating: DiscountedDeviation(discount: 1 / Double(parameters.sampleSize)), count: count)
  }

  /// A detector that begins with a forest trained before, and with what that knows of scores and
  /// values; the forest must have the detector's shape.
  init(
    _ parameters: DetectorParameters, features count: Int, trained: FrozenForest
  ) throws {
    let decay = 1 / Double(parameters.timeDecay)
    self.init(
      parameters, features: count, forest: try trained.makeStreamingForest(timeDecay: decay))
    thresholder.settle(mean: trained.scoreMean, deviation: trained.scoreDeviation)
    let (mean, deviation) = forest.sampleMoments()
    for index in features.indices {
      features[index].settle(mean: mean[index], deviation: deviation[index])
    }
    seen = Int64(trained.treeCount * trained.sampleSize)
  }

  /// Bytes of the forest's arrays.
  var byteCount: Int { forest.byteCount }

  /// Judges a record and learns it, and says which features made the score.
  mutating func detectWithAttribution(_ point: [Double]) throws(ForestError) -> Detection {
    let input = point.map { Float($0) }
    let attribution = try forest.attribution(input.span)
    var detection = judge(point, score: try forest.scoreAndUpdate(input.span))
    if detection.isWarm {
      detection.attribution = [Double](repeating: 0, count: point.count)
      for index in attribution.high.indices {
        detection.attribution[index % point.count] +=
          attribution.high[index] + attribution.low[index]
      }
    }
    return detection
  }

  /// Judges records one after the other and learns them.
  ///
  /// - Parameters:
  ///   - points: The records' features, record after record.
  ///   - body: Takes what is said about each record, by its number.
  /// - Throws: Before anything is learned, when a value cannot be used.
  mutating func detect(
    _ points: [Double], then body: (Int, Detection) -> Void
  ) throws(ForestError) {
    let width = features.count
    let count = points.count / width
    let scores = try scoreAndUpdate(points.map { Float($0) }, count: count)
    for number in 0..<count {
      let point = Array(points[number * width..<(number + 1) * width])
      body(number, judge(point, score: scores[number]))
    }
  }

  private mutating func scoreAndUpdate(
    _ points: [Float], count: Int
  ) throws(ForestError) -> [Double] {
    var scores = [Double](repeating: 0, count: count)
    do {
      var span = scores.mutableSpan
      try forest.scoreAndUpdate(points: points.span, count: count, into: &span)
    }
    return scores
  }

  /// Grades the score of a record and lets threshold and expectation follow.
  private mutating func judge(_ point: [Double], score: Double) -> Detection {
    var detection = Detection()
    detection.score = score
    detection.isWarm = score > 0
    if detection.isWarm {
      (detection.threshold, detection.grade) = thresholder.grade(detection.score)
      detection.confidence =
        1 - DeterministicMath.exp(-Double(seen) / Double(parameters.sampleSize))
      detection.expected = features.map { $0.mean }
      detection.spread = features.map { parameters.sensitivity * $0.deviation }
      thresholder.update(detection.score)
    }
    for index in point.indices { features[index].update(point[index]) }
    seen += 1
    return detection
  }

  mutating func save(into writer: inout SectionWriter) {
    writer.write(seen)
    thresholder.save(into: &writer)
    for feature in features { feature.save(into: &writer) }
    writer.write(forest.snapshot())
  }

  mutating func restore(from reader: inout SectionReader) throws(StateError) {
    seen = try reader.integer()
    try thresholder.restore(from: &reader)
    for index in features.indices { try features[index].restore(from: &reader) }
    let bytes = try reader.byteArray()
    do {
      forest = try RandomCutForest(snapshot: bytes.span)
    } catch {
      throw reader.failure("\(error)")
    }
  }
}
