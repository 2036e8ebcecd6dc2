import Learning
import RandomCutForest
import Testing

@Suite struct GaussianProcessTests {
  /// Solves a dense system by elimination with pivots: the reference, as simple as can be.
  private func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double] {
    var rows = zip(matrix, right).map { $0 + [$1] }
    for column in rows.indices {
      let pivot = (column..<rows.count).max { abs(rows[$0][column]) < abs(rows[$1][column]) }
      rows.swapAt(column, pivot ?? column)
      for row in rows.indices where row != column {
        let share = rows[row][column] / rows[column][column]
        for index in column...rows.count { rows[row][index] -= share * rows[column][index] }
      }
    }
    return rows.indices.map { rows[$0][rows.count] / rows[$0][$0] }
  }

  @Test(arguments: 0..<20) func thePosteriorIsThatOfTheDenseFormulas(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let dimensions = 1 + Int(seed % 4)
    let points = (0..<12).map { _ in (0..<dimensions).map { _ in random.uniform() } }
    let values = points.map { _ in 4 * random.uniform() - 2 }
    let kernel = GaussianProcess.Kernel(
      amplitude: 0.5 + random.uniform(),
      lengths: (0..<dimensions).map { _ in 0.2 + random.uniform() }, noise: 0.01)
    let process = try #require(GaussianProcess(points: points, values: values, kernel: kernel))
    func covariance(_ one: [Double], _ other: [Double]) -> Double {
      kernel.amplitude * kernel.correlation(one.span, other.span)
    }
    let matrix = points.indices.map { one in
      points.indices.map { other in
        covariance(points[one], points[other]) + (one == other ? 0.01 * kernel.amplitude : 0)
      }
    }
    for _ in 0..<5 {
      let point = (0..<dimensions).map { _ in random.uniform() }
      let towards = points.map { covariance($0, point) }
      let mean = zip(towards, solve(matrix, values)).reduce(0) { $0 + $1.0 * $1.1 }
      let explained = zip(towards, solve(matrix, towards)).reduce(0) { $0 + $1.0 * $1.1 }
      let found = process.posterior(at: point)
      #expect(abs(found.mean - mean) < 1e-9)
      #expect(abs(found.variance - (kernel.amplitude - explained)) < 1e-9)
    }
  }

  @Test func theKernelIsCertainWhereItHasSeenAndUncertainFarAway() throws {
    let points = [[0.1], [0.2], [0.3]]
    let process = try #require(GaussianProcess.fitted(points: points, values: [-1, 0, 1]))
    #expect(process.posterior(at: [0.2]).variance < 0.05 * process.kernel.amplitude)
    #expect(process.posterior(at: [1]).variance > process.posterior(at: [0.25]).variance)
    #expect(abs(process.posterior(at: [0.25]).mean - 0.5) < 0.2)
  }

  /// The closed form against the mean over many draws.
  @Test func theExpectedImprovementIsAMean() {
    var random = SplitMix64(seed: 1)
    for (mean, deviation, best) in [(0.0, 1.0, 0.0), (1, 0.5, 0.2), (-0.3, 2, -1)] {
      var sum = 0.0
      for _ in 0..<200_000 {
        let normal = (0..<12).reduce(-6.0) { total, _ in total + random.uniform() }
        sum += max(0, best - (mean + deviation * normal))
      }
      let closed = TrialSearch.expectedImprovement(mean: mean, deviation: deviation, best: best)
      #expect(abs(sum / 200_000 - closed) < 0.01)
    }
    #expect(TrialSearch.expectedImprovement(mean: 1, deviation: 0, best: 3) == 2)
  }
}
