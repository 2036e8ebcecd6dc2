import Columns
import RandomCutForest

/// The state of the streaming algorithm: more centres than wanted, each with the weight of its rows.
///
/// A model of any smaller k can be finished from it.
struct WeightedCentres {
  let dimensions: Int
  /// Subtracted from all rows, so that products of large values do not hide small differences.
  let shift: [Float]
  var centres: [Float]
  var weights: [Double]

  private var sums: CentreSums
  private var shifted: [Float] = []
  private var nearest: [UInt32] = []
  private var least: [Float] = []
  private var second: [Float] = []

  var count: Int { weights.count }

  /// Takes `count` of the rows for the first centres, fewer when there are not as many.
  init(
    first block: RowBlock, dimensions: Int, count: Int, seeding: KMeansSettings.Seeding,
    progress: TrainingProgress, _ random: inout SplitMix64
  ) throws(TrainingError) {
    self.dimensions = dimensions
    var means = [Double](repeating: 0, count: dimensions)
    for row in 0..<block.count {
      for feature in 0..<dimensions {
        means[feature] += Double(block.values[row * dimensions + feature])
      }
    }
    let shift = means.map { Float($0 / Double(max(1, block.count))) }
    self.shift = shift
    var rows: [Float] = []
    RowKernels.shift(block.values, by: shift, into: &rows)
    let chosen =
      switch seeding {
      case .random: Seeding.random(count, of: block.count, &random)
      case .plusPlus:
        try Seeding.plusPlus(
          count, rows: rows, dimensions: dimensions,
          weights: [Double](repeating: 1, count: block.count), candidates: 1, progress: progress,
          &random)
      }
    centres = chosen.flatMap { rows[($0 * dimensions)..<(($0 + 1) * dimensions)] }
    weights = [Double](repeating: 0, count: chosen.count)
    sums = CentreSums(count: chosen.count, dimensions: dimensions)
  }

  /// Moves the centres towards the rows that are nearest to each.
  ///
  /// - Source: Sculley, "Web-scale k-means clustering", WWW 2010, a mini-batch at a time.
  /// - Throws: When the training was cancelled; the centres are then as they were.
  mutating func absorb(
    _ block: RowBlock, halfLife: Int, progress: TrainingProgress
  ) throws(TrainingError) {
    if nearest.count < block.count {
      nearest = [UInt32](repeating: 0, count: block.count)
      least = [Float](repeating: 0, count: block.count)
    }
    RowKernels.shift(block.values, by: shift, into: &shifted)
    try NearestCentres(centres, dimensions: dimensions).assign(
      shifted, count: block.count, nearest: &nearest, least: &least, second: &second,
      progress: progress)
    sums.reset()
    sums.add(shifted, count: block.count, centres: centres, nearest: nearest)
    if halfLife > 0 {
      let fading = DeterministicMath.pow(
        0.5, Double(block.count) / Double(halfLife))
      for centre in weights.indices { weights[centre] *= fading }
    }
    for centre in weights.indices where sums.counts[centre] > 0 {
      let arrived = sums.counts[centre]
      weights[centre] += arrived
      let share = arrived / weights[centre]
      for index in (centre * dimensions)..<((centre + 1) * dimensions) {
        centres[index] = Float(
          (1 - share) * Double(centres[index]) + share * sums.sums[index] / arrived)
      }
    }
  }

  /// The centres that stand for rows; all of them when those are fewer than `k`.
  func reduced(
    to k: Int, settings: KMeansSettings, progress: TrainingProgress, _ random: inout SplitMix64
  ) throws(TrainingError) -> [Float] {
    var rows: [Float] = []
    var masses: [Double] = []
    for centre in weights.indices where weights[centre] > 0 {
      rows.append(contentsOf: centres[(centre * dimensions)..<((centre + 1) * dimensions)])
      masses.append(weights[centre])
    }
    guard masses.count > k else { return rows }
    let lloyd = LocalLloyd(rows: rows, weights: masses, dimensions: dimensions, k: k)
    return try lloyd.best(settings, progress: progress, &random)
  }
}
