import RandomCutForest

/// Lloyd's algorithm over weighted rows in memory, several times from different seeds.
///
/// - Source: Lloyd, "Least squares quantization in PCM", IEEE Transactions 28, 1982.
struct LocalLloyd {
  let rows: [Float]
  let weights: [Double]
  let dimensions: Int
  let k: Int

  /// The centres of the trial with the least loss.
  func best(
    _ settings: KMeansSettings, progress: TrainingProgress, _ random: inout SplitMix64
  ) throws(TrainingError) -> [Float] {
    var best: [Float] = []
    var least = Double.infinity
    for trial in 0..<settings.localTrials {
      try progress.check()
      progress.report(
        TrainingStage(
          "local Lloyd", fraction: Double(trial) / Double(settings.localTrials)))
      let (centres, loss) = try run(settings, progress: progress, &random)
      if loss < least {
        best = centres
        least = loss
      }
    }
    return best
  }

  private func run(
    _ settings: KMeansSettings, progress: TrainingProgress, _ random: inout SplitMix64
  ) throws(TrainingError) -> (centres: [Float], loss: Double) {
    let seeds =
      switch settings.localSeeding {
      case .random: Seeding.random(k, of: weights.count, &random)
      case .plusPlus:
        try Seeding.plusPlus(
          k, rows: rows, dimensions: dimensions, weights: weights,
          candidates: 2 + (Int.bitWidth - k.leadingZeroBitCount), progress: progress, &random)
      }
    var centres = seeds.flatMap { rows[($0 * dimensions)..<(($0 + 1) * dimensions)] }
    var nearest = [UInt32](repeating: 0, count: weights.count)
    var least = [Float](repeating: 0, count: weights.count)
    var second: [Float] = []
    var loss = Double.infinity
    for _ in 0..<settings.localIterations {
      try progress.check()
      try NearestCentres(centres, dimensions: dimensions).assign(
        rows, count: weights.count, nearest: &nearest, least: &least, second: &second,
        progress: progress)
      let before = loss
      loss = update(&centres, nearest)
      if before - loss <= settings.tolerance * loss { break }
    }
    return (centres, loss)
  }

  /// Moves each centre to the weighted mean of its rows; returns the loss before the move.
  private func update(_ centres: inout [Float], _ nearest: [UInt32]) -> Double {
    let count = centres.count / dimensions
    var sums = [Double](repeating: 0, count: centres.count)
    var masses = [Double](repeating: 0, count: count)
    var loss = 0.0
    var farthest = (row: 0, distance: -1.0)
    for row in weights.indices {
      let centre = Int(nearest[row])
      var distance = 0.0
      for feature in 0..<dimensions {
        let value = Double(rows[row * dimensions + feature])
        let difference = value - Double(centres[centre * dimensions + feature])
        distance += difference * difference
        sums[centre * dimensions + feature] += weights[row] * value
      }
      masses[centre] += weights[row]
      loss += weights[row] * distance
      if weights[row] * distance > farthest.distance {
        farthest = (row, weights[row] * distance)
      }
    }
    for centre in 0..<count {
      for feature in 0..<dimensions {
        // A centre without rows goes to the row that costs most.
        centres[centre * dimensions + feature] =
          masses[centre] > 0
          ? Float(sums[centre * dimensions + feature] / masses[centre])
          : rows[farthest.row * dimensions + feature]
      }
    }
    return loss
  }
}
