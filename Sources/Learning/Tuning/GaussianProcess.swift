import Columns

/// A Gaussian process over points of the unit cube: what is known of a function at places where it
/// was not computed.
///
/// The kernel is Matérn 5/2 with a length for each coordinate, times an amplitude, plus noise.
///
/// - Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1
///   and equation 4.17.
package struct GaussianProcess {
  /// The parameters of the covariance of two values.
  package struct Kernel: Equatable {
    /// The variance of the function.
    package var amplitude: Double
    /// The distance in each coordinate over which values are alike.
    package var lengths: [Double]
    /// The variance of the noise, as a share of the amplitude.
    package var noise: Double

    /// A kernel.
    package init(amplitude: Double, lengths: [Double], noise: Double) {
      self.amplitude = amplitude
      self.lengths = lengths
      self.noise = noise
    }

    /// The correlation of the function at two points.
    package func correlation(_ one: Span<Double>, _ other: Span<Double>) -> Double {
      var squared = 0.0
      for index in lengths.indices {
        let difference = (one[index] - other[index]) / lengths[index]
        squared += difference * difference
      }
      let distance = (5 * squared).squareRoot()
      return (1 + distance + distance * distance / 3) * DeterministicMath.exp(-distance)
    }
  }

  /// The kernel, its amplitude set by the values.
  package let kernel: Kernel
  /// The logarithm of the probability of the values under the kernel.
  package let logLikelihood: Double

  private let dimensions: Int
  private let count: Int
  private let points: [Double]
  /// The lower triangle of the Cholesky factor of correlations and noise, row after row.
  private let factor: [Double]
  /// The values times the inverse of correlations and noise.
  private let weights: [Double]

  /// A process that has seen values of mean 0 at some points; nil when points lie so close that
  /// their correlations cannot be factored.
  ///
  /// A kernel with the amplitude 0 gets the one under which the values are most probable.
  package init?(points: [[Double]], values: [Double], kernel: Kernel) {
    precondition(points.count == values.count && !values.isEmpty)
    dimensions = kernel.lengths.count
    count = values.count
    self.points = points.flatMap { $0 }
    precondition(self.points.count == count * dimensions)
    guard let factor = Self.factor(self.points, count, kernel) else { return nil }
    self.factor = factor
    weights = Self.solveUpper(factor, Self.solveLower(factor, values))
    var square = 0.0
    var logDeterminant = 0.0
    for index in 0..<count {
      square += values[index] * weights[index]
      logDeterminant += 2 * DeterministicMath.log(factor[Self.row(index) + index])
    }
    let amplitude =
      kernel.amplitude > 0 ? kernel.amplitude : max(square / Double(count), 1e-12)
    self.kernel = Kernel(amplitude: amplitude, lengths: kernel.lengths, noise: kernel.noise)
    logLikelihood =
      -0.5
      * (square / amplitude + logDeterminant
        + Double(count) * DeterministicMath.log(2 * Double.pi * amplitude))
  }

  /// Mean and variance of the function, without noise, at a point.
  package func posterior(at point: [Double]) -> (mean: Double, variance: Double) {
    var correlations = [Double](repeating: 0, count: count)
    var mean = 0.0
    for index in 0..<count {
      let start = index * dimensions
      correlations[index] = kernel.correlation(
        point.span, points.span.extracting(start..<(start + dimensions)))
      mean += correlations[index] * weights[index]
    }
    var explained = 0.0
    for value in Self.solveLower(factor, correlations) { explained += value * value }
    return (mean, kernel.amplitude * max(0, 1 - explained))
  }

  private static func row(_ index: Int) -> Int { index * (index + 1) / 2 }

  private static func factor(_ points: [Double], _ count: Int, _ kernel: Kernel) -> [Double]? {
    let dimensions = kernel.lengths.count
    var factor = [Double](repeating: 0, count: row(count))
    for one in 0..<count {
      let first = points.span.extracting((one * dimensions)..<((one + 1) * dimensions))
      for other in 0...one {
        let second = points.span.extracting((other * dimensions)..<((other + 1) * dimensions))
        var sum = one == other ? 1 + kernel.noise : kernel.correlation(first, second)
        for index in 0..<other { sum -= factor[row(one) + index] * factor[row(other) + index] }
        if one == other {
          guard sum > 1e-13 else { return nil }
          factor[row(one) + one] = sum.squareRoot()
        } else {
          factor[row(one) + other] = sum / factor[row(other) + other]
        }
      }
    }
    return factor
  }

  private static func solveLower(_ factor: [Double], _ values: [Double]) -> [Double] {
    var solution = values
    for index in values.indices {
      for before in 0..<index { solution[index] -= factor[row(index) + before] * solution[before] }
      solution[index] /= factor[row(index) + index]
    }
    return solution
  }

  private static func solveUpper(_ factor: [Double], _ values: [Double]) -> [Double] {
    var solution = values
    for index in values.indices.reversed() {
      for after in (index + 1)..<max(index + 1, values.count) {
        solution[index] -= factor[row(after) + index] * solution[after]
      }
      solution[index] /= factor[row(index) + index]
    }
    return solution
  }
}

// MARK: - Choosing the kernel

extension GaussianProcess {
  /// The process whose kernel is most probable, given the values and a mild preference for lengths
  /// around a half and little noise.
  ///
  /// - Returns: Nil when no kernel can be factored.
  package static func fitted(points: [[Double]], values: [Double]) -> GaussianProcess? {
    guard let dimensions = points.first?.count else { return nil }
    func process(_ logs: [Double]) -> (GaussianProcess, score: Double)? {
      let kernel = Kernel(
        amplitude: 0, lengths: logs.dropLast().map(DeterministicMath.exp),
        noise: DeterministicMath.exp(logs[dimensions]))
      guard let process = GaussianProcess(points: points, values: values, kernel: kernel) else {
        return nil
      }
      var score = process.logLikelihood
      for log in logs.dropLast() {
        let away = log - Self.usualLength
        score -= 0.5 * away * away
      }
      let away = (logs[dimensions] - Self.usualNoise) / 3
      return (process, score - 0.5 * away * away)
    }
    var best: (logs: [Double], process: GaussianProcess, score: Double)?
    func consider(_ logs: [Double]) -> Bool {
      guard let (process, score) = process(logs), score > best?.score ?? -.infinity else {
        return false
      }
      best = (logs, process, score)
      return true
    }
    for length in [-2.3, -1.2, -0.7, 0, 0.7] {
      for noise in [-13.8, -9.2, -4.6, -2.3] {
        _ = consider([Double](repeating: length, count: dimensions) + [noise])
      }
    }
    // One coordinate at a time, with ever smaller steps.
    var step = 1.0
    while step > 0.2, let start = best?.logs {
      var improved = false
      for index in start.indices {
        for direction in [-step, step] {
          guard var logs = best?.logs else { continue }
          logs[index] = max(-16, min(3, logs[index] + direction))
          if consider(logs) {
            improved = true
            break
          }
        }
      }
      if !improved { step /= 2 }
    }
    return best?.process
  }

  /// The logarithm of a half.
  private static let usualLength = -0.7
  /// The logarithm of a thousandth.
  private static let usualNoise = -6.9
}
