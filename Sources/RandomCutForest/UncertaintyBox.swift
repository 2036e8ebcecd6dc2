/// How far a step may lie from what was expected before it stands out: the noise of the series, or
/// what the caller said to ignore.
struct UncertaintyBox {
  private let start: Int
  private let scales: [InputScale]
  /// The step as it was, in units of the input.
  private let actual: [Double]
  private let below: [Double]
  private let above: [Double]

  init(
    step: PredictorCorrector.Step, point: [Float], standing: Int, block: Int,
    configuration: ThresholdedConfiguration
  ) {
    start = standing * block
    scales = step.scales
    var actual: [Double] = []
    var below: [Double] = []
    var above: [Double] = []
    for coordinate in scales.indices {
      let scale = scales[coordinate]
      let value = scale.invert(point[start + coordinate])
      let path = Self.pathDeviation(
        point, from: standing, coordinate: coordinate, block: block,
        isDifferenced: configuration.transform.isDifferenced)
      var noise = max(scale.scale * path, step.stepDeviations[coordinate]) + 1e-3
      if scale.shift != 0 { noise += 1e-3 * (scale.scale + scale.shift.magnitude) }
      let low = configuration.tolerance(configuration.ignoreBelow, coordinate)
      let high = configuration.tolerance(configuration.ignoreAbove, coordinate)
      actual.append(value)
      below.append(max(noise, low.absolute, low.relative * value.magnitude))
      above.append(max(noise, high.absolute, high.relative * value.magnitude))
    }
    self.actual = actual
    self.below = below
    self.above = above
  }

  /// The mean step along the shingle up to the block that stands out.
  private static func pathDeviation(
    _ point: [Float], from standing: Int, coordinate: Int, block: Int, isDifferenced: Bool
  ) -> Double {
    var sum = 0.0
    var count = 0.0
    var at = coordinate
    while at + block < point.count {
      // The steps to and from what stands out are not noise.
      if at / block != standing && (isDifferenced || at / block + 1 != standing) {
        sum +=
          isDifferenced
          ? Double(point[at].magnitude) : Double((point[at + block] - point[at]).magnitude)
        count += 1
      }
      at += block
    }
    return count > 0 ? sum / count : 0
  }

  /// Whether another value in place of the one that stands out would be no surprise.
  func contains(_ point: [Float]) -> Bool {
    for coordinate in scales.indices {
      let expected = scales[coordinate].invert(point[start + coordinate])
      let difference = actual[coordinate] - expected
      if difference > above[coordinate] || -difference > below[coordinate] { return false }
    }
    return true
  }

  /// The step of a point that stands where this one does, in units of the input.
  func inputs(_ point: [Float]) -> [Double] {
    scales.indices.map { scales[$0].invert(point[start + $0]) }
  }
}
