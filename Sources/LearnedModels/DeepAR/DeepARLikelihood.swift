public import RandomCutForest

/// The law that DeepAR predicts for a value.
public enum DeepARLikelihood: String, Hashable, Sendable, CaseIterable {
  /// Real values, bursts among them.
  case studentT = "student-T"
  /// Real values.
  case gaussian
  /// Counts.
  case negativeBinomial = "negative-binomial"
  /// Values between 0 and 1.
  case beta
  /// A point, no law.
  case deterministicL1 = "deterministic-L1"

  /// How many numbers the network gives out.
  package var outputCount: Int {
    switch self {
    case .studentT: 3
    case .gaussian, .negativeBinomial, .beta: 2
    case .deterministicL1: 1
    }
  }

  /// The least spread of a law, in units of the scale.
  package static let leastSpread = 1e-5

  /// The law that outputs of the network stand for, for a series of this scale.
  package func distribution(outputs: some Collection<Float>, scale: Double) -> DeepARDistribution {
    var values = outputs.lazy.map(Double.init).makeIterator()
    let first = values.next() ?? 0
    let second = values.next() ?? 0
    let third = values.next() ?? 0
    switch self {
    case .studentT:
      return DeepARDistribution(
        likelihood: self, first: 2 + softplus(first), second: second * scale,
        third: (softplus(third) + Self.leastSpread) * scale)
    case .gaussian:
      return DeepARDistribution(
        likelihood: self, first: first * scale,
        second: (softplus(second) + Self.leastSpread) * scale)
    case .negativeBinomial:
      let count = softplus(first) + Self.leastSpread
      return DeepARDistribution(
        likelihood: self, first: count,
        second: count * exponential(min(max(second, -40), 40)) * scale)
    case .beta:
      return DeepARDistribution(
        likelihood: self, first: softplus(first) + Self.leastSpread,
        second: softplus(second) + Self.leastSpread)
    case .deterministicL1: return DeepARDistribution(likelihood: self, first: first * scale)
    }
  }
}

/// The logarithm of 1 + exp(x).
package func softplus(_ x: Double) -> Double {
  x > 30 ? x : logarithm1p(exponential(x))
}

/// The predicted law of one value.
public struct DeepARDistribution: Hashable, Sendable {
  /// The family of the law.
  public let likelihood: DeepARLikelihood
  /// The degrees of freedom; of a Gaussian the middle, of a negative binomial the count of failures,
  /// of a beta law the first exponent.
  let first: Double
  /// The middle; of a Gaussian the spread, of a negative binomial the mean, of a beta law the second
  /// exponent.
  let second: Double
  /// The spread of a Student law.
  let third: Double

  package init(
    likelihood: DeepARLikelihood, first: Double, second: Double = 0, third: Double = 0
  ) {
    self.likelihood = likelihood
    self.first = first
    self.second = second
    self.third = third
  }

  /// The expected value.
  public var mean: Double {
    switch likelihood {
    case .studentT, .negativeBinomial: second
    case .gaussian, .deterministicL1: first
    case .beta: first / (first + second)
    }
  }

  /// The probability of a value of at most `value`; 0 or 1 for a law that is a point.
  public func cumulative(_ value: Double) -> Double {
    switch likelihood {
    case .studentT:
      studentCumulative((value - second) / third, degrees: first)
    case .gaussian: normalCumulative((value - first) / second)
    case .negativeBinomial:
      value < 0
        ? 0 : regularizedBeta(first / (first + second), first, flooring(value) + 1)
    case .beta: regularizedBeta(min(max(value, 0), 1), first, second)
    case .deterministicL1: value < first ? 0 : 1
    }
  }

  /// How probable a value is that lies at least as far out as `value`, on either side.
  ///
  /// Small for an anomaly; nil for a law that is a point.
  public func tailProbability(_ value: Double) -> Double? {
    switch likelihood {
    case .deterministicL1: return nil
    case .negativeBinomial:
      let atMost = cumulative(value)
      let below = value < 1 ? 0 : cumulative(value - 1)
      return min(1, 2 * min(atMost, 1 - below))
    case .studentT, .gaussian:
      let middle = likelihood == .studentT ? second : first
      // The lower tail is exact where the upper one would be the rest to 1.
      return min(1, 2 * cumulative(middle - (value - middle).magnitude))
    case .beta:
      let atMost = cumulative(value)
      return min(1, 2 * min(atMost, 1 - atMost))
    }
  }

  /// The value that is exceeded with probability `1 - probability`; 0 < probability < 1.
  public func quantile(_ probability: Double) -> Double {
    switch likelihood {
    case .studentT: second + third * studentQuantile(probability, degrees: first)
    case .gaussian: first + second * normalQuantile(probability)
    case .negativeBinomial: countQuantile(probability)
    case .beta: betaQuantile(probability)
    case .deterministicL1: first
    }
  }

  private func countQuantile(_ probability: Double) -> Double {
    var high = max(1, flooring(second * 2))
    while cumulative(high) < probability, high < 1e15 { high *= 2 }
    var low = -1.0
    while high - low > 1 {
      let middle = flooring((low + high) / 2)
      if cumulative(middle) < probability { low = middle } else { high = middle }
    }
    return high
  }

  private func betaQuantile(_ probability: Double) -> Double {
    var low = 0.0
    var high = 1.0
    for _ in 0..<50 {
      let middle = (low + high) / 2
      if cumulative(middle) < probability { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// A random value of this law.
  public func sample(_ random: inout SplitMix64) -> Double {
    switch likelihood {
    case .studentT:
      let normal = standardNormal(&random)
      let spread = standardGamma(first / 2, &random) * 2 / first
      return second + third * normal / max(spread, 1e-300).squareRoot()
    case .gaussian: return first + second * standardNormal(&random)
    case .negativeBinomial:
      return poisson(standardGamma(first, &random) * second / first, &random)
    case .beta:
      let one = standardGamma(first, &random)
      let other = standardGamma(second, &random)
      return one + other > 0 ? one / (one + other) : 0.5
    case .deterministicL1: return first
    }
  }
}

/// The greatest whole number not above x; x itself beyond 2⁵³.
func flooring(_ x: Double) -> Double {
  guard x.magnitude < 9e15 else { return x }
  let whole = Double(Int64(x))
  return whole > x ? whole - 1 : whole
}
