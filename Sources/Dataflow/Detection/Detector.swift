import Columns
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

  /// Reads the options of a call.
  ///
  /// - Throws: `DataflowError` for an option that does not exist or is out of range.
  init(_ options: [DetectAnomaliesParameters.Option]) throws(DataflowError) {
    var decay: Int?
    for option in options {
      switch option.name {
      case "number_of_trees": numberOfTrees = try Self.whole(option, 1...1_000)
      case "sample_size": sampleSize = try Self.whole(option, 10...1_000)
      case "shingle_size": shingleSize = try Self.whole(option, 1...512)
      case "time_decay": decay = try Self.whole(option, 1...2_147_483_647)
      case "sensitivity": sensitivity = try Self.number(option, 2...20)
      default:
        throw DataflowError(
          "\(option.position.line):\(option.position.column): ML_DETECT_ANOMALIES has no option "
            + "\(option.name); there are number_of_trees, sample_size, shingle_size, time_decay, "
            + "sensitivity and time")
      }
    }
    timeDecay = decay ?? 10 * sampleSize
  }

  private static func number(
    _ option: DetectAnomaliesParameters.Option, _ range: ClosedRange<Double>
  ) throws(DataflowError) -> Double {
    var value: Double?
    switch option.value {
    case .integer(let stored): value = Double(stored) / Double(powersOfTen[option.type.scale])
    case .double(let stored): value = stored
    case .null, .bytes: value = nil
    }
    guard let value, range.contains(value) else {
      throw DataflowError(
        "\(option.position.line):\(option.position.column): \(option.name) is a number from "
          + "\(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private static func whole(
    _ option: DetectAnomaliesParameters.Option, _ range: ClosedRange<Int>
  ) throws(DataflowError) -> Int {
    Int(try number(option, Double(range.lowerBound)...Double(range.upperBound)))
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
    self.parameters = parameters
    forest = try RandomCutForest(Self.configuration(parameters, features: count, seed: seed))
    thresholder = Thresholder(
      timeDecay: 1 / Double(parameters.timeDecay), zFactor: parameters.sensitivity,
      isShingled: parameters.shingleSize > 1)
    features = [DiscountedDeviation](
      repeating: DiscountedDeviation(discount: 1 / Double(parameters.sampleSize)), count: count)
  }

  /// Judges a record and learns it.
  mutating func detect(_ point: [Double]) throws(ForestError) -> Detection {
    var detection = Detection()
    let input = point.map { Float($0) }
    let attribution = try forest.attribution(input.span)
    detection.score = try forest.scoreAndUpdate(input.span)
    detection.isWarm = detection.score > 0
    if detection.isWarm {
      (detection.threshold, detection.grade) = thresholder.grade(detection.score)
      detection.confidence =
        1 - DeterministicMath.exp(-Double(seen) / Double(parameters.sampleSize))
      detection.expected = features.map { $0.mean }
      detection.spread = features.map { parameters.sensitivity * $0.deviation }
      detection.attribution = [Double](repeating: 0, count: point.count)
      for index in attribution.high.indices {
        detection.attribution[index % point.count] +=
          attribution.high[index] + attribution.low[index]
      }
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
