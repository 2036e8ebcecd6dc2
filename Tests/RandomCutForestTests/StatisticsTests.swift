import Foundation
import RandomCutForest
import Testing

/// Means over 20 seeds against those of AWS's implementation, each within 3·sd·√(2/20).
@Suite(.enabled(if: Fixtures.isPresent)) struct StatisticsTests {
  static let spikes = [1500, 1977, 2523, 3011, 3489, 4002, 4474]
  static let count = 5000

  /// The sine with its spikes, +12 and -12 in turn.
  static func spikedSine(seed: UInt64) -> [Float] {
    var noise = Gaussian(seed: seed)
    return (0..<count).map { t in
      var value = 10 * sin(2 * .pi * Double(t) / 50) + noise.next()
      if let spike = spikes.firstIndex(of: t) { value += spike % 2 == 0 ? 12 : -12 }
      return Float(value)
    }
  }

  /// Probability that an anomaly scores above a normal point.
  static func auc(_ anomalies: [Double], _ normals: [Double]) -> Double {
    let sorted = normals.sorted()
    var sum = 0.0
    for score in anomalies {
      let below = sorted.partitioningIndex { $0 >= score }
      let upTo = sorted.partitioningIndex { $0 > score }
      sum += Double(below) + 0.5 * Double(upTo - below)
    }
    return sum / Double(anomalies.count * normals.count)
  }

  static func expect(
    _ values: [Double], like experiment: String, _ metric: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let target = try Fixtures.statistic(experiment, metric)
    let mean = values.reduce(0, +) / Double(values.count)
    // A rank statistic of 7 anomalies moves in steps; a pair or two is no difference.
    let step = metric.hasPrefix("auc") ? 1e-5 : 1e-9
    let tolerance = 3 * target.sd * (2.0 / 20).squareRoot() + step
    // Errors may be smaller than AWS's.
    let isError = metric.contains("rmse")
    #expect(
      isError ? mean <= target.mean + tolerance : abs(mean - target.mean) <= tolerance,
      "\(experiment) \(metric): \(mean), AWS \(target.mean) ± \(tolerance)",
      sourceLocation: sourceLocation)
  }

  @Test(arguments: [(1, 50), (4, 50), (8, 50), (16, 50), (8, 100)])
  func sineWithSpikes(_ test: (shingle: Int, trees: Int)) throws {
    var metrics: [String: [Double]] = [:]
    // Two forests on each of the 20 series; five where the spikes are weakest, whose ranks have a
    // heavy tail.
    for seed in 1...(test.shingle == 16 ? 100 : 40) as ClosedRange<UInt64> {
      var forest = try RandomCutForest(
        ForestConfiguration(
          dimensions: test.shingle, shingleSize: test.shingle, numberOfTrees: test.trees, seed: seed
        ))
      let scores = try ReproducibilityTests.pointScores(
        &forest, Self.spikedSine(seed: 1001 + (seed - 1) % 20))
      let normal = (1000..<Self.count).filter { t in
        !Self.spikes.contains { $0 <= t && t < $0 + 20 }
      }.map { scores[$0] }
      let atIndex = Self.spikes.map { scores[$0] }
      let windowMax = Self.spikes.map { scores[$0..<$0 + test.shingle].max()! }
      let mean = normal.reduce(0, +) / Double(normal.count)
      let squares = normal.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let sorted = normal.sorted()
      metrics["normal_mean", default: []].append(mean)
      metrics["normal_sd", default: []].append((squares / Double(normal.count)).squareRoot())
      metrics["normal_p50", default: []].append(sorted[sorted.count / 2])
      metrics["normal_p99", default: []].append(sorted[sorted.count * 99 / 100])
      metrics["mean_score_all_t100_5000", default: []].append(
        scores[100...].reduce(0, +) / Double(Self.count - 100))
      metrics["anom_mean_at_index", default: []].append(atIndex.reduce(0, +) / 7)
      metrics["anom_mean_windowmax", default: []].append(windowMax.reduce(0, +) / 7)
      metrics["auc_at_index", default: []].append(Self.auc(atIndex, normal))
      metrics["auc_windowmax", default: []].append(Self.auc(windowMax, normal))
    }
    for (metric, values) in metrics.sorted(by: { $0.key < $1.key }) {
      try Self.expect(
        values, like: "sine_spikes_shingle\(test.shingle)_trees\(test.trees)", metric)
    }
  }

  @Test(arguments: [1, 4, 8, 48])
  func gaussWithOutliers(dimensions: Int) throws {
    var metrics: [String: [Double]] = [:]
    let far = [Float](
      repeating: Float((Double(dimensions).squareRoot() + 5) / Double(dimensions).squareRoot()),
      count: dimensions)
    let origin = [Float](repeating: 0, count: dimensions)
    for seed in 1...20 as ClosedRange<UInt64> {
      var forest = try RandomCutForest(ForestConfiguration(dimensions: dimensions, seed: seed))
      var noise = Gaussian(seed: 2000 + seed)
      var normal: [Double] = []
      var outliers: [Double] = []
      for t in 0..<3000 {
        let isOutlier = t >= 1000 && t % 200 == 0
        let point = isOutlier ? far : (0..<dimensions).map { _ in Float(noise.next()) }
        let score = try forest.scoreAndUpdate(point.span)
        if isOutlier { outliers.append(score) } else if t >= 1000 { normal.append(score) }
      }
      let mean = normal.reduce(0, +) / Double(normal.count)
      let squares = normal.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      metrics["normal_mean", default: []].append(mean)
      metrics["normal_sd", default: []].append((squares / Double(normal.count)).squareRoot())
      metrics["anom_mean", default: []].append(outliers.reduce(0, +) / Double(outliers.count))
      metrics["auc", default: []].append(Self.auc(outliers, normal))
      metrics["score_at_origin_end", default: []].append(try forest.score(origin.span))
      let attribution = try forest.attribution(far.span)
      metrics["attribution_high_share_far_point", default: []].append(
        attribution.high.reduce(0, +) / attribution.total)
      metrics["attribution_sum_over_score", default: []].append(
        attribution.total / (try forest.score(far.span)))
      let manifold = Double(min(dimensions, 3))
      metrics["density_at_origin", default: []].append(
        try forest.interpolation(origin.span).density(manifoldDimension: manifold))
      metrics["density_far", default: []].append(
        try forest.interpolation(far.span).density(manifoldDimension: manifold))
    }
    for (metric, values) in metrics.sorted(by: { $0.key < $1.key }) {
      try Self.expect(values, like: "gauss_outlier_d\(dimensions)_trees50", metric)
    }
  }

  @Test func forecastsOfASine() throws {
    var metrics: [String: [Double]] = [:]
    for seed in 1...20 as ClosedRange<UInt64> {
      var forest = try RandomCutForest(
        ForestConfiguration(dimensions: 16, shingleSize: 16, seed: seed))
      let input = sine(seed: 1000 + seed, count: 2100)
      func pure(_ t: Int) -> Double { 10 * sin(2 * .pi * Double(t) / 50) }
      var first: [Double] = []
      var tenth: [Double] = []
      var middle: [Double] = []
      var covered: [Double] = []
      for t in 0..<2000 {
        if t >= 1000, t % 25 == 0 {
          let forecast = try forest.extrapolate(horizon: 10)
          first.append(Double(forecast.values[0]) - pure(t))
          tenth.append(Double(forecast.values[9]) - pure(t + 9))
          covered.append(forecast.lower[0] <= input[t] && input[t] <= forecast.upper[0] ? 1 : 0)
          let imputed = try forest.impute([input[t]].span, missing: [8])
          middle.append(Double(imputed.values[8]) - pure(t - 7))
        }
        try forest.update([input[t]].span)
      }
      func rootMeanSquare(_ errors: [Double]) -> Double {
        (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
      }
      metrics["rmse_vs_noiseless_h1", default: []].append(rootMeanSquare(first))
      metrics["rmse_vs_noiseless_h10", default: []].append(rootMeanSquare(tenth))
      metrics["impute_middle_rmse_vs_noiseless", default: []].append(rootMeanSquare(middle))
      metrics["h1_p10_p90_coverage_of_actual", default: []].append(
        covered.reduce(0, +) / Double(covered.count))
    }
    for (metric, values) in metrics.sorted(by: { $0.key < $1.key }) {
      try Self.expect(values, like: "sine_forecast_shingle16_trees50", metric)
    }
  }
}

extension RandomAccessCollection {
  /// The first index whose element passes, where all that pass come after all that do not.
  func partitioningIndex(_ passes: (Element) -> Bool) -> Index {
    var low = startIndex
    var count = self.count
    while count > 0 {
      let half = count / 2
      let middle = index(low, offsetBy: half)
      if passes(self[middle]) {
        count = half
      } else {
        low = index(after: middle)
        count -= half + 1
      }
    }
    return low
  }
}
