import Columns
import LearnedModels
import RandomCutForest

/// How the hyperparameters of the next trial are chosen.
public enum TuningStrategy: String, Sendable, CaseIterable {
  /// All combinations of lists and integers, one after the other.
  case grid
  /// At random.
  case random
  /// Where a Gaussian process expects the greatest improvement.
  case bayesian
}

/// Proposes the hyperparameters of trials, one after the other; the seed determines them together
/// with the results.
package struct TrialSearch {
  private struct Seen {
    /// Each range's place from 0 to 1.
    let places: [Double]
    /// Lower is better; nil when the trial failed.
    let loss: Double?
  }

  private let strategy: TuningStrategy
  private let ranges: [ParameterRange]
  private var random: SplitMix64
  private var shift: [Double]
  private var spreadCount = 0
  private var next: [Double] = []
  private var seen: [Seen] = []
  private var proposed: Set<[String]> = []
  private var kernel: GaussianProcess.Kernel?

  /// Trials of a Bayesian search that are spread evenly before the first one is chosen.
  package static func firstCount(_ ranges: [ParameterRange]) -> Int { min(ranges.count + 2, 10) }

  /// All combinations; nil when they cannot be counted.
  package static func combinations(_ ranges: [ParameterRange]) -> Int? {
    var product = 1
    for range in ranges {
      guard let count = range.count else { return nil }
      let (value, overflow) = product.multipliedReportingOverflow(by: count)
      if overflow { return Int.max }
      product = value
    }
    return product
  }

  /// A search that begins.
  package init(_ strategy: TuningStrategy, _ ranges: [ParameterRange], seed: UInt64) {
    self.strategy = strategy
    self.ranges = ranges
    random = SplitMix64(seed: seed)
    shift = []
    shift = ranges.map { _ in random.uniform() }
  }

  /// The texts of the next trial, in the order of the ranges; nil when every combination had its turn.
  package mutating func propose() -> [String]? {
    if strategy == .grid { return grid(proposed.count) }
    if let all = Self.combinations(ranges), proposed.count >= all { return nil }
    for _ in 0..<1_000 {
      let places = choose()
      let texts = zip(ranges, places).map { $0.text(at: $1) }
      guard proposed.insert(texts).inserted else { continue }
      next = places
      return texts
    }
    return nil
  }

  /// Takes the result of the trial that was proposed last: lower is better, nil when it failed.
  package mutating func record(loss: Double?) {
    seen.append(Seen(places: next, loss: loss))
  }

  /// The combination of a number, the last range turning fastest.
  private mutating func grid(_ number: Int) -> [String]? {
    guard number < Self.combinations(ranges) ?? 0 else { return nil }
    var rest = number
    var texts: [String] = []
    for range in ranges.reversed() {
      let count = range.count ?? 1
      texts.append(range.text(number: rest % count))
      rest /= count
    }
    texts.reverse()
    proposed.insert(texts)
    return texts
  }

  private mutating func choose() -> [Double] {
    guard strategy == .bayesian else { return uniform() }
    guard seen.count >= Self.firstCount(ranges), let losses = scaledLosses(),
      let process = fitted(losses)
    else { return spread() }
    return mostPromising(process, losses)
  }

  private mutating func uniform() -> [Double] { ranges.map { _ in random.uniform() } }

  /// The next point of a sequence that fills the cube evenly, shifted at random.
  ///
  /// - Source: Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018: multiples of
  ///   powers of 1/g, where g to the power of d + 1 is g + 1.
  private mutating func spread() -> [Double] {
    spreadCount += 1
    var base = 2.0
    for _ in 0..<40 {
      base = DeterministicMath.pow(1 + base, 1 / Double(ranges.count + 1))
    }
    var step = 1.0
    return shift.map { start in
      step /= base
      let place = start + Double(spreadCount) * step
      return place - place.rounded(.down)
    }
  }
}

// MARK: - The Bayesian choice

extension TrialSearch {
  /// Up to so many trials every one of them makes the kernel be chosen anew, beyond every eighth:
  /// that takes time with the cube of their number.
  private static let kernelLimit = 60

  /// The losses with mean 0 and variance 1, those far worse than usual cut off, so that one ruined
  /// trial does not hide the differences of the good ones; nil when there is nothing to tell apart.
  private func scaledLosses() -> [Double]? {
    let known = seen.compactMap(\.loss).sorted()
    guard let best = known.first, let worst = known.last, worst > best else { return nil }
    let median = known[known.count / 2]
    let cap = median > best ? min(worst, median + 3 * (median - best)) : worst
    let losses = seen.map { min($0.loss ?? cap, cap) }
    let mean = losses.reduce(0, +) / Double(losses.count)
    let variance = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(losses.count)
    guard variance > 0 else { return nil }
    let deviation = variance.squareRoot()
    return losses.map { ($0 - mean) / deviation }
  }

  private mutating func fitted(_ losses: [Double]) -> GaussianProcess? {
    let points = seen.map { coordinates($0.places) }
    if seen.count > Self.kernelLimit, seen.count % 8 != 0, var kernel {
      kernel.amplitude = 0
      if let process = GaussianProcess(points: points, values: losses, kernel: kernel) {
        return process
      }
    }
    let process = GaussianProcess.fitted(points: points, values: losses)
    kernel = process?.kernel
    return process
  }

  private func coordinates(_ places: [Double]) -> [Double] {
    var point: [Double] = []
    for (range, place) in zip(ranges, places) { range.appendCoordinates(at: place, to: &point) }
    return point
  }

  /// Of many places, and of places near the best trials, the one with the greatest expected
  /// improvement, then improved further by small steps.
  private mutating func mostPromising(
    _ process: GaussianProcess, _ losses: [Double]
  ) -> [Double] {
    // The process says what the best trial is worth without noise.
    let best = seen.map { process.posterior(at: coordinates($0.places)).mean }.min() ?? 0
    func gain(_ places: [Double]) -> Double {
      let (mean, variance) = process.posterior(at: coordinates(places))
      return Self.expectedImprovement(mean: mean, deviation: variance.squareRoot(), best: best)
    }
    var candidates = (0..<min(2_000, 500 * ranges.count)).map { _ in uniform() }
    let order = losses.indices.sorted { losses[$0] < losses[$1] }
    for index in order.prefix(5) {
      for width in [0.2, 0.05, 0.01] {
        for _ in 0..<20 { candidates.append(neighbour(of: seen[index].places, width: width)) }
      }
    }
    let gains = candidates.map(gain)
    let ranked = candidates.indices.sorted { (gains[$0], $1) > (gains[$1], $0) }
    var chosen: (places: [Double], gain: Double)?
    for index in ranked.prefix(5) {
      var (places, reached, width) = (candidates[index], gains[index], 0.1)
      while width > 1e-3 {
        let step = neighbour(of: places, width: width)
        let found = gain(step)
        if found > reached { (places, reached) = (step, found) } else { width *= 0.8 }
      }
      guard reached > chosen?.gain ?? -1, isNew(places) else { continue }
      chosen = (places, reached)
    }
    if let chosen { return chosen.places }
    return ranked.first { isNew(candidates[$0]) }.map { candidates[$0] } ?? uniform()
  }

  private func isNew(_ places: [Double]) -> Bool {
    !proposed.contains(zip(ranges, places).map { $0.text(at: $1) })
  }

  /// A place nearby; of a list now and then another text.
  private mutating func neighbour(of places: [Double], width: Double) -> [Double] {
    zip(ranges, places).map { range, place in
      if case .texts = range.values { return random.uniform() < 0.2 ? random.uniform() : place }
      return max(0, min(1, place + width * standardNormal(&random)))
    }
  }

  /// How far below `best` the function is expected to lie, counting what lies above as 0.
  ///
  /// - Source: Jones, Schonlau, Welch, "Efficient global optimization of expensive black-box
  ///   functions", 1998, equation 15.
  package static func expectedImprovement(
    mean: Double, deviation: Double, best: Double
  ) -> Double {
    guard deviation > 0 else { return max(0, best - mean) }
    let distance = (best - mean) / deviation
    let density = DeterministicMath.exp(-0.5 * distance * distance) * 0.398_942_280_401_432_7
    return deviation * (distance * normalCumulative(distance) + density)
  }
}
