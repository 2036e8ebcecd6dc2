package import LearnedModels
import RandomCutForest

/// The negative logarithm of a value's likelihood, in units of the scale, and its slopes.
///
/// Leaving the scale out of the density makes the losses of series of any size comparable.
package struct DeepARLoss {
  /// The loss.
  package private(set) var value = 0.0
  /// Its derivatives by the network's outputs; as many as the likelihood has.
  package private(set) var slopes = (0.0, 0.0, 0.0)

  package init(
    _ likelihood: DeepARLikelihood, outputs: (Double, Double, Double), value: Double,
    scale: Double
  ) {
    switch likelihood {
    case .studentT: studentT(outputs, value / scale)
    case .gaussian: gaussian(outputs, value / scale)
    case .negativeBinomial: negativeBinomial(outputs, value, scale)
    case .beta: beta(outputs, value)
    case .deterministicL1:
      let distance = outputs.0 - value / scale
      self.value = distance.magnitude
      slopes.0 = distance > 0 ? 1 : distance < 0 ? -1 : 0
    }
  }

  private mutating func studentT(_ outputs: (Double, Double, Double), _ y: Double) {
    let degrees = 2 + softplus(outputs.0)
    let spread = softplus(outputs.2) + DeepARLikelihood.leastSpread
    let distance = (y - outputs.1) / spread
    let square = distance * distance
    let tail = logarithm1p(square / degrees)
    let pull = (degrees + 1) / (degrees + square)
    value =
      logGamma(degrees / 2) - logGamma((degrees + 1) / 2)
      + 0.5 * logarithm(degrees * Double.pi) + logarithm(spread) + (degrees + 1) / 2 * tail
    slopes.0 =
      0.5
      * (digamma(degrees / 2) - digamma((degrees + 1) / 2) + 1 / degrees + tail
        - pull * square / degrees) * softplusSlope(outputs.0)
    slopes.1 = -pull * distance / spread
    slopes.2 = (1 - pull * square) / spread * softplusSlope(outputs.2)
  }

  private mutating func gaussian(_ outputs: (Double, Double, Double), _ y: Double) {
    let spread = softplus(outputs.1) + DeepARLikelihood.leastSpread
    let distance = (y - outputs.0) / spread
    value = logarithm(spread) + 0.5 * distance * distance + 0.918_938_533_204_672_74
    slopes.0 = -distance / spread
    slopes.1 = (1 - distance * distance) / spread * softplusSlope(outputs.1)
  }

  private mutating func negativeBinomial(
    _ outputs: (Double, Double, Double), _ count: Double, _ scale: Double
  ) {
    let failures = softplus(outputs.0) + DeepARLikelihood.leastSpread
    let odds = outputs.1 + logarithm(scale)
    value =
      logGamma(failures) + logGamma(count + 1) - logGamma(count + failures)
      + failures * softplus(odds) + count * softplus(-odds)
    slopes.0 =
      (digamma(failures) - digamma(count + failures) + softplus(odds))
      * softplusSlope(outputs.0)
    slopes.1 = (failures + count) * softplusSlope(odds) - count
  }

  private mutating func beta(_ outputs: (Double, Double, Double), _ value: Double) {
    let y = min(max(value, 1e-6), 1 - 1e-6)
    let first = softplus(outputs.0) + DeepARLikelihood.leastSpread
    let second = softplus(outputs.1) + DeepARLikelihood.leastSpread
    let (low, high) = (logarithm(y), logarithm1p(-y))
    self.value =
      logGamma(first) + logGamma(second) - logGamma(first + second) - (first - 1) * low
      - (second - 1) * high
    let both = digamma(first + second)
    slopes.0 = (digamma(first) - both - low) * softplusSlope(outputs.0)
    slopes.1 = (digamma(second) - both - high) * softplusSlope(outputs.1)
  }
}

private func softplusSlope(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }
