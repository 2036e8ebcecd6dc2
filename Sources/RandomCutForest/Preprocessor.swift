/// Changes inputs into blocks of the forest's points and back, and keeps the statistics for it.
package struct Preprocessor: Equatable, Sendable {
  package let configuration: ThresholdedConfiguration
  package var statistics: [InputStatistics]
  /// Of the time between inputs.
  package var gap: Deviation
  package var previousTimestamp: Int64 = 0
  /// Real inputs so far.
  package var seen = 0
  /// Inputs held back, with their times, coordinates missing and shape.
  package var held: [HeldInput] = []
  /// Filled-in steps among the last shingle, as a count that real ones bring down.
  package var imputedInShingle = 0
  /// Fraction of the coordinates that were there.
  package var quality: Deviation

  package struct HeldInput: Equatable, Sendable {
    package var values: [Double]
    package var timestamp: Int64
    package var missing: [Int]
  }

  package init(_ configuration: ThresholdedConfiguration) {
    self.configuration = configuration
    statistics = [InputStatistics](
      repeating: InputStatistics(decay: configuration.transformDecay),
      count: configuration.inputDimensions)
    gap = Deviation(discount: configuration.transformDecay)
    quality = Deviation(discount: configuration.forest.timeDecay)
  }

  /// The transformation of each coordinate as of now.
  package var scales: [InputScale] {
    statistics.indices.map { i in
      InputScale(
        statistics[i], configuration.transform, weight: configuration.weight(i),
        floor: configuration.normalizationFloor)
    }
  }

  /// The transformation of the time between inputs.
  package var timeScale: InputScale {
    var scale = InputScale(
      statistics[0], .none, weight: configuration.weight(configuration.inputDimensions), floor: nil)
    guard configuration.transform.isNormalized else { return scale }
    scale.shift = gap.mean
    scale.scale = 2 * (max(gap.deviation, 0.1 * gap.mean.magnitude) + 1e-3)
    scale.isClipped = true
    return scale
  }

  /// The block of an input: its transformed coordinates, then the transformed time before it.
  package func block(_ values: [Double], timestamp: Int64, scales: [InputScale]) -> [Float] {
    var block = zip(scales, values).map { $0.transform($1) }
    if configuration.mode == .timeAugmented {
      let elapsed = seen == 0 ? 0 : Double(timestamp - previousTimestamp)
      block.append(timeScale.transform(elapsed))
    }
    return block
  }

  /// Takes in an input after it was scored.
  package mutating func update(_ values: [Double], timestamp: Int64, missing: [Int] = []) {
    for i in statistics.indices {
      statistics[i].update(values[i], isMissing: missing.contains(i))
    }
    if seen > 0 { gap.update(Double(timestamp - previousTimestamp)) }
    previousTimestamp = timestamp
    seen += 1
    let present = 1 - Double(missing.count) / Double(configuration.inputDimensions)
    quality.update(present)
  }

  /// Takes in a step that was filled in: values move on, time does not.
  package mutating func updateImputed(_ values: [Double]) {
    let all = Array(statistics.indices)
    for i in all { statistics[i].update(values[i], isMissing: true) }
    imputedInShingle = min(configuration.forest.shingleSize, imputedInShingle + 1)
    quality.update(0)
  }

  /// Steps that a time difference makes up: 1 for an ordinary one.
  package func steps(to timestamp: Int64) -> Int {
    guard seen > 0, gap.count > 0 else { return 1 }
    var mean = gap.mean
    let deviation = gap.deviation
    if deviation > 0, deviation < mean / 2 { mean -= deviation * deviation / (2 * mean) }
    guard mean > 0 else { return 1 }
    let ratio = Double(timestamp - previousTimestamp) / mean
    return ratio >= 1.5 ? ceiling(min(ratio, 1e9)) : 1
  }

  /// Whether the present shingle is real enough to be learned.
  package var isLearnable: Bool {
    Double(imputedInShingle)
      < configuration.useImputedFraction * Double(configuration.forest.shingleSize)
      || imputedInShingle == 0
  }

  /// How much is known: 0 until answers begin, towards 1 as points take each other's place.
  package var confidence: Double {
    let decay = configuration.forest.timeDecay
    let exponent = decay * Double(seen)
    guard exponent > 0 else { return 0 }
    if exponent >= 20 { return min(1, quality.mean) }
    let start = decay * Double(min(seen, configuration.forest.outputAfter))
    let known = (exponential(exponent) - exponential(start)) / exponentialM1(exponent)
    return min(1, max(0, quality.mean * known))
  }
}
